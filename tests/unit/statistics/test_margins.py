from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError


@pytest.fixture(scope="module")
def rows(make_table, make_gain):
    table = make_table(items=400, lift=0.01)
    replicates = st.resample(table, [make_gain(table, "panx"), make_gain(table, "xnli")], resamples=1999, seed=1)
    return table, replicates


@pytest.mark.parametrize("scope", ["items", "items+runs"])
def test_equivalence_is_the_interval_inside_the_margins(rows, scope: str) -> None:
    table, replicates = rows
    row = st.estimates(table, replicates, scope=scope)[0]
    for margin in np.linspace(0.2, 8.0, 30):
        test = st.equivalence(row, replicates, 0, margin=float(margin))
        assert test.p == max(test.p_not_inferior, test.p_not_superior)
        if min(abs(test.low + margin), abs(test.high - margin)) > 0.05:
            assert test.equivalent == (-margin < test.low and test.high < margin)
            assert test.non_inferior == (test.low > -margin)


def test_margins_have_to_be_declared(rows) -> None:
    table, replicates = rows
    row = st.estimates(table, replicates)[0]
    for margin in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(StatisticsError, match="positive number"):
            st.equivalence(row, replicates, 0, margin=margin)
    with pytest.raises(StatisticsError, match="is not contrast 1"):
        st.equivalence(row, replicates, 1, margin=1.0)


def test_a_verdict_is_never_no_difference(rows) -> None:
    table, replicates = rows
    row = st.estimates(table, replicates)[0]
    wide = st.equivalence(row, replicates, 0, margin=50.0)
    assert st.verdict(replace(row, p=0.4), wide).outcome == "equivalent"
    assert st.verdict(replace(row, p=0.4)).sentence.startswith("inconclusive (minimum detectable effect ")
    assert st.verdict(replace(row, p=0.001)).outcome == "difference found"
    assert "though smaller than 50 points" in st.verdict(replace(row, p=0.001), wide).sentence
    assert st.verdict(replace(row, p=0.001, p_adjusted=0.2, adjustment="holm")).outcome == "inconclusive"
    assert st.verdict(replace(row, p=0.001, p_adjusted=None, adjustment="withheld")).outcome == "inconclusive"
    assert st.verdict(row).minimum_detectable == pytest.approx(2.8016 * row.standard_error, rel=1e-3)


def test_the_ladder_widens_and_says_why_a_rung_is_missing(make_table, make_gain) -> None:
    table = make_table(("none", "nli", "qa", "mc"))
    languages = table.languages("xnli")
    parts = [make_gain(table, "xnli", language) for language in languages]
    rungs = st.ladder(table, st.macro(parts), languages=parts, resamples=499, seed=1)
    assert [rung.scope for rung in rungs] == ["items", "items+runs", "languages", "backbones"]
    effects = [st.resample(table, [part], resamples=2, seed=0).values[0] for part in parts]
    assert rungs[2].df == 2
    assert rungs[2].standard_error == pytest.approx(np.std(effects, ddof=1) / np.sqrt(3))
    assert "not a slope" in rungs[3].missing
    assert rungs[3].value is None
    sizes = [make_gain(table, "panx", treated=name) for name in ("nli", "qa", "mc")]
    trend = st.slope(sizes, [1e5, 1e6, 3e6])
    rungs = st.ladder(table, trend, sizes=sizes, parameters=[1e5, 1e6, 3e6], resamples=499, seed=1)
    from scipy import stats

    values = st.resample(table, sizes, resamples=2, seed=0).values
    fit = stats.linregress(np.log10([1e5, 1e6, 3e6]), values)
    assert (rungs[3].value, rungs[3].standard_error) == pytest.approx((fit.slope, fit.stderr))
    assert rungs[3].p == pytest.approx(max(fit.pvalue, rungs[1].p)), "never more certain than the rung of the runs"
    assert "not a mean" in rungs[2].missing
    one = make_table(seeds=(1,), languages=("en",))
    gain = make_gain(one, "panx", "en")
    rungs = st.ladder(one, gain, languages=[gain], sizes=[gain], parameters=[1e6], resamples=99, seed=1)
    assert [bool(rung.missing) for rung in rungs] == [False, True, True, True]
    with pytest.raises(StatisticsError, match="the mean over languages is"):
        st.ladder(table, sizes[0], languages=parts, resamples=99, seed=1)


@pytest.mark.parametrize(("items", "wins", "losses"), [(200, 4, 1), (200, 15, 9), (1000, 0, 2), (1000, 20, 4)])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_few_discordant_items_name_a_difference_that_is_found(items: int, wins: int, losses: int, alpha: float) -> None:
    effect = st.smallest_mcnemar_difference(items, wins, losses, alpha=alpha)
    share = max(wins + losses, 2 * min(wins, losses) + round(effect * items / 100)) / items
    assert st.power_mcnemar(items, share, effect, alpha=alpha) >= 0.8
    normal = st.minimum_detectable_effect(st.paired_standard_error(items, (wins + losses) / items), alpha=alpha)
    assert effect > normal, "the standard error of few discordant items promises too much"


def test_too_few_items_for_any_difference() -> None:
    assert st.smallest_mcnemar_difference(5, 1, 0, alpha=0.05) == math.inf
    assert st.smallest_mcnemar_difference(40, 20, 20) == math.inf
