"""What a report says about declared hypotheses, and what the study could find: the records behind those sections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["difference found", "equivalent", "inconclusive"]
Held = Literal["", "holds", "does not hold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RungRow:
    """One scope of inference for one test; numbers are None where `missing` says why."""

    scope: str
    estimate: float | None
    standard_error: float | None
    df: float | None
    low: float | None
    high: float | None
    p: float | None
    assumes: str
    missing: str


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """A question about sizes on another scale; `points` comes first."""

    scale: str
    estimate: float
    low: float
    high: float
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The result of one test of a declared hypothesis.

    Attributes:
        hypothesis: its id.
        text: what the recipe says it claims.
        subject: which backbone, family, ...; empty where it is asked once.
        family: declared family of tests, adjusted together.
        scope: what the verdict generalises over.
        unit: of the numbers.
        p, p_adjusted: of "the true value is 0"; None where withheld.
        adjusted_low, adjusted_high: interval at the level that the test has in its family; of a t test it leaves 0 out
            exactly where the adjusted p-value rejects; None where there is none.
        alternative: ``two-sided``, ``greater`` or ``less``; an adjusted interval of the latter has one end.
        margin_low, margin_high: interval of the two one-sided tests, None without a margin.
        p_equivalent, p_not_inferior: adjusted within the family, None without a margin.
        outcome, verdict: the fixed vocabulary, and the same with its numbers.
        not_inferior: whether "not worse by the margin" was shown; None where it was not asked.
        expected: what the recipe declared to expect, and whether it `held`.
        reference, reference_label: a value from elsewhere; no verdict looks at it.
        detectable: smallest true effect found with probability 0.8 after adjustment, in the unit; of `at_least` in each
            of its parts.
        scales: a slope on three scales; `scale_dependent` where they do not agree.
        rungs: the ladder of scopes.
        remark: counts, choices and caveats as sentences.
    """

    hypothesis: str
    text: str
    subject: str
    family: str
    contrast: str
    quantity: str
    scope: str
    unit: str
    estimate: float | None = None
    standard_error: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None
    adjustment: str = ""
    margin: float | None = None
    margin_low: float | None = None
    margin_high: float | None = None
    p_equivalent: float | None = None
    p_not_inferior: float | None = None
    outcome: Outcome = "inconclusive"
    verdict: str = "inconclusive (minimum detectable effect unbounded)"
    not_inferior: bool | None = None
    expected: str = ""
    held: Held = ""
    alternative: str = "two-sided"
    reference: float | None = None
    reference_label: str = ""
    detectable: float | None = None
    pairs: int = 0
    runs: int = 0
    clusters: int = 0
    resampled: str = ""
    scales: tuple[ScaleRow, ...] = ()
    scale_dependent: bool = False
    rungs: tuple[RungRow, ...] = ()
    remark: str = ""
    flags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The id with the subject."""
        return f"{self.hypothesis} {self.subject}".strip()

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval beside the verdict: the adjusted one where there is one; none of a count of parts."""
        if self.contrast == "at_least":
            return None
        low, high = (self.low, self.high) if self.adjusted_low is None else (self.adjusted_low, self.adjusted_high)
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Where the uncertainty of one number comes from, and what would reduce it.

    Attributes:
        items, runs, interaction: standard deviations in the unit: test items, training runs, and runs on items; None
            for the latter two with one run.
        languages: standard deviation of the effect over languages.
        standard_error: over test items and runs; over items alone where the test holds the trained models fixed.
        detectable: minimum detectable effect now, that of the test which decides about the number; None where there is
            no bound.
        with_twice_items, with_seeds: the same with twice the test items, or with other numbers of training runs.
        advice: the cheaper way to a smaller minimum detectable effect, as a sentence.
    """

    subject: str
    estimate: float
    standard_error: float
    seeds: int
    items: float
    runs: float | None
    interaction: float | None
    languages: float | None
    detectable: float | None
    with_twice_items: float | None
    with_seeds: tuple[tuple[int, float], ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """Possible ranks of an intermediate task among those of one variant; 1 is the best, the models are held fixed."""

    variant: str
    intermediate: str
    score: float
    rank: int
    low: int
    high: int

    @property
    def may_be_best(self) -> bool:
        """Whether it belongs to the confidence set of bests."""
        return self.low == 1


@dataclass(frozen=True, slots=True)
class FamilySummary:
    """How the tests of one declared family were adjusted, and what came out."""

    family: str
    tests: int
    adjustment: str
    found: int
    equivalent: int
    inconclusive: int
