"""Learning curves: which points they have, and that they start at the zero-shot score in the same languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapterxfer.report.display import Cell
from adapterxfer.report.figures import draw_figures
from adapterxfer.report.figures_supervision import learning_curves
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from tests.unit.report.planted_study import LANGUAGES, write_accuracy

LABELS = {"": 50, "@few-shot-4": 54, "@few-shot-16": 60, "@in-language-100": 58, "@in-language-1000": 72}
SPOKEN = ("a1", "c1")


def planted(root: Path, labels: dict[str, int]) -> Results:
    """Scores that rise with the examples; the arms lack one of the zero-shot languages, the worst."""
    cells, folders = [], {}
    for label, points in labels.items():
        codes = SPOKEN if label else ("en", *SPOKEN, "c3")
        for variant, more in (("full-ft", 4), ("stack", 0)):
            for intermediate, gain in (("none", 0), ("nli", 5)):
                for seed in (1, 2):
                    name = f"xnli{label}-{variant}-{intermediate}-{seed}".replace("@", "_")
                    right = points + more + gain
                    shares = {code: right - 30 if code == "c3" else right for code in codes}
                    correct = {code: (np.arange(100) < share).astype(int) for code, share in shares.items()}
                    folders[name] = root / name
                    write_accuracy(folders[name], correct, target="xnli", salt=label)
                    cells.append(
                        Cell(
                            backbone="tiny-1", variant=variant, adapter="" if variant == "full-ft" else "seq_bn/2",
                            intermediate=intermediate, target=f"xnli{label}", seed=seed, parameters=2,
                            non_embedding_parameters=1, predict=name,
                        )
                    )  # fmt: skip
    return Results.from_folders(cells, folders, languages=LANGUAGES)


def settings() -> ReportSettings:
    return ReportSettings.from_identity({"recipe": "taught", "statistics": {"resamples": 100, "seed": 0}})


def test_curves_start_at_the_zero_shot_score_in_their_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, dict[int, float]] = {}

    def keep(axes: object, curve: dict[int, float], *, label: str, **_: object) -> None:
        drawn[label] = curve

    monkeypatch.setattr("adapterxfer.report.figures_supervision._line", keep)
    monkeypatch.setattr("adapterxfer.report.figures_supervision.place_legend", lambda *_, **__: None)
    figure = learning_curves(find(planted(tmp_path, LABELS), settings()))
    assert figure is not None
    assert len(figure.panels) == 1
    assert drawn["full-ft"] == pytest.approx({0: 54, 4: 58, 16: 64})
    assert drawn["full-ft, in-language"] == pytest.approx({100: 62, 1000: 76})
    assert drawn["stack, nli first"] == pytest.approx({0: 55, 4: 59, 16: 65})
    assert len(drawn) == 8


def test_they_stand_on_the_page_only_where_numbers_of_examples_are(tmp_path: Path) -> None:
    shown = draw_figures(find(planted(tmp_path / "with", LABELS), settings()))
    assert [figure.name for figure in shown if figure.shown].count("learning-curves") == 1
    without = {"": 50, "@translate-train": 60}
    assert learning_curves(find(planted(tmp_path / "without", without), settings())) is None
