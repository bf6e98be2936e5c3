"""From declared hypotheses to contrasts: one claim per test, with the parts that its ladder and its checks need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.recipe.axes import AXES, Axes
from adapterxfer.recipe.hypotheses import Hypothesis, Selection
from adapterxfer.report.choosing import Chooser
from adapterxfer.report.selection import (
    CELL_AXES,
    Narrowed,
    NothingSelected,
    Selector,
    average,
    balanced,
    plain,
    without,
)
from adapterxfer.report.study import TARGET_LANGUAGES, Study
from adapterxfer.statistics import Contrast, macro, slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Axes):
    """What one test is about, read from the selections of its hypothesis; empty where it is a mean over an axis.

    Attributes:
        against: what the other side of a comparison names where it differs: a variant, intermediate task or control.
        pair_kind: kind of (intermediate, target) pairs.
        group_kind, group: which languages.
    """

    against: str = ""
    pair_kind: str = ""
    group_kind: str = "zero-shot"
    group: str = "zero-shot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One test of a declared hypothesis.

    Attributes:
        subject: the values of `each` that this test is about, as people read them.
        about: the same with everything else that the hypothesis names.
        contrast: None where it cannot be computed.
        missing: why not.
        languages: the same question language by language, where its plain mean is the question.
        sizes: the quantity at each backbone of a slope, with `parameters`.
        parts: of `at_least`: the same question for each value of `across`, named.
        on_scales: a question about sizes on the logit and log-error scales.
        pairs: (intermediate, target) pairs averaged.
        note: what a reader has to know about this test.
    """

    hypothesis: Hypothesis
    subject: str
    contrast: Contrast | None
    about: Subject = Subject()
    missing: str = ""
    languages: tuple[Contrast, ...] = ()
    sizes: tuple[Contrast, ...] = ()
    parameters: tuple[float, ...] = ()
    parts: tuple[Contrast, ...] = ()
    on_scales: tuple[Contrast, ...] = ()
    pairs: int = 0
    note: str = ""


def claims(study: Study, hypotheses: Iterable[Hypothesis]) -> list[Claim]:
    """All tests of all hypotheses; a hypothesis that no finished cell is about gives one that says so."""
    select = Selector(study)
    return [claim for hypothesis in hypotheses for claim in ClaimBuilder(select, hypothesis).claims()]


@dataclass(frozen=True, slots=True)
class _Built:
    contrast: Contrast
    sizes: tuple[Contrast, ...] = ()
    parameters: tuple[float, ...] = ()
    pairs: int = 0


