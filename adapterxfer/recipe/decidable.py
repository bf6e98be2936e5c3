"""Declared hypotheses that the seeds, sizes and languages of a recipe cannot decide: said before a training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, cast

from adapterxfer.catalog import (
    DEV,
    UNTRAINED,
    VARIANTS,
    backbones,
    base_target,
    controls_of,
    is_development,
    is_other_evaluation,
    known_languages,
    target_under,
    tasks,
    world_languages,
)
from adapterxfer.catalog.pair_kinds import kinds_in_order, pair_kind
from adapterxfer.catalog.records import Language, Resource
from adapterxfer.recipe.fields import NONE
from adapterxfer.recipe.hypotheses import Hypothesis, Selection
from adapterxfer.recipe.messages import suggestion
from adapterxfer.recipe.tiers import tiered

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe

SOURCE = "en"
OWN_SERIES = "own"
"""Series of the backbones that a recipe pretrains itself."""

FEWEST_DISCORDANT = 0.05
"""Two trained systems rarely disagree on fewer answers; the floor under a standard error over items."""

FEWEST_LENDERS = 7
"""As in `statistics.moderation`, which a check that starts fast cannot load; a test holds the two together."""

CHOSEN_RUNS = 3
"""Seeds that a choice needs: one to choose by and two to judge, whose spread is the error over runs."""

_Z_EQUIVALENCE = 1.645 + 1.282
"""Normal quantiles of a one-sided 5 % test and of 80 % power where both sides can fail."""


def undecidable(recipe: Recipe) -> list[str]:
    """One line per reason why a declared hypothesis cannot be decided by this recipe, or only in a weaker form."""
    tests = {hypothesis.id: count_tests(recipe, hypothesis) for hypothesis in recipe.statistics.hypotheses}
    families: Counter[str] = Counter()
    for hypothesis in recipe.statistics.hypotheses:
        families[hypothesis.family] += tests[hypothesis.id]
    problems: list[str] = []
    for hypothesis in recipe.statistics.hypotheses:
        reasons = list(_Question(recipe, hypothesis).reasons(families[hypothesis.family]))
        problems += [f"hypothesis {hypothesis.id}: {reason}" for reason in dict.fromkeys(reasons)]
    return problems


def count_tests(recipe: Recipe, hypothesis: Hypothesis) -> int:
    """How many tests a hypothesis adds to its family: one per combination of the axes in `each`."""
    look = _Question(recipe, hypothesis)
    return math.prod(max(len(look.values(axis)), 1) for axis in hypothesis.each)


def series_of(backbone: str) -> str:
    """The series of a backbone; `own` where the catalogue knows none: the recipe pretrains it or names its folder."""
    known = backbones().get(backbone)
    return known.series if known else OWN_SERIES


class _Question:
    """One hypothesis, checked against the seeds, sizes and languages of the recipe that declares it."""

    def __init__(self, recipe: Recipe, hypothesis: Hypothesis) -> None:
        self.recipe = recipe
        self.hypothesis = hypothesis
        self.sides = [side for side in (hypothesis.a, hypothesis.b) if side is not None] or [Selection()]

    def reasons(self, tests_in_family: int) -> Iterator[str]:
        """Why it cannot be decided, or only in a weaker form."""
        names = list(self._names())
        yield from names
        if names:
            return
        yield from self._gain()
        yield from self._choice()
        yield from self._sizes()
        yield from self._languages()
        yield from self._seeds(tests_in_family)
        yield from self._margin()

    def values(self, axis: str) -> tuple[str, ...]:
        """Values of an axis that the hypothesis is about in this recipe; a side that names it wins, b before a."""
        naming = [side.axes()[axis] for side in (*reversed(self.sides), self.hypothesis.over) if axis in side.axes()]
        chosen = naming[0] if naming else None
        present = self._present()[axis]
        if chosen is None:
            return tuple(name for name in present if axis != "target" or not is_other_evaluation(name))
        return tuple(name for name in present if name in chosen)

    def _present(self) -> dict[str, tuple[str, ...]]:
        recipe = self.recipe
        known = {**tasks(), **recipe.declared_tasks()}
        codes = self._codes(None)
        table = languages_of(recipe)
        series = self.hypothesis.series
        sized = [name for name in recipe.backbones if not name.endswith(UNTRAINED)]
        return {
            "backbone": tuple(name for name in sized if series is None or series_of(name) == series),
            "variant": recipe.variants,
            "adapter": tuple(spec.label for spec in recipe.adapters),
            "intermediate": recipe.intermediate_tasks,
            "target": (*recipe.target_tasks, *recipe.other_evaluations(), *recipe.supervised()),
            "format": tuple(dict.fromkeys(recipe.used_tasks()[name].format for name in recipe.target_tasks)),
            "pair": kinds_in_order(
                pair_kind(intermediate, target, known)
                for intermediate in recipe.intermediate_tasks
                if intermediate != NONE
                for target in recipe.target_tasks
            ),
            "control": (
                *dict.fromkeys(name for task in recipe.target_tasks for name in controls_of(recipe.task(task))),
                UNTRAINED.removeprefix("-"),
            ),
            "family": tuple(sorted({table[code].family for code in codes if code in table})),
            "resource": tuple(sorted({table[code].resource for code in codes if code in table})),
            "language": tuple(sorted(codes)),
        }

    def _codes(self, targets: tuple[str, ...] | None) -> set[str]:
        """Zero-shot languages of some targets (of all when None)."""
        names = self.recipe.target_tasks if targets is None else targets
        tested = (self.recipe.tested_in(name) for name in names if not is_development(name))
        return {code for codes in tested for code in codes} - {SOURCE}

    def _names(self) -> Iterator[str]:
        present = self._present()
        if self.hypothesis.series is not None and not present["backbone"]:
            known = sorted({series_of(name) for name in self.recipe.backbones})
            series = self.hypothesis.series
            yield f"no backbone of series '{series}' in this recipe{suggestion(series, known)}"
        for side in (self.hypothesis.over, *self.sides):
            for axis, values in side.axes().items():
                allowed = (*present[axis], SOURCE) if axis == "language" else present[axis]
                absent = [value for value in values if value not in allowed]
                if absent:
                    close = suggestion(absent[0], allowed) if len(absent) == 1 else ""
                    yield f"no {axis} {', '.join(absent)} in this recipe{close}"

    def _gain(self) -> Iterator[str]:
        tasks = self.recipe.intermediate_tasks
        if self.hypothesis.of == "gain" and (NONE not in tasks or len(tasks) < 2):
            yield "a gain needs intermediate task 'none' and another one"
        chosen = self.values("intermediate")
        if self.hypothesis.across == "intermediate" and len([name for name in chosen if name != NONE]) < (
            self.hypothesis.k or 2
        ):
            yield f"fewer than {self.hypothesis.k or 2} intermediate tasks to choose from"

    def _choice(self) -> Iterator[str]:
        """Why tasks cannot be chosen on development data: targets that are not evaluated on them."""
        if self.hypothesis.choose_by is None:
            return
        known = self.recipe.other_evaluations()
        trained = [name for name in self.values("target") if self.recipe.task(base_target(name)).trained]
        absent = [name for name in trained if target_under(name, DEV) not in known]
        if absent:
            yield (
                f"no predictions on development data for {', '.join(absent)}: write "
                f"tasks: {{{absent[0]}: {{also: [{{split: dev}}]}}}}"
            )

    def _sizes(self) -> Iterator[str]:
        if self.hypothesis.contrast not in ("slope", "slope_difference"):
            return
        chosen = self.values("backbone")
        sizes = {self._size(name) for name in chosen}
        if len(sizes) < 2:
            yield "a slope needs backbones of two sizes or more"
        elif len(sizes) == 2:
            yield "two sizes give a difference, not a trend"
        if self.hypothesis.scope == "backbones" and len(sizes) < 3:
            yield "scope 'backbones' needs three sizes or more: nothing is left to estimate their scatter from"
        elif self.hypothesis.scope == "backbones" and len(sizes) == 3:
            yield (
                "three sizes cannot decide scope 'backbones': one degree of freedom is left for their scatter, so the "
                "power is about .1; use four sizes or more, or scope: items+runs"
            )
        series = {series_of(name) for name in chosen}
        if len(series) > 1:
            mixed = ", ".join(sorted(series))
            yield f"the slope mixes series ({mixed}), so size and pretraining are confounded: name one"

    def _size(self, name: str) -> object:
        known = backbones().get(name)
        return (known and (known.non_embedding_parameters or known.parameters)) or name

    def _languages(self) -> Iterator[str]:
        for side, values in product(self.sides, product(*(self.values(axis) for axis in self._language_axes()))):
            narrowed = dict(zip(self._language_axes(), ((value,) for value in values), strict=True))
            conditions = {**self.hypothesis.over.axes(), **side.axes(), **narrowed}
            codes = self._matching(conditions)
            named = " and ".join(
                f"{axis} {', '.join(conditions[axis])}" for axis in LANGUAGE_AXES if axis in conditions
            )
            if not codes:
                yield f"no target has a zero-shot language of {named or 'any kind'}"
            elif self.hypothesis.scope == "languages" and len(codes) < 2:
                yield f"scope 'languages' needs two languages or more; {named or 'the selection'} has one"
            if self.hypothesis.across == "language" and len(codes) < (self.hypothesis.k or 1):
                yield f"at_least {self.hypothesis.k} of {len(codes)} languages"

    def _language_axes(self) -> list[str]:
        return [axis for axis in self.hypothesis.each if axis in LANGUAGE_AXES]

    def _matching(self, conditions: dict[str, tuple[str, ...]]) -> set[str]:
        others = (*self.recipe.other_evaluations(), *self.recipe.supervised()) if "target" in conditions else ()
        named = (*self.recipe.target_tasks, *others)
        targets = tuple(name for name in named if name in conditions.get("target", (name,)))
        table = languages_of(self.recipe)
        every = self._codes(targets) | ({SOURCE} & set(conditions.get("language", ())))
        return {
            code
            for code in every
            if code in conditions.get("language", (code,))
            and (code not in table or table[code].family in conditions.get("family", (table[code].family,)))
            and (code not in table or table[code].resource in conditions.get("resource", (table[code].resource,)))
        }

    def _seeds(self, tests_in_family: int) -> Iterator[str]:
        seeds, hypothesis = len(self.recipe.seeds), self.hypothesis
        if hypothesis.scope == "items":
            return
        if seeds == 1:
            yield "one seed says nothing about retraining: add seeds, or declare scope: items"
        elif hypothesis.contrast == "chosen" and seeds < CHOSEN_RUNS:
            yield (f"a task is chosen on some seeds and judged on two others or more: it needs {CHOSEN_RUNS} seeds")
        elif seeds == 2 and tests_in_family > 1 and not self._moderated():
            yield (
                f"two seeds and {tests_in_family} tests in family '{hypothesis.family}', whose run variance no other "
                "gains can lend: adjusted p-values are withheld, so no difference can be found; use three seeds or "
                "more, or a family of one test"
            )

    def _moderated(self) -> bool:
        """Whether other gains can lend their run variance: gains of one variant at a time, and enough of them."""
        if self.hypothesis.of != "gain" or len({side.variant for side in self.sides}) > 1:
            return False
        if self.hypothesis.contrast in ("at_least", "chosen"):
            return False
        variants = [name for name in self.recipe.variants if not VARIANTS[name].control]
        return len(variants) * len(self._present()["backbone"]) * self._kinds() >= FEWEST_LENDERS

    def _kinds(self) -> int:
        """How many pairs of tasks may stand in for one another: all of an axis that the hypothesis names one of."""
        tasks = [name for name in self.recipe.intermediate_tasks if name != NONE]
        axes = {"intermediate": len(tasks), "target": len(self.recipe.target_tasks)}
        compared = {axis for side in self.sides for axis in side.axes()}
        single = [a for a in axes if a not in compared and (a in self.hypothesis.each or len(self.values(a)) == 1)]
        return math.prod(max(axes[axis], 1) for axis in single)

    def _margin(self) -> Iterator[str]:
        """A margin below what the test items allow even if two systems hardly differed and seeds did not matter."""
        if self.hypothesis.margin is None:
            return
        used = self.recipe.used_tasks()
        named = [(name, base_target(name)) for name in self.values("target")]
        targets = [name for name, base in named if used[base].trained or "target" in self.hypothesis.over.axes()]
        sizes = []
        for name in targets:
            options, base = self.recipe.tasks.get(base_target(name)), base_target(name)
            items = (options and options.test_examples) or used[base].test_examples
            codes = self._matching({**self.hypothesis.over.axes(), "target": (name,)})
            if items is None or not codes:
                return
            sizes.append(items * len(codes))
        if not sizes:
            return
        variance = math.fsum(FEWEST_DISCORDANT / size for size in sizes) / len(sizes) ** 2
        smallest = 100.0 * _Z_EQUIVALENCE * math.sqrt(variance)
        if smallest > self.hypothesis.margin:
            yield (
                f"margin {self.hypothesis.margin:g} is out of reach: even if only {FEWEST_DISCORDANT:.0%} of the "
                f"answers differed, {smallest:.1f} points would be needed with so few test items"
            )


UNKNOWN = "unknown"
"""Family or tier of a language of which nothing else is said."""

LANGUAGE_AXES = ("family", "resource", "language")


def languages_of(recipe: Recipe) -> dict[str, Language]:
    """Facts about the languages of a recipe's targets: the world's for made-up tasks, else the catalogue's, in the
    tiers that the recipe declares.
    """
    table = dict(world_languages()) if recipe.synthetic else tiered(recipe, known_languages())
    for code, facts in recipe.language_facts().items():
        table[code] = Language(
            code=code,
            name=facts.get("name", code),
            family=facts.get("family", UNKNOWN),
            genus=UNKNOWN,
            script=UNKNOWN,
            joshi_class=None,
            cc100_gib=None,
            resource=cast("Resource", facts.get("resource", UNKNOWN)),
        )
    return table
