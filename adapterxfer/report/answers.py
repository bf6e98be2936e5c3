"""The questions of the study answered in plain sentences, for the first screen of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from adapterxfer.catalog.pair_kinds import LABELS
from adapterxfer.report.content import Answer, Effect, Score, Statement
from adapterxfer.report.display import NONE, resource_key, signed
from adapterxfer.report.study import UNTRAINED_LABEL, Study
from adapterxfer.report.words import SMALLEST_EFFECT, level_text, verdict_words

SMALLEST_SHOWN = 0.1
"""Points; smaller detectable differences only mean that two systems hardly differ in any answer."""


def interval_text(effect: Effect, level: float, factor: float = 1.0, unit: str = "points") -> str:
    """``+3.2 points (95% interval +1.1 to +5.3)``, the interval as the verdict has it."""
    low, high = sorted(end * factor for end in effect.ends)
    return f"{signed(effect.estimate * factor)} {unit} ({level_text(level)} interval {signed(low)} to {signed(high)})"


def write_answers(study: Study, effects: Sequence[Effect], scores: Sequence[Score], level: float) -> tuple[Answer, ...]:
    """All questions that the effects can answer; the study's own question first."""
    writer = _Writer(study, list(effects), list(scores), level)
    answers = (
        writer.gain(),
        writer.trend(),
        writer.adapters(),
        writer.families(),
        writer.pretraining(),
        writer.controls(),
    )
    return tuple(answer for answer in answers if answer.statements)


