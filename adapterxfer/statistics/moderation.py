"""Run variance of one number moderated by that of other numbers of the same kind.

Two or three runs estimate a variance badly: with 1 and 2 degrees of freedom. The same quantity measured with other
variants, tasks and backbones says how much such quantities vary when training is repeated. The variance of a number
over runs is therefore drawn towards the mean of these lenders, as if they were two further degrees of freedom; towards
the larger of their mean on the same backbone and of their mean over all, so that a noisy backbone is not helped by
quiet ones:

    s2' = (2 * max(mean of the backbone, mean of all) + (S - 1) * s2) / (S + 1), with S + 1 degrees of freedom.

A number over several backbones, such as a mean gain or a slope, borrows less: on a backbone where its own variance is
larger than that of the lenders it keeps its own, with its own S - 1 degrees of freedom. One noisy system can make up
most of such a number's variance, and a mean towards quiet lenders then believes the quiet ones (5 % tests erred in up
to 15 % with one of 18 systems five times as noisy, 7 % so). Numbers on one backbone cannot do without lenders in that
case, since S - 1 is all they have: they keep the mean in families of several tests and borrow nothing alone.

The weight 2 is fixed. Estimating it from the study, as is usual elsewhere, errs in up to 28 % of families: with few
lenders it is estimated as infinite too often. The rates of this rule stand in docs/simulations.md, also where lenders
differ from the borrower.

Source: Smyth 2004 for drawing variances together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import transform
from adapterxfer.statistics.freedom import joint_df, pooled_df
from adapterxfer.statistics.models import RunPart
from adapterxfer.statistics.table import ScoreTable
from adapterxfer.statistics.variance import Components, two_way

PRIOR_DF = 2
"""Degrees of freedom that the lenders stand for."""

FEWEST_LENDERS = 7
"""With fewer, the mean that is drawn to is itself too uncertain: with two, 5 % tests err in 10.7 %."""


@dataclass(frozen=True, slots=True)
class Lenders:
    """How much one kind of quantity varies over runs.

    Attributes:
        by_group: run group -> mean variance of one run, for a contrast of unit weight (see `unit`).
        overall: the mean over all lenders.
        count: how many quantities lend.
    """

    by_group: Mapping[tuple[str, ...], float]
    overall: float
    count: int

    @property
    def enough(self) -> bool:
        """Whether their mean may be borrowed."""
        return self.count >= FEWEST_LENDERS

    def prior(self, group: tuple[str, ...]) -> float:
        """Variance of one run that a number of this group is drawn towards, for a contrast of unit weight."""
        return max(self.by_group.get(group, 0.0), self.overall)


def lenders(table: ScoreTable, contrasts: Iterable[Contrast]) -> Lenders:
    """Mean variances over runs of quantities of one kind, each measured within one run group.

    Args:
        contrasts: the quantities. One with a single run, with cells of several run groups or with cells whose seeds
            differ does not lend.
    """
    variances: dict[tuple[str, ...], list[float]] = {}
    for contrast in contrasts:
        lent = _unit_variance(table, contrast)
        if lent is not None:
            variances.setdefault(lent[0], []).append(lent[1])
    means = {group: float(np.mean(values)) for group, values in variances.items()}
    every = [value for values in variances.values() for value in values]
    return Lenders(means, float(np.mean(every)) if every else 0.0, len(every))


def unit(weights: Iterable[float]) -> float:
    """Unit of a contrast: half the sum of its absolute weights, which is 1 for a difference of two scores."""
    return 0.5 * sum(abs(weight) for weight in weights)


def moderate(
    table: ScoreTable, contrasts: Sequence[Contrast], parts: Components, pools: Mapping[int, Lenders]
) -> Components:
    """The same components with the run variance of some contrasts moderated.

    Args:
        contrasts: those of ``parts``.
        pools: number of a contrast -> its lenders. Where they are too few, or where some system has a single run,
            nothing changes.
    """
    chosen = {number: pool for number, pool in pools.items() if pool.enough and parts.fewest_runs[number] > 1}
    if not chosen:
        return parts
    runs, runs_df, groups = parts.runs.copy(), np.full(len(contrasts), np.nan), list(parts.groups)
    for number, pool in chosen.items():
        units = _units(table, contrasts[number])
        several = len(groups[number]) > 1
        drawn = [
            _moderated(group, pool.prior(group.group) * units[group.group] ** 2 / group.runs, several=several)
            for group in groups[number]
        ]
        groups[number] = tuple(group for group, _ in drawn)
        runs[number] = sum(group.variance for group, _ in drawn)
        runs_df[number] = pooled_df((group.variance, df) for group, df in drawn)
    total = two_way(parts.items, runs, parts.residual)
    total_df = joint_df(total, parts.items_df, runs, runs_df)
    # What one group's variance was drawn to is a mean, so it cannot be small by chance and the plug-in holds; in a sum
    # over groups the few degrees of freedom of the one that dominates can still be missed.
    alone = np.array([len(members) == 1 for members in groups])
    with np.errstate(divide="ignore", invalid="ignore"):
        plug_in = total**2 / ((total - runs) ** 2 / parts.items_df + runs**2 / runs_df)
    total_df = np.where(alone & (total > 0.0), plug_in, total_df)
    moved = np.isin(np.arange(len(contrasts)), list(chosen))
    return replace(
        parts,
        runs=runs,
        total=np.where(moved, total, parts.total),
        total_df=np.where(moved, total_df, parts.total_df),
        groups=tuple(groups),
    )


def _moderated(group: RunPart, prior: float, *, several: bool) -> tuple[RunPart, float]:
    """One group's variance of the mean over its runs, drawn towards that of its lenders, and its degrees of freedom.

    Args:
        several: the number is about several groups, so that a variance above its lenders' is kept.
    """
    df = group.runs - 1.0
    if several and group.variance > prior:
        return group, df
    return group._replace(variance=(PRIOR_DF * prior + df * group.variance) / (df + PRIOR_DF)), df + PRIOR_DF


def _unit_variance(table: ScoreTable, contrast: Contrast) -> tuple[tuple[str, ...], float] | None:
    """Run group of a contrast and the variance of its value in one run, for unit weight; None where it cannot lend."""
    by_seed: dict[str, float] = {}
    groups: set[tuple[str, ...]] = set()
    seeds: set[frozenset[str]] = set()
    for cell, weight in contrast.terms.items():
        numbers = [number for number in table.cells[cell] if table.rows[number].seed is not None]
        if not numbers:
            continue
        groups |= {table.rows[number].group for number in numbers}
        names = [repr(table.rows[number].seed) for number in numbers]
        seeds.add(frozenset(names))
        for name, points in zip(names, transform(table.scores[numbers], contrast.scale).tolist(), strict=True):
            by_seed[name] = by_seed.get(name, 0.0) + weight * points
    if len(groups) != 1 or len(seeds) != 1 or len(by_seed) < 2:
        return None
    variance = float(np.var(list(by_seed.values()), ddof=1))
    return next(iter(groups)), variance / unit(contrast.terms.values()) ** 2


def _units(table: ScoreTable, contrast: Contrast) -> dict[tuple[str, ...], float]:
    """Unit of a contrast within each of its run groups."""
    weights: dict[tuple[str, ...], list[float]] = {}
    for cell, weight in contrast.terms.items():
        row = table.rows[table.cells[cell][0]]
        if row.seed is not None:
            weights.setdefault(row.group, []).append(weight)
    return {group: unit(values) for group, values in weights.items()}
