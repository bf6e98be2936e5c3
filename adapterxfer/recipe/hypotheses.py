"""Hypotheses as a recipe declares them, before anything is trained: what is compared, over what, and what counts.

A hypothesis is a question with one number as its answer, or several where `each` asks it once per backbone, family and
so on. Everything that could be chosen after looking (margin, side, family, scope) is part of the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from adapterxfer.errors import Problem, RecipeError
from adapterxfer.recipe.axes import AXES
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import OneOrMany, problem

ContrastKind = Literal[
    "gain", "score", "difference", "slope", "slope_difference", "noninferior", "equivalent", "at_least", "chosen"
]
Quantity = Literal["gain", "score"]
Scope = Literal["items", "items+runs", "languages", "backbones"]
Alternative = Literal["two-sided", "greater", "less"]
Axis = Literal["backbone", "variant", "intermediate", "target", "pair", "family", "resource", "language"]
Pair = Literal["same kind", "other kind", "several tasks", "no target training"]
Method = Literal["romano_wolf", "holm", "bh", "by"]
Expectation = Literal["difference", "positive", "negative", "equivalent", "noninferior"]

SELECTED: tuple[str, ...] = (
    *(axis for axis in AXES if axis != "seed"),
    "format",
    "pair",
    "control",
    "family",
    "resource",
    "language",
)
"""What a selection can narrow: the axes of the study (over its seeds a question always goes), and groups of tasks and
languages.
"""
TWO_SIDED = ("difference", "slope_difference", "noninferior")
"""Contrasts between two selections."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z", re.ASCII)


def _identifier(value: str) -> str:
    if not _ID.match(value):
        raise problem("should be a short name of letters, digits and . _ -")
    return value


def _side(value: Any) -> Any:
    """A plain text in place of a selection is the name of a variant."""
    return {"variant": value} if isinstance(value, str) else value


