"""How fast, and in how much memory, on a real multilingual backbone? Whole processes of each side in turn.

    python scripts/benchmark_real.py --backbone FOLDER --data PATH                      # everything
    python scripts/benchmark_real.py --backbone FOLDER --data PATH --parts full-ft --json out.json
    python scripts/benchmark_real.py --backbone FOLDER --data PATH --sides ours --checkout OTHER_CHECKOUT

FOLDER holds an encoder of `transformers` (config.json, model.safetensors, tokenizer.json), PATH the treebanks of
Universal Dependencies. Every side trains `--steps` steps of `--batch` English sentences and predicts `--test` sentences
in each of nine languages, in a process of its own with one thread, start and imports included; sides alternate, figures
are medians of `--turns`. Ours are stages in a store, with their assertions, files and checksums; the other side is a
script of `transformers.Trainer` (full-ft) or `adapters.AdapterTrainer` (adapter, stack, fuse-3) on the same sentences,
steps, batch size, rates and clipping, which saves its model once. `one-step` is a stage of a single step without
prediction: what a stage costs whatever it does; its `second_stage` is another seed in the same process, as in a worker.
`upper-half` trains adapters in the upper half of the layers with `cache_bottom`, two seeds in two processes: its
figures are those of the second, which reads the states that the first has stored; the other side trains one without
any. `before` is ours in another checkout, for comparison over time. `--dtype bf16` lets all sides train in bf16.

CPU seconds are user and kernel time of the process; memory is the largest resident memory the kernel saw (VmHWM);
written bytes are all that was handed to the kernel, files that are gone again included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent
PARTS = ("full-ft", "adapter", "stack", "fuse-3", "upper-half", "one-step")
SIDES = ("ours", "usual", "before")
FIGURES = (
    "cpu_s", "wall_s", "training_cpu_s", "loop_cpu_s", "first_loop_cpu_s", "prediction_cpu_s", "second_stage_cpu_s",
    "peak_mib", "stored_mib", "written_mib",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbone", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--data", type=Path, required=True, help="folder with the UD treebanks")
    parser.add_argument("--work", type=Path, help="keep prepared tasks here")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS, help="what to train")
    parser.add_argument("--sides", choices=SIDES[:2], nargs="+", default=SIDES[:2], help="who trains")
    parser.add_argument("--checkout", type=Path, help="another checkout of adapterxfer, measured as side 'before'")
    parser.add_argument("--turns", type=int, default=3, help="processes of each side")
    parser.add_argument("--steps", type=int, default=20, help="of a training")
    parser.add_argument("--batch", type=int, default=32, help="sentences of a step")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32", help="of all trainings")
    parser.add_argument("--train", type=int, default=2000, help="English training sentences")
    parser.add_argument("--test", type=int, default=100, help="test sentences of a language")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    asked = parser.parse_args(arguments)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        work = asked.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        turns = measure(asked, work)
    rows = summary(turns)
    for row in rows:
        print(line_of(row))
    if asked.json:
        settings = {name: getattr(asked, name) for name in ("steps", "batch", "dtype", "train", "test", "turns")}
        content = {"settings": settings, "rows": rows, "turns": turns}
        asked.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} s in all")
    return 0


def measure(asked: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """Every process of every side: ``{part, side, turn, ...figures}``."""
    from real_benchmark.inputs import TARGET, prepare

    if not (work / TARGET).is_dir():
        prepare(asked.data, work, train=asked.train, test=asked.test)
    sides = [*asked.sides, *(["before"] if asked.checkout else [])]
    common = {"work": str(work), "backbone": str(asked.backbone), "batch": asked.batch, "dtype": asked.dtype,
              "predict": False, "again": False}  # fmt: skip
    if {"stack", "fuse-3"} & set(asked.parts) and not (work / "before").is_dir():
        run("ours", {**common, "part": "intermediates", "steps": 1}, work, None)
    turns = []
    for turn in range(1, asked.turns + 1):
        for part in asked.parts:
            alone = part == "one-step"
            for side in sides:
                if alone and side == "usual":
                    continue
                ask = {**common, "part": "full-ft" if alone else part, "steps": 1 if alone else asked.steps}
                if part == "upper-half":
                    figures = second_seed(side, ask, work, asked.checkout)
                else:
                    figures = run(side, {**ask, "predict": not alone, "again": alone}, work, asked.checkout)
                turns.append({"part": part, "side": side, "turn": turn, **figures})
                print(json.dumps(turns[-1]), flush=True)
    return turns


def second_seed(side: str, ask: dict[str, Any], work: Path, checkout: Path | None) -> dict[str, Any]:
    """Figures of the second seed in a store, with the time of the first one's loop; of the other side's only one."""
    if side == "usual":
        return run(side, ask, work, checkout)
    with tempfile.TemporaryDirectory(dir=work) as store:
        first, second = (run(side, {**ask, "store": store, "seed": seed}, work, checkout) for seed in (1, 2))
    return {**second, "first_loop_cpu_s": first["loop_cpu_s"]}


def run(side: str, asked: dict[str, Any], work: Path, checkout: Path | None, *, threads: int = 1) -> dict[str, Any]:
    """One process; the figures that it reports of itself.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.NamedTemporaryFile("w", dir=work, suffix=".json", delete=False, encoding="utf-8") as file:
        json.dump(asked, file)
    root = checkout if side == "before" and checkout is not None else SCRIPTS.parent
    module = "peer_process" if side == "usual" else "our_process"
    environment = {
        **os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join([str(root), str(SCRIPTS)]),
    }  # fmt: skip
    command = [sys.executable, "-m", f"real_benchmark.{module}", file.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=work)
    if done.returncode:
        raise RuntimeError(f"{side}, {asked['part']}: ended with {done.returncode}\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def summary(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians of each part and figure by side, and the ratio of each other side to ours."""
    rows = []
    for part in dict.fromkeys(turn["part"] for turn in turns):
        for figure in FIGURES:
            values = {
                side: [
                    turn[figure] for turn in turns if (turn["part"], turn["side"]) == (part, side) and figure in turn
                ]
                for side in SIDES
            }
            medians = {side: round(statistics.median(some), 2) for side, some in values.items() if some}
            if medians:
                ours = medians.get("ours")
                ratios = {side: round(value / ours, 2) for side, value in medians.items() if side != "ours" and ours}
                rows.append({"part": part, "figure": figure, **medians, "ratios": ratios})
    return rows


def line_of(row: dict[str, Any]) -> str:
    """One figure as a line of text."""
    sides = "   ".join(f"{side} {row[side]:10.2f}" for side in SIDES if side in row)
    ratios = ", ".join(f"{side}/ours {ratio}x" for side, ratio in row["ratios"].items())
    return f"{row['part']:9} {row['figure']:17} {sides}   {ratios}"


if __name__ == "__main__":
    sys.exit(main())
