"""Time `adapterxfer plan` of the largest recipe, alone or against another checkout, and how it grows with its stages.

    python scripts/benchmark_plan.py [--turns 5] [--against CHECKOUT] [--json]

CPU time of whole commands, from start to end, with compiled modules as an installation has them. Both checkouts plan
the same recipe (that of the other one) in turn, so that what else the machine does meets both; the median of all turns
counts. Seeds are added for the larger plan, which has over 100,000 stages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
RECIPE = "recipes/xtreme-r-scaling.yaml"
SMALLER = "seeds=[11]"
LARGER = "seeds=[11, 22, 33, 44, 55, 66, 77, 88, 99]"


def plan(checkout: Path, recipe: Path, folder: str, *set_: str) -> tuple[int, float]:
    """Stages of a recipe, and the CPU time of the command of a checkout in seconds.

    Args:
        folder: for compiled modules, which a variable of the environment may keep out of the checkout.
    """
    options = [word for entry in set_ for word in ("--set", entry)]
    before = os.times()
    result = subprocess.run(
        [sys.executable, "-m", "adapterxfer", "plan", str(recipe), "--store", f"{folder}/store", "--json", *options],
        capture_output=True, text=True, check=True, cwd=checkout,
        env={
            **os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": f"{folder}/compiled",
        },
    )  # fmt: skip
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return int(json.loads(result.stdout)["stages"]), spent


def measure(checkouts: dict[str, Path], recipe: Path, turns: int) -> list[dict[str, Any]]:
    """One entry per size: stages, and the median CPU time of each checkout."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for checkout in checkouts.values():  # compiles the modules
            plan(checkout, recipe, folder, SMALLER)
        for set_ in ((), (LARGER,)):
            stages, spent = 0, {name: list[float]() for name in checkouts}
            for _ in range(turns):
                for name, checkout in checkouts.items():
                    stages, seconds = plan(checkout, recipe, folder, *set_)
                    spent[name].append(seconds)
            rows.append({"stages": stages, **{name: round(median(seconds), 3) for name, seconds in spent.items()}})
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
