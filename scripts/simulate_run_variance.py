"""Error rates of tests with two and three training runs, at the level of scores: thousands of studies in seconds.

    python scripts/simulate_run_variance.py [--studies 8000] [--page FILE]

3 backbones x 2 variants x (none and 2 intermediate tasks) x 2 targets, no effect anywhere. The spread of runs differs
in ways that the moderated variance was not chosen on: between targets, variants and backbones, at random, in one cell,
with heavy tails and skewed. The formulas are written out here a second time, with arrays over studies, so that this is
also a check of `statistics.moderation` and `statistics.freedom`. Of means and slopes the worse of the two variants
counts: where one system is noisy, a mean over variants would hide half of the errors.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

BACKBONES, VARIANTS, TASKS, TARGETS = 3, 2, 2, 2
ITEM_DF = 200.0
"""Degrees of freedom of the error over test items, whose variance is 1 for one gain."""

SHAPE = (BACKBONES, VARIANTS, TASKS + 1, TARGETS)


def kinds(rng: np.random.Generator, studies: int) -> Iterator[tuple[str, Floats]]:
    """Factors of the run spread, shape ``(studies, backbones, variants, none and tasks, targets)``."""
    one = np.ones((studies, *SHAPE))
    yield "equal", one
    yield "by target x4", one * np.array([0.4, 1.6])
    yield "by variant x4", one * np.array([0.4, 1.6])[:, None, None]
    yield "small backbones x6.7", one * np.array([2.0, 1.0, 0.3])[:, None, None, None]
    yield "half of the cells x3", one * np.where(rng.random(one.shape) < 0.5, 1.0, 3.0)
    yield "gamma", np.sqrt(rng.gamma(1.0, 1.0, one.shape))
    noisy = one.copy()
    noisy[:, 0, 0, 1, 0] = 5.0
    yield "one cell x5", noisy
    two = noisy.copy()
    two[:, 2, 0, 2, 1] = 5.0
    yield "two cells x5", two
    baselines = one.copy()
    baselines[:, :, :, 0, :] = 3.0
    yield "baselines x3", baselines
    single = one.copy()
    single[:, 0, 0, 0, 0] = 5.0
    yield "one baseline x5", single
    backbone = one.copy()
    backbone[:, 0] = 5.0
    yield "one backbone x5", backbone


def effects(rng: np.random.Generator, shape: tuple[int, ...], tail: str) -> Floats:
    """Standardised run effects."""
    if tail == "t3":
        return np.asarray(rng.standard_t(3, shape) / math.sqrt(3.0))
    return np.asarray(rng.exponential(size=shape) - 1.0 if tail == "skewed" else rng.normal(size=shape))


def p_values(
    estimates: Floats, items: Floats | float, runs: Floats, runs_df: Floats | float, *, plug_in: bool
) -> Floats:
    """Two-sided p-values; ``runs`` has the groups on its last axis, each with ``runs_df`` degrees of freedom."""
    df, error = _df(items, runs, runs_df, plug_in=plug_in)
    return np.asarray(2.0 * special.stdtr(df, -np.abs(estimates) / error))


def _df(items: Floats | float, runs: Floats, runs_df: Floats | float, *, plug_in: bool) -> tuple[Floats, Floats]:
    total = runs.sum(axis=-1)
    pooled = total**2 / np.maximum((runs**2 / runs_df).sum(axis=-1), 1e-300)
    whole = items + total
    if plug_in:
        return whole**2 / (np.square(items) / ITEM_DF + total**2 / pooled), np.sqrt(whole)
    critical = (items * special.stdtrit(ITEM_DF, 0.975) + total * special.stdtrit(pooled, 0.975)) / whole
    return special.stdtridf(0.975, critical), np.sqrt(whole)


def moderated(variances: Floats, axes: tuple[int, ...], seeds: int) -> Floats:
    """Variances of one run, shape ``(studies, backbones, ...)``; ``axes`` are those within a backbone."""
    within = variances.mean(axis=axes, keepdims=True)
    overall = variances.mean(axis=(1, *axes), keepdims=True)
    return np.asarray((2.0 * np.maximum(within, overall) + (seeds - 1) * variances) / (seeds + 1))


def rates(
    factors: Floats, rng: np.random.Generator, *, seeds: int, shared: float, spread: float, tail: str
) -> list[float]:
    """The rates named in `RATES`; of the mean gain, the slope and one backbone that of the worse variant."""
    studies = len(factors)
    common = effects(rng, (studies, BACKBONES, 1, 1, 1, seeds), tail)
    single = effects(rng, (studies, *SHAPE, seeds), tail)
    runs = spread * factors[..., None] * (math.sqrt(shared) * common + math.sqrt(1.0 - shared) * single)
    items = rng.normal(0.0, math.sqrt(0.5), (studies, *SHAPE))
    gains = runs[:, :, :, 1:] - runs[:, :, :, :1]
    estimates = gains.mean(axis=-1) + items[:, :, :, 1:] - items[:, :, :, :1]
    variances = gains.var(axis=-1, ddof=1)
    drawn = moderated(variances, (2, 3, 4), seeds)[..., None] / seeds
    own = p_values(estimates, 1.0, variances[..., None] / seeds, seeds - 1.0, plug_in=False) <= 0.05
    cells = p_values(estimates, 1.0, drawn, seeds + 1.0, plug_in=True) <= 0.05
    df, error = _df(1.0, drawn, seeds + 1.0, plug_in=True)
    fewest = df.reshape(studies, -1).min(axis=1).reshape(-1, 1, 1, 1, 1)
    read = np.broadcast_to(fewest, error.shape) if seeds == 2 else df
    family = 2.0 * special.stdtr(read, -np.abs(estimates) / error)
    any_found = family.reshape(studies, -1).min(axis=1) * family[0].size <= 0.05
    single = gains.mean(axis=(3, 4)).var(axis=-1, ddof=1)
    over_items = 0.5 / (TASKS * TARGETS) + 0.5 / TARGETS
    by_variant = estimates.mean(axis=(3, 4))
    alone = p_values(by_variant, over_items, single[..., None] / seeds, seeds - 1.0, plug_in=False)
    towards = moderated(single, (2,), seeds)
    # Moderated is above single just where the lenders are: only there a number over several backbones borrows.
    borrows = towards >= single
    kept = np.where(borrows, towards, single), np.where(borrows, seeds + 1.0, seeds - 1.0)
    several = []
    for weights in (np.full(BACKBONES, 1.0 / BACKBONES), np.array([-1.0, 0.0, 1.0])):
        values, over = np.tensordot(by_variant, weights, axes=(1, 0)), over_items * float(weights @ weights)
        for variances, df in ((towards, np.full_like(towards, seeds + 1.0)), kept):
            runs = np.moveaxis(variances, 1, -1) * weights**2 / seeds
            several.append(p_values(values, over, runs, np.moveaxis(df, 1, -1), plug_in=False) <= 0.05)
    found = [own.mean(), cells.mean(), cells.mean(axis=0).max(), any_found.mean()]
    found += [(alone <= 0.05).mean(axis=0).max(), *(test.mean(axis=0).max() for test in several)]
    return [float(rate) for rate in found]


CASES = tuple(
    (tail, seeds, shared, spread)
    for tail in ("normal", "t3", "skewed")
    for seeds in (2, 3)
    for shared in (0.0, 0.7)
    for spread in (0.5, 2.0)
)
"""Distribution of run effects, seeds, share of their variance that a backbone and seed have in common, and run spread
over the error over test items of a gain."""

RATES = (
    *("one cell, its own variance", "one cell, moderated", "worst cell, moderated", "any of 24, moderated"),
    *("mean gain on one backbone, its own variance", "mean gain, moderated", "mean gain, as in reports"),
    *("slope, moderated", "slope, as in reports"),
)


def main() -> None:
    """Print all rates; write the lowest and the highest of each kind of run spread and number of seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=8000, help="of every row")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--page", type=Path, help="write the table of ranges here")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    ranges: dict[tuple[int, str], list[list[float]]] = {}
    for tail, seeds, shared, spread in CASES:
        for name, factors in kinds(rng, arguments.studies):
            row = rates(factors, rng, seeds=seeds, shared=shared, spread=spread, tail=tail)
            ranges.setdefault((seeds, name), []).append(row)
            shown = ", ".join(f"{label} {rate:.3f}" for label, rate in zip(RATES, row, strict=True))
            print(f"{name}, {seeds} seeds, {shared:g} shared, spread {spread:g}, {tail}: {shown}", flush=True)
    if arguments.page:
        arguments.page.write_text(page(ranges, arguments.studies), encoding="utf-8")


def page(ranges: dict[tuple[int, str], list[list[float]]], studies: int) -> str:
    """Lowest and highest rates over the cases, as a table."""
    lines = [
        f"{studies} studies without an effect in each of {len(CASES) // 2} cases per row (run effects normal, with",
        "heavy tails or skewed; 0 or .7 of their variance shared by a backbone and seed; run spread half or twice the",
        "error over items): the lowest and the highest error rate of nominal 5 % tests.",
        "",
        f"| seeds | run spread | {' | '.join(RATES)} |",
        f"|{'---|' * (2 + len(RATES))}",
    ]
    for (seeds, name), rows in sorted(ranges.items()):
        cells = [f"{min(column):.3f} to {max(column):.3f}" for column in zip(*rows, strict=True)]
        lines.append(f"| {seeds} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
