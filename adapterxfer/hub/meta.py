"""Meta-analysis over bundles: the effect of every study, and their mean with random effects. Torch-free.

Studies of one effect answer the same test items, so their errors have a part in common. It is the covariance over
items of two different training runs, and it is added to the variance of the mean once. What differs between studies,
training runs and whatever their authors did differently, is pooled with random effects (`statistics.pooling`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import DataError
from adapterxfer.hub.meta_studies import (
    Comparison,
    Quantity,
    StudyRuns,
    check_rows,
    group_studies,
    read_studies,
    shared,
)
from adapterxfer.metrics import gold_columns, read_metric
from adapterxfer.report.clusters import domain_names
from adapterxfer.report.reading import Frame
from adapterxfer.statistics import (
    CellCounts,
    Contrast,
    SumScore,
    System,
    build_table,
    estimates,
    linear,
    macro,
    resample,
    score,
)
from adapterxfer.statistics.intervals import Bounds, t_interval
from adapterxfer.statistics.pooling import Pooled, pool
from adapterxfer.statistics.reach import reach_of, within
from adapterxfer.statistics.table import Label

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEffect:
    """The effect of one study, in points.

    Attributes:
        low, high: over test items and training runs; over items alone with a single run. Like those of the pooled
            effect they end where the values of the effect end.
        weight: in the pooled estimate; NaN where nothing was pooled.
    """

    label: str
    folders: tuple[str, ...]
    recipe: str
    backbone: str
    seeds: tuple[int | None, ...]
    estimate: float
    standard_error: float
    df: float
    low: float
    high: float
    scope: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaEffect:
    """One effect over all studies that measured it.

    Attributes:
        languages: averaged with equal weights.
        clusters: of test items, the same for all studies.
        run_sd: standard deviation of the effect over training runs, pooled over studies; NaN where every study has one.
        pooled: None where there is a single study.
        notes: why the studies are not independent, and what is not known.
    """

    contrast: Comparison
    quantity: Quantity
    languages: tuple[str, ...]
    studies: tuple[StudyEffect, ...]
    runs: int
    clusters: int
    run_sd: float
    pooled: Pooled | None
    synthetic: bool
    notes: tuple[str, ...]


def meta(
    folders: Sequence[Path],
    *,
    quantity: Quantity = "gain",
    across: Sequence[str] = (),
    targets: Sequence[str] = (),
    each_language: bool = False,
    level: float = 0.95,
) -> tuple[list[MetaEffect], list[str]]:
    """Pool what is comparable in bundles.

    Args:
        folders: of bundles.
        quantity: the gain over the same system without its intermediate task, or the score.
        across: axes (`counts.SYSTEM`) whose values are pooled too; by default studies agree on all of them.
        targets: only these; all if empty.
        each_language: one result for each language instead of their mean.

    Returns:
        One result for every comparable effect, and remarks about bundles that have no part in any.

    Raises:
        BundleError: folders that are no bundles or hold no counts.
        DataError: nothing to pool is in them.
    """
    studies, remarks = read_studies(folders, quantity)
    studies = [study for study in studies if not targets or study.contrast.target in targets]
    if not studies:
        known = ", ".join(remarks) or "no such target in these bundles"
        raise DataError(f"meta: no {quantity} to pool: {known}", fix="give bundles of models with an intermediate task")
    results = []
    for contrast, members in group_studies(studies, across).items():
        check_rows(contrast, members)
        sets = _language_sets(members[0], each_language)
        results += [_pool(contrast, quantity, members, languages, level) for languages in sets]
    return results, remarks + _apart(results)


def _language_sets(study: StudyRuns, each: bool) -> list[tuple[str, ...]]:
    codes = study.counts.languages
    zero_shot = tuple(code for code in codes if code != study.counts.facts.source_language) or codes
    return [(code,) for code in zero_shot] if each else [zero_shot]


def _pool(
    contrast: Comparison, quantity: Quantity, studies: Sequence[StudyRuns], languages: tuple[str, ...], level: float
) -> MetaEffect:
    items = _Items(studies, languages)
    owner = np.array([k for k, study in enumerate(studies) for _ in study.runs])
    sizes = np.bincount(owner)
    means = np.stack([(owner == k) / sizes[k] for k in range(len(studies))])
    values, over_items, items_df = items.variances(np.vstack([np.eye(len(owner)), means]))
    single, values_of = over_items[: len(owner)], values[: len(owner)]
    effects, squares = means @ values_of, 0.0
    for k in range(len(studies)):
        squares += float(((values_of[owner == k] - effects[k]) ** 2).sum())
    freedom = int((sizes - 1).sum())
    run_variance = squares / freedom if freedom else math.nan
    notes = shared(studies)
    if quantity == "gain" and "" in (contrast.backbone, contrast.variant, contrast.intermediate):
        notes.append("studies of different systems are pooled: the spread between studies holds these differences too")
    pooled, weights = None, np.full(len(studies), math.nan)
    if len(studies) > 1:
        if freedom:
            # Two to five runs say little about their own variance: weights from it would be mostly noise.
            run_variances = run_variance / sizes
        else:
            run_variances = np.zeros(len(studies))
            notes.append("every study has a single training run: the spread between studies holds that of runs too")
        weights = pool(effects.tolist(), run_variances.tolist()).weights
        by_run = (weights / sizes)[owner]
        _, mean_items, mean_df = items.variances(by_run[None, :])
        common = _common(by_run, single, float(mean_items[0]))
        pooled = pool(effects.tolist(), run_variances.tolist(), common=common, common_df=float(mean_df[0]), level=level)
        pooled = _within(pooled, items.reach)
        notes.append(
            f"all {len(studies)} studies answer the same {items.clusters} clusters of test items: that part of the "
            f"error ({math.sqrt(common):.2f} points) is common to them and is not divided by their number"
        )
    else:
        notes.append("one study: nothing to pool")
    rows = []
    for k, study in enumerate(studies):
        own_runs = values_of[owner == k]
        variance, df = over_items[len(owner) + k], items_df[len(owner) + k]
        row = _effect(study, own_runs, single[owner == k], variance, df, level=level, weight=float(weights[k]))
        low, high = within(row.low, row.high, items.reach)
        rows.append(replace(row, low=low, high=high))
    return MetaEffect(
        contrast=contrast, quantity=quantity, languages=languages, studies=tuple(rows), runs=len(owner),
        clusters=items.clusters, run_sd=math.sqrt(run_variance), pooled=pooled,
        synthetic=any(study.synthetic for study in studies), notes=tuple(notes),
    )  # fmt: skip


def _within(pooled: Pooled, reach: Bounds) -> Pooled:
    """The pooled effect without the parts of its intervals that cannot occur."""
    low, high = within(pooled.low, pooled.high, reach)
    ahead = within(pooled.prediction_low, pooled.prediction_high, reach)
    return replace(pooled, low=low, high=high, prediction_low=ahead.low, prediction_high=ahead.high)


def _common(weights: Floats, single: Floats, whole: float) -> float:
    """Weighted mean covariance over test items of two different runs.

    ``Var(sum w g) = sum w^2 Var(g) + sum over pairs``: the pairs are what all runs share, and the rest is run x item
    noise, which the spread between runs holds already.

    Args:
        weights: of the runs, sum 1.
        single: variance over items of every run's effect.
        whole: variance over items of the weighted effect.
    """
    pairs = 1.0 - float(weights @ weights)
    return max(0.0, (whole - float(weights**2 @ single)) / pairs)


def _effect(
    study: StudyRuns, runs: Floats, single: Floats, over_items: float, items_df: float, *, level: float, weight: float
) -> StudyEffect:
    """A study's own effect with its two-way variance, as in `statistics.variance`."""
    count, estimate = len(runs), float(runs.mean())
    variance, df, scope = over_items, items_df, "items"
    if count > 1:
        over_runs = float(runs.var(ddof=1)) / count
        residual = max(0.0, (float(single.mean()) - over_items) / (count - 1))
        variance = max(over_items + over_runs - residual, over_items, over_runs)
        spread = over_items**2 / items_df + over_runs**2 / (count - 1)
        df, scope = (variance**2 / spread if spread > 0.0 else math.inf), "items+runs"
    error = math.sqrt(variance)
    bounds = t_interval(estimate, error, df, level=level)
    return StudyEffect(
        label=study.label, folders=study.folders, recipe=study.recipe, backbone=study.contrast.backbone,
        seeds=tuple(run.seed for run in study.runs), estimate=estimate, standard_error=error, df=df,
        low=bounds.low, high=bounds.high, scope=scope, weight=weight,
    )  # fmt: skip


