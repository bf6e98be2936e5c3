"""The object that answers: replicates with the table they came from, and every question about them as a method.

Each method hands on to the function of its name, which works on the values alone; nothing is computed here twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics import engine, margins, multiplicity, ranks, rungs
from adapterxfer.statistics.accelerated import bca_interval, bootstrap_t_interval
from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.engine import ReplicateValues
from adapterxfer.statistics.estimate import Estimate, estimates
from adapterxfer.statistics.intervals import interval, percentile_p, shift_p, t_interval, t_p
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.power import minimum_detectable_effect
from adapterxfer.statistics.spread import bootstrap_errors
from adapterxfer.statistics.table import ScoreTable
from adapterxfer.statistics.vocabulary import Alternative, Backend, IntervalKind, PValueKind, Scope, WeightKind

SecondOrder = Literal["bca", "student"]
Correction = Literal["romano_wolf", "max_t", "holm", "bh", "by"]


@dataclass(frozen=True, slots=True)
class Replicates(ReplicateValues):
    """Contrasts in every replicate of the test items, and what follows from them.

    Methods speak about new test items, the models held fixed, unless they take a `scope`. Results are in the order of
    `contrasts`.

    Attributes:
        table: the scores that were resampled.
    """

    table: ScoreTable

    @classmethod
    def of(cls, made: ReplicateValues, table: ScoreTable) -> Replicates:
        """Replicates that know their table."""
        return cls(**{field.name: getattr(made, field.name) for field in fields(made)}, table=table)

    @property
    def df(self) -> Floats:
        """Satterthwaite degrees of freedom of the analytic standard errors over test items, shape ``(contrasts,)``."""
        return self.components.items_df

    def standard_errors(self) -> Floats:
        """Bootstrap standard errors, shape ``(contrasts,)``; NaN where fewer than two replicates are defined."""
        return bootstrap_errors(self.values, self.replicates)

    def analytic_errors(self, *, scope: Scope = "items") -> Floats:
        """Linearised standard errors, shape ``(contrasts,)``; over runs as well NaN where a system has a single one."""
        return np.asarray(np.sqrt(self.components.items if scope == "items" else self.components.total))

    def estimates(self, **options: Any) -> tuple[Estimate, ...]:
        """`estimates` of all contrasts; `options` are its own: scope, kind, level, alternative."""
        return estimates(self.table, self, **options)

    def ci(
        self, kind: IntervalKind | SecondOrder = "symmetric", *, level: float = 0.95, simultaneous: bool = False
    ) -> Floats:
        """Intervals, shape ``(contrasts, 2)``.

        `t` uses the analytic standard errors and their degrees of freedom; `student` is the bootstrap-t. `estimates`
        chooses by the data instead.

        Args:
            simultaneous: all intervals hold together with probability `level` (max-T); of the symmetric kind only.

        Raises:
            StatisticsError: an interval that is not made from replicates, a level outside (0, 1), or simultaneous
                intervals of another kind.
        """
        if simultaneous:
            if kind != "symmetric":
                raise StatisticsError(f"simultaneous intervals of kind '{kind}'", fix="use the symmetric kind")
            half = multiplicity.simultaneous_distances(self, level=level)
            return np.stack([self.values - half, self.values + half], axis=1)
        numbers = range(len(self.contrasts))
        return np.array([self._bounds(n, kind, level) for n in numbers], dtype=np.float64).reshape(-1, 2)

    def _bounds(self, number: int, kind: IntervalKind | SecondOrder, level: float) -> tuple[float, float]:
        value = float(self.values[number])
        if kind == "t":
            error = float(self.analytic_errors()[number])
            return t_interval(value, error, float(self.df[number]), level=level)
        if kind == "bca":
            return bca_interval(self.table, self, number, level=level)
        if kind == "student":
            contrast = self.contrasts[number]
            return bootstrap_t_interval(self.table, contrast, resamples=self.resamples, seed=self.seed, level=level)
        return interval(self.replicates[:, number], value, kind=kind, level=level)

    def p_values(self, kind: PValueKind = "shift", *, alternative: Alternative = "two-sided") -> Floats:
        """p-values of "the contrast is 0", shape ``(contrasts,)``.

        Raises:
            StatisticsError: an unknown kind.
        """
        pairs = list(zip(self.replicates.T, self.values.tolist(), strict=True))
        if kind == "shift":
            return np.array([shift_p(column, value, alternative=alternative) for column, value in pairs])
        if kind == "percentile":
            return np.array([percentile_p(column, alternative=alternative) for column, _ in pairs])
        if kind != "t":
            raise StatisticsError(f"p-value '{kind}' is not one of: shift, percentile, t", fix="use shift")
        rows = zip(self.values.tolist(), self.analytic_errors().tolist(), self.df.tolist(), strict=True)
        return np.array([t_p(value, error, df, alternative=alternative) for value, error, df in rows])

    def adjust(self, method: Correction = "romano_wolf", *, families: Sequence[str] | None = None) -> Floats:
        """Shift p-values adjusted for the number of tests, shape ``(contrasts,)``.

        Args:
            families: the family of each contrast; all are one family when None.

        Raises:
            StatisticsError: an unknown method, or not one family per contrast.
        """
        names = [""] * len(self.contrasts) if families is None else list(families)
        if len(names) != len(self.contrasts):
            raise StatisticsError(f"{len(self.contrasts)} contrasts in {len(names)} families", fix="give one each")
        raw, result = self.p_values(), np.empty(len(names))
        for family in dict.fromkeys(names):
            places = [place for place, name in enumerate(names) if name == family]
            if method in ("romano_wolf", "max_t"):
                joint = multiplicity.step_down if method == "romano_wolf" else multiplicity.max_t
                result[places] = np.maximum(joint(self, places), raw[places])
            else:
                result[places] = multiplicity.adjust(raw[places], method)  # type: ignore[arg-type]
        return result

    def equivalence(
        self, margin: float, *, scope: Scope = "items", level: float = 0.95
    ) -> tuple[margins.Equivalence, ...]:
        """Two one-sided tests of every contrast against a margin, with `.equivalent` and `.non_inferior`.

        Raises:
            StatisticsError: a margin that is not positive.
        """
        rows = self.estimates(scope=scope, level=level)
        return tuple(margins.equivalence(row, self, number, margin=margin) for number, row in enumerate(rows))

    def noninferior(self, margin: float, *, scope: Scope = "items", level: float = 0.95) -> tuple[bool, ...]:
        """Whether each contrast is shown to be above ``-margin``."""
        return tuple(test.non_inferior for test in self.equivalence(margin, scope=scope, level=level))

    def ranks(self, columns: Sequence[int] | None = None, *, level: float = 0.95) -> tuple[ranks.RankInterval, ...]:
        """`rank_intervals` of contrasts that are scores of competing systems (all when None)."""
        return ranks.rank_intervals(self, columns, level=level)

    def best_set(self, columns: Sequence[int] | None = None, *, level: float = 0.95) -> tuple[str, ...]:
        """Names of the systems that may be the best."""
        return ranks.best_set(self.ranks(columns, level=level))

    def detectable(self, *, power: float = 0.8, alpha: float = 0.05, scope: Scope = "items") -> Floats:
        """`minimum_detectable_effect` of every contrast, shape ``(contrasts,)``."""
        rows = self.estimates(scope=scope)
        found = [minimum_detectable_effect(row.standard_error, row.df, alpha=alpha, power=power) for row in rows]
        return np.array(found)

    def ladder(
        self,
        number: int = 0,
        *,
        languages: Sequence[int] = (),
        sizes: Sequence[int] = (),
        parameters: Sequence[float] = (),
        level: float = 0.95,
    ) -> tuple[rungs.Rung, rungs.Rung, rungs.Rung, rungs.Rung]:
        """The four rungs of one contrast, from these replicates.

        Args:
            number: of the question among the contrasts.
            languages: numbers of the same question in each language, whose plain mean it is.
            sizes: numbers of the quantity at each backbone, whose slope it is; `parameters` are theirs.

        Raises:
            StatisticsError: parts that do not make up the question.
        """
        items, both = (self.estimates(scope=scope, level=level)[number] for scope in ("items", "items+runs"))
        return rungs.rungs(
            items,
            both,
            by_language=self.values[list(languages)],
            by_size=self.values[list(sizes)],
            parameters=parameters,
            shared=rungs.shared_error(self.components, number, list(languages)),
        )


def resample(
    table: ScoreTable,
    contrasts: Sequence[Contrast],
    *,
    resamples: int = 10_000,
    seed: int,
    weights: WeightKind = "multinomial",
    backend: Backend = "auto",
) -> Replicates:
    """Reweight the test items of every domain and recompute all contrasts each time.

    A cluster has the same weight in every system, run, target and language of its domain, which makes every contrast
    a paired one. The draws of a domain depend on its name, its clusters and `seed` only.

    Args:
        contrasts: what to estimate; memory is ``resamples * len(contrasts)`` floats plus one block.
        resamples: 10_000 gives a p-value step of 1e-4 and a Monte Carlo error of 0.002 at p = 0.05.
        seed: any non-negative integer.
        backend: who multiplies matrices; changes the speed and no bit.

    Raises:
        StatisticsError: fewer than 2 resamples, an unknown backend, or a contrast that the table cannot answer.

    Source: Efron and Tibshirani 1993, chapter 6 (bootstrap); Rubin-style weights give the same coverage.
    """
    made = engine.make_replicates(table, contrasts, resamples=resamples, seed=seed, weights=weights, backend=backend)
    return Replicates.of(made, table)
