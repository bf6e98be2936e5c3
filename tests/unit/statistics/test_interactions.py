"""Size x method, scales, lack of fit, effect sizes, other regressions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError

SIZES = [2.8e8, 5.6e8, 3.5e9, 1.1e10]
ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))


def study(rates: dict[str, float], items: int = 800, seed: int = 0) -> tuple[st.ScoreTable, dict[str, st.Contrast]]:
    rng = np.random.default_rng(seed)
    easy = rng.random(items)
    ids = [f"{index:04d}" for index in range(items)]
    cells = []
    for name, rate in rates.items():
        right = (0.7 * easy + 0.3 * rng.random(items) < rate).astype(int)
        counts = np.stack([right, np.ones(items, int)], axis=1)
        cells.append(st.CellCounts({"name": name}, 1, "t", "en", "t", ids, counts))
    table = st.build_table(cells, {"t": ACCURACY})
    return table, {name: st.score(st.System.of({"name": name}), "t", "en") for name in rates}


def test_method_by_size_is_the_difference_of_the_slopes() -> None:
    table, cell = study({"a0": 0.5, "a1": 0.6, "a2": 0.7, "b0": 0.5, "b1": 0.5, "b2": 0.5})
    first, second = [cell[f"a{k}"] for k in range(3)], [cell[f"b{k}"] for k in range(3)]
    both = st.method_by_size(first, second, SIZES[:3], "interaction", variant="stack")
    found = st.resample(table, [both, st.slope(first, SIZES[:3]), st.slope(second, SIZES[:3])], resamples=200, seed=0)
    assert found.values[0] == pytest.approx(found.values[1] - found.values[2], rel=1e-12)
    assert both.labels["variant"] == "stack"


def test_scales_agree_or_say_that_they_do_not() -> None:
    table, cell = study({"low": 0.3, "low+": 0.38, "high": 0.86, "high+": 0.91})
    gap = st.did(cell["low+"], cell["low"], cell["high+"], cell["high"], "shrinking gain")
    rows = st.estimates(table, st.resample(table, st.on_scales(gap), resamples=999, seed=0))
    assert [row.scale for row in rows] == ["points", "logit", "log-error"]
    assert [row.name for row in rows] == [f"shrinking gain [{scale}]" for scale in ("points", "logit", "log-error")]
    assert rows[0].value > 0 > rows[1].value
    disagree = st.scale_agreement(rows)
    assert disagree.outcome == "scale dependent"
    plain = st.estimates(table, st.resample(table, st.on_scales(cell["low+"] - cell["low"]), resamples=999, seed=0))
    agree = st.scale_agreement(plain)
    assert agree.outcome == "agree"
    assert set(agree.directions.values()) == {1}
    assert plain[2].value < 0, "errors fall where points rise"
    assert st.scale_agreement([replace(plain[0], p=0.5), *plain[1:]]).outcome == "scale dependent"
    with pytest.raises(StatisticsError, match="several scales"):
        st.scale_agreement([plain[0], plain[0]])


def test_a_difference_in_log_error_is_a_share_of_the_errors() -> None:
    assert st.relative_error_reduction(np.log(30.0) - np.log(40.0)) == pytest.approx(0.25, rel=1e-12)
    assert st.relative_error_reduction(0.0) == 0.0


def test_constant_logit_gain_in_points() -> None:
    """+0.2 logits are +4.88 points at 55 %, +3.01 at 80 %, +1.66 at 90 %."""
    for start, gain in ((0.55, 4.88), (0.8, 3.01), (0.9, 1.66)):
        logit = np.log(start / (1 - start)) + 0.2
        assert 100 / (1 + np.exp(-logit)) - 100 * start == pytest.approx(gain, abs=0.006)


def test_lack_of_fit_is_the_weighted_residual_of_the_line() -> None:
    table, cell = study({f"s{k}": rate for k, rate in enumerate((0.5, 0.62, 0.55, 0.7))})
    found = st.resample(table, list(cell.values()), resamples=4000, seed=0)
    fit = st.lack_of_fit(found, range(4), SIZES)
    covariance = np.cov(found.replicates, rowvar=False)
    x = np.stack([np.ones(4), np.log10(SIZES)], axis=1)
    inverse = np.linalg.inv(covariance)
    line = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ found.values)
    residual = found.values - x @ line
    assert fit.q == pytest.approx(residual @ inverse @ residual, rel=1e-8)
    assert (fit.df, fit.p) == (2, pytest.approx(stats.chi2.sf(fit.q, 2), rel=1e-10))
    assert fit.p < 0.05
    assert st.lack_of_fit(found, [0, 1], SIZES[:2]) == st.LackOfFit(0.0, 0, None)
    with pytest.raises(StatisticsError, match="depend on each other"):
        st.lack_of_fit(found, [0, 0, 1], SIZES[:3])


def test_lack_of_fit_holds_its_level_when_the_line_is_true() -> None:
    rejected = 0
    for seed in range(120):
        table, cell = study({f"s{k}": 0.5 for k in range(4)}, items=300, seed=seed)
        fit = st.lack_of_fit(st.resample(table, list(cell.values()), resamples=400, seed=0), range(4), SIZES)
        assert fit.p is not None
        rejected += fit.p <= 0.05
    assert rejected <= 120 * 0.05 + 3 * np.sqrt(120 * 0.05 * 0.95)


def test_series_get_their_own_intercepts() -> None:
    """Two series, each falling by 2 points per decade, far apart in level: the joint line would rise."""
    weights = np.array(st.slope_weights([1e8, 1e9, 1e9, 1e10], series=["x", "x", "y", "y"]))
    assert weights @ [10.0, 8.0, 30.0, 28.0] == pytest.approx(-2.0)
    assert np.array(st.slope_weights([1e8, 1e9, 1e9, 1e10])) @ [10.0, 8.0, 30.0, 28.0] > 0
    _, cell = study({"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5}, items=50)
    parts, logs = list(cell.values()), [8.0, 9.0, 9.0, 10.0]
    by_series = st.slope(parts, [1e8, 1e9, 1e9, 1e10], series=["x", "x", "y", "y"])
    rows = [[log, float(k < 2), float(k >= 2)] for k, log in enumerate(logs)]
    same = st.regression(parts, rows, 0)
    for place, weight in by_series.terms.items():
        assert same.terms[place] == pytest.approx(weight, rel=1e-9)
    with pytest.raises(StatisticsError, match="fewer than two"):
        st.slope_weights([1e8, 1e9], series=["x", "y"])
    with pytest.raises(StatisticsError, match="depend on each other"):
        st.regression(parts, [[1.0, 2.0]] * 4, 0)
    with pytest.raises(StatisticsError, match="one row per contrast"):
        st.regression(parts, [[1.0]] * 3, 0)


def test_effect_sizes() -> None:
    assert st.odds_ratio(19, 9) == pytest.approx(19.5 / 9.5)
    assert st.cohen_h(50.0, 50.0) == 0.0
    assert st.cohen_h(100.0, 0.0) == pytest.approx(np.pi)
    assert st.cohen_h(60.0, 50.0) == pytest.approx(2 * (np.arcsin(np.sqrt(0.6)) - np.arcsin(np.sqrt(0.5))))
    with pytest.raises(StatisticsError, match="0 to 100"):
        st.cohen_h(101.0, 50.0)


def test_a_retained_share_needs_a_gain_to_retain() -> None:
    table, cell = study({"none": 0.4, "full": 0.6, "adapter": 0.58, "useless": 0.401})
    gains = [cell[name] - cell["none"] for name in ("adapter", "full", "useless")]
    found = st.resample(table, gains, resamples=3000, seed=0)
    kept = st.retained_share(found, 0, 1)
    ratios = found.replicates[:, 0] / found.replicates[:, 1]
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert kept.share == found.values[0] / found.values[1]
    assert (kept.low, kept.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    nothing = st.retained_share(found, 0, 2)
    assert (nothing.share, nothing.low) == (None, None)
    assert "includes 0" in nothing.reason
