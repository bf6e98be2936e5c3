"""Cells of a study that a hypothesis selects, with the number each stands for, ready to be averaged or compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from adapterxfer.catalog import backbones as known_backbones
from adapterxfer.catalog import base_target, is_other_evaluation, tasks
from adapterxfer.recipe.decidable import OWN_SERIES
from adapterxfer.recipe.hypotheses import Hypothesis, Selection
from adapterxfer.report.cells import NONE
from adapterxfer.report.study import Arm, Study
from adapterxfer.statistics import Contrast, macro, score

Axes = Mapping[str, tuple[str, ...]]
"""Axis -> wanted values; an axis that is absent is not narrowed."""


class Key(NamedTuple):
    """What a number is about; an empty part is averaged over."""

    arm: str
    backbone: str
    intermediate: str
    target: str


CELL_AXES = {
    "variant": "arm",
    "adapter": "arm",
    "backbone": "backbone",
    "intermediate": "intermediate",
    "target": "target",
}
"""Axis of a selection -> part of a key."""


class NothingSelected(Exception):
    """A selection without finished cells; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Looks up what a hypothesis is about."""

    study: Study

    def axes(self, asked: Hypothesis, side: Selection, narrowed: Axes) -> dict[str, tuple[str, ...]]:
        """The selection of a hypothesis narrowed by a side, and by the values of `each`.

        A side that names an axis of `each` without the value keeps its own values: in "a: multi, b: each single task"
        the first side stays what it is.
        """
        own = side.axes()
        found = {**asked.over.axes(), **own}
        found |= {axis: values for axis, values in narrowed.items() if axis not in own or set(values) <= set(own[axis])}
        if asked.series is not None and "backbone" not in found:
            found["backbone"] = tuple(b.name for b in self.study.backbones if series_of(b.name) == asked.series)
        return found

    def numbers(self, axes: Axes, of: str, *, codes: tuple[str, ...] | None = None) -> dict[Key, Contrast]:
        """Gain or score of every selected cell, as the mean over the selected languages.

        Args:
            of: ``gain`` (pairs whose data overlap are left out) or ``score`` (with an intermediate task, unless the
                selection names ``none``).
            codes: only these languages.
        """
        found = {}
        for (backbone, label, intermediate, target), system in self.study.systems.items():
            arm = next(item for item in self.study.arms if item.label == label)
            if not self._wants(axes, arm, backbone, intermediate, target):
                continue
            chosen = [code for code in self.languages(axes, target) if codes is None or code in codes]
            if not chosen:
                continue
            own = macro([score(system, target, code) for code in chosen])
            if of == "gain":
                baseline = self.study.baseline(backbone, arm, target)
                if baseline is None or intermediate == NONE or (intermediate, target) in self.study.overlaps:
                    continue
                own = own - macro([score(baseline, target, code) for code in chosen])
            found[Key(label, backbone, intermediate, target)] = own
        return found

    def languages(self, axes: Axes, target: str) -> tuple[str, ...]:
        """Languages of a target that a selection is about: zero-shot ones, and the source only where it is named."""
        groups = self.study.groups[target]
        codes = [code for group in groups if group.kind == "zero-shot" for code in group.languages]
        named = axes.get("language", ())
        codes += [code for group in groups if group.kind == "source" for code in group.languages if code in named]
        return tuple(
            code
            for code in codes
            if code in axes.get("language", (code,))
            and self.study.languages[code].family in axes.get("family", (self.study.languages[code].family,))
            and self.study.languages[code].resource in axes.get("resource", (self.study.languages[code].resource,))
        )

    def present(self, axis: str, axes: Axes, of: str) -> tuple[str, ...]:
        """Values of an axis among the selected cells, in the order of the study."""
        cells = list(self.numbers(axes, of))
        if axis == "variant":
            arms = {key.arm for key in cells}
            return tuple(dict.fromkeys(arm.variant for arm in self.study.arms if arm.label in arms))
        if axis == "backbone":
            names = {key.backbone for key in cells}
            return tuple(backbone.name for backbone in self.study.backbones if backbone.name in names)
        if axis == "intermediate":
            return tuple(dict.fromkeys(key.intermediate for key in cells))
        if axis == "target":
            return tuple(dict.fromkeys(key.target for key in cells))
        codes = dict.fromkeys(code for key in cells for code in self.languages(axes, key.target))
        if axis == "language":
            return tuple(codes)
        return tuple(sorted({getattr(self.study.languages[code], axis) for code in codes}))

    def _wants(self, axes: Axes, arm: Arm, backbone: str, intermediate: str, target: str) -> bool:
        known = tasks().get(base_target(target))
        kind = known.format if known else ""
        if is_other_evaluation(target) and target not in axes.get("target", ()):
            return False
        named = "target" in axes or "format" in axes
        if not named and (target in self.study.secondary or (known is not None and not known.trained)):
            return False
        if intermediate == NONE and NONE not in axes.get("intermediate", ()):
            return False
        return (
            (arm.variant in axes.get("variant", (arm.variant,)) or arm.label in axes.get("variant", ()))
            and arm.adapter in axes.get("adapter", (arm.adapter,))
            and backbone in axes.get("backbone", (backbone,))
            and intermediate in axes.get("intermediate", (intermediate,))
            and target in axes.get("target", (target,))
            and kind in axes.get("format", (kind,))
        )


def series_of(backbone: str) -> str:
    """The series of a backbone; `own` for one that the catalogue does not know, since the recipe made it."""
    known = known_backbones().get(backbone)
    return known.series if known else OWN_SERIES


def without(key: Key, parts: Iterable[str]) -> Key:
    """A key with some parts averaged over."""
    return replace_parts(key, dict.fromkeys(parts, ""))


def replace_parts(key: Key, parts: Mapping[str, str]) -> Key:
    """A key with some parts changed."""
    return key._replace(**parts)


def average(numbers: Mapping[Key, Contrast], parts: Iterable[str]) -> dict[Key, Contrast]:
    """Plain means over some parts of the keys."""
    names = tuple(parts)
    table: dict[Key, list[Contrast]] = {}
    for key, contrast in numbers.items():
        table.setdefault(without(key, names), []).append(contrast)
    return {key: macro(contrasts) for key, contrasts in table.items()}


def balanced(numbers: Mapping[Key, Contrast]) -> dict[Key, Contrast]:
    """Only the (intermediate, target) pairs that every (arm, backbone) has, so that no mean compares other tasks."""
    systems = {(key.arm, key.backbone) for key in numbers}
    pairs: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for key in numbers:
        pairs.setdefault((key.intermediate, key.target), set()).add((key.arm, key.backbone))
    kept = {pair for pair, having in pairs.items() if having == systems}
    return {key: contrast for key, contrast in numbers.items() if (key.intermediate, key.target) in kept}


def plain(contrast: Contrast, name: str) -> Contrast:
    """A contrast under a name, without labels that no longer describe it."""
    return replace(contrast, name=name, labels={})