class _Items:
    """Values of weighted runs and their variances over test items, as the statistics of the study give them."""

    def __init__(self, studies: Sequence[StudyRuns], languages: tuple[str, ...]) -> None:
        counts = studies[0].counts
        facts = counts.facts
        frame = Frame(languages=counts.languages, language=counts.language, example=counts.item, cluster=counts.cluster)
        names = domain_names(frame, facts.target)
        metric = read_metric(facts.metric, facts.columns or ())
        gold = gold_columns(metric)
        cells: list[CellCounts] = []
        self.questions: list[Contrast] = []
        for study in studies:
            for run in study.runs:
                number = len(self.questions)
                terms = []
                for sign, role, run_counts in ((1.0, "model", run.model), (-1.0, "baseline", run.baseline)):
                    if run_counts is None:
                        continue
                    labels: dict[str, Label] = {"run": number, "role": role}
                    for code in languages:
                        rows = counts.language == counts.languages.index(code)
                        domain = names[code]
                        ids = counts.cluster[rows].astype(np.str_)
                        # Every run is a system of its own: its variance over items is asked for, one by one.
                        cells.append(
                            CellCounts(
                                system=labels,
                                seed=None,
                                target=facts.target,
                                language=code,
                                domain=domain,
                                cluster_ids=ids,
                                counts=run_counts.counts[rows],
                            )
                        )
                    system = System.of(labels)
                    terms.append(sign * macro([score(system, facts.target, code) for code in languages]))
                self.questions.append(linear(terms, [1.0] * len(terms)))
        self.table = build_table(cells, {facts.target: SumScore(facts.target, metric.score,
                                                              gold_columns=gold, lowest=metric.lowest)})  # fmt: skip
        self.clusters = sum(len(domain.clusters) for domain in self.table.domains)
        self.reach = reach_of(self.questions[0], self.table.metrics)

    def variances(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, variance over items and its degrees of freedom of weighted sums of runs.

        Args:
            weights: shape ``(sums, runs)``.
        """
        sums = [linear(self.questions, row.tolist()) for row in weights]
        # The analytic variance is used; the two replicates are the fewest that the engine makes.
        rows = estimates(self.table, resample(self.table, sums, resamples=2, seed=0), kind="t")
        values = np.array([row.value for row in rows])
        return values, np.array([row.standard_error**2 for row in rows]), np.array([row.df for row in rows])


def _apart(results: Sequence[MetaEffect]) -> list[str]:
    """Effects that differ in nothing but the data or the weights of the backbone, and so were not pooled."""
    remarks = []
    seen: dict[tuple[str, ...], Comparison] = {}
    for effect in results:
        c = effect.contrast
        key = (c.target, c.backbone, c.variant, c.adapter, c.intermediate, *effect.languages)
        other = seen.setdefault(key, c)
        for name in ("gold_fingerprint", "protocol", "metric", "fingerprint"):
            if getattr(other, name) != getattr(c, name):
                words = {"gold_fingerprint": "test items or right answers", "fingerprint": "weights of the backbone"}
                remarks.append(
                    f"{c.target}, {c.variant} after {c.intermediate or 'any task'}: not pooled because "
                    f"{words.get(name, name)} differ"
                )
    return list(dict.fromkeys(remarks))


def as_json(effect: MetaEffect) -> dict[str, Any]:
    """Plain JSON of a result: what is not known is null."""
    return dict(_plain(asdict(effect)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
