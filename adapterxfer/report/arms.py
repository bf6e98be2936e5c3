"""The names on the axis of intermediate tasks side by side: English, with masked text, translated, several tasks.

Elsewhere they are pooled by what they have in common with a target; here every one has a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapterxfer.catalog.arms import split_arm
from adapterxfer.report.gains import ZERO_SHOT, Gains
from adapterxfer.report.model import EffectKind
from adapterxfer.report.pair_kinds import SEVERAL, PairKind, pair_kind
from adapterxfer.report.study import Arm
from adapterxfer.statistics import Contrast, macro

UNTRAINED_TARGETS: PairKind = "no target training"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmQuestion:
    """A contrast about one name on the axis; ``against`` is another name, or empty for a gain."""

    contrast: Contrast
    kind: EffectKind
    hypotheses: str
    backbone: str
    variant: str
    against: str
    intermediate: str
    pairs: int
    pair_kind: PairKind


@dataclass(frozen=True, slots=True)
class ArmGains(Gains):
    """Questions about single names, for studies with at least two."""

    def ask(self) -> Iterator[ArmQuestion]:
        """Mean gain of every name, then every arm against the training it adds something to."""
        if len(self.study.intermediates) < 2:
            return
        for arm in self.study.arms:
            for backbone in self.sized(arm):
                for wanted in ("", UNTRAINED_TARGETS):
                    yield from self._gains(arm, backbone, wanted)
                    yield from self._differences(arm, backbone, wanted)

    def _targets(self, arm: Arm, backbone: str, intermediate: str, wanted: PairKind) -> list[str]:
        """Targets of a kind on which a name has a gain and shares no data with the target."""
        return [
            target
            for target in self.study.targets
            if (pair_kind(intermediate, target) == UNTRAINED_TARGETS) == bool(wanted)
            and (intermediate, target) not in self.study.overlaps
            and self.has_gain(backbone, arm, (intermediate, target), *ZERO_SHOT)
        ]

    def _gains(self, arm: Arm, backbone: str, wanted: PairKind) -> Iterator[ArmQuestion]:
        for name in self.study.intermediates:
            pairs = [(name, target) for target in self._targets(arm, backbone, name, wanted)]
            if pairs:
                contrast = self.mean_gain(backbone, arm, pairs, *ZERO_SHOT)
                family = "gain of each intermediate task"
                yield ArmQuestion(
                    contrast=contrast,
                    kind="intermediate gain",
                    hypotheses=family,
                    backbone=backbone,
                    variant=arm.label,
                    against="",
                    intermediate=name,
                    pairs=len(pairs),
                    pair_kind=wanted,
                )

    def _differences(self, arm: Arm, backbone: str, wanted: PairKind) -> Iterator[ArmQuestion]:
        for name, other in compared(self.study.intermediates):
            shared = set(self._targets(arm, backbone, other, wanted))
            targets = [target for target in self._targets(arm, backbone, name, wanted) if target in shared]
            if targets:
                parts = [
                    self.difference(
                        self.study.systems[backbone, arm.label, name, target],
                        self.study.systems[backbone, arm.label, other, target],
                        target,
                        *ZERO_SHOT,
                    )
                    for target in targets
                ]
                family = "arms against English intermediate training"
                yield ArmQuestion(
                    contrast=macro(parts),
                    kind="arm difference",
                    hypotheses=family,
                    backbone=backbone,
                    variant=arm.label,
                    against=other,
                    intermediate=name,
                    pairs=len(targets),
                    pair_kind=wanted,
                )


def compared(intermediates: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every arm with the plain training of the same task, and several tasks together with each single one."""
    plain = [name for name in intermediates if not split_arm(name).arm]
    found = [(name, split_arm(name).base) for name in intermediates if split_arm(name).arm]
    found = [(name, base) for name, base in found if base in plain]
    single = [name for name in plain if name not in SEVERAL]
    return found + [(name, other) for name in plain if name in SEVERAL for other in single]
