"""A training run that is far from the others is named, and no other is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from planted_study import LANGUAGES, PlantedStudy, plant, write_accuracy

from adapterxfer.report.content import Caution
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings

SETTINGS = ReportSettings(title="planted", recipe="planted", resamples=100, seed=3)


def cautions(study: PlantedStudy) -> list[Caution]:
    found = find(Results.from_folders(study.cells, study.folders, languages=study.languages), SETTINGS)
    return [caution for caution in found.cautions if caution.check == "runs far from the others"]


def planted(root: Path, scores: Mapping[tuple[str, int], float], seeds: tuple[int, ...] = (1, 2, 3, 4)) -> PlantedStudy:
    """A study in which these predictions of tiny-2 on xnli, by stem of their folder and seed, have another accuracy."""
    study = plant(root, lambda *_: 0.0, seeds=seeds, targets=("xnli",), variants=("full-ft", "stack"))
    for (stem, seed), score in scores.items():
        folder = study.folders[f"xnli-tiny-2-{stem}-{seed}"]
        shutil.rmtree(folder)
        correct = np.arange(160) < round(1.6 * score)
        write_accuracy(folder, dict.fromkeys(LANGUAGES, correct), target="xnli")
    return study


def test_a_run_that_collapsed(tmp_path: Path) -> None:
    (caution,) = cautions(planted(tmp_path, {("stack-nli", 3): 20}))
    assert caution.text.startswith("1 training run is 10 points or more from the median of the same system's runs: ")
    assert "stack tiny-2 after nli on xnli, seed 3 (20.0, median " in caution.text
    assert "It counts in every mean" in caution.text


def test_a_baseline_that_several_variants_share_is_named_once(tmp_path: Path) -> None:
    (caution,) = cautions(planted(tmp_path, {("adapter-none", 1): 95, ("full-ft-nli", 2): 30}))
    assert caution.text.startswith("2 training runs are ")
    assert "adapter baseline tiny-2 on xnli, seed 1 (95.0" in caution.text
    assert "full-ft tiny-2 after nli on xnli, seed 2 (30.0" in caution.text


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ({}, "runs differ by what test items do"),
        ({("stack-nli", 3): 52}, "less than ten points"),
        ({("stack-nli", n): score for n, score in ((1, 20), (2, 40), (3, 60), (4, 80))}, "all runs are apart"),
    ],
)
def test_what_is_not_named(tmp_path: Path, scores: Mapping[tuple[str, int], float], why: str) -> None:
    assert cautions(planted(tmp_path, scores)) == [], why


def test_two_runs_say_nothing_about_each_other(tmp_path: Path) -> None:
    assert cautions(planted(tmp_path, {("stack-nli", 1): 10}, seeds=(1, 2))) == []
