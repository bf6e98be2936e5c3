"""Cells of a study that a hypothesis selects, with the number each stands for, ready to be averaged or compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapterxfer.catalog import base_target, is_other_evaluation
from adapterxfer.catalog.pair_kinds import UNTRAINED_TARGET
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.decidable import series_of
from adapterxfer.recipe.hypotheses import Hypothesis, Selection
from adapterxfer.report.display import NONE, UNTRAINED_SUFFIX
from adapterxfer.report.study import UNTRAINED_LABEL, Arm, Study
from adapterxfer.statistics import Contrast, System, macro, score

Narrowed = Mapping[str, tuple[str, ...]]
"""Axis -> selected values; an axis that is absent is not narrowed."""

CELL_AXES = {
    "variant": "variant",
    "adapter": "variant",
    "backbone": "backbone",
    "intermediate": "intermediate",
    "target": "target",
}
"""Axis of a selection -> the axis of a number; an adapter belongs to the arm, which stands for the variant there."""

INDEXED = tuple(dict.fromkeys(CELL_AXES.values()))
"""Axes of a number; rows are looked up by them."""

UNTRAINED = "untrained"
"""Name under which a selection means the control of the same training on an untrained twin."""


class NothingSelected(Exception):
    """A selection without finished cells; the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One finished system on one target, with everything that a selection can ask of it.

    Attributes:
        key: its place, with the label of its arm as variant; what a number of it is about.
        named: the target takes part only where a selection names it.
        alone: it is another evaluation of a target, which only its own name selects.
    """

    key: Axes
    arm: Arm
    system: System
    format: str
    pair: str
    named: bool
    alone: bool


class Selector:
    """Looks up what hypotheses are about; remembers every number, since questions of one study share most of them."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._rows = list(_rows(study))
        self._by_value: dict[tuple[str, str], list[_Row]] = {}
        for row in self._rows:
            values = {axis: {getattr(row.key, axis)} for axis in INDEXED}
            values["variant"].add(row.arm.variant)
            for axis, names in values.items():
                for name in names:
                    self._by_value.setdefault((axis, name), []).append(row)
        self._numbers: dict[Any, dict[Axes, Contrast]] = {}
        self._means: dict[Any, Contrast] = {}
        self._codes: dict[Any, tuple[str, ...]] = {}

    def axes(self, hypothesis: Hypothesis, side: Selection, narrowed: Narrowed) -> dict[str, tuple[str, ...]]:
        """The selection of a hypothesis narrowed by a side, and by the values of `each`.

        A side that names an axis of `each` without the value keeps its own values: in "a: multi, b: each single task"
        the first side stays what it is.
        """
        sided = side.axes()
        axes = {**hypothesis.over.axes(), **sided}
        axes |= {
            axis: values for axis, values in narrowed.items() if axis not in sided or set(values) <= set(sided[axis])
        }
        if hypothesis.series is not None and "backbone" not in axes:
            axes["backbone"] = tuple(b.name for b in self.study.backbones if series_of(b.name) == hypothesis.series)
        return axes

    def numbers(
        self, axes: Narrowed, of: str, *, codes: tuple[str, ...] | None = None, overlaps: bool | None = None
    ) -> dict[Axes, Contrast]:
        """Gain or score of every selected cell, as the mean over the selected languages.

        Args:
            of: ``gain``, or ``score`` (with an intermediate task, unless the selection names ``none``).
            codes: only these languages.
            overlaps: whether pairs whose data overlap take part; None: in scores only.
        """
        memo = (tuple(sorted(axes.items())), of, codes, overlaps)
        if memo not in self._numbers:
            self._numbers[memo] = self._compute(
                axes, of, codes, overlaps=of != "gain" if overlaps is None else overlaps
            )
        return self._numbers[memo]

    def _compute(
        self, axes: Narrowed, of: str, codes: tuple[str, ...] | None, *, overlaps: bool
    ) -> dict[Axes, Contrast]:
        numbers = {}
        for row in self._candidates(axes):
            key = row.key
            if not overlaps and (key.intermediate, key.target) in self.study.overlaps:
                continue
            if not self._selects(axes, row):
                continue
            chosen = self.languages(axes, key.target)
            if codes is not None:
                chosen = tuple(code for code in chosen if code in codes)
            if not chosen:
                continue
            system: System | None = row.system
            if "control" in axes:
                system = self._beside(row, axes["control"])
            if system is None:
                continue
            number = self._mean(system, key.target, chosen)
            if of == "gain":
                baseline = self.study.baseline(key.backbone, row.arm, key.target)
                if baseline is None or key.intermediate == NONE:
                    continue
                number = number - self._mean(baseline, key.target, chosen)
            numbers[key] = number
        return numbers

    def _candidates(self, axes: Narrowed) -> Iterable[_Row]:
        """The shortest list of rows that holds every selected one, in the order of the study."""
        single: list[list[_Row]] = [
            self._by_value.get((axis, axes[axis][0]), []) for axis in INDEXED if axis in axes and len(axes[axis]) == 1
        ]
        return min(single, key=len, default=self._rows)

    def _mean(self, system: System, target: str, codes: tuple[str, ...]) -> Contrast:
        memo = (system, target, codes)
        if memo not in self._means:
            self._means[memo] = macro([score(system, target, code) for code in codes])
        return self._means[memo]

    def _beside(self, row: _Row, names: tuple[str, ...]) -> System | None:
        """The control of one of these names that stands beside a cell, if there is one."""
        study, key = self.study, row.key
        for name in names:
            if name == UNTRAINED:
                twin = f"{UNTRAINED_LABEL}{study.shown[row.system, key.target]}"
                control = study.controls.get((twin, f"{key.backbone}{UNTRAINED_SUFFIX}", key.target))
            else:
                places = (key.backbone, "")
                present = (study.controls.get((name, backbone, key.target)) for backbone in places)
                control = next((system for system in present if system is not None), None)
            if control is not None:
                return control
        return None

    def languages(self, axes: Narrowed, target: str) -> tuple[str, ...]:
        """Languages of a target that a selection is about: zero-shot ones, and the source only where it is named."""
        memo = (target, *(axes.get(axis) for axis in ("language", "family", "resource")))
        if memo not in self._codes:
            self._codes[memo] = tuple(self._languages(axes, target))
        return self._codes[memo]

    def _languages(self, axes: Narrowed, target: str) -> Iterable[str]:
        groups = self.study.groups[target]
        codes = [code for group in groups if group.kind in ("zero-shot", "target") for code in group.languages]
        named = axes.get("language", ())
        codes += [code for group in groups if group.kind == "source" for code in group.languages if code in named]
        for code in codes:
            facts = self.study.languages[code]
            if (
                code in axes.get("language", (code,))
                and facts.family in axes.get("family", (facts.family,))
                and facts.resource in axes.get("resource", (facts.resource,))
            ):
                yield code

    def present(self, axis: str, axes: Narrowed, of: str, *, overlaps: bool | None = None) -> tuple[str, ...]:
        """Values of an axis among the selected cells, in the order of the study."""
        cells = list(self.numbers(axes, of, overlaps=overlaps))
        if axis == "variant":
            return self._arms(cells, axes)
        if axis == "backbone":
            names = {key.backbone for key in cells}
            return tuple(backbone.name for backbone in self.study.backbones if backbone.name in names)
        if axis == "intermediate":
            return tuple(dict.fromkeys(key.intermediate for key in cells))
        if axis == "target":
            return tuple(dict.fromkeys(key.target for key in cells))
        if axis == "pair":
            return tuple(dict.fromkeys(self.study.pair_kind(key.intermediate, key.target) for key in cells))
        codes = dict.fromkeys(code for key in cells for code in self.languages(axes, key.target))
        if axis == "language":
            return tuple(codes)
        return tuple(sorted({getattr(self.study.languages[code], axis) for code in codes}))

    def _arms(self, cells: Iterable[Axes], axes: Narrowed) -> tuple[str, ...]:
        """Variants, or arms (a variant with its adapter) where the selection names these."""
        labels = {key.variant for key in cells}
        arms = [arm for arm in self.study.arms if arm.label in labels]
        named = axes.get("variant", ())
        return tuple(
            dict.fromkeys(arm.label if arm.label in named and arm.variant not in named else arm.variant for arm in arms)
        )

    def _selects(self, axes: Narrowed, row: _Row) -> bool:
        key, arm = row.key, row.arm
        if row.alone and key.target not in axes.get("target", ()):
            return False
        if row.named and not ("target" in axes or "format" in axes or UNTRAINED_TARGET in axes.get("pair", ())):
            return False
        if key.intermediate == NONE and NONE not in axes.get("intermediate", ()):
            return False
        return (
            (arm.variant in axes.get("variant", (arm.variant,)) or arm.label in axes.get("variant", ()))
            and arm.adapter in axes.get("adapter", (arm.adapter,))
            and key.backbone in axes.get("backbone", (key.backbone,))
            and key.intermediate in axes.get("intermediate", (key.intermediate,))
            and key.target in axes.get("target", (key.target,))
            and row.format in axes.get("format", (row.format,))
            and row.pair in axes.get("pair", (row.pair,))
        )


