"""From declared hypotheses to contrasts: one claim per test, with the parts that its ladder and its checks need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from adapterxfer.recipe.hypotheses import Hypothesis, Selection
from adapterxfer.report.choosing import Chooser
from adapterxfer.report.selection import (
    CELL_AXES,
    Axes,
    Key,
    NothingSelected,
    Selector,
    average,
    balanced,
    plain,
    without,
)
from adapterxfer.report.study import Study
from adapterxfer.statistics import Contrast, macro, slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One test of a declared hypothesis.

    Attributes:
        subject: the values of `each` that this test is about, as people read them.
        contrast: None where it cannot be computed.
        missing: why not.
        languages: the same question language by language, where its plain mean is the question.
        sizes: the quantity at each backbone of a slope, with `parameters`.
        parts: of `at_least`: the same question for each value of `across`, named.
        on_scales: a question about sizes on the logit and log-error scales.
        pairs: (intermediate, target) pairs averaged.
        note: what a reader has to know about this test.
    """

    asked: Hypothesis
    subject: str
    contrast: Contrast | None
    missing: str = ""
    languages: tuple[Contrast, ...] = ()
    sizes: tuple[Contrast, ...] = ()
    parameters: tuple[float, ...] = ()
    parts: tuple[Contrast, ...] = ()
    on_scales: tuple[Contrast, ...] = ()
    pairs: int = 0
    note: str = ""


def claims(study: Study, hypotheses: tuple[Hypothesis, ...]) -> list[Claim]:
    """All tests of all hypotheses; a hypothesis that no finished cell is about gives one that says so."""
    found: list[Claim] = []
    for asked in hypotheses:
        found += _Builder(study, asked).claims()
    return found


@dataclass(frozen=True, slots=True)
class _Built:
    contrast: Contrast
    sizes: tuple[Contrast, ...] = ()
    parameters: tuple[float, ...] = ()
    pairs: int = 0


