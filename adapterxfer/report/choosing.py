"""The best of several intermediate tasks, judged without the luck of the training runs that it was chosen by.

The best of six equal tasks looks two points better than it is, on other languages and on development data too: the
same trained models are lucky there. So the task is chosen on some seeds and judged on the others. Taking turns (choose
on each part of the seeds, judge on the rest, average) would use all of them, but the turns are correlated: what one
part chooses by is what the other is judged on: 5 % tests then err in 7 to 12 %. At scope `items` the trained models are
the subject, so all of them choose and are judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from adapterxfer.catalog import base_target, target_under
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.decidable import CHOSEN_RUNS
from adapterxfer.recipe.hypotheses import Hypothesis
from adapterxfer.report.display import signed
from adapterxfer.report.selection import Narrowed, NothingSelected, Selector, average
from adapterxfer.report.study import Study
from adapterxfer.statistics import Contrast, macro

Seed = int | str


class ChosenTask(NamedTuple):
    """The task chosen for a target, its mean gain on what it was chosen by, and of how many it is the best."""

    intermediate: str
    gain: float
    candidates: int


@dataclass(frozen=True, slots=True)
class Chooser:
    """Choices that a hypothesis of contrast `chosen` declares."""

    study: Study
    hypothesis: Hypothesis
    select: Selector

    def mean_gain(self, axes: Narrowed, codes: tuple[str, ...] | None) -> tuple[Contrast, int]:
        """Mean gain of the task chosen for each target, on the seeds that had no part in the choice; number of targets.

        Raises:
            NothingSelected: no finished cell, nothing to choose by, or too few seeds.
        """
        numbers = self.select.numbers(axes, self.hypothesis.of, codes=codes)
        choosing, judged = self._seeds(numbers)
        choices = self._choices(axes, choosing)
        kept = {
            key: replace(contrast, seeds=judged)
            for key, contrast in numbers.items()
            if key.target in choices and choices[key.target].intermediate == key.intermediate
        }
        if not kept:
            raise NothingSelected("no finished cell of a chosen intermediate task")
        by_target = average(kept, ("variant", "backbone"))
        return macro(list(by_target.values())), len(by_target)

    def note(self, axes: Narrowed) -> str:
        """What was chosen, by what and on which seeds."""
        choosing, judged = self._seeds(self.select.numbers(axes, self.hypothesis.of))
        choices = self._choices(axes, choosing).items()
        named = [f"{c.intermediate} for {target} ({signed(c.gain)}, of {c.candidates})" for target, c in choices]
        by = "development data" if self.hypothesis.choose_by is not None else "test items"
        runs = f" with {_listed(choosing)}, judged with {_listed(judged)}" if judged else ""
        text = f"Chosen by the gain on {by} of the source language{runs}: {', '.join(named)}."
        if self.hypothesis.choose_by is not None:
            return text
        return (
            f"{text} The languages that are judged had no part in the choice, but parallel test sets share their items "
            "with it."
        )

    def _seeds(self, numbers: Mapping[Axes, Contrast]) -> tuple[frozenset[Seed], frozenset[Seed]]:
        """Seeds that choose and seeds that are judged; both empty where all of them do both."""
        table = self.study.table
        cells = {cell for contrast in numbers.values() for cell in contrast.terms}
        by_cell = [{seed for seed in table.seeds(cell) if seed is not None} for cell in cells]
        trained = [seeds for seeds in by_cell if seeds]
        if self.hypothesis.scope == "items" or not trained:
            return frozenset(), frozenset()
        common = sorted(set.intersection(*trained), key=lambda seed: (str(type(seed)), seed))
        if len(common) < CHOSEN_RUNS:
            raise NothingSelected(
                f"a task is chosen on some seeds and judged on at least two others; {len(common)} are finished of all"
            )
        return frozenset(common[: len(common) // 2]), frozenset(common[len(common) // 2 :])

    def _choices(self, axes: Narrowed, seeds: frozenset[Seed]) -> dict[str, ChosenTask]:
        """Target -> the intermediate task with the highest mean gain in the source language.

        Raises:
            NothingSelected: no target has scores in the source language.
        """
        groups = [group for listed in self.study.groups.values() for group in listed if group.kind == "source"]
        sources = tuple(sorted({code for group in groups for code in group.languages}))
        narrowed = {**axes, "language": sources}
        for axis in ("family", "resource"):
            narrowed.pop(axis, None)
        if self.hypothesis.choose_by is not None:
            targets = narrowed.get("target", self.study.targets)
            narrowed["target"] = tuple(target_under(name, self.hypothesis.choose_by) for name in targets)
        gains: dict[str, dict[str, list[float]]] = {}
        for key, contrast in self.select.numbers(narrowed, self.hypothesis.of).items():
            value = self._value(contrast, seeds)
            gains.setdefault(base_target(key.target), {}).setdefault(key.intermediate, []).append(value)
        if not gains:
            on = "development data" if self.hypothesis.choose_by else "test items"
            raise NothingSelected(f"no scores on {on} of the source language to choose the intermediate task by")
        choices = {}
        for target, by_task in gains.items():
            means = {name: math.fsum(values) / len(values) for name, values in by_task.items()}
            best = max(means, key=lambda name: means[name])
            choices[target] = ChosenTask(best, means[best], len(means))
        return choices

    def _value(self, contrast: Contrast, seeds: frozenset[Seed]) -> float:
        """A contrast restricted to some runs; all runs count if none are named, or if nothing was trained."""
        table = self.study.table
        terms = []
        for cell, weight in contrast.terms.items():
            rows = [row for row in table.cells[cell] if not seeds or table.rows[row].seed in {None, *seeds}]
            terms.append(weight * float(table.scores[rows or list(table.cells[cell])].mean()))
        return math.fsum(terms)


def _listed(seeds: frozenset[Seed]) -> str:
    names = sorted(map(str, seeds), key=lambda name: (len(name), name))
    return f"seed{'s' if len(names) > 1 else ''} {', '.join(names)}"
