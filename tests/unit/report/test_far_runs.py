"""A training run that is far from the others is named, and no other is; every run is in the scores and drawn."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from planted_study import LANGUAGES, PlantedStudy, plant, write_accuracy

from adapterxfer.report.content import Caution, Findings, Score
from adapterxfer.report.figures import draw_figures
from adapterxfer.report.findings import find
from adapterxfer.report.panels import single_runs
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings

SETTINGS = ReportSettings(title="planted", recipe="planted", resamples=100, seed=3)


def findings(study: PlantedStudy) -> Findings:
    return find(Results.from_folders(study.cells, study.folders, languages=study.languages), SETTINGS)


def cautions(study: PlantedStudy) -> list[Caution]:
    return [caution for caution in findings(study).cautions if caution.check == "runs far from the others"]


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
    assert caution.text.startswith("1 training run is 10 points or more from the median of the same system's runs, and")
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


def stack_after_nli(found: Findings) -> Score:
    wanted = {"backbone": "tiny-2", "variant": "stack", "intermediate": "nli", "group_kind": "zero-shot"}
    (score,) = (s for s in found.scores if all(getattr(s, name) == value for name, value in wanted.items()))
    return score


def test_a_score_has_every_run_in_the_order_of_seeds(tmp_path: Path) -> None:
    score = stack_after_nli(findings(planted(tmp_path, {("stack-nli", 3): 20, ("stack-nli", 4): 95})))
    assert len(score.runs) == score.seeds == 4
    assert score.runs[2:] == (20.0, 95.0)
    assert score.score == pytest.approx(statistics.fmean(score.runs))
    assert score.standard_deviation == pytest.approx(statistics.stdev(score.runs))


def test_every_run_is_a_dot(tmp_path: Path) -> None:
    found = findings(planted(tmp_path, {("stack-nli", 3): 20}))
    score = stack_after_nli(found)
    axes = matplotlib.figure.Figure().add_subplot()
    single_runs(axes, [score], {"tiny-2": 1000.0}, shift=1.5, color="black")
    (dots,) = axes.lines
    assert dots.get_xydata().tolist() == [[1500.0, run] for run in score.runs]

    (figure,) = (figure for figure in draw_figures(found) if figure.name == "variants-by-size")
    pale = sum(panel.svg.count("fill-opacity: 0.6") for panel in figure.panels)
    assert pale == sum(len(s.runs) for s in found.scores if s.group_kind == "zero-shot" and not s.control) > 0