class _Builder:
    """Contrasts of one hypothesis."""

    def __init__(self, study: Study, asked: Hypothesis) -> None:
        self.study = study
        self.asked = asked
        self.select = Selector(study)
        self.chooser = Chooser(study, asked, self.select)

    def claims(self) -> Iterator[Claim]:
        """One claim per combination of the axes in `each`."""
        values = [self._values(axis) for axis in self.asked.each]
        empty = [axis for axis, names in zip(self.asked.each, values, strict=True) if not names]
        if empty:
            missing = f"no finished cell to ask for each {' and '.join(empty)}"
            yield Claim(asked=self.asked, subject="", contrast=None, missing=missing)
            return
        for chosen in product(*values):
            narrowed: dict[str, tuple[str, ...]] = {a: (v,) for a, v in zip(self.asked.each, chosen, strict=True)}
            try:
                yield self._claim(", ".join(chosen), narrowed)
            except NothingSelected as error:
                yield Claim(asked=self.asked, subject=", ".join(chosen), contrast=None, missing=str(error))

    def _values(self, axis: str) -> tuple[str, ...]:
        """Values of an axis of `each`: of the side that names it (b before a), else those that any side has."""
        sides = self._sides()
        naming = [side for side in reversed(sides) if axis in side.axes()][:1]
        found: dict[str, None] = {}
        for side in naming or sides:
            axes = self.select.axes(self.asked, side, {})
            found.update(dict.fromkeys(self.select.present(axis, axes, self.asked.of)))
        return tuple(found)

    def _sides(self) -> list[Selection]:
        return [side for side in (self.asked.a, self.asked.b) if side is not None] or [Selection()]

    def _claim(self, subject: str, narrowed: Axes) -> Claim:
        kind = self.asked.contrast
        name = f"{self.asked.id} {subject}".strip()
        if kind == "at_least":
            return self._at_least(name, subject, narrowed)
        built = self._build(narrowed)
        contrast = plain(built.contrast, name)
        return Claim(
            asked=self.asked,
            subject=subject,
            contrast=contrast,
            languages=self._by_language(narrowed),
            sizes=built.sizes,
            parameters=built.parameters,
            on_scales=self._on_scales(contrast),
            pairs=built.pairs,
            note=self._note(narrowed) + self._absent(narrowed),
        )

    def _build(self, narrowed: Axes, codes: tuple[str, ...] | None = None) -> _Built:
        if self.asked.contrast in ("slope", "slope_difference"):
            return self._slope(narrowed, codes)
        if self.asked.contrast == "chosen":
            return self._chosen(narrowed, codes)
        if self.asked.two_sided:
            return self._difference(narrowed, codes)
        return self._mean(narrowed, codes)

    # One side

    def _mean(self, narrowed: Axes, codes: tuple[str, ...] | None) -> _Built:
        numbers = self._numbers(narrowed, Selection(), codes)
        return _Built(macro(list(numbers.values())), pairs=_pairs(numbers))

    def _numbers(self, narrowed: Axes, side: Selection, codes: tuple[str, ...] | None) -> dict[Key, Contrast]:
        axes = self.select.axes(self.asked, side, narrowed)
        found = self.select.numbers(axes, self.asked.of, codes=codes)
        kept = balanced(found)
        if not kept:
            where = "; ".join(f"{axis} {', '.join(values)}" for axis, values in axes.items()) or "any kind"
            why = "no pair of tasks that all systems have" if found else "no finished cell"
            raise NothingSelected(f"{why} of: {where}")
        return kept

    # Slopes

    def _slope(self, narrowed: Axes, codes: tuple[str, ...] | None) -> _Built:
        if not self.asked.two_sided:
            return self._one_slope(self._numbers(narrowed, Selection(), codes))
        assert self.asked.a is not None
        assert self.asked.b is not None
        first, second = (self._numbers(narrowed, side, codes) for side in (self.asked.a, self.asked.b))
        contrasted = self._contrasted()
        first, second = self._matched(first, second, contrasted)
        built = self._one_slope(first)
        return _Built(built.contrast - self._one_slope(second).contrast, pairs=_pairs(first))

    def _one_slope(self, numbers: dict[Key, Contrast]) -> _Built:
        places = {backbone.name: float(backbone.size) for backbone in self.study.backbones}
        by_size = {key.backbone: c for key, c in average(numbers, ("arm", "intermediate", "target")).items()}
        names = [name for name in places if name in by_size]
        if len({places[name] for name in names}) < 2:
            raise NothingSelected(f"a slope needs two sizes; finished: {', '.join(names) or 'none'}")
        sizes = tuple(plain(by_size[name], name) for name in names)
        parameters = tuple(places[name] for name in names)
        return _Built(slope(sizes, parameters), sizes, parameters, _pairs(numbers))

    # Two sides

    def _difference(self, narrowed: Axes, codes: tuple[str, ...] | None) -> _Built:
        assert self.asked.a is not None
        assert self.asked.b is not None
        first, second = (self._numbers(narrowed, side, codes) for side in (self.asked.a, self.asked.b))
        contrasted = self._contrasted()
        first, second = self._matched(first, second, contrasted)
        left, right = average(first, contrasted), average(second, contrasted)
        return _Built(macro([left[key] - right[key] for key in left]), pairs=_pairs(first))

    def _contrasted(self) -> tuple[str, ...]:
        """Parts of a key on which the two sides differ by declaration."""
        assert self.asked.a is not None
        assert self.asked.b is not None
        named = {*self.asked.a.axes(), *self.asked.b.axes()}
        return tuple(dict.fromkeys(part for axis, part in CELL_AXES.items() if axis in named))

    def _matched(
        self, first: dict[Key, Contrast], second: dict[Key, Contrast], contrasted: tuple[str, ...]
    ) -> tuple[dict[Key, Contrast], dict[Key, Contrast]]:
        """Only what both sides have, apart from what they differ in."""
        shared = {without(key, contrasted) for key in first} & {without(key, contrasted) for key in second}
        if not shared:
            raise NothingSelected("the two sides have no cell in common that differs in nothing else")
        return tuple(  # type: ignore[return-value]
            {key: contrast for key, contrast in side.items() if without(key, contrasted) in shared}
            for side in (first, second)
        )

    # Parts

    def _by_language(self, narrowed: Axes) -> tuple[Contrast, ...]:
        """The question in each language, where all targets have the same languages; else nothing."""
        if any(axis in side.axes() for side in self._sides() for axis in ("family", "resource", "language")):
            return ()
        axes = self.select.axes(self.asked, self._sides()[0], narrowed)
        sets = {self.select.languages(axes, key.target) for key in self.select.numbers(axes, self.asked.of)}
        if len(sets) != 1:
            return ()
        return tuple(plain(self._build(narrowed, (code,)).contrast, code) for code in next(iter(sets)))

    def _at_least(self, name: str, subject: str, narrowed: Axes) -> Claim:
        axis = self.asked.across
        assert axis is not None
        axes = self.select.axes(self.asked, Selection(), narrowed)
        parts = []
        for value in self.select.present(axis, axes, self.asked.of):
            numbers = self._numbers({**narrowed, axis: (value,)}, Selection(), None)
            parts.append(plain(macro(list(numbers.values())), value))
        if len(parts) < (self.asked.k or 1):
            raise NothingSelected(f"{len(parts)} of {axis} are finished, {self.asked.k} are needed")
        return Claim(
            asked=self.asked,
            subject=subject,
            contrast=plain(macro(parts), name),
            parts=tuple(parts),
            pairs=len(parts),
        )

    def _chosen(self, narrowed: Axes, codes: tuple[str, ...] | None) -> _Built:
        contrast, pairs = self.chooser.mean_gain(self.select.axes(self.asked, Selection(), narrowed), codes)
        return _Built(contrast, pairs=pairs)

    def _note(self, narrowed: Axes) -> str:
        if self.asked.contrast != "chosen":
            return ""
        return self.chooser.note(self.select.axes(self.asked, Selection(), narrowed))

    def _absent(self, narrowed: Axes) -> str:
        """What the hypothesis names although no finished cell has it, so that a mean is over less than declared."""
        found: dict[str, None] = {}
        for side in self._sides():
            axes = self.select.axes(self.asked, side, narrowed)
            numbers = self.select.numbers(axes, self.asked.of)
            for axis, part in CELL_AXES.items():
                if axis in axes and axis not in ("adapter", "variant"):
                    have = {getattr(key, part) for key in numbers}
                    found.update(dict.fromkeys(f"{axis} {value}" for value in axes[axis] if value not in have))
        return f" Not finished, so left out of the mean: {', '.join(found)}." if found else ""

    def _on_scales(self, contrast: Contrast) -> tuple[Contrast, ...]:
        """A gain in points may shrink with size because nothing is left to gain: sizes are compared on three scales."""
        if self.asked.contrast not in ("slope", "slope_difference"):
            return ()
        return tuple(contrast.on(scale) for scale in ("logit", "log-error"))


def _pairs(numbers: dict[Key, Contrast]) -> int:
    return len({(key.intermediate, key.target) for key in numbers})
