"""Error that all languages share widens the rung over languages; what they do not share is in their spread already."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st


def parts_of(variances: list[float], *, runs: bool = True) -> st.Components:
    values = np.array(variances)
    nothing = np.full(len(values), np.nan)
    ones = np.ones(len(values), dtype=np.int64)
    return st.Components(
        items=values / 2,
        runs=values,
        residual=values,
        total=values if runs else nothing,
        items_df=np.full(len(values), 50.0),
        total_df=np.full(len(values), 8.0),
        clusters=ones,
        discordant=ones,
        fewest_runs=ones,
        most_runs=ones,
        unequal_seeds=np.zeros(len(values), dtype=bool),
    )


def test_shared_error_is_the_covariance_of_two_languages() -> None:
    # errors with variance 3 and covariance 1.5 in three languages: their mean has variance (3 + 2 * 1.5) / 3 = 2
    shared = st.shared_error(parts_of([2.0, 3.0, 3.0, 3.0]), 0, [1, 2, 3])
    assert shared.variance == pytest.approx(1.5)
    assert shared.df == 8.0
    independent = st.shared_error(parts_of([1.0, 3.0, 3.0, 3.0]), 0, [1, 2, 3])
    assert independent.variance == 0.0
    one_run = st.shared_error(parts_of([4.0, 6.0, 6.0, 6.0], runs=False), 0, [1, 2, 3])
    assert (one_run.variance, one_run.df) == (pytest.approx(1.5), 50.0)
    assert st.shared_error(parts_of([2.0, 3.0]), 0, [1]).variance == 0.0


def test_rung_over_languages_adds_what_is_shared(make_table, make_gain) -> None:
    table = make_table(("none", "nli"))
    parts = [make_gain(table, "xnli", language) for language in table.languages("xnli")]
    replicates = st.resample(table, [st.macro(parts), *parts], resamples=99, seed=1)
    items, both = (st.estimates(table, replicates, scope=scope)[0] for scope in ("items", "items+runs"))
    effects = replicates.values[1:]
    plain = st.rungs(items, both, by_language=effects, by_size=effects[:0], parameters=[])[2]
    wide = st.rungs(items, both, by_language=effects, by_size=effects[:0], parameters=[], shared=st.Shared(4.0, 6.0))[2]
    spread = float(effects.var(ddof=1)) / len(effects)
    assert plain.standard_error == pytest.approx(math.sqrt(spread))
    assert wide.standard_error == pytest.approx(math.sqrt(spread + 4.0))
    assert wide.df == pytest.approx((spread + 4.0) ** 2 / (spread**2 / (len(effects) - 1) + 16.0 / 6.0))
    equal = np.full(len(effects), items.value)
    same = st.rungs(items, both, by_language=equal, by_size=effects[:0], parameters=[])[2]
    assert (same.standard_error, same.low, same.high) == (0.0, both.low, both.high), "never narrower than runs"
    assert replace(plain, p=None).p is None