Values = Annotated[tuple[str, ...], OneOrMany, Field(min_length=1)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Margin = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


class Selection(Section):
    """Cells and languages: one value or a list per axis; an axis that is not named is not narrowed.

    Without `family`, `resource` and `language` all zero-shot languages are meant. Targets without training data
    (retrieval) take part only where `target`, `format` or `pair` names them, or where the study has no others.

    `pair` is what an intermediate task and a target have in common; `control` puts the baselines of that name in the
    place of the systems: beside every cell the control of its target, or its untrained twin (`untrained`).
    """

    backbone: Values | None = None
    variant: Values | None = None
    adapter: Values | None = None
    intermediate: Values | None = None
    target: Values | None = None
    format: Values | None = None
    pair: Annotated[tuple[Pair, ...], OneOrMany, Field(min_length=1)] | None = None
    control: Values | None = None
    family: Values | None = None
    resource: Values | None = None
    language: Values | None = None

    def axes(self) -> dict[str, tuple[str, ...]]:
        """Axis -> its values, for the axes that are named."""
        return {axis: value for axis in SELECTED if (value := getattr(self, axis)) is not None}


Side = Annotated[Selection, BeforeValidator(_side)]


class Reference(Section):
    """A value to print beside ours; no verdict looks at it.

    Attributes:
        label: where it comes from and whether it was verified; printed with every appearance.
    """

    value: Annotated[float, Field(allow_inf_nan=False)]
    label: Annotated[str, Field(min_length=1)]


class Hypothesis(Section):
    """One declared hypothesis; docs/hypotheses.md describes every key.

    Attributes:
        balance: average only the (intermediate, target) pairs that every value of this axis has, also where `each`
            asks for its values one by one, so that these are means over the same tasks.
        overlaps: whether pairs whose data overlap take part; without it they do in a score and not in a gain, which
            would be no transfer.
    """

    id: Identifier
    text: str = ""
    family: Identifier = "primary"
    contrast: ContrastKind
    of: Quantity = "gain"
    by: Literal["log10_parameters"] | None = None
    series: str | None = None
    over: Selection = Selection()
    a: Side | None = None
    b: Side | None = None
    each: Annotated[tuple[Axis, ...], OneOrMany] = ()
    across: Literal["intermediate", "target", "family", "language"] | None = None
    choose_by: Literal["dev"] | None = None
    balance: Literal["backbone"] | None = None
    overlaps: bool | None = None
    k: Annotated[int, Field(ge=1, le=10_000)] | None = None
    margin: Margin | None = None
    alternative: Alternative = "two-sided"
    scope: Scope = "items+runs"
    expect: Expectation | None = None
    reference: Reference | None = None

    @model_validator(mode="after")
    def _complete(self) -> Hypothesis:
        for wrong in _contradictions(self):
            raise problem(wrong)
        return self

    def identity(self) -> dict[str, Any]:
        """What was declared, as JSON values; keys that were left out stay out."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude_none=True)

    @property
    def two_sided(self) -> bool:
        """Whether two selections are compared."""
        return self.a is not None


def _contradictions(hypothesis: Hypothesis) -> Iterable[str]:
    kind = hypothesis.contrast
    if (hypothesis.a is None) != (hypothesis.b is None):
        yield "a and b belong together"
    if kind in TWO_SIDED and hypothesis.a is None:
        yield f"contrast '{kind}' compares two sides: give a and b, e.g. a: stack, b: full-ft"
    if kind not in (*TWO_SIDED, "equivalent") and hypothesis.a is not None:
        yield f"contrast '{kind}' has one side: put the selection into 'over'"
    if kind in ("noninferior", "equivalent") and hypothesis.margin is None:
        yield f"contrast '{kind}' needs a margin in points: any difference is small beside some margin"
    if kind in ("at_least", "chosen") and hypothesis.across is None:
        yield f"contrast '{kind}' needs 'across': intermediate, target, family or language"
    if (kind == "at_least") != (hypothesis.k is not None):
        yield "contrast 'at_least' and the key 'k' belong together"
    if kind == "chosen" and hypothesis.across not in (None, "intermediate"):
        yield "contrast 'chosen' chooses among intermediate tasks: across: intermediate"
    if kind != "chosen" and hypothesis.choose_by is not None:
        yield "'choose_by' belongs to contrast 'chosen'"
    if any(
        side is not None and side.control and hypothesis.of == "gain"
        for side in (hypothesis.over, hypothesis.a, hypothesis.b)
    ):
        yield "a control has a score and no gain: write of: score"
    if kind not in ("at_least", "chosen") and hypothesis.across is not None:
        yield f"contrast '{kind}' has no 'across'"
    if kind in ("slope", "slope_difference") and "backbone" in hypothesis.each:
        yield "a slope is over backbones: it cannot be asked for each backbone"
    if hypothesis.scope == "backbones" and kind not in ("slope",):
        yield "scope 'backbones' is for a slope over three sizes or more"
    if hypothesis.alternative != "two-sided" and (hypothesis.margin is not None or kind == "at_least"):
        yield f"contrast '{kind}' has its own side: leave 'alternative' out"
    if hypothesis.expect in ("equivalent", "noninferior") and hypothesis.margin is None:
        yield f"to expect '{hypothesis.expect}' a margin is needed"
    if kind == "score" and hypothesis.of == "gain":
        yield "contrast 'score' needs of: score"
    if len(set(hypothesis.each)) < len(hypothesis.each):
        yield "'each' names an axis twice"


class HypothesisFile(Section):
    """A file of hypotheses that recipes include."""

    hypotheses_file: Literal[1]
    about: str = ""
    hypotheses: Annotated[tuple[Hypothesis, ...], Field(min_length=1)]
    multiplicity: dict[str, Method] = Field(default_factory=dict)


def read_hypotheses(values: Iterable[Mapping[str, Any]]) -> tuple[Hypothesis, ...]:
    """Hypotheses from JSON values, as `Hypothesis.identity` gave them.

    Raises:
        pydantic.ValidationError: they were not written by this version.
    """
    return tuple(Hypothesis.model_validate(frozen(value)) for value in values)


def asked(declared: Mapping[str, Any]) -> Hypothesis:
    """One question that no file declares, from the keys of a hypothesis; `id` is optional.

    Raises:
        RecipeError: the keys contradict each other.
    """
    try:
        return read_hypotheses([{"id": "asked", "family": "asked", **declared}])[0]
    except ValidationError as error:
        problems = [Problem(1, 1, f"{'.'.join(map(str, e['loc']))}: {e['msg']}".strip(": ")) for e in error.errors()]
        raise RecipeError("question", problems) from None


def frozen(value: Any) -> Any:
    """Lists become tuples: the schema is frozen through and through."""
    if isinstance(value, Mapping):
        return {key: frozen(item) for key, item in value.items()}
    return tuple(frozen(item) for item in value) if isinstance(value, list | tuple) else value