class _Writer:
    def __init__(self, study: Study, effects: list[Effect], scores: list[Score], level: float) -> None:
        self.study = study
        self.effects = effects
        self.scores = {
            (s.backbone, s.shown, s.target): s.score
            for s in scores
            if s.group_kind == "zero-shot" and s.intermediate == NONE and not s.control
        }
        self.level = level
        self.sizes = [backbone.size for backbone in study.backbones]

    def gain(self) -> Answer:
        """Whether intermediate training helps."""
        statements = [
            self._statement(
                number,
                up="Raises the zero-shot score",
                down="Lowers the zero-shot score",
                open_="Whether it raises or lowers the zero-shot score is open",
            )
            for number in self._find("gain", intermediate="", backbone="", group_kind="zero-shot")
        ]
        statements = [self._with_kinds(statement) for statement in statements]
        single = [e for e in self.effects if e.hypotheses == "gain of each cell"]
        remark = _joined(self._averaged(statements), _count(single, "single gains", "are positive", "negative"))
        return Answer("Does English intermediate training help zero-shot transfer?", tuple(statements), remark)

    def trend(self) -> Answer:
        """Whether the gain changes with size."""
        two = len(set(self.sizes)) == 2
        # A slope through two sizes is their difference: say it in points between these two.
        factor = math.log10(max(self.sizes) / min(self.sizes)) if two else 1.0
        statements = [
            self._statement(
                number,
                up="The gain is larger with the larger backbone" if two else "The gain rises as backbones grow",
                down="The gain is smaller with the larger backbone" if two else "The gain falls as backbones grow",
                open_="Whether the gain rises or falls with size is open",
                factor=factor,
                unit="points" if two else "points per tenfold parameters",
            )
            for number in self._find("trend", intermediate="", group_kind="zero-shot")
        ]
        remark = (
            "Two sizes give a difference, not a trend."
            if two
            else f"Slope over {len(set(self.sizes))} sizes, on the logarithm of the non-embedding parameters."
        )
        return Answer("Does the gain shrink as backbones grow?", tuple(statements), remark)

    def adapters(self) -> Answer:
        """Whether adapters keep the gain of full fine-tuning."""
        statements = []
        for number in self._find("gain kept", backbone=""):
            effect = self.effects[number]
            kept = self._sentence(
                effect,
                up=f"Its gain is larger than that of {effect.against}",
                down=f"Its gain is smaller than that of {effect.against}",
                open_=f"Whether its gain is larger or smaller than that of {effect.against} is open",
            )
            texts = [kept]
            for other in self._find("variant difference", intermediate="", backbone="", variant=effect.variant):
                difference = self.effects[other]
                if difference.against == effect.against:
                    shown = interval_text(difference, self.level)
                    texts.append(
                        f"Its score with an intermediate task differs by {shown}: {verdict_words(difference)}."
                    )
            statements.append(_state(effect.variant, effect, " ".join(texts), number))
        return Answer("Do adapters keep the gain?", tuple(statements), self._averaged(statements))

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
                f"Highest gain in family {most.group}, {interval_text(most, self.level)}; "
                f"lowest in family {least.group}, {interval_text(least, self.level)}."
            )
            tiers = self._find("gain", intermediate="", backbone="", group_kind="resource", variant=arm.label)
            tiers.sort(key=lambda number: resource_key(self.effects[number].group))
            if len(tiers) > 1:
                parts = [f"{self.effects[n].group} {signed(self.effects[n].estimate)}" for n in tiers]
                text += f" By resource tier: {', '.join(parts)}."
            statements.append(_state(arm.label, most, text, numbers[-1]))
        remark = "The verdict is that of the gain of the first family named; families are not compared with each other."
        return Answer("Which languages gain?", tuple(statements), remark)

    def controls(self) -> Answer:
        """Score of the largest backbone on every target, beside the strongest control."""
        statements = []
        backbones = [b.name for b in self.study.backbones if any(key[0] == b.name for key in self.scores)]
        for target in (*self.study.targets, *self.study.secondary) if backbones else ():
            numbers = self._find("above control", backbone=backbones[-1], target=target)
            reached = {
                label: value
                for (backbone, label, task), value in self.scores.items()
                if (backbone, task) == (backbones[-1], target)
            }
            if not numbers or not reached:
                continue
            nearest = min(numbers, key=lambda number: self.effects[number].estimate)
            effect = self.effects[nearest]
            listed = ", ".join(f"{label} {value:.1f}" for label, value in reached.items())
            shown = interval_text(effect, self.level)
            text = f"{listed}. Against the strongest control, {effect.against}: {effect.variant} {shown}."
            statements.append(_state(target, effect, text, nearest))
        remark = f"Zero-shot scores of {backbones[-1]} without an intermediate task." if backbones else ""
        return Answer("How good are the scores beside the controls?", tuple(statements), remark)

    def pretraining(self) -> Answer:
        """Every score minus that of the same training on the untrained twin; one statement per target."""
        statements = []
        sizes = {backbone.name: backbone.size for backbone in self.study.backbones}
        for target in (*self.study.targets, *self.study.secondary):
            numbers = [
                number
                for number in self._find("above control", target=target)
                if self.effects[number].against.startswith(UNTRAINED_LABEL)
            ]
            numbers.sort(key=lambda number: sizes[self.effects[number].backbone])
            by_backbone: dict[str, list[str]] = {}
            for number in numbers:
                effect = self.effects[number]
                shown = f"{effect.variant} {signed(effect.estimate)} ({signed(effect.low)} to {signed(effect.high)})"
                by_backbone.setdefault(effect.backbone, []).append(shown)
            if numbers:
                text = "; ".join(f"{backbone}: {', '.join(parts)}" for backbone, parts in by_backbone.items())
                weakest = min(numbers, key=lambda number: self.effects[number].low)
                statements.append(_state(target, self.effects[weakest], f"{text}.", weakest))
        remark = (
            f"Points above the same training on an untrained twin, zero-shot, {level_text(self.level)} intervals. "
            "The verdict is that of the weakest one."
        )
        return Answer("Does pretraining matter?", tuple(statements), remark)

    def _find(self, kind: str, **labels: str) -> list[int]:
        """Positions of effects with these labels; of the main means where no kind of pair is asked for."""
        labels_sought = {"pair_kind": "", **labels}
        return [
            number
            for number, effect in enumerate(self.effects)
            if effect.kind == kind and all(getattr(effect, name) == value for name, value in labels_sought.items())
        ]

    def _statement(
        self, number: int, *, up: str, down: str, open_: str, factor: float = 1.0, unit: str = "points"
    ) -> Statement:
        effect = self.effects[number]
        text = self._sentence(effect, up=up, down=down, open_=open_, factor=factor, unit=unit)
        return _state(effect.variant, effect, text, number)

    def _sentence(
        self, effect: Effect, *, up: str, down: str, open_: str, factor: float = 1.0, unit: str = "points"
    ) -> str:
        shown = interval_text(effect, self.level, factor, unit)
        if effect.p is None:
            return f"{open_}."
        if effect.verdict == "equivalent":
            return f"Equivalent within the declared margin of {effect.margin:g} points: {shown}."
        if effect.verdict == "inconclusive":
            smallest = effect.detectable * factor
            # Of systems trained once, this is about test items: it bounds nothing about training again.
            known = effect.seeds != 1 and SMALLEST_SHOWN <= smallest < math.inf
            return f"{open_}: {shown}{f'; {SMALLEST_EFFECT} {smallest:.1f}' if known else ''}."
        return f"{up if effect.estimate > 0 else down}: {shown}."

    def _with_kinds(self, statement: Statement) -> Statement:
        """The statement with the gain of every kind of (intermediate, target) pair behind it."""
        numbers = [
            number
            for kind in LABELS
            for number in self._find("gain", backbone="", variant=statement.subject, pair_kind=kind)
        ]
        parts = []
        for number in numbers:
            effect = self.effects[number]
            low, high = effect.ends
            parts.append(f"{effect.pair_kind} {signed(effect.estimate)} ({signed(low)} to {signed(high)})")
        text = f"{statement.text} By kind of pair: {', '.join(parts)}." if parts else statement.text
        return replace(statement, text=text)

    def _averaged(self, statements: Sequence[Statement]) -> str:
        """What the numbers are means of, said once if it is the same for all."""
        counts = {statement.subject: self.effects[statement.effect].pairs for statement in statements}
        if not counts:
            return ""
        sizes = f" and {len(self.sizes)} backbones" if len(self.sizes) > 1 else ""
        if len(set(counts.values())) == 1:
            number = next(iter(counts.values()))
            pairs = "pair" if number == 1 else "pairs"
            return f"Means over {number} (intermediate, target) {pairs} with a trained target{sizes}."
        listed = ", ".join(f"{number} with {name}" for name, number in counts.items())
        return f"Means over the (intermediate, target) pairs with a trained target ({listed}){sizes}."


def _state(subject: str, effect: Effect, text: str, number: int) -> Statement:
    """A sentence with the verdict and the remark of its effect."""
    return Statement(subject, effect.verdict, text, number, effect.remark)


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _count(effects: Sequence[Effect], noun: str, up: str, down: str) -> str:
    """How many single rows point up, down, or nowhere, each as its verdict says."""
    if not effects:
        return ""
    differing = [effect for effect in effects if effect.verdict == "difference found"]
    higher = sum(effect.estimate > 0 for effect in differing)
    lower = len(differing) - higher
    rest = len(effects) - len(differing)
    counted = f"Of {len(effects)} {noun}, {higher} {up}, {lower} {down} and {rest} open"
    return f"{counted}, each after correction in the family in which it is judged."
