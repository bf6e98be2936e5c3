"""Tables of what labelled data in the target language change: scores, gains, and how much draws of examples matter."""

from __future__ import annotations

from adapterxfer.catalog import base_target
from adapterxfer.catalog.supervision import supervision_of
from adapterxfer.report.content import Effect, Findings, Score
from adapterxfer.report.display import NONE
from adapterxfer.report.table_shape import Column, Table, Value
from adapterxfer.report.words import verdict_words

MEAN = "mean"
"""In the column of languages: all that the supervision has results in."""


def supervision_tables(findings: Findings) -> tuple[Table, ...]:
    """Those that have rows."""
    return tuple(t for t in (_scores(findings), _gains(findings), _drawn(findings)) if t.rows)


def _scores(findings: Findings) -> Table:
    """Score with every supervision beside the zero-shot score in the same languages."""
    scores = {
        (score.target, score.backbone, score.shown, score.group): score
        for score in findings.scores
        if score.intermediate == NONE and not score.control
    }
    rows = [
        _score_row(findings, effect, scores.get((effect.target, effect.backbone, effect.variant, effect.group)))
        for effect in findings.effects
        if effect.kind == "supervision difference"
    ]
    columns = (
        Column("target"), Column("supervision"), Column("backbone"), Column("system"), Column("language"),
        Column("score", "points"), Column("zero-shot", "points"), Column("difference", "signed"),
        Column("interval", "interval"), Column("p adjusted", "p"), Column("verdict"),
    )  # fmt: skip
    note = (
        "Without an intermediate task, in points, mean over training runs; 'zero-shot' is the score of the same system "
        f"trained in English alone, in the same languages. '{MEAN}': over all languages that the supervision has "
        "results in. Intervals are about new test items and new training runs, and with few examples about new draws "
        "of them: no two runs share a draw. Supervised scores are no zero-shot scores, and stand in no other mean."
    )
    return Table("supervision", "Labelled data in the target language against zero-shot", note, columns, tuple(rows))


def _score_row(findings: Findings, effect: Effect, score: Score | None) -> tuple[Value, ...]:
    return (
        base_target(effect.target), supervision_of(effect.target), effect.backbone, effect.variant,
        _language(findings, effect),
        None if score is None else (score.score, score.standard_deviation),
        None if score is None else score.score - effect.estimate,
        effect.estimate, effect.ends, effect.p_adjusted, verdict_words(effect),
    )  # fmt: skip


def _gains(findings: Findings) -> Table:
    """The gain of intermediate training within every supervision, and what it is more or less than without."""
    changes = {
        (effect.target, effect.backbone, effect.variant, effect.intermediate): effect
        for effect in findings.effects
        if effect.kind == "gain change"
    }
    rows = []
    for effect in findings.effects:
        if effect.kind != "supervised gain":
            continue
        change = changes.get((effect.target, effect.backbone, effect.variant, effect.intermediate))
        change = change if effect.group_kind == "target" else None
        rows.append(
            (
                base_target(effect.target), supervision_of(effect.target), effect.backbone, effect.variant,
                effect.intermediate, _language(findings, effect), effect.estimate, effect.ends, effect.p_adjusted,
                verdict_words(effect), None if change is None else change.estimate,
                None if change is None else change.ends, "" if change is None else verdict_words(change),
            )
        )  # fmt: skip
    columns = (
        Column("target"), Column("supervision"), Column("backbone"), Column("variant"), Column("intermediate"),
        Column("language"), Column("gain", "signed"), Column("interval", "interval"), Column("p adjusted", "p"),
        Column("verdict"), Column("minus zero-shot gain", "signed"), Column("its interval", "interval"),
        Column("its verdict"),
    )  # fmt: skip
    note = (
        "Gain: score after the English intermediate task minus the score without it, both with the same labelled data "
        "in the target language, and within a run with the same draws of them. The last columns hold it against the "
        "zero-shot gain of the same variant in the same languages: below zero, labelled data take over what the "
        "intermediate task gave."
    )
    return Table(
        "supervised-gain", "The gain of intermediate training with labelled data in the target language", note, columns,
        tuple(rows),
    )  # fmt: skip


def _drawn(findings: Findings) -> Table:
    columns = (
        Column("target"), Column("supervision"), Column("backbone"), Column("variant"), Column("adapter"),
        Column("intermediate"), Column("draws", "nats"), Column("runs beyond", "nats"), Column("mean", "nats"),
        Column("runs", "count"), Column("draws of each", "count"),
    )  # fmt: skip
    rows = tuple(
        (
            base_target(row.target), supervision_of(row.target), row.backbone, row.variant, row.adapter,
            row.intermediate, row.draw, row.run, row.mean, row.runs, row.draws,
        )
        for row in findings.drawn
    )  # fmt: skip
    note = (
        "Standard deviations of the mean score over the target languages, in points. 'draws': another draw of examples "
        "in the same run; 'runs beyond': another run with as many examples as there are, zero where draws explain all "
        "of it; with one draw in each run both are in it. 'mean': standard error of the mean over all runs, which the "
        "intervals above rest on. Few runs estimate these badly."
    )
    return Table("draws", "How much draws of examples and training runs matter", note, columns, rows, open=False)


def _language(findings: Findings, effect: Effect) -> str:
    """A code, or that it is the mean; where there is one language, its code."""
    if effect.group_kind != "target":
        return effect.group
    codes = next(facts.languages for facts in findings.targets if facts.name == effect.target)
    return codes[0] if len(codes) == 1 else MEAN
