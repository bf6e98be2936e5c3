"""Every question the report asks of a study, each as one contrast between scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product

from adapterxfer.report.cells import FULL, NONE, UNTRAINED_SUFFIX
from adapterxfer.report.model import EffectKind, GroupKind
from adapterxfer.report.study import UNTRAINED_LABEL, Arm, Group, Study, tiers_to_compare
from adapterxfer.statistics import Contrast, System, macro, score, slope

Pair = tuple[str, str]
"""(intermediate, target)."""

ZERO_SHOT: tuple[GroupKind, str] = ("zero-shot", "zero-shot")


@dataclass(frozen=True, slots=True)
class Question:
    """A contrast and what its row in the report says it is about; fields as in `model.Effect`."""

    contrast: Contrast
    kind: EffectKind
    hypotheses: str
    backbone: str
    variant: str
    against: str
    intermediate: str
    target: str
    group_kind: GroupKind
    group: str
    pairs: int = 1


def ask(study: Study) -> list[Question]:
    """All questions that the finished cells can answer.

    Pairs whose data overlap are asked one by one, but left out of every mean: their gain is not transfer.
    """
    asker = _Asker(study)
    return [
        *asker.mean_gains(),
        *asker.mean_trends(),
        *asker.gains_kept(),
        *asker.variant_means(),
        *asker.pair_gains(),
        *asker.pair_trends(),
        *asker.variant_pairs(),
        *asker.tier_differences(),
        *asker.above_controls(),
    ]


@dataclass(frozen=True, slots=True)
class _Asker:
    study: Study

    # Means over (intermediate, target) pairs: the primary questions

    def mean_gains(self) -> Iterator[Question]:
        """Gain of every variant at every size, averaged over the pairs that all sizes of the variant have."""
        for arm in self.study.arms:
            for kind, name in self._mean_groups():
                pairs = self.balanced_pairs((arm,), kind, name)
                if not pairs:
                    continue
                by_size = {backbone: self._mean_gain(backbone, arm, pairs, kind, name) for backbone in self._sized(arm)}
                for backbone, contrast in _with_mean(by_size):
                    hypotheses = _hypotheses("gain at each size" if backbone else "mean gain", kind)
                    yield Question(
                        contrast, "gain", hypotheses, backbone, arm.label, "", "", "", kind, name, len(pairs)
                    )

    def mean_trends(self) -> Iterator[Question]:
        """Change of the mean gain per tenfold parameters, for every variant."""
        for arm in self.study.arms:
            for kind, name in self._mean_groups():
                pairs = self.balanced_pairs((arm,), kind, name)
                if not pairs:
                    continue
                by_size = {backbone: self._mean_gain(backbone, arm, pairs, kind, name) for backbone in self._sized(arm)}
                contrast = self._slope(by_size)
                if contrast is not None:
                    hypotheses = _hypotheses("trend of the gain with size", kind)
                    yield Question(contrast, "trend", hypotheses, "", arm.label, "", "", "", kind, name, len(pairs))

    def gains_kept(self) -> Iterator[Question]:
        """Gain of each adapter variant minus the gain of full fine-tuning, at every size, on the pairs both have."""
        full = next((arm for arm in self.study.arms if arm.variant == FULL), None)
        for arm in self.study.arms if full is not None else ():
            if arm == full or full is None:
                continue
            pairs = self.balanced_pairs((arm, full), *ZERO_SHOT)
            if not pairs:
                continue
            by_size = {
                backbone: self._mean_gain(backbone, arm, pairs, *ZERO_SHOT)
                - self._mean_gain(backbone, full, pairs, *ZERO_SHOT)
                for backbone in self._common((arm, full))
            }
            for backbone, contrast in _with_mean(by_size):
                hypotheses = "gain of adapters against full fine-tuning" + ("" if backbone else ", mean over sizes")
                yield Question(
                    contrast, "gain kept", hypotheses, backbone, arm.label, full.label, "", "", *ZERO_SHOT, len(pairs)
                )

    def variant_means(self) -> Iterator[Question]:
        """Score of one variant minus another with an intermediate task, mean over the pairs both have."""
        for first, second in combinations(self.study.arms, 2):
            pairs = [
                pair
                for pair in self.balanced_pairs((first, second), *ZERO_SHOT)
                if all(self._differ(backbone, first, second, pair) for backbone in self._common((first, second)))
            ]
            if not pairs:
                continue
            by_size = {
                backbone: macro(
                    [
                        self._difference(
                            self.study.systems[backbone, second.label, *pair],
                            self.study.systems[backbone, first.label, *pair],
                            pair[1],
                            *ZERO_SHOT,
                        )
                        for pair in pairs
                    ]
                )
                for backbone in self._common((first, second))
            }
            for backbone, contrast in _with_mean(by_size):
                hypotheses = "variants at each size" if backbone else "variants, mean over sizes"
                yield Question(
                    contrast,
                    "variant difference",
                    hypotheses,
                    backbone,
                    second.label,
                    first.label,
                    "",
                    "",
                    *ZERO_SHOT,
                    len(pairs),
                )

    # One (intermediate, target) pair at a time

    def pair_gains(self) -> Iterator[Question]:
        """Gain of every single cell, by family and tier too."""
        for arm, (intermediate, target), backbone in product(self.study.arms, self._pairs(), self.study.backbones):
            for group in self.study.groups[target]:
                if group.kind == "language":
                    continue
                contrast = self._gain(backbone.name, arm, (intermediate, target), group.kind, group.name)
                if contrast is not None:
                    yield Question(
                        contrast,
                        "gain",
                        _hypotheses("gain of each cell", group.kind),
                        backbone.name,
                        arm.label,
                        "",
                        intermediate,
                        target,
                        group.kind,
                        group.name,
                    )

    def pair_trends(self) -> Iterator[Question]:
        """Change of each cell's gain per tenfold parameters."""
        for arm, pair in product(self.study.arms, self._pairs()):
            by_size = {
                backbone.name: gain
                for backbone in self.study.backbones
                if (gain := self._gain(backbone.name, arm, pair, *ZERO_SHOT)) is not None
            }
            contrast = self._slope(by_size)
            if contrast is not None:
                yield Question(
                    contrast, "trend", "trend of each cell's gain", "", arm.label, "", pair[0], pair[1], *ZERO_SHOT
                )

    def variant_pairs(self) -> Iterator[Question]:
        """Score of one variant minus another, for every cell."""
        for backbone, target in product(self.study.backbones, self.study.targets):
            for intermediate in (NONE, *self.study.intermediates):
                for first, second in combinations(self.study.arms, 2):
                    own, other = (
                        self.study.systems.get((backbone.name, arm.label, intermediate, target))
                        for arm in (second, first)
                    )
                    if own is None or other is None or own == other:
                        continue
                    if self.study.group(target, *ZERO_SHOT) is None:
                        continue
                    yield Question(
                        self._difference(own, other, target, *ZERO_SHOT),
                        "variant difference",
                        "variants on each cell",
                        backbone.name,
                        second.label,
                        first.label,
                        intermediate,
                        target,
                        *ZERO_SHOT,
                    )

    def tier_differences(self) -> Iterator[Question]:
        """Score in high minus low resource languages, without an intermediate task."""
        seen: set[tuple[System, str]] = set()
        for target, backbone, arm in product(self.study.targets, self.study.backbones, self.study.arms):
            system = self.study.systems.get((backbone.name, arm.label, NONE, target))
            names = tuple(g.name for g in self.study.groups[target] if g.kind == "resource")
            compared = tiers_to_compare(names)
            if system is None or compared is None or (system, target) in seen:
                continue
            seen.add((system, target))
            parts = [self._score(system, target, "resource", name) for name in compared]
            yield Question(
                parts[0] - parts[1],
                "tier difference",
                "resource tiers",
                backbone.name,
                self.study.shown[system, target],
                "",
                NONE,
                target,
                "resource",
                f"{compared[0]} minus {compared[1]}",
            )

    def above_controls(self) -> Iterator[Question]:
        """Score without an intermediate task minus each control of the same target."""
        seen: set[tuple[System, System, str]] = set()
        for (label, control_backbone, target), control in self.study.controls.items():
            for backbone, arm in product(self.study.backbones, self.study.arms):
                system = self.study.systems.get((backbone.name, arm.label, NONE, target))
                if system is None or self.study.group(target, *ZERO_SHOT) is None or (system, control, target) in seen:
                    continue
                seen.add((system, control, target))
                shown = self.study.shown[system, target]
                if not _comparable(label, control_backbone, backbone.name, shown):
                    continue
                yield Question(
                    self._difference(system, control, target, *ZERO_SHOT),
                    "above control",
                    "scores against controls",
                    backbone.name,
                    shown,
                    label,
                    NONE,
                    target,
                    *ZERO_SHOT,
                )

    # Which cells exist

    def balanced_pairs(self, arms: tuple[Arm, ...], kind: GroupKind, name: str) -> list[Pair]:
        """Pairs that every backbone of these arms has, so that sizes and arms are compared on the same tasks."""
        backbones = self._common(arms)
        return [
            pair
            for pair in self._pairs()
            if pair not in self.study.overlaps
            and backbones
            and all(self._has_gain(backbone, arm, pair, kind, name) for backbone in backbones for arm in arms)
        ]

    def _pairs(self) -> list[Pair]:
        return list(product(self.study.intermediates, self.study.targets))

    def _mean_groups(self) -> list[tuple[GroupKind, str]]:
        source = self.study.group_names("source")
        families = [("family", name) for name in self.study.group_names("family")]
        tiers = [("resource", name) for name in self.study.group_names("resource")]
        return [ZERO_SHOT, *[("source", name) for name in source], *families, *tiers]  # type: ignore[list-item]

    def _sized(self, arm: Arm) -> list[str]:
        """Backbones on which this arm has any gain."""
        return [
            backbone.name
            for backbone in self.study.backbones
            if any(self._has_gain(backbone.name, arm, pair, *ZERO_SHOT) for pair in self._pairs())
        ]

    def _common(self, arms: Iterable[Arm]) -> list[str]:
        lists = [self._sized(arm) for arm in arms]
        return [name for name in lists[0] if all(name in other for other in lists[1:])]

    def _has_gain(self, backbone: str, arm: Arm, pair: Pair, kind: GroupKind, name: str) -> bool:
        intermediate, target = pair
        return (
            (backbone, arm.label, intermediate, target) in self.study.systems
            and self.study.group(target, kind, name) is not None
            and self.study.baseline(backbone, arm, target) is not None
        )

    def _differ(self, backbone: str, first: Arm, second: Arm, pair: Pair) -> bool:
        """Whether two arms are different systems on this pair (without target training some coincide)."""
        return self.study.systems[backbone, first.label, *pair] != self.study.systems[backbone, second.label, *pair]

    # Contrasts

    def _mean_gain(self, backbone: str, arm: Arm, pairs: list[Pair], kind: GroupKind, name: str) -> Contrast:
        gains = (self._gain(backbone, arm, pair, kind, name) for pair in pairs)
        return macro([gain for gain in gains if gain is not None])

    def _gain(self, backbone: str, arm: Arm, pair: Pair, kind: GroupKind, name: str) -> Contrast | None:
        if not self._has_gain(backbone, arm, pair, kind, name):
            return None
        treated, baseline = self.study.systems[backbone, arm.label, *pair], self.study.baseline(backbone, arm, pair[1])
        assert baseline is not None
        return self._difference(treated, baseline, pair[1], kind, name)

    def _difference(self, first: System, second: System, target: str, kind: GroupKind, name: str) -> Contrast:
        return self._score(first, target, kind, name) - self._score(second, target, kind, name)

    def _score(self, system: System, target: str, kind: GroupKind, name: str) -> Contrast:
        group = self.study.group(target, kind, name)
        assert isinstance(group, Group)
        return macro([score(system, target, language) for language in group.languages])

    def _slope(self, by_size: dict[str, Contrast]) -> Contrast | None:
        sizes = {backbone.name: backbone.size for backbone in self.study.backbones}
        if len({sizes[name] for name in by_size}) < 2:
            return None
        return slope(list(by_size.values()), [sizes[name] for name in by_size])


def _with_mean(by_size: dict[str, Contrast]) -> Iterator[tuple[str, Contrast]]:
    """Every size, then the mean over all of them under an empty backbone name."""
    yield from by_size.items()
    yield "", macro(list(by_size.values()))


def _hypotheses(name: str, kind: GroupKind) -> str:
    """Families, tiers and the source language are separate declared families of hypotheses."""
    where = {"family": ", by language family", "resource": ", by resource tier", "source": ", source language"}
    return name + where.get(kind, "")


def _comparable(label: str, control_backbone: str, backbone: str, shown: str) -> bool:
    """A control without a backbone stands beside all; an untrained twin beside the same training of its backbone."""
    if label.startswith(UNTRAINED_LABEL):
        return control_backbone == f"{backbone}{UNTRAINED_SUFFIX}" and label == f"{UNTRAINED_LABEL}{shown}"
    return control_backbone in ("", backbone)
