"""Adjusted intervals say the same as adjusted p-values."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_study import plant

from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.statistics import significant


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
