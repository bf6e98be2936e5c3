"""The words a reader meets for verdicts; files for programs keep the fixed vocabulary of `declared.Outcome`."""

from __future__ import annotations

from typing import Protocol

from adapterxfer.report.content import MODELS_ONLY
from adapterxfer.report.declared import Held, Judged, Outcome

SIGNIFICANT: Outcome = "difference found"
UNDECIDED: Outcome = "inconclusive"
FAILED: Held = "does not hold"

THESE_MODELS = "holds for these models; retraining might change it"
"""What readers meet for `model.MODELS_ONLY`."""

SMALLEST_EFFECT = "smallest effect we would find"
"""What readers meet for the minimum detectable effect (power 0.8)."""

_WORDS: dict[str, str] = {
    SIGNIFICANT: "significant",
    UNDECIDED: "undecided",
    "equivalent": "equal",
    MODELS_ONLY: THESE_MODELS,
}


class HasVerdict(Protocol):
    """An effect or a declared test."""

    @property
    def verdict(self) -> str:
        """One of `declared.Outcome`."""
        ...


def outcome_words(outcome: str) -> str:
    """``significant``, ``undecided`` or ``equal``, or the words of a remark; other texts as they are."""
    return _WORDS.get(outcome, outcome)


def verdict_words(effect: HasVerdict) -> str:
    """The verdict of an effect in the page's words."""
    return outcome_words(effect.verdict)


def held_words(test: Judged) -> str:
    """What became of an expectation: an undecided test has not shown it, and one without numbers says nothing of it."""
    if test.held != FAILED or test.outcome != UNDECIDED:
        return test.held
    return "not shown" if test.rungs else "not evaluated"


def estimate_text(test: Judged) -> str:
    """``+0.32 points (-1.93 to +2.57)``, the interval as the verdict has it; empty where there is no number."""
    if test.estimate is None:
        return ""
    number = f"{test.estimate:+.2f} {test.unit}"
    if test.ends is None:
        return f"{number} in the mean of the parts" if test.contrast == "at_least" else ""
    low, high = test.ends
    if test.adjusted_low is not None and test.alternative == "greater":
        return f"{number} ({low:+.2f} or more; one-sided)"
    if test.adjusted_low is not None and test.alternative == "less":
        return f"{number} ({high:+.2f} or less; one-sided)"
    return f"{number} ({low:+.2f} to {high:+.2f})"


def rows_text(rows: int) -> str:
    """``1 row``, ``12 rows``."""
    return f"{rows} row" if rows == 1 else f"{rows} rows"


def level_text(level: float) -> str:
    """``95%``, or ``99.97%`` at an early look."""
    return f"{100.0 * level:.2f}".rstrip("0").rstrip(".") + "%"
