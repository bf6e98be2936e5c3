"""Rules for the run variance of numbers over several backbones, compared at the level of scores.

    python scripts/simulate_mean_rules.py [--studies 3000] [--page FILE]

Designs and kinds of run spread are those of `simulate_run_variance.py`. For each rule: the highest error rate of a mean
gain and of a slope (of the worse variant; over run spreads of .5 to 4 times the error over items, and 0, .6 or .9 of
the run variance shared by a seed), its half width where all runs are alike relative to the first rule's, and its power
for an effect of three true standard errors there.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special
from simulate_run_variance import BACKBONES, ITEM_DF, SHAPE, TARGETS, TASKS, effects, kinds, moderated

Floats = npt.NDArray[np.float64]
WEIGHTS = {"mean": np.full(BACKBONES, 1.0 / BACKBONES), "slope": np.array([-1.0, 0.0, 1.0])}
CASES = tuple(product((0.0, 0.6, 0.9), (0.5, 1.0, 2.0, 4.0)))
"""Shared by a seed, run spread over the error over items."""

SHOWN = ("equal", "one cell x5", "two cells x5", "by variant x4", "baselines x3", "one baseline x5", "one backbone x5")


class Rule(NamedTuple):
    """Variance of one run on each backbone with its degrees of freedom, shape ``(studies, backbones, variants)``."""

    name: str
    variance: Floats
    df: Floats
    by_group: bool = False


def rules(single: Floats, seeds: int) -> Iterator[Rule]:
    """All rules, from the variances of a number over its own runs."""
    few = np.full_like(single, seeds - 1.0)
    towards = moderated(single, (2,), seeds)
    prior = (towards * (seeds + 1) - (seeds - 1) * single) / 2.0
    lighter = (prior + (seeds - 1) * single) / seeds
    yield Rule("towards the lenders", towards, few + 2.0)
    yield Rule("the same with weight 1", lighter, few + 1.0)
    yield Rule("the larger of this and its own", np.maximum(towards, single), few + 2.0)
    yield Rule("towards the lenders, quantiles averaged over backbones", towards, few + 2.0, by_group=True)
    for times, name in ((1.5, "its own above 1.5 times the lenders'"), (1.0, "its own above the lenders'")):
        above = single > times * prior
        yield Rule(name, np.where(above, single, towards), np.where(above, few, few + 2.0))
    yield Rule("always its own", single, few)


def limits(rule: Rule, weights: Floats, items: float, seeds: int) -> Floats:
    """How far from 0 an estimate is significant, shape ``(studies, variants)``."""
    runs = np.moveaxis(rule.variance, 1, -1) * weights**2 / seeds
    df = np.moveaxis(rule.df, 1, -1)
    total = runs.sum(axis=-1)
    if rule.by_group:
        over_runs = (runs * special.stdtrit(df, 0.975)).sum(axis=-1)
    else:
        over_runs = total * special.stdtrit(total**2 / np.maximum((runs**2 / df).sum(axis=-1), 1e-300), 0.975)
    whole = items + total
    return np.asarray((items * special.stdtrit(ITEM_DF, 0.975) + over_runs) / np.sqrt(whole))


class Scores(NamedTuple):
    """Gains of each variant on each backbone, shape ``(studies, backbones, variants)``, and their run variances."""

    estimates: Floats
    single: Floats


def scores(factors: Floats, rng: np.random.Generator, *, seeds: int, shared: float, spread: float) -> Scores:
    """Studies without an effect."""
    studies = len(factors)
    common = effects(rng, (studies, BACKBONES, 1, 1, 1, seeds), "normal")
    alone = effects(rng, (studies, *SHAPE, seeds), "normal")
    runs = spread * factors[..., None] * (math.sqrt(shared) * common + math.sqrt(1.0 - shared) * alone)
    items = rng.normal(0.0, math.sqrt(0.5), (studies, *SHAPE))
    means = (runs[:, :, :, 1:] - runs[:, :, :, :1]).mean(axis=(3, 4))
    over_items = (items[:, :, :, 1:] - items[:, :, :, :1]).mean(axis=(3, 4))
    return Scores(means.mean(axis=-1) + over_items, means.var(axis=-1, ddof=1))


def compare(studies: int, seeds: int, seed: int) -> dict[tuple[str, str], dict[str, float]]:
    """(rule, number) -> the highest rate of each kind, and half width and power where runs are equal."""
    over_items = 0.5 / (TASKS * TARGETS) + 0.5 / TARGETS
    table: dict[tuple[str, str], dict[str, list[float]]] = {}
    for number, (shared, spread) in enumerate(CASES):
        rng = np.random.default_rng([seed, seeds, number])
        for kind, factors in kinds(rng, studies):
            drawn = scores(factors, rng, seeds=seeds, shared=shared, spread=spread)
            for (name, weights), rule in product(WEIGHTS.items(), rules(drawn.single, seeds)):
                values = np.tensordot(drawn.estimates, weights, axes=(1, 0))
                far = limits(rule, weights, over_items * float(weights @ weights), seeds)
                row = table.setdefault((rule.name, name), {})
                row.setdefault(kind, []).append(float((np.abs(values) > far).mean(axis=0).max()))
                if kind == "equal":
                    true = float(values.std())
                    row.setdefault("half width", []).append(float(np.median(far)) / true)
                    row.setdefault("power", []).append(float((np.abs(values + 3.0 * true) > far).mean()))
    means = ("half width", "power")
    return {
        key: {name: float(np.mean(v) if name in means else max(v)) for name, v in row.items()}
        for key, row in table.items()
    }


def page(results: dict[int, dict[tuple[str, str], dict[str, float]]]) -> str:
    """One row for each rule and number of seeds, mean and slope in each cell."""
    lines = [f"| rule (mean, slope) | seeds | {' | '.join((*SHOWN, 'half width', 'power'))} |"]
    lines.append("|---" * (len(SHOWN) + 4) + "|")
    for seeds, table in results.items():
        first = {name: table["towards the lenders", name]["half width"] for name in WEIGHTS}
        for rule in dict.fromkeys(rule for rule, _ in table):
            rows = [table[rule, name] for name in WEIGHTS]
            cells = [", ".join(f"{row[kind]:.3f}" for row in rows) for kind in SHOWN]
            widths = [f"{table[rule, name]['half width'] / first[name]:.2f}" for name in WEIGHTS]
            powers = [f"{row['power']:.2f}" for row in rows]
            lines.append(f"| {rule} | {seeds} | {' | '.join((*cells, ', '.join(widths), ', '.join(powers)))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table for two and three seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=3000, help="of every case and kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, help="write the table here")
    arguments = parser.parse_args()
    text = page({seeds: compare(arguments.studies, seeds, arguments.seed) for seeds in (2, 3)})
    print(text, end="")
    if arguments.page:
        arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