class ClaimBuilder:
    """Contrasts of one hypothesis.

    Args:
        select: shared by all hypotheses of a study, since it remembers their numbers.
        ladder: build what the upper rungs of the ladder and the other scales need too, which takes most of the time.
    """

    def __init__(self, select: Selector, hypothesis: Hypothesis, *, ladder: bool = True) -> None:
        self.study = select.study
        self.hypothesis = hypothesis
        self.select = select
        self.ladder = ladder
        self.chooser = Chooser(select.study, hypothesis, select)

    def claims(self) -> Iterator[Claim]:
        """One claim per combination of the axes in `each`."""
        values = [self._values(axis) for axis in self.hypothesis.each]
        empty = [axis for axis, names in zip(self.hypothesis.each, values, strict=True) if not names]
        if empty:
            missing = f"no finished cell to ask for each {' and '.join(empty)}"
            yield Claim(hypothesis=self.hypothesis, subject="", contrast=None, missing=missing)
            return
        for chosen in product(*values):
            narrowed: dict[str, tuple[str, ...]] = {a: (v,) for a, v in zip(self.hypothesis.each, chosen, strict=True)}
            try:
                yield self._claim(", ".join(chosen), narrowed)
            except NothingSelected as error:
                yield Claim(hypothesis=self.hypothesis, subject=", ".join(chosen), contrast=None, missing=str(error))

    def _values(self, axis: str) -> tuple[str, ...]:
        """Values of an axis of `each`: of the side that names it (b before a), else those that any side has."""
        sides = self._sides()
        naming = [side for side in reversed(sides) if axis in side.axes()][:1]
        present: dict[str, None] = {}
        for side in naming or sides:
            axes = self.select.axes(self.hypothesis, side, {})
            present.update(
                dict.fromkeys(self.select.present(axis, axes, self.hypothesis.of, overlaps=self.hypothesis.overlaps))
            )
        return tuple(present)

    def _sides(self) -> list[Selection]:
        return [side for side in (self.hypothesis.a, self.hypothesis.b) if side is not None] or [Selection()]

    def _claim(self, subject: str, narrowed: Narrowed) -> Claim:
        kind = self.hypothesis.contrast
        name = f"{self.hypothesis.id} {subject}".strip()
        if kind == "at_least":
            return self._at_least(name, subject, narrowed)
        built = self._build(narrowed)
        contrast = plain(built.contrast, name)
        return Claim(
            hypothesis=self.hypothesis,
            subject=subject,
            contrast=contrast,
            about=self._about(narrowed),
            languages=self._by_language(narrowed) if self.ladder else (),
            sizes=built.sizes if self.ladder else (),
            parameters=built.parameters if self.ladder else (),
            on_scales=self._on_scales(contrast) if self.ladder else (),
            pairs=built.pairs,
            note=self._note(narrowed) + self._absent(narrowed),
        )

    def _about(self, narrowed: Narrowed) -> Subject:
        """What the test is about, from everything that is named with one value."""
        sides = self._sides()
        first, last = (self._single(side, narrowed) for side in (sides[0], sides[-1]))
        differ = [value for axis, value in last.items() if first.get(axis) != value]
        if self.hypothesis.two_sided and "control" in last:
            differ = [last["control"]]
        kind, group = "zero-shot", "zero-shot"
        for axis in ("resource", "family", "language"):
            if axis in first:
                kind, group = axis, first[axis]
                if axis in last and last[axis] != first[axis]:
                    group, differ = f"{first[axis]} minus {last[axis]}", []
        if kind == "zero-shot" and supervision_of(str(first.get("target", ""))):
            kind, group = "target", TARGET_LANGUAGES
        if kind == "language" and any(group in names for names in self._sources()):
            kind = "source"
        return Subject(
            **{axis: value for axis, value in first.items() if axis in AXES},
            against=", ".join(differ) if self.hypothesis.two_sided else "",
            pair_kind=first.get("pair", ""),
            group_kind=kind,
            group=group,
        )

    def _single(self, side: Selection, narrowed: Narrowed) -> dict[str, Any]:
        axes = self.select.axes(self.hypothesis, side, narrowed)
        return {axis: values[0] for axis, values in axes.items() if len(values) == 1}

    def _sources(self) -> list[tuple[str, ...]]:
        return [group.languages for groups in self.study.groups.values() for group in groups if group.kind == "source"]

    def _build(self, narrowed: Narrowed, codes: tuple[str, ...] | None = None) -> _Built:
        if self.hypothesis.contrast in ("slope", "slope_difference"):
            return self._slope(narrowed, codes)
        if self.hypothesis.contrast == "chosen":
            return self._chosen(narrowed, codes)
        if self.hypothesis.two_sided:
            return self._difference(narrowed, codes)
        return self._mean(narrowed, codes)

    # One side

    def _mean(self, narrowed: Narrowed, codes: tuple[str, ...] | None) -> _Built:
        numbers = self._numbers(narrowed, Selection(), codes)
        return _Built(macro(list(numbers.values())), pairs=_pairs(numbers))

    def _numbers(self, narrowed: Narrowed, side: Selection, codes: tuple[str, ...] | None) -> dict[Axes, Contrast]:
        axes = self.select.axes(self.hypothesis, side, narrowed)
        cells = self._selected(axes, codes)
        kept = balanced(cells)
        if (axis := self.hypothesis.balance) is not None and axis in narrowed:
            # The tasks that every value of the axis has: known only when all of them are looked at.
            wider = {name: values for name, values in narrowed.items() if name != axis}
            shared = balanced(self._selected(self.select.axes(self.hypothesis, side, wider), codes))
            kept = {key: contrast for key, contrast in shared.items() if getattr(key, axis) in axes[axis]}
        if not kept:
            where = "; ".join(f"{axis} {', '.join(values)}" for axis, values in axes.items()) or "any kind"
            why = "no pair of tasks that all systems have" if cells else "no finished cell"
            raise NothingSelected(f"{why} of: {where}")
        return kept

    def _selected(self, axes: Narrowed, codes: tuple[str, ...] | None = None) -> dict[Axes, Contrast]:
        return self.select.numbers(axes, self.hypothesis.of, codes=codes, overlaps=self.hypothesis.overlaps)

    # Slopes

    def _slope(self, narrowed: Narrowed, codes: tuple[str, ...] | None) -> _Built:
        if not self.hypothesis.two_sided:
            return self._one_slope(self._numbers(narrowed, Selection(), codes))
        assert self.hypothesis.a is not None
        assert self.hypothesis.b is not None
        codes = self._shared(narrowed) if codes is None else codes
        first, second = (self._numbers(narrowed, side, codes) for side in (self.hypothesis.a, self.hypothesis.b))
        contrasted = self._contrasted()
        first, second = self._matched(first, second, contrasted)
        built = self._one_slope(first)
        return _Built(built.contrast - self._one_slope(second).contrast, pairs=_pairs(first))

    def _one_slope(self, numbers: dict[Axes, Contrast]) -> _Built:
        places = {backbone.name: float(backbone.size) for backbone in self.study.backbones}
        by_size = {key.backbone: c for key, c in average(numbers, ("variant", "intermediate", "target")).items()}
        names = [name for name in places if name in by_size]
        if len({places[name] for name in names}) < 2:
            raise NothingSelected(f"a slope needs two sizes; finished: {', '.join(names) or 'none'}")
        sizes = tuple(plain(by_size[name], name) for name in names)
        parameters = tuple(places[name] for name in names)
        return _Built(slope(sizes, parameters), sizes, parameters, _pairs(numbers))

    # Two sides

    def _difference(self, narrowed: Narrowed, codes: tuple[str, ...] | None) -> _Built:
        assert self.hypothesis.a is not None
        assert self.hypothesis.b is not None
        codes = self._shared(narrowed) if codes is None else codes
        first, second = (self._numbers(narrowed, side, codes) for side in (self.hypothesis.a, self.hypothesis.b))
        contrasted = self._contrasted()
        first, second = self._apart(*self._matched(first, second, contrasted))
        left, right = average(first, contrasted), average(second, contrasted)
        return _Built(macro([left[key] - right[key] for key in left]), pairs=_pairs(first))

    def _shared(self, narrowed: Narrowed) -> tuple[str, ...] | None:
        """Languages of both sides where one is about labelled data in the target language, which not all may have.

        None where that is no question: then each side has all its languages.
        """
        sides = [self.select.axes(self.hypothesis, side, narrowed) for side in self._sides()]
        named = [[(axes, target) for target in axes.get("target", ())] for axes in sides]
        if not any(supervision_of(target) for side in named for _, target in side):
            return None
        known = self.study.groups
        spoken = [
            {code for axes, target in side if target in known for code in self.select.languages(axes, target)}
            for side in named
        ]
        shared = set.intersection(*spoken)
        for side in named:
            for axes, target in side:
                if target in known and not shared <= set(self.select.languages(axes, target)):
                    raise NothingSelected(
                        "the targets of the two sides have other languages: name one target at a time"
                    )
        return tuple(sorted(shared))

    def _contrasted(self) -> tuple[str, ...]:
        """Parts of a key on which the two sides differ by declaration."""
        assert self.hypothesis.a is not None
        assert self.hypothesis.b is not None
        named = {*self.hypothesis.a.axes(), *self.hypothesis.b.axes()}
        return tuple(dict.fromkeys(field for axis, field in CELL_AXES.items() if axis in named))

    def _matched(
        self, first: dict[Axes, Contrast], second: dict[Axes, Contrast], contrasted: tuple[str, ...]
    ) -> tuple[dict[Axes, Contrast], dict[Axes, Contrast]]:
        """The numbers of both sides restricted to the cells that both have, so that like is compared with like."""
        shared = {without(key, contrasted) for key in first} & {without(key, contrasted) for key in second}
        if not shared:
            raise NothingSelected("the two sides have no cell in common that differs in nothing else")
        return tuple(  # type: ignore[return-value]
            {key: contrast for key, contrast in side.items() if without(key, contrasted) in shared}
            for side in (first, second)
        )

    @staticmethod
    def _apart(
        first: dict[Axes, Contrast], second: dict[Axes, Contrast]
    ) -> tuple[dict[Axes, Contrast], dict[Axes, Contrast]]:
        """Drop pairs for which both sides are the same model, since their difference is 0 by construction."""
        models = {frozenset(contrast.terms) for contrast in first.values()}
        same = [key for key, contrast in second.items() if frozenset(contrast.terms) in models]
        pairs = {(key.intermediate, key.target) for key in same}
        if not pairs:
            return first, second
        sides = tuple(
            {key: contrast for key, contrast in side.items() if (key.intermediate, key.target) not in pairs}
            for side in (first, second)
        )
        if not all(sides):
            raise NothingSelected("both sides are the same models")
        return sides  # type: ignore[return-value]

    # Parts

    def _by_language(self, narrowed: Narrowed) -> tuple[Contrast, ...]:
        """The question in each language, where all targets have the same languages; else nothing."""
        if any(axis in side.axes() for side in self._sides() for axis in ("family", "resource", "language")):
            return ()
        axes = self.select.axes(self.hypothesis, self._sides()[0], narrowed)
        shared = self._shared(narrowed) if self.hypothesis.two_sided else None
        sets = {shared or self.select.languages(axes, key.target) for key in self._selected(axes)}
        if len(sets) != 1:
            return ()
        return tuple(plain(self._build(narrowed, (code,)).contrast, code) for code in next(iter(sets)))

    def _at_least(self, name: str, subject: str, narrowed: Narrowed) -> Claim:
        axis = self.hypothesis.across
        assert axis is not None
        axes = self.select.axes(self.hypothesis, Selection(), narrowed)
        parts = []
        for value in self.select.present(axis, axes, self.hypothesis.of):
            numbers = self._numbers({**narrowed, axis: (value,)}, Selection(), None)
            parts.append(plain(macro(list(numbers.values())), value))
        if len(parts) < (self.hypothesis.k or 1):
            raise NothingSelected(f"{len(parts)} of {axis} are finished, {self.hypothesis.k} are needed")
        return Claim(
            hypothesis=self.hypothesis,
            subject=subject,
            contrast=plain(macro(parts), name),
            about=self._about(narrowed),
            parts=tuple(parts),
            pairs=len(parts),
        )

    def _chosen(self, narrowed: Narrowed, codes: tuple[str, ...] | None) -> _Built:
        contrast, pairs = self.chooser.mean_gain(self.select.axes(self.hypothesis, Selection(), narrowed), codes)
        return _Built(contrast, pairs=pairs)

    def _note(self, narrowed: Narrowed) -> str:
        if self.hypothesis.contrast != "chosen":
            return ""
        return self.chooser.note(self.select.axes(self.hypothesis, Selection(), narrowed))

    def _absent(self, narrowed: Narrowed) -> str:
        """What the hypothesis names although no finished cell has it, so that a mean is over less than declared."""
        absent: dict[str, None] = {}
        for side in self._sides():
            axes = self.select.axes(self.hypothesis, side, narrowed)
            numbers = self._selected(axes)
            for axis, field in CELL_AXES.items():
                if axis in axes and axis not in ("adapter", "variant"):
                    have = {getattr(key, field) for key in numbers}
                    absent.update(dict.fromkeys(f"{axis} {value}" for value in axes[axis] if value not in have))
        return f" Not finished, so left out of the mean: {', '.join(absent)}." if absent else ""

    def _on_scales(self, contrast: Contrast) -> tuple[Contrast, ...]:
        """A gain in points may shrink with size because nothing is left to gain: sizes are compared on three scales."""
        if self.hypothesis.contrast not in ("slope", "slope_difference"):
            return ()
        return tuple(contrast.on(scale) for scale in ("logit", "log-error"))


def _pairs(numbers: dict[Axes, Contrast]) -> int:
    return len({(key.intermediate, key.target) for key in numbers})
