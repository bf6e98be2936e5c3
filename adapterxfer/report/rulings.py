"""Which verdict a number has: one, whichever question it is the answer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from adapterxfer.report.declared import Judged
from adapterxfer.report.evidence import Evidence
from adapterxfer.report.spending import VarianceParts
from adapterxfer.report.verdicts import Verdicts
from adapterxfer.statistics import Contrast, ScoreCell

Value = TypeVar("Value")

OTHER_QUESTIONS = ("at_least", "chosen")
"""Contrasts whose test is not that of their estimate: a count of parts, or a mean over what was chosen."""

SAME_WEIGHT = 1e-9
"""Weights this near are equal: sums of thirds differ in the last digits with the order of summation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The verdict of one number.

    Attributes:
        parts: of the variance that the verdict rests on.
        family: what the family in which it was judged is called.
        source: the same as a reader meets it beside another family.
    """

    judged: Judged
    evidence: Evidence
    parts: VarianceParts
    family: str
    source: str


class Numbers(Generic[Value]):
    """Values by the number that a contrast adds up, whatever the contrast is called and whichever side comes first."""

    def __init__(self) -> None:
        self._by_cells: dict[frozenset[ScoreCell], list[tuple[Contrast, Value]]] = {}

    def find(self, contrast: Contrast) -> tuple[Value, float] | None:
        """The value of a number, and -1 where it was put in with its sides exchanged."""
        for known, value in self._by_cells.get(frozenset(contrast.terms), ()):
            if (known.scale, known.seeds) != (contrast.scale, contrast.seeds):
                continue
            for sign in (1.0, -1.0):
                terms = known.terms
                if all(abs(weight - sign * terms[cell]) < SAME_WEIGHT for cell, weight in contrast.terms.items()):
                    return value, sign
        return None

    def add(self, contrast: Contrast, value: Value) -> None:
        """Put in a value; a number keeps its first one."""
        if self.find(contrast) is None:
            self._by_cells.setdefault(frozenset(contrast.terms), []).append((contrast, value))


class Rulings(Numbers[Ruling]):
    """All numbers that have a verdict."""

    def take(self, verdicts: Verdicts, families: Mapping[str, str], source: str) -> None:
        """Take in verdicts; a number keeps the first one, and one over items and runs goes before other scopes.

        Args:
            families: family -> what it is called.
            source: what is said of a verdict elsewhere, with ``{family}``, ``{hypothesis}`` and ``{scope}``.
        """
        rows = zip(verdicts.tests, verdicts.claims, verdicts.evidence, verdicts.parts, strict=True)
        for test, claim, evidence, parts in sorted(rows, key=lambda row: row[0].scope != "items+runs"):
            if (
                claim.contrast is None
                or evidence is None
                or parts is None
                or claim.hypothesis.contrast in OTHER_QUESTIONS
            ):
                continue
            family = families.get(test.family, test.family)
            said = source.format(family=family, hypothesis=test.hypothesis, scope=test.scope)
            ruling = Ruling(judged=test, evidence=evidence, parts=parts, family=family, source=said)
            self.add(claim.contrast, ruling)
