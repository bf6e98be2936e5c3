"""Which cells a command is about: the recipe's exclusions and `--only`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from adapterxfer.errors import Problem, RecipeError
from adapterxfer.recipe.axes import AXES, Axes, within
from adapterxfer.recipe.messages import one_of
from adapterxfer.recipe.recipe import Recipe


class CellFilter:
    """Decides about a cell.

    Args:
        only: entries such as ``variant=stack,fuse``; entries of one axis add up, different axes narrow down.
        keep: decides about single cells on top of both; what it leaves out is no exclusion and is not counted.

    Raises:
        RecipeError: an unknown axis, or a value that the recipe does not have.
    """

    def __init__(self, recipe: Recipe, only: Sequence[str] = (), *, keep: Callable[[Axes], bool] | None = None) -> None:
        self.excluded: Counter[str] = Counter()
        self._keep = keep
        self._rules = [_rule(rule.axes(), rule.because) for rule in recipe.exclude]
        self._wanted = _parse(recipe, only)

    def wants(self, axis: str, value: str | int) -> bool:
        """Whether `--only` keeps this value of an axis."""
        values = self._wanted.get(axis)
        return values is None or value in values

    def wants_adapter(self, method: str, label: str) -> bool:
        """Whether `--only` keeps this adapter, named by method or with its size."""
        adapters = self._wanted.get("adapter")
        return adapters is None or method in adapters or label in adapters

    def seeds(self, row: Axes, seeds: Sequence[int]) -> list[int]:
        """The seeds with which a row of the grid is kept; counts what the recipe excludes, by reason."""
        method = row.method
        rules = [
            (numbers, because)
            for numbers, methods, others, because in self._rules
            if (methods is None or method in methods) and within(row, others)
        ]
        kept = []
        for seed in seeds:
            if not self.wants("seed", seed) or (self._keep is not None and not self._keep(row.with_seed(seed))):
                continue
            for numbers, because in rules:
                if numbers is None or seed in numbers:
                    self.excluded[because] += 1
                    break
            else:
                kept.append(seed)
        return kept


def _rule(
    axes: dict[str, frozenset[Any]], because: str
) -> tuple[frozenset[Any] | None, frozenset[Any] | None, dict[str, frozenset[Any]], str]:
    """Seeds and methods that an exclusion names, its other axes, and its reason; it names methods without sizes."""
    others = {axis: values for axis, values in axes.items() if axis not in ("seed", "adapter")}
    return axes.get("seed"), axes.get("adapter"), others, because


def _parse(recipe: Recipe, only: Sequence[str]) -> dict[str, set[str | int]]:
    known = recipe.values_of_axes()
    known["adapter"] = tuple(name for spec in recipe.adapters for name in (spec.method, spec.label))
    values_of: dict[str, set[str | int]] = {}
    wrong: list[Problem] = []
    for number, condition in enumerate(only, start=1):
        axis, equals, values = condition.partition("=")
        axis = axis.strip()
        if not equals or axis not in AXES:
            wrong.append(Problem(number, 1, f"axis '{axis}' {one_of(axis, AXES)}"))
            continue
        for text in values.split(","):
            value: str | int = text.strip()
            if axis == "seed" and text.strip().lstrip("-").isdecimal():
                value = int(text)
            if value not in known[axis]:
                message = f"{axis} '{value}' {one_of(value, [str(name) for name in known[axis]])}"
                wrong.append(Problem(number, 1, message))
            values_of.setdefault(axis, set()).add(value)
    if wrong:
        raise RecipeError("--only", wrong, fix="write --only AXIS=VALUE[,VALUE] with values of the recipe")
    return values_of
