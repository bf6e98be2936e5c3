"""Gains and differences of a study as contrasts, and which (intermediate, target) pairs may be averaged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from adapterxfer.report.model import GroupKind
from adapterxfer.report.pair_kinds import PairKind, pair_kind
from adapterxfer.report.study import Arm, Group, Study
from adapterxfer.statistics import Contrast, System, macro, score, slope

Pair = tuple[str, str]
"""(intermediate, target)."""

ZERO_SHOT: tuple[GroupKind, str] = ("zero-shot", "zero-shot")


@dataclass(frozen=True, slots=True)
class Gains:
    """Contrasts between systems of one study."""

    study: Study

    # Which cells exist

    def balanced_pairs(
        self, arms: tuple[Arm, ...], kind: GroupKind, name: str, pair_kind_wanted: PairKind = ""
    ) -> list[Pair]:
        """Pairs that every backbone of these arms has, so that sizes and arms are compared on the same tasks.

        Args:
            pair_kind_wanted: only pairs of this kind; empty for the main means: every pair whose target is trained, or
                every pair at all if there is no such target.
        """
        backbones = self.common(arms)
        kinds = {pair: pair_kind(*pair) for pair in self.pairs()}
        if pair_kind_wanted:
            chosen = [pair for pair, found in kinds.items() if found == pair_kind_wanted]
        else:
            chosen = [pair for pair, found in kinds.items() if found != "no target training"] or list(kinds)
        return [
            pair
            for pair in chosen
            if pair not in self.study.overlaps
            and backbones
            and all(self.has_gain(backbone, arm, pair, kind, name) for backbone in backbones for arm in arms)
        ]

    def pairs(self) -> list[Pair]:
        """Every (intermediate, target), whether it was run or not."""
        return list(product(self.study.intermediates, self.study.targets))

    def mean_groups(self) -> list[tuple[GroupKind, str]]:
        """The groups of languages for which means over pairs are asked."""
        source = self.study.group_names("source")
        families = [("family", name) for name in self.study.group_names("family")]
        tiers = [("resource", name) for name in self.study.group_names("resource")]
        return [ZERO_SHOT, *[("source", name) for name in source], *families, *tiers]  # type: ignore[list-item]

    def sized(self, arm: Arm) -> list[str]:
        """Backbones on which this arm has any gain."""
        return [
            backbone.name
            for backbone in self.study.backbones
            if any(self.has_gain(backbone.name, arm, pair, *ZERO_SHOT) for pair in self.pairs())
        ]

    def common(self, arms: Iterable[Arm]) -> list[str]:
        """Backbones on which all of these arms have a gain."""
        lists = [self.sized(arm) for arm in arms]
        return [name for name in lists[0] if all(name in other for other in lists[1:])]

    def has_gain(self, backbone: str, arm: Arm, pair: Pair, kind: GroupKind, name: str) -> bool:
        """Whether both sides of a gain are finished."""
        intermediate, target = pair
        return (
            (backbone, arm.label, intermediate, target) in self.study.systems
            and self.study.group(target, kind, name) is not None
            and self.study.baseline(backbone, arm, target) is not None
        )

    def differ(self, backbone: str, first: Arm, second: Arm, pair: Pair) -> bool:
        """Whether two arms are different systems on this pair (without target training some coincide)."""
        return self.study.systems[backbone, first.label, *pair] != self.study.systems[backbone, second.label, *pair]

    # Contrasts

    def mean_gain(self, backbone: str, arm: Arm, pairs: list[Pair], kind: GroupKind, name: str) -> Contrast:
        """Mean gain over pairs that all exist."""
        gains = (self.gain(backbone, arm, pair, kind, name) for pair in pairs)
        return macro([gain for gain in gains if gain is not None])

    def gain(self, backbone: str, arm: Arm, pair: Pair, kind: GroupKind, name: str) -> Contrast | None:
        """Score with the intermediate task minus without it, on the languages of a group."""
        if not self.has_gain(backbone, arm, pair, kind, name):
            return None
        treated, baseline = self.study.systems[backbone, arm.label, *pair], self.study.baseline(backbone, arm, pair[1])
        assert baseline is not None
        return self.difference(treated, baseline, pair[1], kind, name)

    def difference(self, first: System, second: System, target: str, kind: GroupKind, name: str) -> Contrast:
        """Score of one system minus another, on the languages of a group."""
        return self.score_of(first, target, kind, name) - self.score_of(second, target, kind, name)

    def score_of(self, system: System, target: str, kind: GroupKind, name: str) -> Contrast:
        """Mean score of a system over the languages of a group."""
        group = self.study.group(target, kind, name)
        assert isinstance(group, Group)
        return macro([score(system, target, language) for language in group.languages])

    def slope_of(self, by_size: dict[str, Contrast]) -> Contrast | None:
        """Change per tenfold parameters; None with fewer than two sizes."""
        sizes = {backbone.name: backbone.size for backbone in self.study.backbones}
        if len({sizes[name] for name in by_size}) < 2:
            return None
        return slope(list(by_size.values()), [sizes[name] for name in by_size])
