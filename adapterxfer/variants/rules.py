"""Vocabulary of the table of assertions: how a number is judged, one row of the table, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from adapterxfer.catalog.methods import MethodSpec
from adapterxfer.catalog.variants import VariantSpec
from adapterxfer.variants.measures import AssertionInput

Moment = Literal["built", "trained", "merged"]
"""Before the first step, after the last, or when the weights of several models have been joined."""

Kind = Literal["exact", "at most", "at least", "recorded", "not applicable"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One field of the table.

    Attributes:
        kind: how the measured number is judged; ``exact`` means 0, ``recorded`` that it is kept and not judged.
        limit: bound of ``at most`` and ``at least``.
        because: why an assertion does not apply.
    """

    kind: Kind
    limit: float = 0.0
    because: str = ""

    def holds(self, value: float) -> bool:
        """Whether a measured number satisfies the rule; NaN never does."""
        match self.kind:
            case "exact":
                return value == 0.0
            case "at most":
                return value <= self.limit
            case "recorded":
                return True
            case _:
                return value >= self.limit


def _unchanged(_: MethodSpec) -> Rule | None:
    """No method has a rule of its own."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """One row of the table.

    Attributes:
        name: its name in ``model.json``.
        says: what is measured, in words.
        when: the moments at which it is measured.
        measure: the number that the rule judges.
        of_variant: the rule of a variant.
        of_method: the rule that replaces the variant's for an adapter method, where that applies at all; None for none.
        above_language: the rule that replaces all others where a language's adapter lies below; None for no other.
        fresh: it is about parts as they start, and does not apply to a model that is trained further.
    """

    name: str
    says: str
    when: tuple[Moment, ...]
    measure: Callable[[AssertionInput], float]
    of_variant: Callable[[VariantSpec], Rule]
    of_method: Callable[[MethodSpec], Rule | None] = _unchanged
    above_language: Rule | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class AssertionResult:
    """Outcome of one assertion on one model; ``value`` is absent where it does not apply."""

    assertion: str
    kind: Kind
    limit: float
    value: float | None
    because: str

    def as_json(self) -> dict[str, Any]:
        """JSON values for ``model.json``."""
        return asdict(self)
