"""Planted-effect study: stores of synthetic predictions with known gains, slopes and nulls, through the command line.

    python scripts/planted_effects.py [--repetitions 200] [--seeds 3] [--json] [--markdown FILE]

Every repetition draws new test items, new training runs and new languages, writes a store as predict stages would, and
runs `adapterxfer report RECIPE --verdicts --json` on it. The verdicts are then held against what was planted: how often
a real effect is found (power), how often an absent one is (false verdicts), and how often the printed interval covers
the truth of its scope: with these languages and any runs, with these runs, or with any languages. Nothing is trained.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from adapterxfer.catalog import backbones, world_languages
from adapterxfer.cli.main import main as adapterxfer
from adapterxfer.plan import Plan, build_plan
from adapterxfer.predict.table import FILE_NAME, METADATA_KEY, SCHEMA_VERSION, gold_fingerprint
from adapterxfer.recipe import load_recipe
from adapterxfer.store.store import Store

SIZES = ("world-nano", "world-micro", "world-mini")
MARGIN = 3.0

GAINS = {
    "full-ft": dict(zip(SIZES, (12.0, 8.0, 2.0), strict=True)),
    "stack": dict.fromkeys(SIZES, 0.0),
    "fuse": dict.fromkeys(SIZES, MARGIN),
}
"""Planted gain in points: one that falls with size, none, and one that lies exactly at the margin."""

BASE = 50.0
LANGUAGE_SD = 2.0
"""Points by which the gain of a language with full-ft scatters about the planted one, alike at all sizes."""

SEED_SD = 1.5
"""Points by which a training run scatters, in all languages together."""

ITEM_SD = 12.0
"""Points by which the chance of a right answer varies between test items, shared by all systems and languages."""

RECIPE = """\
recipe: 1
name: planted
backbones: [world-nano, world-micro, world-mini]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, stack, fuse]
adapters: [{{method: seq_bn, reduction_factor: 2}}]
seeds: {seeds}
controls: false
train: {{default: {{learning_rate: 1e-3, steps: 1}}}}
statistics:
  resamples: 1000
  hypotheses:
    - {{id: slope, family: slope, contrast: slope, over: {{variant: full-ft}}}}
    - {{id: slope-null, family: slope-null, contrast: slope, over: {{variant: stack}}}}
    - {{id: gain, family: gain, contrast: gain, over: {{variant: full-ft}}, each: backbone}}
    - {{id: gain-null, family: gain-null, contrast: gain, over: {{variant: stack}}, each: [backbone, resource]}}
    - {{id: gain-languages, family: languages, contrast: gain, over: {{variant: full-ft}}, scope: languages}}
    - id: tiers-null
      family: tiers
      contrast: difference
      over: {{variant: stack}}
      a: {{resource: low}}
      b: {{resource: high}}
    - {{id: equivalent, family: equivalent, contrast: equivalent, over: {{variant: stack}}, margin: {margin}}}
    - {{id: equivalent-false, family: at-margin, contrast: equivalent, over: {{variant: fuse}}, margin: {margin}}}
    - {{id: inferior, family: inferior, contrast: noninferior, of: score, a: stack, b: full-ft, margin: {margin}}}
    - {{id: inferior-false, family: inferior-false, contrast: noninferior, a: stack, b: fuse, margin: {margin}}}
    - {{id: items, family: items, contrast: gain, over: {{variant: stack}}, scope: items}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One hypothesis over all repetitions; shares are of repetitions, of tests for `coverage`.

    Attributes:
        truth: planted value, the mean over the tests of the hypothesis.
        any_found: repetitions in which at least one of its tests said "difference found": with no effect, the
            family-wise error.
    """

    hypothesis: str
    tests: int
    truth: float
    mean_estimate: float
    found: float
    any_found: float
    equivalent: float
    inconclusive: float
    not_inferior: float | None
    coverage: float


class Planter:
    """Writes stores with known effects for one plan."""

    def __init__(self, plan: Plan, *, items: int) -> None:
        self.plan = plan
        self.items = items
        self.languages = tuple(sorted(world_languages()))
        ids = [f"item-{number}" for number in range(items)]
        rows = [(code, example, "yes") for code in self.languages for example in ids]
        self.texts = {
            "language": pa.array([row[0] for row in rows]).dictionary_encode(),
            "example_id": pa.array([row[1] for row in rows]),
            "cluster_id": pa.array([row[1] for row in rows]),
            "prediction": pa.array(["yes"] * len(rows)),
            "gold": pa.array([row[2] for row in rows]),
        }
        self.fingerprint = gold_fingerprint(rows)

    def plant(self, root: Path, rng: np.random.Generator) -> dict[str, dict[str, float]]:
        """Fill a store with one drawing of items, runs and languages.

        Returns:
            hypothesis -> subject -> the value that its scope makes a statement about.
        """
        store = Store(root)
        store.open()
        count = len(self.languages)
        item = ITEM_SD * rng.standard_normal(self.items)
        scatter = LANGUAGE_SD * rng.standard_normal(count)
        scatter[self.languages.index("en")] = 0.0
        runs: dict[str, float] = {}
        for cell in self.plan.cells:
            if cell.predict in runs:
                continue
            gain = np.zeros(count)
            if cell.intermediate != "none":
                gain += GAINS[cell.variant][cell.backbone] + (scatter if cell.variant == "full-ft" else 0.0)
            runs[cell.predict] = SEED_SD * float(rng.standard_normal())
            chance = (BASE + runs[cell.predict] + gain[:, None] + item[None, :]) / 100.0
            self._write(store, cell.predict, rng.random((count, self.items)) < chance)
        here = float(scatter.sum()) / (count - 1)
        return self._truths(here, runs)

    def _truths(self, here: float, runs: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """Planted values, with the mean deviation of these languages where a scope holds them fixed."""
        full = {name: gain + here for name, gain in GAINS["full-ft"].items()}
        logs = np.log10([backbones()[name].non_embedding_parameters or 0 for name in SIZES])
        weights = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
        luck = [
            runs[cell.predict] * (1 if cell.intermediate != "none" else -1)
            for cell in self.plan.cells
            if cell.variant == "stack"
        ]
        return {
            "slope": {"": float(weights @ np.array(list(full.values())))},
            "slope-null": {"": 0.0},
            "gain": full,
            "gain-null": {},
            "gain-languages": {"": math.fsum(GAINS["full-ft"].values()) / len(full)},
            "tiers-null": {"": 0.0},
            "equivalent": {"": 0.0},
            "equivalent-false": {"": MARGIN},
            "inferior": {"": -math.fsum(full.values()) / len(full)},
            "inferior-false": {"": -MARGIN},
            "items": {"": 2.0 * math.fsum(luck) / len(luck)},
        }

    def _write(self, store: Store, key: str, right: npt.NDArray[np.bool_]) -> None:
        stage = self.plan.stages[key]
        metadata = {
            "schema": SCHEMA_VERSION, "stage_key": stage.key, "task": "world-xnli", "format": "sequence_classification",
            "metric": "accuracy", "protocol": "planted", "gold_fingerprint": self.fingerprint,
        }  # fmt: skip
        counts = right.reshape(-1).astype(np.int32)
        table = pa.table({**self.texts, "correct": pa.array(counts), "total": pa.array(np.ones_like(counts))})
        with store.scratch(stage) as scratch:
            pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)}), scratch / FILE_NAME)
            store.commit(stage, scratch, result={}, provenance={"seconds": 0.0})


def study(repetitions: int, *, seeds: int, items: int, seed: int) -> list[Row]:
    """Run all repetitions and hold the verdicts against the truth."""
    found: dict[str, list[list[dict[str, Any]]]] = {}
    planted: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="planted-") as place:
        recipe = Path(place) / "planted.yaml"
        recipe.write_text(RECIPE.format(seeds=list(range(1, seeds + 1)), margin=MARGIN), encoding="utf-8")
        planter = Planter(build_plan(load_recipe(recipe)), items=items)
        for number in range(repetitions):
            root = Path(place) / f"store-{number}"
            truths = planter.plant(root, np.random.default_rng([seed, number]))
            for name, tests in _verdicts(recipe, root).items():
                found.setdefault(name, []).append(tests)
                planted.setdefault(name, []).append(truths[name])
            shutil.rmtree(root)
    return [_row(name, found[name], planted[name]) for name in found]


def _verdicts(recipe: Path, store: Path) -> dict[str, list[dict[str, Any]]]:
    """What the command line prints, by hypothesis."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = adapterxfer(["report", str(recipe), "--store", str(store), "--verdicts", "--json"])
    if code != 0:
        raise SystemExit(code)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for test in json.loads(out.getvalue())["verdicts"]:
        by_name.setdefault(test["hypothesis"], []).append(test)
    return by_name


def _row(name: str, repetitions: Sequence[list[dict[str, Any]]], planted: Sequence[Mapping[str, float]]) -> Row:
    tests = [test for made in repetitions for test in made]
    values = [
        truth.get(test["subject"], 0.0) for made, truth in zip(repetitions, planted, strict=True) for test in made
    ]

    def share(outcome: str) -> float:
        return sum(bool(test["outcome"] == outcome) for test in tests) / len(tests)

    inferior = [test["not_inferior"] for test in tests if test["not_inferior"] is not None]
    covered = [test["low"] <= value <= test["high"] for test, value in zip(tests, values, strict=True)]
    return Row(
        hypothesis=name,
        tests=len(repetitions[0]),
        truth=math.fsum(values) / len(values),
        mean_estimate=math.fsum(test["estimate"] for test in tests) / len(tests),
        found=share("difference found"),
        any_found=sum(any(t["outcome"] == "difference found" for t in made) for made in repetitions) / len(repetitions),
        equivalent=share("equivalent"),
        inconclusive=share("inconclusive"),
        not_inferior=sum(inferior) / len(inferior) if inferior else None,
        coverage=sum(covered) / len(covered),
    )


def markdown(rows: Sequence[Row]) -> str:
    """The results as a table."""
    lines = [
        "| hypothesis | tests | planted | mean estimate | difference found | in any test | equivalent | inconclusive "
        "| not worse by the margin | interval covers |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        inferior = "" if row.not_inferior is None else f"{row.not_inferior:.3f}"
        lines.append(
            f"| {row.hypothesis} | {row.tests} | {row.truth:.2f} | {row.mean_estimate:.2f} | {row.found:.3f} | "
            f"{row.any_found:.3f} | {row.equivalent:.3f} | {row.inconclusive:.3f} | {inferior} | {row.coverage:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=200, help="stores to plant (default: 200)")
    parser.add_argument("--seeds", type=int, default=3, help="training runs per system (default: 3)")
    parser.add_argument("--items", type=int, default=150, help="test items, the same in all languages (default: 150)")
    parser.add_argument("--seed", type=int, default=1, help="of the drawings (default: 1)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    arguments = parser.parse_args(argv)
    start = time.process_time()
    rows = study(arguments.repetitions, seeds=arguments.seeds, items=arguments.items, seed=arguments.seed)
    if arguments.markdown:
        arguments.markdown.write_text(markdown(rows), encoding="utf-8")
    if arguments.json:
        from dataclasses import asdict

        print(json.dumps([asdict(row) for row in rows], indent=2))
        return 0
    print(markdown(rows), end="")
    print(f"{arguments.repetitions} repetitions, {time.process_time() - start:.0f} CPU seconds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
