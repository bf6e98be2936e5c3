"""The sentence and the table of the first screen, from effects as a report judges them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from adapterxfer.report.content import Effect, Findings
from adapterxfer.report.headline import headline

VERDICTS = {"+": "difference found", "?": "inconclusive"}


def effect(kind: str, variant: str, value: float, verdict: str, **more: Any) -> Effect:
    known: dict[str, Any] = {
        "kind": kind, "variant": variant, "estimate": value, "verdict": VERDICTS[verdict], "group_kind": "zero-shot",
        "group": "zero-shot", "detectable": 3.0, "pair_kind": "", **more,
    }  # fmt: skip
    text = {"hypotheses": "", "against": "", "resampled": ""}
    numbers = {f.name: 0.0 for f in fields(Effect) if f.name not in {*known, *text} and "float" in str(f.type)}
    counts = {"pairs": 1, "seeds": 2, "clusters": 50}
    return Effect(**{**text, **numbers, **counts, **known})


def findings(*effects: Effect, seeds: tuple[int, ...] = (1, 2)) -> Findings:
    empty: dict[str, Any] = {f.name: () for f in fields(Findings) if f.default is f.default_factory}
    given = {"effects": effects, "variants": ("full-ft", "stack"), "seeds": seeds, "settings": {"level": 0.95}}
    return Findings(**{**empty, **given})


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        ("??", "Whether English intermediate training raises zero-shot scores is undecided with full-ft (+2.0) and "
         "stack (+1.0)"),
        ("+?", "English intermediate training raises zero-shot scores with full-ft (+2.0), undecided with "
         "stack (+1.0)"),
        ("++", "English intermediate training raises zero-shot scores with full-ft (+2.0) and stack (+1.0)"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_is_decided_first(signs: str, said: str) -> None:
    first, second = signs
    head = headline(findings(effect("gain", "full-ft", 2.0, first), effect("gain", "stack", 1.0, second)))
    assert head.sentence.startswith(said)
    assert ("the smallest mean gain we would find is 3.0 points" in head.sentence) == (signs == "??")
    assert [row.verdict for row in head.rows] == ["significant" if sign == "+" else "undecided" for sign in signs]


@pytest.mark.parametrize(
    ("value", "joined"), [(6.0, ", and with a task of the same kind"), (-6.0, ", but with a task")]
)
def test_a_kind_of_pair_agrees_with_the_mean_or_not(value: float, joined: str) -> None:
    head = headline(
        findings(effect("gain", "full-ft", 2.0, "+"), effect("gain", "full-ft", value, "+", pair_kind="same kind"))
    )
    assert joined in head.sentence
    assert head.columns == ("all trained targets", "task of the same kind")


def test_a_trend_and_the_gain_kept_have_columns_and_clauses() -> None:
    head = headline(
        findings(
            effect("gain", "full-ft", 2.0, "+"), effect("gain", "stack", 1.0, "?"), effect("trend", "stack", -4.0, "+"),
            effect("gain kept", "stack", -1.0, "?", against="full-ft"),
        )
    )  # fmt: skip
    assert "per tenfold parameters the gain falls with stack (-4.0)" in head.sentence
    assert "whether adapters keep full-ft's gain is undecided with stack (-1.0)" in head.sentence
    assert head.columns == ("all trained targets", "per tenfold parameters", "beside full-ft's gain")
    assert [[cell is not None for cell in row.cells] for row in head.rows] == [[True, False, False], [True, True, True]]


def test_without_a_gain_it_says_so() -> None:
    assert headline(findings()).sentence == "Nothing is finished yet."
    assert headline(findings()).rows == ()
