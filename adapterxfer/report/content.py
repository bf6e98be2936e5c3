"""What a report says, as data: the content of report.json, from which every other file is written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from adapterxfer.recipe.axes import Axes
from adapterxfer.report.declared import FamilySummary, Judged, Outcome, Ranked, Spending
from adapterxfer.report.draw_rows import DrawnRow
from adapterxfer.report.inputs import InputRow
from adapterxfer.report.rate_rows import Chosen, CommonTrend
from adapterxfer.report.sampling import Sampled

SCHEMA = 2
"""Version of report.json; raised when a field changes its meaning."""

SUPERSEDED = "results of an earlier version"
"""Name of the caution on results of an earlier generation."""

MODELS_ONLY = "for these trained models alone: found"
"""Remark on an inconclusive effect that holds for new test items, while the seeds do not show that it would survive
retraining."""

NO_INTERVAL = "not enough data for an interval"
"""Remark on an inconclusive effect without a p-value."""

EffectKind = Literal[
    "gain",
    "trend",
    "variant difference",
    "gain kept",
    "tier difference",
    "above control",
    "intermediate gain",
    "arm difference",
    "supervision difference",
    "supervised gain",
    "gain change",
]
GroupKind = Literal["zero-shot", "target", "source", "family", "resource", "language"]
"""``zero-shot``: all languages without labelled data; ``target``: all that a supervised target has results in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Axes):
    """One estimated difference, in points, with its interval.

    ``low``, ``high`` and ``p`` generalise over new test items and, where there are at least two seeds, new training
    runs. ``items_low``, ``items_high`` and ``items_p`` are the paired bootstrap over test items with the trained models
    held fixed.

    Attributes:
        kind: ``gain``: with an intermediate task minus without; ``trend``: change of the gain per tenfold
            parameters; ``variant difference``: score of ``variant`` minus score of ``against``; ``gain kept``: gain of
            ``variant`` minus gain of ``against``; ``tier difference``: high minus low resource languages;
            ``above control``: score of ``variant`` minus score of the control ``against``; ``intermediate gain``: gain
            of one intermediate task, mean over its targets; ``arm difference``: score after ``intermediate`` minus
            score after the intermediate ``against``, mean over targets; ``supervision difference``: score with
            labelled data in the target language minus zero-shot score in the same languages; ``supervised gain``: gain
            with such data; ``gain change``: that gain minus the zero-shot gain in the same languages.
        hypotheses: the declared family of hypotheses in which p-values are adjusted together.
        backbone, intermediate, target: empty where the effect is a mean over all of them.
        group: which languages: ``zero-shot`` (all but the source language), a family, a tier or a code.
        adjusted_low, adjusted_high: interval that leaves 0 out exactly where the adjusted p-value rejects; None where
            there is none.
        p_adjusted, items_p_adjusted: the same adjusted within the family in which the number was judged.
        detectable: smallest true difference that would have been found with probability 0.8, in points.
        pairs: how many (intermediate, target) pairs are averaged.
        pair_kind: the kind of pairs that a mean is over; empty for single pairs and for the main means, which are over
            all pairs whose target is trained.
        verdict: ``equivalent`` only where the recipe declared a margin, and never of a trend, which is no difference in
            points. "Inconclusive" is never "no difference".
        seeds: smallest number of training runs behind one score.
        remark: what an inconclusive verdict leaves unsaid: `MODELS_ONLY`, `NO_INTERVAL` or nothing.
        adjustment: how the p-value was adjusted.
        judged_in: the family, or the hypothesis of the recipe, in which this number has its verdict; empty where that
            is ``hypotheses``.
        flags: caveats of the statistics, as full sentences.
        margin, p_equivalent: the declared margin, and the adjusted p-value of "the difference is at least that
            large"; None without a margin.
    """

    kind: EffectKind
    hypotheses: str
    against: str
    group_kind: str
    group: str
    estimate: float
    standard_error: float
    low: float
    high: float
    p: float | None
    p_adjusted: float | None
    items_low: float
    items_high: float
    items_p: float | None
    items_p_adjusted: float | None
    verdict: Outcome
    pairs: int
    seeds: int
    clusters: int
    detectable: float
    pair_kind: str
    resampled: str
    remark: str = ""
    adjustment: str = ""
    judged_in: str = ""
    flags: tuple[str, ...] = ()
    margin: float | None = None
    p_equivalent: float | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval that stands beside the verdict: the adjusted one where there is one."""
        if self.adjusted_low is None or self.adjusted_high is None:
            return self.low, self.high
        return self.adjusted_low, self.adjusted_high

    @property
    def verdict_text(self) -> str:
        """``inconclusive; for these trained models alone: found``, ``equivalent within 1 points``."""
        if self.verdict == "equivalent":
            return f"equivalent within {self.margin:g} points"
        return f"{self.verdict}; {self.remark}" if self.remark else self.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Axes):
    """Mean score of one system over the languages of a group and over seeds, in points.

    Attributes:
        control: name of the control this row is, or empty.
        shown: what the system is called in tables: without an intermediate task, several variants are one system.
        repeated: an earlier row is the same system under another variant.
        standard_deviation: over seeds, of the group's mean; None with one seed.
        runs: the group's mean in each training run, in the order of the seeds.
    """

    control: str
    shown: str
    repeated: bool
    group_kind: GroupKind
    group: str
    score: float
    standard_deviation: float | None
    runs: tuple[float, ...]
    seeds: int
    languages: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One plain sentence with its verdict.

    Attributes:
        effect: position in `Findings.effects` of the row the sentence is about.
        remark: that of the effect.
    """

    subject: str
    verdict: Outcome
    text: str
    effect: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the questions a study asks, answered in plain sentences; ``remark`` adds counts over single cells."""

    question: str
    statements: tuple[Statement, ...]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Caution:
    """A named check of the data that found something a reader should know."""

    check: str
    text: str


@dataclass(frozen=True, slots=True)
class BackboneFacts:
    """One backbone with its sizes and, where known, what its pretraining reached.

    Attributes:
        diagnostics: losses in nats per masked token (``mlm``, ``unigram``, ``shuffled``), ``marker_cloze_en`` in
            percent, and whatever else its pretraining recorded as a number.
        weights: kind of the weights of its linear maps where they are in 8 or 4 bits; empty otherwise.
    """

    name: str
    parameters: int
    non_embedding_parameters: int
    untrained: bool
    diagnostics: dict[str, float] = field(default_factory=dict)
    weights: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSize:
    """Parameters of one system, its heads left out.

    Attributes:
        system: what it is called in tables of scores.
        trained: names of the intermediate tasks it was trained after, in the order of the study; empty for none.
        parameters, non_embedding_parameters: of the backbone.
        total: of everything that is active; several intermediates may differ.
        trainable: of its last training; empty where none is known, as for merged models.
        gflop: estimated operations of all trainings behind it, intermediate ones too, mean over its cells; None where
            they were not recorded.
    """

    backbone: str
    system: str
    trained: tuple[str, ...]
    parameters: int
    non_embedding_parameters: int
    total: tuple[int, ...]
    trainable: tuple[int, ...]
    gflop: float | None = None

    @property
    def share(self) -> tuple[float, ...]:
        """Smallest and largest share of the parameters that trained; one number where they are equal."""
        if not self.trainable:
            return ()
        shares = {self.trainable[0] / self.total[-1], self.trainable[-1] / self.total[0]}
        return tuple(sorted(shares))


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """One target task as it was evaluated."""

    name: str
    metric: str
    protocol: Any
    languages: tuple[str, ...]
    examples: int
    clusters: int
    parallel: bool
    grouping: str
    gold_fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything a report shows.

    Attributes:
        title: one line.
        synthetic: whether the data are made up, which every output says first.
        summary: the answers in one sentence each.
        stage_keys: target -> sorted short keys of the predict stages behind it.
        planned, finished: numbers of cells.
        missing: one line per unfinished cell.
        libraries: library -> versions that made the predictions.
        tests: the declared hypotheses, one entry per test, in the order of the recipe.
        families, default_families: how each family was adjusted, of the recipe and of the default questions.
        spending: where the uncertainty of the main numbers comes from.
        ladders: gain and trend of every variant in four scopes of inference.
        ranks: rank intervals of the intermediate tasks.
        sampling: declared and realised shares of mixed intermediate trainings.
        adapters: variant, as in `variants`, -> its adapter with its size; only variants that have one.
        sizes: parameters of every system, and how many of them train.
        inputs: what the tokenizers made of the test texts, by language.
        drawn: how much scores with labelled data in the target language vary over draws and runs.
        chosen: settings that English development data chose.
        common_trends: the trend with size at chosen and at common rates; no verdicts.
        declared: entries of the tasks that the recipe declares, as JSON values with their names.
        recipe_file: what a command calls the recipe; for the page alone.
    """

    title: str
    recipe: str
    synthetic: bool
    question: str
    summary: tuple[str, ...]
    answers: tuple[Answer, ...]
    effects: tuple[Effect, ...]
    scores: tuple[Score, ...]
    cautions: tuple[Caution, ...]
    backbones: tuple[BackboneFacts, ...]
    targets: tuple[TargetFacts, ...]
    languages: tuple[dict[str, str], ...]
    variants: tuple[str, ...]
    intermediates: tuple[str, ...]
    seeds: tuple[int, ...]
    source_language: str
    method: tuple[str, ...]
    settings: dict[str, Any]
    planned: int
    finished: int
    missing: tuple[str, ...]
    stage_keys: dict[str, tuple[str, ...]]
    libraries: dict[str, tuple[str, ...]]
    tests: tuple[Judged, ...] = ()
    families: tuple[FamilySummary, ...] = ()
    default_families: tuple[FamilySummary, ...] = ()
    spending: tuple[Spending, ...] = ()
    ladders: tuple[Judged, ...] = ()
    ranks: tuple[Ranked, ...] = ()
    sampling: tuple[Sampled, ...] = ()
    adapters: dict[str, str] = field(default_factory=dict)
    sizes: tuple[SystemSize, ...] = ()
    inputs: tuple[InputRow, ...] = ()
    drawn: tuple[DrawnRow, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    common_trends: tuple[CommonTrend, ...] = ()
    declared: tuple[dict[str, Any], ...] = ()
    recipe_file: str = ""

    @property
    def superseded(self) -> str:
        """The caution that an earlier version computed these results, which every page says first; else empty."""
        return next((caution.text for caution in self.cautions if caution.check == SUPERSEDED), "")

    def as_json(self) -> dict[str, Any]:
        """JSON values with the schema version; floats rounded to 6 digits after the point."""
        values = {"schema": SCHEMA, **plain(self)}
        del values["recipe_file"]  # of whoever made the page, and no result
        if not self.declared:
            del values["declared"]  # reports of before there were such tasks keep their bytes
        return values


def plain(record: Any) -> dict[str, Any]:
    """A dataclass of this module as JSON values; floats have at most 6 digits after the point."""
    return {name: _rounded(getattr(record, name)) for name in columns(type(record))}


def columns(kind: type) -> list[str]:
    """Names under which a record is written; the axes that all records of its kind average over stay out."""
    names = [field.name for field in fields(kind)]
    if kind in (Effect, Score):
        names = [name for name in names if name not in ("adapter", "seed")]
    return names


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) + 0.0 if math.isfinite(value) else None  # no negative zero; JSON has no infinity
    if is_dataclass(value):
        return plain(value)
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
