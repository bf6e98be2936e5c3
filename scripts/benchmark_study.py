"""How long does a whole small study on a real encoder take with the whole machine? Against scripts of the libraries.

    python scripts/benchmark_study.py --backbone FOLDER --data PATH --json out.json
    python scripts/benchmark_study.py --backbone FOLDER --data PATH --usual processes      # two scripts, one seed each

Two intermediates x two targets x full fine-tuning, stacks and fusions x two seeds, on sentences of Universal
Dependencies as in `benchmark_real.py`: 36 trainings of `--steps` steps and 24 predictions in nine languages, every
intermediate trained once for each seed. Ours are stages in stores, in as many processes of one thread as there are
seeds; the other side is one script of `Trainer` and `AdapterTrainer` with torch's threads on all cores, or as many
scripts as seeds (`--usual processes`). Wall time from start to end, imports included; one turn.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import benchmark_real

SEEDS = (1, 2)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbone", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--data", type=Path, required=True, help="folder with the UD treebanks")
    parser.add_argument("--sides", choices=("ours", "usual"), nargs="+", default=("ours", "usual"), help="who trains")
    parser.add_argument("--usual", choices=("threads", "processes"), default="threads", help="how it uses all cores")
    parser.add_argument("--steps", type=int, default=10, help="of a training")
    parser.add_argument("--batch", type=int, default=32, help="sentences of a step")
    parser.add_argument("--train", type=int, default=1000, help="training sentences of a task")
    parser.add_argument("--test", type=int, default=30, help="test sentences of a language")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    asked = parser.parse_args(arguments)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        from real_benchmark.inputs import prepare

        work = Path(folder)
        prepare(asked.data, work, train=asked.train, test=asked.test)
        for side in asked.sides:
            rows[side] = measure(side, asked, work)
            print(f"{side:6} {rows[side]['wall_s']:8.1f} s   CPU {rows[side]['cpu_s']:8.1f} s", flush=True)
    if len(rows) == 2:
        print(f"usual/ours {rows['usual']['wall_s'] / rows['ours']['wall_s']:.2f}x")
    if asked.json:
        settings = {name: getattr(asked, name) for name in ("steps", "batch", "train", "test", "usual")}
        asked.json.write_text(json.dumps({"settings": settings, "sides": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(side: str, asked: argparse.Namespace, work: Path) -> dict[str, Any]:
    """One side with all cores: wall time, CPU time of all its processes, and what each says of itself."""
    alone = side == "usual" and asked.usual == "threads"
    shares = [SEEDS] if alone else [(seed,) for seed in SEEDS]
    threads = (os.cpu_count() or 1) if alone else 1
    began = time.perf_counter()
    with ThreadPoolExecutor(len(shares)) as pool:
        processes = list(pool.map(lambda seeds: _run(side, asked, work, seeds, threads), shares))
    wall = time.perf_counter() - began
    return {"wall_s": wall, "cpu_s": sum(process["cpu_s"] for process in processes), "processes": processes}


def _run(side: str, asked: argparse.Namespace, work: Path, seeds: tuple[int, ...], threads: int) -> dict[str, Any]:
    question = {
        "part": "study", "work": str(work), "backbone": str(asked.backbone), "batch": asked.batch,
        "steps": asked.steps, "dtype": "fp32", "predict": True, "again": False, "seeds": seeds, "threads": threads,
    }  # fmt: skip
    return benchmark_real.run(side, question, work, None, threads=threads)


if __name__ == "__main__":
    sys.exit(main())
