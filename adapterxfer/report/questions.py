"""Every question the report asks of a study, each as one contrast between scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

from adapterxfer.catalog import ORACLE
from adapterxfer.report.arms import ArmGains
from adapterxfer.report.cells import FULL, NONE, UNTRAINED_SUFFIX
from adapterxfer.report.gains import ZERO_SHOT, Gains
from adapterxfer.report.model import EffectKind, GroupKind
from adapterxfer.report.pair_kinds import PairKind, kinds_in_order, pair_kind
from adapterxfer.report.study import UNTRAINED_LABEL, Study, tiers_to_compare
from adapterxfer.statistics import Contrast, System, macro


@dataclass(frozen=True, slots=True, kw_only=True)
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
    pair_kind: PairKind = ""


def ask(study: Study) -> list[Question]:
    """All questions that the finished cells can answer.

    Pairs whose data overlap are asked one by one, but left out of every mean: their gain is not transfer.
    """
    asker = _Asker(study)
    return [
        *asker.mean_gains(),
        *asker.mean_trends(),
        *asker.kind_gains(),
        *asker.language_gains(),
        *asker.gains_kept(),
        *asker.variant_means(),
        *asker.pair_gains(),
        *asker.pair_trends(),
        *asker.variant_pairs(),
        *asker.tier_differences(),
        *asker.above_controls(),
        *asker.arms(),
    ]


@dataclass(frozen=True, slots=True)
class _Asker(Gains):
    """The questions, by kind."""

    def arms(self) -> Iterator[Question]:
        """Every name on the axis of intermediate tasks by itself, and arms against each other."""
        for asked in ArmGains(self.study).ask():
            yield Question(
                contrast=asked.contrast,
                kind=asked.kind,
                hypotheses=asked.hypotheses,
                backbone=asked.backbone,
                variant=asked.variant,
                against=asked.against,
                intermediate=asked.intermediate,
                target="",
                group_kind="zero-shot",
                group="zero-shot",
                pairs=asked.pairs,
                pair_kind=asked.pair_kind,
            )

    # Means over (intermediate, target) pairs: the primary questions

    def mean_gains(self) -> Iterator[Question]:
        """Gain of every variant at every size, averaged over the pairs that all sizes of the variant have."""
        for arm in self.study.arms:
            for kind, name in self.mean_groups():
                pairs = self.balanced_pairs((arm,), kind, name)
                if not pairs:
                    continue
                by_size = {backbone: self.mean_gain(backbone, arm, pairs, kind, name) for backbone in self.sized(arm)}
                for backbone, contrast in _with_mean(by_size):
                    hypotheses = _hypotheses("gain at each size" if backbone else "mean gain", kind)
                    yield Question(
                        contrast=contrast,
                        kind="gain",
                        hypotheses=hypotheses,
                        backbone=backbone,
                        variant=arm.label,
                        against="",
                        intermediate="",
                        target="",
                        group_kind=kind,
                        group=name,
                        pairs=len(pairs),
                    )

    def mean_trends(self) -> Iterator[Question]:
        """Change of the mean gain per tenfold parameters, for every variant."""
        for arm in self.study.arms:
            for kind, name in self.mean_groups():
                pairs = self.balanced_pairs((arm,), kind, name)
                if not pairs:
                    continue
                by_size = {backbone: self.mean_gain(backbone, arm, pairs, kind, name) for backbone in self.sized(arm)}
                contrast = self.slope_of(by_size)
                if contrast is not None:
                    hypotheses = _hypotheses("trend of the gain with size", kind)
                    yield Question(
                        contrast=contrast,
                        kind="trend",
                        hypotheses=hypotheses,
                        backbone="",
                        variant=arm.label,
                        against="",
                        intermediate="",
                        target="",
                        group_kind=kind,
                        group=name,
                        pairs=len(pairs),
                    )

    def kind_gains(self) -> Iterator[Question]:
        """Mean gain and its trend for every kind of (intermediate, target) pair."""
        kinds = kinds_in_order(pair_kind(*pair) for pair in self.pairs())
        for wanted, arm in product(kinds, self.study.arms):
            pairs = self.balanced_pairs((arm,), *ZERO_SHOT, wanted)
            if not pairs:
                continue
            by_size = {backbone: self.mean_gain(backbone, arm, pairs, *ZERO_SHOT) for backbone in self.sized(arm)}
            for backbone, contrast in _with_mean(by_size):
                hypotheses = "gain by kind of pair" + (" at each size" if backbone else "")
                yield Question(
                    contrast=contrast,
                    kind="gain",
                    hypotheses=hypotheses,
                    backbone=backbone,
                    variant=arm.label,
                    against="",
                    intermediate="",
                    target="",
                    group_kind="zero-shot",
                    group="zero-shot",
                    pairs=len(pairs),
                    pair_kind=wanted,
                )
            trend = self.slope_of(by_size)
            if trend is not None:
                hypotheses = "trend by kind of pair"
                yield Question(
                    contrast=trend,
                    kind="trend",
                    hypotheses=hypotheses,
                    backbone="",
                    variant=arm.label,
                    against="",
                    intermediate="",
                    target="",
                    group_kind="zero-shot",
                    group="zero-shot",
                    pairs=len(pairs),
                    pair_kind=wanted,
                )

    def language_gains(self) -> Iterator[Question]:
        """Mean gain in every single language, over the sizes and the pairs that all sizes of the variant have."""
        for arm in self.study.arms:
            for name in self.study.group_names("language"):
                pairs = self.balanced_pairs((arm,), "language", name)
                if not pairs:
                    continue
                contrast = macro([self.mean_gain(size, arm, pairs, "language", name) for size in self.sized(arm)])
                yield Question(
                    contrast=contrast,
                    kind="gain",
                    hypotheses="gain by language",
                    backbone="",
                    variant=arm.label,
                    against="",
                    intermediate="",
                    target="",
                    group_kind="language",
                    group=name,
                    pairs=len(pairs),
                )

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
                backbone: self.mean_gain(backbone, arm, pairs, *ZERO_SHOT)
                - self.mean_gain(backbone, full, pairs, *ZERO_SHOT)
                for backbone in self.common((arm, full))
            }
            for backbone, contrast in _with_mean(by_size):
                hypotheses = "gain of adapters against full fine-tuning" + ("" if backbone else ", mean over sizes")
                yield Question(
                    contrast=contrast,
                    kind="gain kept",
                    hypotheses=hypotheses,
                    backbone=backbone,
                    variant=arm.label,
                    against=full.label,
                    intermediate="",
                    target="",
                    group_kind="zero-shot",
                    group="zero-shot",
                    pairs=len(pairs),
                )

    def variant_means(self) -> Iterator[Question]:
        """Score of one variant minus another with an intermediate task, mean over the pairs both have."""
        for first, second in combinations(self.study.arms, 2):
            pairs = [
                pair
                for pair in self.balanced_pairs((first, second), *ZERO_SHOT)
                if all(self.differ(backbone, first, second, pair) for backbone in self.common((first, second)))
            ]
            if not pairs:
                continue
            by_size = {
                backbone: macro(
                    [
                        self.difference(
                            self.study.systems[backbone, second.label, *pair],
                            self.study.systems[backbone, first.label, *pair],
                            pair[1],
                            *ZERO_SHOT,
                        )
                        for pair in pairs
                    ]
                )
                for backbone in self.common((first, second))
            }
            for backbone, contrast in _with_mean(by_size):
                hypotheses = "variants at each size" if backbone else "variants, mean over sizes"
                yield Question(
                    contrast=contrast,
                    kind="variant difference",
                    hypotheses=hypotheses,
                    backbone=backbone,
                    variant=second.label,
                    against=first.label,
                    intermediate="",
                    target="",
                    group_kind="zero-shot",
                    group="zero-shot",
                    pairs=len(pairs),
                )

    # One (intermediate, target) pair at a time

    def pair_gains(self) -> Iterator[Question]:
        """Gain of every single cell, by family and tier too."""
        for arm, (intermediate, target), backbone in product(self.study.arms, self.pairs(), self.study.backbones):
            for group in self.study.groups[target]:
                if group.kind == "language":
                    continue
                contrast = self.gain(backbone.name, arm, (intermediate, target), group.kind, group.name)
                if contrast is not None:
                    yield Question(
                        contrast=contrast,
                        kind="gain",
                        hypotheses=_hypotheses("gain of each cell", group.kind),
                        backbone=backbone.name,
                        variant=arm.label,
                        against="",
                        intermediate=intermediate,
                        target=target,
                        group_kind=group.kind,
                        group=group.name,
                    )

    def pair_trends(self) -> Iterator[Question]:
        """Change of each cell's gain per tenfold parameters."""
        for arm, pair in product(self.study.arms, self.pairs()):
            by_size = {
                backbone.name: gain
                for backbone in self.study.backbones
                if (gain := self.gain(backbone.name, arm, pair, *ZERO_SHOT)) is not None
            }
            contrast = self.slope_of(by_size)
            if contrast is not None:
                yield Question(
                    contrast=contrast,
                    kind="trend",
                    hypotheses="trend of each cell's gain",
                    backbone="",
                    variant=arm.label,
                    against="",
                    intermediate=pair[0],
                    target=pair[1],
                    group_kind="zero-shot",
                    group="zero-shot",
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
                        contrast=self.difference(own, other, target, *ZERO_SHOT),
                        kind="variant difference",
                        hypotheses="variants on each cell",
                        backbone=backbone.name,
                        variant=second.label,
                        against=first.label,
                        intermediate=intermediate,
                        target=target,
                        group_kind="zero-shot",
                        group="zero-shot",
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
            parts = [self.score_of(system, target, "resource", name) for name in compared]
            yield Question(
                contrast=parts[0] - parts[1],
                kind="tier difference",
                hypotheses="resource tiers",
                backbone=backbone.name,
                variant=self.study.shown[system, target],
                against="",
                intermediate=NONE,
                target=target,
                group_kind="resource",
                group=f"{compared[0]} minus {compared[1]}",
            )

    def above_controls(self) -> Iterator[Question]:
        """Score without an intermediate task minus each control of the same target."""
        seen: set[tuple[System, System, str]] = set()
        for (label, control_backbone, target), control in self.study.controls.items():
            if label.startswith(ORACLE):
                continue  # it knows the target languages: a diagnostic, nothing to be above of
            for backbone, arm in product(self.study.backbones, self.study.arms):
                system = self.study.systems.get((backbone.name, arm.label, NONE, target))
                if system is None or self.study.group(target, *ZERO_SHOT) is None or (system, control, target) in seen:
                    continue
                seen.add((system, control, target))
                shown = self.study.shown[system, target]
                if not _comparable(label, control_backbone, backbone.name, shown):
                    continue
                yield Question(
                    contrast=self.difference(system, control, target, *ZERO_SHOT),
                    kind="above control",
                    hypotheses="scores against controls",
                    backbone=backbone.name,
                    variant=shown,
                    against=label,
                    intermediate=NONE,
                    target=target,
                    group_kind="zero-shot",
                    group="zero-shot",
                )


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
