"""How fast are training and prediction against the usual scripts? Both sides in turn, on real files.

    python scripts/benchmark_training.py --data PATH                      # everything, under an hour on 2 cores
    python scripts/benchmark_training.py --data PATH --only grid --json out.json
    python scripts/benchmark_training.py --data PATH --work PLACE --only 768        # PLACE keeps what is prepared

`--only grid`: SQuAD and MNLI (development file) as intermediates; UD tags, XNLI (development files) and questions on
gold sentences as targets; full-ft, stack and fuse, zero-shot prediction in 8 languages, at hidden 64. Every side runs
in a process of its own with one thread. Only if asked for (`--sides`): `ours-bf16` is ours with ``dtype: bf16``;
`ours-machine` and `usual-machine` have all cores, ours through the default engine with a worker of one thread for each,
the other with torch's threads, both with start and imports; `usual-own-loss` has our loss of questions.
`--only 256` and `--only 768`: a fixed number of steps of every variant, and prediction. `--only options`: ours alone,
with and without kept lower layers, and several seeds in one pass, at all three widths; only if asked for.

The usual way: `transformers.Trainer` for full-ft, `adapters.AdapterTrainer` for stack and fuse, random batches padded
by the library's collators (side `usual-grouped`: its ``group_by_length``), fp32, static heads; the same features, start
values of heads, adapters and fusions, steps, effective batch, learning rate and schedule. Intermediate models are
trained once and reused on both sides; the other side encodes every task once and saves nothing. Ours are stages in a
store, with their assertions, files and checksums. Where nothing else is said, imports are left out on both sides.

``step`` is a step of both loops as they are (ours sorts lengths inside windows); ``equal`` is forward and backward on
one and the same batch. Both and ``predict`` are CPU time of one thread (equal to wall time where a core is free),
medians over turns; the grid is wall time. Activations: what autograd keeps for the backward pass of one step.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

PARTS = ("grid", "256", "768", "options")
SIDES = ("ours", "usual", "usual-grouped", "ours-machine", "usual-machine", "ours-bf16", "usual-own-loss")
TARGETS = ("udpos", "xnli-dev", "xquad-gold-sentence")
MODELS = ("full-ft", "adapter", "stack", "fuse-2", "fuse-3", "fuse-9")


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the original files")
    parser.add_argument("--work", type=Path, help="keep prepared tasks and backbones here, for other parts")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS[:3], help="parts to measure")
    parser.add_argument("--models", choices=MODELS, nargs="+", default=MODELS, help="models at 256 and 768")
    parser.add_argument("--sides", choices=SIDES, nargs="+",
                        default=SIDES[:3], help="sides of the grid")  # fmt: skip
    parser.add_argument("--targets", choices=TARGETS, nargs="+", default=TARGETS, help="targets of the grid")
    parser.add_argument(
        "--turns", type=int, default=3, help="of every comparison; the sides but ours and usual run in the first"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="of the grid in the first turn; the next "
                        "turn has the seeds that follow, so that scores are compared over all of them")  # fmt: skip
    parser.add_argument(
        "--join", type=Path, nargs="+", default=[], help="results of earlier pieces: their turns count too"
    )
    parser.add_argument("--grid-steps", type=int, default=40, help="of a training in the grid; a fusion has half")
    parser.add_argument("--steps", type=int, default=30, help="measured steps of a variant at 256 and 768")
    parser.add_argument("--batch", type=int, default=32, help="effective batch in training")
    parser.add_argument("--eval-batch", type=int, default=32, help="of the usual side; Trainer's own default is 8")
    parser.add_argument("--test", type=int, default=200, help="test examples of a language at 256 and 768")
    parser.add_argument("--grid-test", type=int, default=100, help="test examples of a language in the grid")
    parser.add_argument("--pretrain-tokens", type=int, default=200_000, help="of the backbone of the grid")
    parser.add_argument("--threads", type=int, default=1, help="of a process of the grid")
    parser.add_argument("--json", type=Path, help="write every comparison to this file")
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    import torch
    from training_benchmark import grid, options, steps
    from training_benchmark.inputs import BACKBONES, MAX_LENGTH, prepare
    from training_benchmark.measuring import Rows

    torch.set_num_threads(1)
    began, rows = time.perf_counter(), Rows()
    turns: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = asked.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        print(f"batch {asked.batch}, at most {MAX_LENGTH} tokens")
        if set(asked.only) != {"grid"}:
            inputs = prepare(asked.data, work, test=asked.test, tokens=asked.pretrain_tokens)
            print(f"prepared in {time.perf_counter() - began:.0f} s")
        plan = steps.StepPlan(asked.steps, asked.turns, asked.batch, asked.eval_batch)
        for hidden in (256, 768):
            if str(hidden) in asked.only:
                steps.measure(inputs, hidden, asked.models, plan, rows)
        for hidden in BACKBONES if "options" in asked.only else ():
            options.measure(inputs, hidden, plan, rows)
        if "grid" in asked.only:
            prepare(asked.data, work, test=asked.grid_test, tokens=asked.pretrain_tokens)
            size = {name: getattr(asked, name) for name in ("batch", "eval_batch", "threads", "targets")}
            turns += [turn for path in asked.join for turn in json.loads(path.read_text(encoding="utf-8"))["turns"]]
            for turn in range(asked.turns):
                sides = [side for side in asked.sides if turn == 0 or side in SIDES[:2]]
                seeds = [seed + turn * len(asked.seeds) for seed in asked.seeds]
                turns.append(grid.run_sides(work, sides, {**size, "seeds": seeds, "steps": asked.grid_steps}))
            grid.report(rows, turns)
    if asked.json:
        facts = {key: str(value) for key, value in vars(asked).items() if key not in ("data", "work", "json", "join")}
        asked.json.write_text(
            json.dumps({"settings": facts, "rows": rows.rows, "turns": turns}, indent=1) + "\n", encoding="utf-8"
        )
    print(f"{time.perf_counter() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
