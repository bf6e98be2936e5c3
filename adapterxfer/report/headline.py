"""The answer of a study on one screen: a sentence with its numbers, and one table of variants.

The three questions of a study are whether English intermediate training helps, how its gain changes with the size of
the backbone, and whether adapters keep the gain. Every number here is an effect that the report judged; nothing is
computed anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapterxfer.catalog import VARIANTS
from adapterxfer.catalog.pair_kinds import kinds_in_order
from adapterxfer.report.content import Effect, Findings, Score
from adapterxfer.report.display import signed
from adapterxfer.report.words import SIGNIFICANT, UNDECIDED, verdict_words

ALL_PAIRS = "all trained targets"
PER_TENFOLD = "per tenfold parameters"
AGAINST = "beside {against}'s gain"

_KIND_PHRASES = {
    "same kind": "with a task of the same kind as the target",
    "other kind": "with a task of another kind than the target",
    "several tasks": "on several tasks",
    "no target training": "on targets that are not trained (retrieval)",
}
_KIND_COLUMNS = {
    "same kind": "task of the same kind",
    "other kind": "another kind",
    "several tasks": "several tasks",
    "no target training": "retrieval (untrained)",
}


@dataclass(frozen=True, slots=True)
class HeadlineRow:
    """One variant: its verdict in a word, and an effect or nothing for each column."""

    variant: str
    verdict: str
    cells: tuple[Effect | None, ...]


@dataclass(frozen=True, slots=True)
class Headline:
    """The first screen of a report.

    Attributes:
        answers: question in a word -> its answer with numbers: whether it helps, what size does, whether adapters
            keep it. Without anything to compare, one text under an empty word.
        columns: what the numbers of the table are, in points.
        rows: one for each variant that has a gain.
    """

    answers: tuple[tuple[str, str], ...]
    columns: tuple[str, ...] = ()
    rows: tuple[HeadlineRow, ...] = ()

    @property
    def sentence(self) -> str:
        """All answers in one sentence."""
        text = "; ".join(answer for _, answer in self.answers)
        return f"{text[0].upper()}{text[1:]}."


def headline(findings: Findings) -> Headline:
    """The answer of a study; without a gain, only a sentence that says so."""
    over_sizes = [e for e in findings.effects if not e.intermediate and e.group_kind == "zero-shot"]
    gains = [e for e in over_sizes if e.kind == "gain" and not e.backbone]
    trends = [e for e in over_sizes if e.kind == "trend" and not e.pair_kind]
    kept = [e for e in over_sizes if e.kind == "gain kept" and not e.backbone]
    if not gains:
        return Headline((("", _nothing(findings)),))
    kinds = kinds_in_order(e.pair_kind for e in gains)
    columns: dict[str, list[Effect]] = {ALL_PAIRS: [e for e in gains if not e.pair_kind]}
    columns |= {_KIND_COLUMNS[kind]: [e for e in gains if e.pair_kind == kind] for kind in kinds}
    if trends:
        columns[PER_TENFOLD] = trends
    if kept:
        columns[AGAINST.format(against=kept[0].against)] = kept
    main = {e.variant: e for e in gains if not e.pair_kind}
    rows = []
    for variant in findings.variants:
        cells = tuple(next((e for e in effects if e.variant == variant), None) for effects in columns.values())
        if any(cells):
            overall = main.get(variant)
            rows.append(HeadlineRow(variant, verdict_words(overall) if overall else "", cells))
    return Headline(_answers(gains, trends, kept), tuple(columns), tuple(rows))


def _answers(gains: Sequence[Effect], trends: Sequence[Effect], kept: Sequence[Effect]) -> tuple[tuple[str, str], ...]:
    """What is decided first, then what is not, each with its numbers in points."""
    help_text = _help(gains)
    if not any(decided(e) for e in (*gains, *trends, *kept)):
        smallest = sorted(e.detectable for e in gains if not e.pair_kind and math.isfinite(e.detectable))
        if smallest:
            bounds = dict.fromkeys(f"{value:.1f}" for value in (smallest[0], smallest[-1]))
            unbounded = [e.variant for e in gains if not e.pair_kind and not math.isfinite(e.detectable)]
            none = f", with {' and '.join(unbounded)} none" if unbounded else ""
            seeds = dict.fromkeys(sorted(e.seeds for e in gains if not e.pair_kind))
            runs = " to ".join(dict.fromkeys((str(min(seeds)), str(max(seeds)))))
            help_text += (
                f" (with {runs} seed{'s' if runs != '1' else ''} the smallest mean gain we would find is "
                f"{' to '.join(bounds)} points{none})"
            )
    answers = [("Does it help?", help_text)]
    if trends:
        text = _clause(
            trends,
            up="per tenfold parameters the gain rises",
            down="per tenfold parameters the gain falls",
            open_="how the gain changes per tenfold parameters is",
        )
        answers.append(("Does size matter?", text))
    if kept:
        against = kept[0].against
        text = _clause(
            kept,
            up=f"adapters gain more than {against}",
            down=f"adapters gain less than {against}",
            open_=f"whether adapters keep {against}'s gain is",
        )
        answers.append(("Do adapters keep it?", text))
    return tuple(answers)


def _help(gains: Sequence[Effect]) -> str:
    """Whether an intermediate task helps: the mean over all pairs with a trained target, then every decided kind."""
    training = "English intermediate training"
    main = [e for e in gains if not e.pair_kind]
    text = _clause(
        main,
        up=f"{training} raises zero-shot scores",
        down=f"{training} lowers zero-shot scores",
        open_=f"whether {training} raises zero-shot scores is",
    )
    raised = {e.estimate > 0 for e in main if e.verdict == SIGNIFICANT}
    for kind in kinds_in_order(e.pair_kind for e in gains):
        effects = [e for e in gains if e.pair_kind == kind]
        signs = {e.estimate > 0 for e in effects if e.verdict == SIGNIFICANT}
        if signs:
            where = _KIND_PHRASES[kind]
            clause = _clause(effects, up=f"{where} it raises them", down=f"{where} it lowers them", open_="")
            text += f", {'and' if signs == raised else 'but'} {clause}"
    return text


def _clause(effects: Sequence[Effect], *, up: str, down: str, open_: str) -> str:
    """``... raises scores with full-ft (+5.1), undecided with stack (+4.6)``."""
    texts = [
        f"{words} with {_listed(chosen)}"
        for words, chosen in (
            (up, [e for e in effects if e.verdict == SIGNIFICANT and e.estimate > 0]),
            (down, [e for e in effects if e.verdict == SIGNIFICANT and e.estimate <= 0]),
        )
        if chosen
    ]
    same = [e for e in effects if e.verdict == "equivalent"]
    if same:
        texts.append(f"with {_listed(same)} the difference is smaller than {same[0].margin:g} points")
    rest = [e for e in effects if e.verdict == UNDECIDED]
    if rest:
        texts.append(f"{'' if texts else open_} undecided with {_listed(rest)}".strip())
    return ", ".join(texts)


def _listed(effects: Sequence[Effect]) -> str:
    """``full-ft (+5.1) and stack (+4.6)``, in points."""
    names = [f"{e.variant} ({signed(e.estimate)})" for e in effects]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def decided(effect: Effect) -> bool:
    """Whether a difference, or its absence, was shown."""
    return effect.verdict != UNDECIDED


def _nothing(findings: Findings) -> str:
    """A study without a pair of cells to compare: its best scores, or what is missing."""
    if not findings.finished:
        return "nothing is finished yet"
    zero_shot = [s for s in findings.scores if s.group_kind == "zero-shot" and not s.repeated]
    if not findings.variants:
        so_far = " so far" if findings.missing else ""
        trained = [s for s in zero_shot if s.control in VARIANTS]
        best = f"; best zero-shot scores of {trained[0].control}: {_best(trained)}" if trained else ""
        return f"there are only controls{so_far}, of which no gain can be asked{best}"
    systems = [s for s in zero_shot if not s.control]
    if not systems:
        return "no language but the source language is tested, so there is no zero-shot score"
    return f"no system with and without an intermediate task to compare yet; best zero-shot scores: {_best(systems)}"


def _best(scores: Sequence[Score]) -> str:
    """The highest score on each of the first targets."""
    targets = list(dict.fromkeys(s.target for s in scores))
    best = {target: max(s.score for s in scores if s.target == target) for target in targets[:4]}
    return ", ".join(f"{target} {score:.1f}" for target, score in best.items())
