"""Two variants of a study compared from Python, with everything that the command `compare` takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from adapterxfer.api.asking import contrast, finished
from adapterxfer.api.running import DEFAULT_STORE, as_recipe
from adapterxfer.errors import DataError, Problem, RecipeError
from adapterxfer.plan.generations import NEWEST
from adapterxfer.recipe import Recipe
from adapterxfer.recipe.hypotheses import asked

if TYPE_CHECKING:
    from adapterxfer.recipe.hypotheses import Quantity, Scope
    from adapterxfer.report.content import Effect
    from adapterxfer.report.declared import Judged


@dataclass(frozen=True, slots=True)
class VariantComparison(Sequence["Effect"]):
    """What `compare` says; as a sequence it is its effects.

    Attributes:
        verdicts: the question as a hypothesis: one test, or one for each value of ``each``, with the ladder of scopes
            in ``rungs``.
        effects: one per backbone, intermediate and target, and means over them, the means first.
    """

    verdicts: tuple[Judged, ...]
    effects: tuple[Effect, ...]

    def __len__(self) -> int:
        return len(self.effects)

    @overload
    def __getitem__(self, index: int) -> Effect: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Effect]: ...

    def __getitem__(self, index: int | slice) -> Effect | Sequence[Effect]:
        return self.effects[index]

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.effects)


def compare(
    recipe: Recipe | str | Path,
    a: str,
    b: str,
    *,
    store: str | Path = DEFAULT_STORE,
    targets: Sequence[str] = (),
    backbones: Sequence[str] = (),
    of: Quantity = "score",
    over: Mapping[str, Any] | None = None,
    scope: Scope = "items+runs",
    each: Sequence[str] = (),
    margin: float | None = None,
    generation: int = NEWEST,
) -> VariantComparison:
    """Variant ``a`` minus variant ``b``, from the finished part of a study, in points.

    Args:
        a, b: transfer variants of the recipe.
        targets: only these target tasks; all if empty.
        backbones: only these backbones; all if empty.
        of: ``score``, or ``gain``: the gain of ``a`` minus the gain of ``b``.
        over: axis -> values that narrow the comparison, as in a hypothesis, e.g. ``{"resource": "low"}``.
        scope: what the verdicts generalise over.
        each: axes; one verdict per value of them.
        margin: in points; tests equivalence and non-inferiority.
        generation: see `report`.

    Returns:
        Verdicts on the question, and one effect per backbone, intermediate and target, and means over them, each with
        interval and p-value. Verdicts are those of the report of the whole recipe; numbers that it does not show are
        judged in families of their own.

    Raises:
        RecipeError: the recipe has no such variant, target or backbone, ``over`` or ``each`` names no axis, or scope
            and the rest contradict each other.
        DataError: nothing to compare is finished.
    """
    from adapterxfer.plan.select import CellFilter
    from adapterxfer.report.findings import compared

    if a == b:
        raise RecipeError("compare", [Problem(1, 1, f"'{a}' is compared with itself")], fix="name two variants")
    named = {"target": tuple(targets), "backbone": tuple(backbones)}
    narrowed = {**(over or {}), **{axis: values for axis, values in named.items() if values}}
    loaded = as_recipe(recipe)
    CellFilter(loaded, [f"variant={a},{b}", *(f"{axis}={value}" for axis, values in named.items() for value in values)])
    question: dict[str, Any] = {"of": of, "a": a, "b": b, "over": narrowed, "scope": scope}
    question |= {"each": tuple(each)} if each else {}
    question |= {"contrast": "difference"} if margin is None else {"contrast": "noninferior", "margin": margin}
    asked(question)  # before anything is read: what contradicts itself is refused at once
    _, results, chosen = finished(loaded, store, (), None, generation)
    effects = list(compared(results, chosen, (a, b), of=of, over=narrowed))
    if not effects:
        raise DataError(
            f"compare {a} with {b}: no cell of both is finished in store '{store}'", fix="run the recipe first"
        )
    effects.sort(key=lambda effect: (bool(effect.target), bool(effect.backbone)))
    return VariantComparison(contrast(loaded, question, store=store, generation=generation), tuple(effects))
