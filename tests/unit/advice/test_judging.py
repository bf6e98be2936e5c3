"""Which choices are judged, by which scores, and what each predictor loses."""

from __future__ import annotations

from typing import Any

import pytest

from adapterxfer.advice.judging import ResamplingOptions, judge, trained_choices
from adapterxfer.advice.records import LOGME, NLI, RANDOM, TEXT, AdviceSettings, CandidateScores, with_ranks
from adapterxfer.errors import AdapterxferError
from adapterxfer.report.results import ScoreRow

NAMES = ("nli", "qa", "mc", "pos")
SAMPLING = ResamplingOptions(500, 0, 0.95)


def score(
    backbone: str, intermediate: str, points: float, *, seed: int = 1, language: str = "xx", **more: Any
) -> ScoreRow:
    values = {"variant": "stack", "adapter": "seq_bn/2", "target": "t", "control": ""} | more
    return ScoreRow(
        backbone=backbone, parameters=1, non_embedding_parameters=1, intermediate=intermediate, language=language,
        family="", resource="", seed=seed, score=points, **values,
    )  # fmt: skip


def asked(*backbones: str, names: tuple[str, ...] = NAMES) -> dict[tuple[str, str, str], tuple[str, ...]]:
    return {(backbone, "t", "seq_bn/2"): names for backbone in backbones}


def matrix(backbone: str, points: tuple[float, ...]) -> list[ScoreRow]:
    return [score(backbone, name, value) for name, value in zip(NAMES, points, strict=True)]


def test_scores_are_means_over_common_seeds_and_zero_shot_languages() -> None:
    rows = [
        score("b", "nli", 10, language="xx"),
        score("b", "nli", 20, language="yy"),
        score("b", "nli", 99, language="en"),
        score("b", "nli", 80, seed=2),
        score("b", "qa", 5),
        score("b", "none", 50),
        score("b", "qa", 70, control="oracle"),
    ]
    choices, lines = trained_choices(rows, asked("b", names=("nli", "qa")), source_language="en")
    assert lines == []
    assert dict(choices[0].scores) == {"nli": 15.0, "qa": 5.0}
    assert choices[0].label == "stack seq_bn/2"


def test_an_unfinished_choice_is_named() -> None:
    rows = [score("b", "nli", 1), score("b", "qa", 2, seed=2)]
    choices, lines = trained_choices(rows, asked("b", names=("nli", "qa")), source_language="en")
    assert choices == []
    assert lines == ["stack seq_bn/2, b, t: no seed is finished for all of nli, qa"]
    assert trained_choices(rows[:1], asked("b", names=("nli", "qa")), source_language="en")[1] == [
        "stack seq_bn/2, b, t: qa not finished"
    ]
    assert "only candidate" in trained_choices(rows[:1], asked("b", names=("nli",)), source_language="en")[1][0]


def test_regret_of_each_predictor() -> None:
    rows = [*matrix("b1", (10, 30, 20, 0)), *matrix("b2", (10, 20, 40, 30))]
    choices, _ = trained_choices(rows, asked("b1", "b2"), source_language="en")
    said = [
        CandidateScores(
            backbone=b, target="t", adapter="seq_bn/2", intermediate=name, predictions={TEXT: text, LOGME: evidence}
        )
        for b in ("b1", "b2")
        for name, text, evidence in zip(NAMES, (4, 3, 2, 1), (0.1, 0.9, 0.2, 0.8), strict=True)
    ]
    said[-1] = CandidateScores(backbone="b2", target="t", adapter="seq_bn/2", intermediate="pos", predictions={TEXT: 1})
    judged = list(judge(choices, said, is_nli=lambda name: name == "nli", sampling=SAMPLING))
    regrets = {(judgement.predictor, judgement.k): judgement for judgement in judged}
    assert regrets[TEXT, 1].regret == pytest.approx((20 + 30) / 2)
    assert regrets[TEXT, 3].regret == pytest.approx(0)
    assert regrets[TEXT, 1].percent == pytest.approx((100 * 20 / 30 + 100 * 30 / 40) / 2)
    assert (regrets[LOGME, 1].regret, regrets[LOGME, 1].cells) == (0.0, 1)  # b2 lacks a value
    assert regrets[LOGME, 1].low is None
    assert regrets[RANDOM, 1].regret == pytest.approx((30 - 15 + 40 - 25) / 2)
    assert regrets[RANDOM, 3].regret == pytest.approx(((30 - 27.5) + (40 - 37.5)) / 2)
    assert regrets[NLI, 1].regret == pytest.approx((20 + 30) / 2)
    # nli first, then two of the other three at random
    assert regrets[NLI, 3].regret == pytest.approx(((30 - (30 + 30 + 20) / 3) + (40 - (40 + 40 + 30) / 3)) / 2)
    assert regrets[TEXT, 1].resampled == "2 backbones, the only one of targets kept"
    assert regrets[TEXT, 1].candidates == (4, 4)


def test_without_inference_there_is_no_such_baseline_and_with_few_candidates_no_regret_at_3() -> None:
    rows = [score("b", name, value) for name, value in zip(NAMES[1:], (1, 2, 3), strict=True)]
    choices, _ = trained_choices(rows, asked("b", names=NAMES[1:]), source_language="en")
    judged = list(judge(choices, [], is_nli=lambda name: name == "nli", sampling=SAMPLING))
    assert [(judgement.predictor, judgement.k) for judgement in judged] == [(RANDOM, 1)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples": 3}, "examples is 3; expected at least 10"),
        ({"layer": "last"}, "layer is 'last'"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"steps": -1}, "steps is -1"),
    ],
)
def test_an_impossible_protocol(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AdapterxferError, match=message):
        AdviceSettings(**options)


def test_equal_values_share_the_better_place() -> None:
    rows = [
        CandidateScores(backbone="b", target="t", intermediate=name, predictions={TEXT: value})
        for name, value in (("none", 9.0), ("nli", 1.0), ("qa", 2.0), ("mc", 2.0))
    ]
    rows.append(CandidateScores(backbone="b2", target="t", intermediate="nli", predictions={TEXT: 0.5}))
    assert [row.ranks.get(TEXT) for row in with_ranks(rows)] == [None, 3, 1, 1, 1]
