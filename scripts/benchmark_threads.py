"""Two processes of one thread against one process of two threads: which fills two cores better with layers of a width.

    python scripts/benchmark_threads.py [--hidden 384] [--layers 12] [--length 32] [--seconds 6] [--turns 3] [--json]

Tokens per second of all processes together, training in full, with an adapter, and prediction, on random weights; both
sides take turns and the median counts. CPU time stands beside it, which says more where other things run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SIDES = {"2 processes x 1 thread": (2, 1), "1 process x 2 threads": (1, 2)}

_RUN = """
import json, sys, time
import torch
from adapterxfer.training import probe
torch.set_num_threads(int(sys.argv[1]))
hidden, layers, length, seconds = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
began, began_cpu = time.perf_counter(), time.process_time()
speeds = probe.layer_speeds(hidden=hidden, layers=layers, length=length, seconds=seconds)
cores = (time.process_time() - began_cpu) / (time.perf_counter() - began)
print(json.dumps({**speeds, "cores": cores}))
"""


def measure(processes: int, threads: int, shape: tuple[int, int, int], seconds: float) -> dict[str, float]:
    """Tokens per second of all processes together by way of working, and the cores that they kept busy."""
    command = [sys.executable, "-c", _RUN, str(threads), *map(str, shape), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        for _ in range(processes)
    ]
    answers: list[dict[str, float]] = []
    for process in running:
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(process.returncode)
        answers.append(json.loads(printed))
    return {name: sum(answer[name] for answer in answers) for name in answers[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    shape = (arguments.hidden, arguments.layers, arguments.length)
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for _ in range(arguments.turns):
        for name, (processes, threads) in SIDES.items():
            turns[name].append(measure(processes, threads, shape, arguments.seconds))
    rows: dict[str, Any] = {
        name: {way: round(statistics.median(turn[way] for turn in some), 2) for way in some[0]}
        for name, some in turns.items()
    }
    if arguments.json:
        print(json.dumps(rows))
        return
    for name, row in rows.items():
        print(name, ", ".join(f"{way} {value:,.1f}" for way, value in row.items()))


if __name__ == "__main__":
    main()
