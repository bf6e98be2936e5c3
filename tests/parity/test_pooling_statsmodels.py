"""Pooling agrees with `combine_effects` of statsmodels (iterated tau2 is Paule and Mandel's, HKSJ the interval).

With a tolerance at rounding errors its iteration oversteps the root and then says 0, so it gets a coarser one.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from adapterxfer.statistics.pooling import pool

meta_analysis = pytest.importorskip("statsmodels.stats.meta_analysis")


@pytest.mark.parametrize("seed", range(12))
def test_pooled_effects(seed: int) -> None:
    rng = np.random.default_rng(seed)
    studies = int(rng.integers(3, 9))
    variances = rng.uniform(0.5, 2.0, studies)
    effects = rng.normal(1.0, 1.0, studies) + rng.normal(0.0, np.sqrt(variances))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about intervals of single studies, which are not asked for
        theirs = meta_analysis.combine_effects(effects, variances, method_re="iterated", use_t=True, atol=1e-7)
        table = theirs.summary_frame()
    ours = pool(effects.tolist(), variances.tolist())
    assert ours.tau2 == pytest.approx(theirs.tau2, abs=1e-6)
    assert ours.q == pytest.approx(theirs.q, rel=1e-9)
    assert ours.i2 == pytest.approx(max(0.0, theirs.i2), abs=1e-9)
    assert ours.estimate == pytest.approx(theirs.mean_effect_re, abs=1e-6)
    assert ours.weights == pytest.approx(theirs.weights_rel_re, abs=1e-6)
    row = table.loc["random effect wls"]
    if ours.tau2 > 0.0:  # else our factor has a floor that theirs lacks
        assert ours.low == pytest.approx(row["ci_low"], abs=1e-4)
        assert ours.high == pytest.approx(row["ci_upp"], abs=1e-4)
    else:
        assert ours.high - ours.low >= row["ci_upp"] - row["ci_low"] - 1e-9
