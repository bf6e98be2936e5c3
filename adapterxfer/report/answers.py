"""The questions of the study answered in plain sentences, for the first screen of a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from adapterxfer.report.cells import resource_key
from adapterxfer.report.model import Answer, Effect, Statement
from adapterxfer.report.study import Study


def interval_text(effect: Effect, level: float, factor: float = 1.0, unit: str = "points") -> str:
    """``+3.2 points (95% interval +1.1 to +5.3)``."""
    ends = sorted((effect.low * factor, effect.high * factor))
    return f"{effect.estimate * factor:+.1f} {unit} ({level:.0%} interval {ends[0]:+.1f} to {ends[1]:+.1f})"


def verdict_text(effect: Effect) -> str:
    """The verdict, with what would have been detected where it is open."""
    if effect.verdict == "inconclusive" and math.isfinite(effect.detectable):
        return f"inconclusive (would find {effect.detectable:.1f} points)"
    return effect.verdict


def write_answers(study: Study, effects: Sequence[Effect], level: float) -> tuple[Answer, ...]:
    """All questions that the effects can answer; the study's own question first."""
    writer = _Writer(study, list(effects), level)
    answers = (writer.gain(), writer.trend(), writer.adapters(), writer.families())
    return tuple(answer for answer in answers if answer.statements)


class _Writer:
    def __init__(self, study: Study, effects: list[Effect], level: float) -> None:
        self.study = study
        self.effects = effects
        self.level = level

    def gain(self) -> Answer:
        """Whether intermediate training helps."""
        statements = []
        for number in self._find("gain", intermediate="", backbone="", group_kind="zero-shot"):
            effect = self.effects[number]
            text = self._sentence(
                effect,
                found="English intermediate training " + ("raises" if effect.estimate > 0 else "lowers"),
                open_="The data do not show whether English intermediate training raises or lowers",
                what="the zero-shot score, on average over {pairs}{sizes}",
            )
            statements.append(Statement(effect.variant, effect.verdict, text, number))
        single = [e for e in self.effects if e.hypotheses == "gain of each cell"]
        return Answer("Does English intermediate training help zero-shot transfer?", tuple(statements), _count(single))

    def trend(self) -> Answer:
        """Whether the gain changes with size."""
        statements = []
        sizes = [backbone.size for backbone in self.study.backbones]
        for number in self._find("trend", intermediate="", group_kind="zero-shot"):
            effect = self.effects[number]
            two = len(set(sizes)) == 2
            factor = math.log10(max(sizes) / min(sizes)) if two else 1.0
            step = "points from the smaller to the larger backbone" if two else "points per tenfold parameters"
            shown = interval_text(effect, self.level, factor, step)
            if effect.verdict == "inconclusive":
                text = f"The data do not show whether the gain rises or falls as backbones grow: {shown}."
            elif effect.verdict == "not enough data":
                text = "There is not enough data for an interval."
            else:
                text = f"The gain {'rises' if effect.estimate > 0 else 'falls'} as backbones grow: {shown}."
            statements.append(Statement(effect.variant, effect.verdict, text + _fixed(effect), number))
        question = "Does the gain shrink as backbones grow?"
        remark = "Two sizes give a difference, not a trend." if len(set(sizes)) == 2 else ""
        return Answer(question, tuple(statements), remark)

    def adapters(self) -> Answer:
        """Whether adapters keep the gain of full fine-tuning."""
        statements = []
        for number in self._find("gain kept", backbone=""):
            effect = self.effects[number]
            text = self._sentence(
                effect,
                found=f"The gain with {effect.variant} is " + ("larger" if effect.estimate > 0 else "smaller"),
                open_=f"The data do not show whether the gain with {effect.variant} is larger or smaller",
                what=f"than with {effect.against}, on average over {{pairs}}{{sizes}}",
            )
            statements.append(Statement(effect.variant, effect.verdict, text, number))
        single = [e for e in self.effects if e.hypotheses == "variants on each cell"]
        remark = _count(single, "pairs of variants", "better", "worse") if single else ""
        return Answer("Do adapters keep the gain?", tuple(statements), remark)

    def families(self) -> Answer:
        """Which families gain most and least, by variant."""
        statements = []
        for arm in self.study.arms:
            numbers = self._find("gain", intermediate="", backbone="", group_kind="family", variant=arm.label)
            if len(numbers) < 2:
                continue
            numbers.sort(key=lambda number: self.effects[number].estimate)
            most, least = self.effects[numbers[-1]], self.effects[numbers[0]]
            text = (
                f"Family {most.group} gains most, {interval_text(most, self.level)}; "
                f"family {least.group} least, {interval_text(least, self.level)}."
            )
            tiers = self._find("gain", intermediate="", backbone="", group_kind="resource", variant=arm.label)
            tiers.sort(key=lambda number: resource_key(self.effects[number].group))
            if len(tiers) > 1:
                parts = [f"{self.effects[n].group} {self.effects[n].estimate:+.1f}" for n in tiers]
                text += f" By resource tier: {', '.join(parts)}."
            statements.append(Statement(arm.label, most.verdict, text, numbers[-1]))
        return Answer("Which languages gain?", tuple(statements), "The verdict is that of the family that gains most.")

    def _find(self, kind: str, **labels: str) -> list[int]:
        return [
            number
            for number, effect in enumerate(self.effects)
            if effect.kind == kind and all(getattr(effect, name) == value for name, value in labels.items())
        ]

    def _sentence(self, effect: Effect, *, found: str, open_: str, what: str) -> str:
        count = len(self.study.backbones)
        sizes = f" and {count} backbones" if count > 1 else ""
        pairs = f"{effect.pairs} (intermediate, target) pair" + ("s" if effect.pairs > 1 else "")
        what = what.format(pairs=pairs, sizes=sizes)
        if effect.verdict == "not enough data":
            return "There is not enough data for an interval."
        start = open_ if effect.verdict == "inconclusive" else found
        return f"{start} {what}: {interval_text(effect, self.level)}." + _fixed(effect)


def _fixed(effect: Effect) -> str:
    if effect.verdict == "found for these models":
        return " This holds for new test items; the seeds do not show that it would survive retraining."
    if effect.verdict == "inconclusive" and math.isfinite(effect.detectable):
        return f" Differences from {effect.detectable:.1f} points on would probably be found."
    return ""


def _count(effects: Sequence[Effect], what: str = "single cells", up: str = "gain", down: str = "lose") -> str:
    """How many single rows point up, down, or nowhere after correction."""
    if not effects:
        return ""
    is_found: Callable[[Effect], bool] = lambda effect: effect.verdict == "difference found"  # noqa: E731
    higher = sum(is_found(effect) and effect.estimate > 0 for effect in effects)
    lower = sum(is_found(effect) and effect.estimate < 0 for effect in effects)
    rest = len(effects) - higher - lower
    return (
        f"Of {len(effects)} {what}, {higher} {up}, {lower} {down} and {rest} are open after correction for all of them."
    )
