"""Adjusted intervals say the same as adjusted p-values."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from planted_study import plant
from scipy.stats import t

from adapterxfer.report.adjusted import adjusted_interval
from adapterxfer.report.cautions import _monte_carlo
from adapterxfer.report.display import signed
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.statistics import FamilyMember, Reading, adjust_tests, fewest_df, significant
from adapterxfer.statistics.intervals import Bounds

TWO_SIDED = SimpleNamespace(hypothesis=SimpleNamespace(alternative="two-sided", contrast="gain"))


@pytest.mark.parametrize("seeds", [(1, 2), (1, 2, 3), (1, 2, 3, 4, 5)])
def test_an_adjusted_interval_leaves_zero_out_where_the_test_rejects(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    study = plant(
        tmp_path, lambda _b, variant, task, *_: {"nli": 12.0, "qa": 3.0}[task] * (variant == "full-ft"), examples=80,
        seeds=seeds, variants=("full-ft", "stack"), intermediates=("none", "nli", "qa"),
    )  # fmt: skip
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    findings = find(results, ReportSettings(recipe="planted", resamples=200))
    checked = 0
    for effect in findings.effects:
        if effect.adjusted_low is None or effect.adjusted_high is None:
            assert effect.p_adjusted is None or effect.verdict == "inconclusive"
            continue
        rejects = significant(effect.p_adjusted, 0.05)
        outside = effect.adjusted_low > 0.0 or effect.adjusted_high < 0.0
        on_the_edge = min(abs(effect.adjusted_low), abs(effect.adjusted_high)) < 1e-6
        assert rejects == outside or on_the_edge, effect
        assert effect.adjusted_low <= effect.low + 1e-9
        assert effect.adjusted_high >= effect.high - 1e-9
        checked += rejects
    assert checked


def test_sentences_have_the_interval_of_their_verdict(tmp_path: Path) -> None:
    study = plant(
        tmp_path, lambda _b, variant, task, *_: {"nli": 12.0, "qa": 3.0}[task] * (variant == "full-ft"), examples=80,
        seeds=(1, 2, 3), variants=("full-ft", "stack"), intermediates=("none", "nli", "qa"),
    )  # fmt: skip
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    findings = find(results, ReportSettings(recipe="planted", resamples=200))
    said = [(s, findings.effects[s.effect]) for answer in findings.answers for s in answer.statements if s.effect >= 0]
    adjusted = [(s, e) for s, e in said if e.adjusted_low is not None and e.adjusted_low < e.low and e.kind == "gain"]
    assert adjusted
    for statement, effect in adjusted:
        low, high = effect.ends
        assert f"95% interval {signed(low)} to {signed(high)}" in statement.text
    (gains, *_) = findings.answers
    assert gains.remark.endswith("each after correction in the family in which it is judged.")


def test_monte_carlo_errors_are_of_the_adjusted_p_values() -> None:
    far, near = (SimpleNamespace(items_p=p, items_p_adjusted=q) for p, q in ((0.05, 0.4), (0.0125, 0.05)))
    (caution,) = _monte_carlo([far, near], 1000, 0.95)  # type: ignore[list-item]
    assert caution.text.startswith("1 of 2 adjusted bootstrap p-values")


def reading(value: float, df: float) -> Reading:
    return Reading(value, 1.0, df)


@pytest.mark.parametrize("least", [1.5, 4.0])
@pytest.mark.parametrize("value", [0.5, 6.0, 35.0, 60.0, 300.0])
def test_far_from_zero_and_with_the_degrees_of_freedom_of_another_test(value: float, least: float) -> None:
    """An effect 60 standard errors from 0, beside one of few degrees of freedom, once had an interval without ends."""
    tests = [
        FamilyMember(p=row.p(), readings=(row,), runs=3, over_runs=True, moderated=False)
        for row in (reading(value, 42.0), reading(0.3, least), reading(2.0, 30.0))
    ]
    adjusted = adjust_tests(tests)[0]
    assert adjusted.p is not None
    item = SimpleNamespace(
        p=tests[0].p, p_adjusted=adjusted.p, value=value, withheld="", readings=tests[0].readings, low=None, high=None,
        family_df=fewest_df(tests), reach=Bounds(-1000.0, 1000.0), claim=TWO_SIDED,
    )  # fmt: skip
    ends = adjusted_interval(item, 0.95)  # type: ignore[arg-type]
    assert ends is not None
    assert (ends[0] > 0.0) == significant(adjusted.p, 0.05)
    # As far out as the family's reading at this test's place in Holm's order.
    place = adjusted.p / tests[0].read(least)
    assert ends[1] - value == pytest.approx(float(t.isf(0.025 / max(1.0, place), least)), rel=1e-6)


def test_an_effect_that_leaves_no_p_value_has_ends() -> None:
    item = SimpleNamespace(
        p=0.0, p_adjusted=0.01, value=90.0, withheld="", readings=(reading(90.0, math.inf),), low=88.0, high=92.0,
        family_df=math.inf, reach=Bounds(-100.0, 100.0), claim=TWO_SIDED,
    )  # fmt: skip
    low, high = adjusted_interval(item, 0.95) or (0.0, 0.0)  # type: ignore[arg-type]
    assert 0.0 < low < 88.0
    assert high == 100.0