def _rows(study: Study) -> Iterable[_Row]:
    arms = {arm.label: arm for arm in study.arms}
    known = study.tasks
    bases = {target: known.get(base_target(target)) for target in (*study.targets, *study.secondary)}
    trained = {target for target in study.targets if (task := bases[target]) is None or task.trained}
    for (backbone, label, intermediate, target), system in study.systems.items():
        task = bases[target]
        yield _Row(
            key=Axes(backbone=backbone, variant=label, intermediate=intermediate, target=target),
            arm=arms[label],
            system=system,
            format=task.format if task else "",
            pair=study.pair_kind(intermediate, target),
            # A study of retrieval alone is about its targets, whether or not a selection names them.
            named=target in study.secondary or bool(trained and target not in trained),
            alone=is_other_evaluation(target),
        )


def without(key: Axes, axes: Iterable[str]) -> Axes:
    """A key with some axes averaged over."""
    values = key.values()
    return Axes(**(values | dict.fromkeys(axes, "")))


def average(numbers: Mapping[Axes, Contrast], axes: Iterable[str]) -> dict[Axes, Contrast]:
    """Plain means over some axes of the keys."""
    names = tuple(axes)
    table: dict[Axes, list[Contrast]] = {}
    for key, contrast in numbers.items():
        table.setdefault(without(key, names), []).append(contrast)
    return {key: macro(contrasts) for key, contrasts in table.items()}


def balanced(numbers: Mapping[Axes, Contrast]) -> dict[Axes, Contrast]:
    """Only the (intermediate, target) pairs that every (arm, backbone) has, so that no mean compares other tasks."""
    systems = {(key.variant, key.backbone) for key in numbers}
    pairs: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for key in numbers:
        pairs.setdefault((key.intermediate, key.target), set()).add((key.variant, key.backbone))
    kept = {pair for pair, having in pairs.items() if having == systems}
    return {key: contrast for key, contrast in numbers.items() if (key.intermediate, key.target) in kept}


def plain(contrast: Contrast, name: str) -> Contrast:
    """A contrast under a name, without labels that no longer describe it."""
    return replace(contrast, name=name, labels={})
