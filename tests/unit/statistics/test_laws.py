"""Laws of the gain: exact where theory is, invariant where it must be, and honest about what sizes can decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.law_families import fit_families
from adapterxfer.statistics.laws import FORMS, PredictiveMixture, fit_laws

SIZES = [1e6, 3e6, 1e7, 3e7, 1e8, 3e8]


def test_a_line_alone_is_the_regression_of_the_textbook() -> None:
    """With equal errors the interval of the linear form is that of ordinary least squares."""
    x = np.log10(np.array(SIZES))
    y = 2.0 - 1.5 * x + np.array([0.3, -0.2, 0.4, -0.5, 0.1, -0.1])
    laws = fit_laws(SIZES, y.tolist(), np.eye(6))
    at = 1e9
    value, low, high = laws.predict(at).forms["linear"]
    slope, intercept, *_ = stats.linregress(x, y)
    rest = y - intercept - slope * x
    centred = x - x.mean()
    error = math.sqrt(rest @ rest / 4 * (1 + 1 / 6 + (9 - x.mean()) ** 2 / (centred @ centred)))
    assert value == pytest.approx(intercept + slope * 9)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 4) * error, rel=1e-6)


def test_what_all_sizes_share_changes_nothing_but_the_level() -> None:
    y = [5.0, 4.2, 3.1, 2.9, 1.0, 0.8]
    plain = fit_laws(SIZES, y, np.eye(6)).predict(1e9)
    common = fit_laws(SIZES, y, np.eye(6) + 25.0).predict(1e9)
    assert (common.low, common.high) == pytest.approx((plain.low, plain.high), rel=1e-6)
    shifted = fit_laws(SIZES, [value + 10.0 for value in y], np.eye(6)).predict(1e9)
    assert shifted.value == pytest.approx(plain.value + 10.0, abs=1e-6)
    order = [3, 1, 5, 0, 2, 4]
    mixed = fit_laws([SIZES[k] for k in order], [y[k] for k in order], np.eye(6)).predict(1e9)
    assert mixed.low == pytest.approx(plain.low, abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_clear_data_choose_their_form(form: str) -> None:
    sizes = np.logspace(6, 9, 9)
    share = (np.log10(sizes) - 6) / 3
    truth = {
        "linear": 10 * share,
        "saturating": -10 * np.exp(-3.0 * share),
        "bounded": 10 / (1 + np.exp(-8.0 * (share - 0.5))),
    }[form]
    noise = np.random.default_rng(0).normal(0, 0.05, 9)
    laws = fit_laws(sizes.tolist(), (truth + noise).tolist(), 0.05**2 * np.eye(9))
    best = max(laws.forms, key=lambda fit: fit.weight)
    assert best.form == form
    assert laws.told_apart == all(fit.behind > 4.0 for fit in laws.forms if fit.form != form)
    if form != "linear":  # a line is nearly a curve with little curvature, so it never wins outright
        assert laws.told_apart


def test_noise_does_not_tell_forms_apart() -> None:
    rng = np.random.default_rng(3)
    told = [fit_laws(SIZES, rng.normal(0.0, 1.0, 6).tolist(), np.eye(6)).told_apart for _ in range(30)]
    assert sum(told) <= 2


def test_few_sizes_cannot_be_compared() -> None:
    laws = fit_laws(SIZES[:3], [1.0, 2.0, 2.5], np.eye(3))
    assert all(math.isnan(fit.left_out_error) for fit in laws.forms)
    assert not laws.told_apart
    with pytest.raises(StatisticsError, match="2 different sizes"):
        fit_laws([1e6, 1e7, 1e7], [1.0, 2.0, 3.0], np.eye(3))
    with pytest.raises(StatisticsError, match="not positive"):
        fit_laws(SIZES[:3], [1.0, 2.0, 3.0], np.zeros((3, 3)))
    with pytest.raises(StatisticsError, match="not finite"):
        fit_laws(SIZES[:3], [1.0, math.nan, 3.0], np.eye(3))
    with pytest.raises(StatisticsError, match="covariance"):
        fit_laws(SIZES[:3], [1.0, 2.0, 3.0], np.eye(2))
    with pytest.raises(StatisticsError, match="0 parameters"):
        laws.predict(0.0)


def test_a_law_that_fits_exactly_has_next_to_no_width() -> None:
    laws = fit_laws(SIZES, (2.0 * np.log10(SIZES)).tolist(), np.eye(6))
    prediction = laws.predict(1e9)
    assert prediction.value == pytest.approx(18.0, abs=1e-6)
    assert prediction.high - prediction.low < 1e-6


def test_mixtures() -> None:
    mixture = PredictiveMixture(np.array([0.5, 0.5]), np.array([-1.0, 3.0]), np.array([1.0, 2.0]), np.array([4.0, 4.0]))
    for probability in (0.025, 0.5, 0.975):
        assert mixture.below(mixture.quantile(probability)) == pytest.approx(probability, abs=1e-8)
    densities = [0.5 * stats.t.pdf(0.3, 4, -1, 1) + 0.5 * stats.t.pdf(0.3, 4, 3, 2)]
    assert mixture.log_density(0.3) == pytest.approx(math.log(densities[0]))
    wider = mixture.widened(1.0, 4.0, 3.0)
    assert wider.mean == pytest.approx(mixture.mean + 1.0)
    reach, added = stats.t.ppf(0.975, 4), stats.t.ppf(0.975, 3)
    assert reach * wider.scales[0] == pytest.approx(math.hypot(reach * 1.0, added * 2.0))


def planted(rng: np.random.Generator, shifts: dict[str, float], languages: int = 4) -> tuple[np.ndarray, list[str]]:
    families = [name for name in shifts for _ in range(languages)]
    base = 10.0 - 2.0 * (np.log10(SIZES) - 7.25)
    gains = np.stack([base + shifts[name] + rng.normal(0.0, 0.3, len(SIZES)) for name in families])
    return gains, families


def test_families_keep_their_level_and_alike_ones_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    apart = fit_families(SIZES, *planted(rng, {"A": 6.0, "B": 0.0, "C": -6.0}))
    assert apart.family("A", 1e9).shift == pytest.approx(6.0, abs=0.5)
    alike = fit_families(SIZES, *planted(rng, {"A": 0.0, "B": 0.0, "C": 0.0}))
    assert abs(alike.family("A", 1e9).shift) < 0.3
    assert alike.unseen(None, 1e9).variance < apart.unseen(None, 1e9).variance
    assert apart.unseen("A", 1e9).shift == pytest.approx(6.0, abs=0.5)
    assert apart.unseen(None, 1e9).shift == 0.0
    assert apart.unseen("A", 1e9).variance > apart.family("A", 1e9).variance


def test_text_explains_levels() -> None:
    rng = np.random.default_rng(2)
    gains, families = planted(rng, {"A": 0.0, "B": 0.0, "C": 0.0})
    tokens = 10.0 ** rng.uniform(0, 3, len(families))
    fitted = fit_families(SIZES, gains + 2.0 * np.log10(tokens)[:, None], families, tokens.tolist())
    assert fitted.token_slope == pytest.approx(2.0, abs=0.3)
    more, less = fitted.unseen("A", 1e7, 1000.0), fitted.unseen("A", 1e7, 10.0)
    assert more.shift - less.shift == pytest.approx(2 * fitted.token_slope)


def test_families_that_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(4)
    gains, families = planted(rng, {"A": 1.0, "B": 0.0}, languages=1)
    single = fit_families(SIZES, gains, families)
    assert single.family("A", 1e9).variance >= 0.0
    with pytest.raises(StatisticsError, match="every family has a single language"):
        single.unseen("A", 1e9)
    with pytest.raises(StatisticsError, match="1 families"):
        fit_families(SIZES, gains, ["A", "A"])
    with pytest.raises(StatisticsError, match="give one for each size"):
        fit_families(SIZES, gains[:, :3], families)
    with pytest.raises(StatisticsError, match="fewer than four languages"):
        fit_families(SIZES, gains, families, [1.0, 10.0])
