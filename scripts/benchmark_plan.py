"""Time `adapterxfer plan` of the largest recipe, alone or against another checkout, and how it grows with its stages.

    python scripts/benchmark_plan.py [--turns 5] [--against CHECKOUT] [--json]

CPU time of whole commands, start and imports included. Both checkouts plan the recipe of the other one in turn, so that
what else the machine does meets both; the better of all turns counts. Seeds are added for the larger plan, which has
over 100,000 stages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECIPE = "recipes/xtreme-r-scaling.yaml"
LARGER = "seeds=[11, 22, 33, 44, 55, 66, 77, 88, 99]"

_RUN = """
import json, os, sys, time
from adapterxfer.cli.main import main
main([*sys.argv[1:], "--json"])
print(json.dumps({"cpu": time.process_time()}))
"""


def plan(checkout: Path, recipe: Path, store: str, *set_: str) -> tuple[int, float]:
    """Stages of a recipe, and the CPU time of the command of a checkout in seconds."""
    options = [word for entry in set_ for word in ("--set", entry)]
    result = subprocess.run(
        [sys.executable, "-c", _RUN, "plan", str(recipe), "--store", store, *options],
        capture_output=True, text=True, check=True, cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    answer, _, spent = result.stdout.rstrip().rpartition("\n")
    return int(json.loads(answer)["stages"]), float(json.loads(spent)["cpu"])


def measure(checkouts: dict[str, Path], recipe: Path, turns: int) -> list[dict[str, Any]]:
    """One entry per size: stages, and the least CPU time of each checkout."""
    rows = []
    with tempfile.TemporaryDirectory() as store:
        for set_ in ((), (LARGER,)):
            stages, best = 0, dict.fromkeys(checkouts, float("inf"))
            for _ in range(turns):
                for name, checkout in checkouts.items():
                    stages, spent = plan(checkout, recipe, store, *set_)
                    best[name] = min(best[name], spent)
            rows.append({"stages": stages, **{name: round(spent, 3) for name, spent in best.items()}})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--against", type=Path, help="a checkout of another version")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    checkouts = {"this": ROOT} | ({"other": arguments.against.absolute()} if arguments.against else {})
    rows = measure(checkouts, list(checkouts.values())[-1] / RECIPE, arguments.turns)
    if arguments.json:
        print(json.dumps(rows))
        return
    for row in rows:
        line = f"{row['stages']:,} stages: {row['this']:.2f} s, {1e6 * row['this'] / row['stages']:.1f} us each"
        if "other" in row:
            line += f"; other {row['other']:.2f} s, ratio {row['this'] / row['other']:.2f}"
        print(line)
    few, many = rows
    print(f"{many['stages'] / few['stages']:.2f}x the stages take {many['this'] / few['this']:.2f}x the time")


if __name__ == "__main__":
    main()
