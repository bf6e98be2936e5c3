"""What a report prints of numbers that can go beyond 100 points: trends, and gains beside gains."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from planted_study import SIZES, plant

from adapterxfer.report.content import Effect
from adapterxfer.report.findings import find
from adapterxfer.report.page import number_cell
from adapterxfer.report.panels import score_limits
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.statistics import slope_weights
from adapterxfer.statistics.families import WITHHELD

STEEPEST = 100.0 * math.fsum(map(abs, slope_weights([encoder for _, encoder in SIZES.values()])))
REACH = {"trend": STEEPEST, "gain kept": 200.0}
"""Kind of effect -> the largest that a difference of it can be; 100 of all others."""


def noisy(
    folder: Path, examples: int, random_seed: int, targets: tuple[str, ...] = ("xnli",), seeds: tuple[int, ...] = (1, 2)
) -> tuple[Effect, ...]:
    """Effects of a study without gains whose few runs and few items leave almost everything open."""
    study = plant(
        folder, lambda *_: 0.0, examples=examples, variants=("full-ft", "stack"), targets=targets,
        random_seed=random_seed, seeds=seeds,
    )  # fmt: skip
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    return find(results, ReportSettings(recipe="planted", resamples=100)).effects


def test_intervals_of_a_report_end_where_their_numbers_do(tmp_path: Path) -> None:
    effects = noisy(tmp_path, 12, 2)
    assert 100.0 < STEEPEST < 250.0
    beyond = set()
    for effect in effects:
        farthest = REACH.get(effect.kind, 100.0) + 1e-6
        for low, high in ((effect.low, effect.high), (effect.items_low, effect.items_high)):
            assert -farthest <= low <= effect.estimate <= high <= farthest, effect
        if max(-effect.low, effect.high) > 100.0:
            beyond.add(effect.kind)
        if effect.adjustment == WITHHELD:
            assert math.isinf(effect.detectable), effect
            cell = number_cell(effect)
            assert cell is not None
            assert cell["p"] == "not adjusted", "the interval beside it is of one test alone"
        assert effect.detectable <= farthest or math.isinf(effect.detectable), effect
    assert "trend" in beyond


def test_the_smallest_effect_is_no_larger_than_what_can_be(tmp_path: Path) -> None:
    effects = noisy(tmp_path, 12, 2, seeds=(1, 2, 3))
    for effect in effects:
        assert effect.detectable <= REACH.get(effect.kind, 100.0) + 1e-6 or math.isinf(effect.detectable), effect
    assert any(100.0 < e.detectable < math.inf for e in effects if e.kind == "trend"), "it could be found"


def test_a_gain_beside_another_gain_may_differ_by_more_than_the_scale(tmp_path: Path) -> None:
    effects = [effect for effect in noisy(tmp_path, 12, 1) if effect.kind == "gain kept"]
    assert max(effect.high for effect in effects) > 150.0


def test_adjusted_intervals_end_there_too(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda *_: 0.0, examples=40, variants=("full-ft", "stack"),
                  intermediates=("none", "nli", "qa"))  # fmt: skip
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    effects = find(results, ReportSettings(recipe="planted", resamples=100)).effects
    known = [e for e in effects if e.adjusted_low is not None and e.adjusted_high is not None]
    assert known
    for effect in known:
        farthest = REACH.get(effect.kind, 100.0) + 1e-6
        assert -farthest <= effect.adjusted_low <= effect.adjusted_high <= farthest, effect
    assert min(effect.adjusted_low for effect in known if effect.kind == "trend") < -100.0


@pytest.mark.parametrize(
    ("scores", "expected"), [([], (0.0, 102.5)), ([3.0, 97.0], (0.0, 102.5)), ([-40.0, 20.0], (-45.0, 102.5))]
)
def test_an_axis_of_scores_shows_correlations_below_zero(scores: list[float], expected: tuple[float, float]) -> None:
    assert score_limits(scores) == expected
