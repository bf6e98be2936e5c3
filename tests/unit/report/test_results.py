"""Joining cells with predictions: scores, selections, what is missing, and what must not be compared."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from planted_study import LANGUAGES, PlantedStudy, plant, write_accuracy

from adapterxfer.errors import DataError
from adapterxfer.report.display import Cell
from adapterxfer.report.results import Results


def results_of(study: PlantedStudy) -> Results:
    return Results.from_folders(study.cells, study.folders, languages=study.languages)


def cell(predict: str, *, target: str = "xnli", seed: int = 1, variant: str = "full-ft") -> Cell:
    return Cell(
        backbone="tiny-1",
        variant=variant,
        intermediate="none",
        target=target,
        seed=seed,
        parameters=200,
        non_embedding_parameters=60,
        predict=predict,
    )


def test_scores_are_one_tidy_row_per_cell_and_language(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "p", {"en": np.array([1, 1, 1, 0]), "c3": np.array([1, 0, 0, 0])}, target="xnli")
    rows = Results.from_folders([cell("p")], {"p": tmp_path / "p"}, languages=LANGUAGES).score_rows()
    assert [(row.language, row.family, row.resource, row.score) for row in rows] == [
        ("c3", "C", "low", 25.0),
        ("en", "A", "high", 75.0),
    ]
    assert rows[0].backbone == "tiny-1"
    assert rows[0].non_embedding_parameters == 60


def test_different_gold_is_refused_with_both_files_named(tmp_path: Path) -> None:
    for name, salt in (("p", ""), ("q", "other data")):
        write_accuracy(tmp_path / name, {"en": np.array([1, 0])}, target="xnli", salt=salt)
    folders = {"p": tmp_path / "p", "q": tmp_path / "q"}
    with pytest.raises(DataError, match="gold_fingerprint differs") as caught:
        Results.from_folders([cell("p"), cell("q", seed=2)], folders, languages=LANGUAGES)
    assert str(tmp_path / "p") in str(caught.value)
    assert str(tmp_path / "q") in str(caught.value)


def test_different_gold_of_different_targets_is_fine(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "p", {"en": np.array([1, 0])}, target="xnli")
    write_accuracy(tmp_path / "q", {"en": np.array([1, 0])}, target="panx")
    folders = {"p": tmp_path / "p", "q": tmp_path / "q"}
    results = Results.from_folders([cell("p"), cell("q", target="panx")], folders, languages=LANGUAGES)
    assert results.targets == ("xnli", "panx")


def test_unknown_metric_is_refused(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "p", {"en": np.array([1, 0])}, target="xnli", metric="bleu")
    results = Results.from_folders([cell("p")], {"p": tmp_path / "p"}, languages=LANGUAGES)
    with pytest.raises(DataError, match="unknown metric 'bleu'"):
        results.score_rows()


def test_unfinished_cells_are_missing_and_the_rest_is_scored(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda *_: 0.0, examples=20, targets=("xnli",), seeds=(1,))
    lost = next(iter(study.folders))
    shutil.rmtree(study.folders[lost])
    results = results_of(study)
    assert not results.complete
    assert {item.predict for item in results.missing} == {lost}
    assert lost not in {item.predict for item in results.cells}
    assert results.score_rows()


def test_select_keeps_cells_by_label_and_refuses_unknown_labels(tmp_path: Path) -> None:
    results = results_of(plant(tmp_path, lambda *_: 0.0, examples=20, seeds=(1,)))
    chosen = results.select(variant=["stack", "fuse"], target="xnli")
    assert {item.variant for item in chosen.cells} == {"stack", "fuse"}
    assert chosen.targets == ("xnli",)
    with pytest.raises(DataError, match="no label named size"):
        results.select(size=3)


def test_a_target_without_predictions_names_those_that_have_some(tmp_path: Path) -> None:
    results = results_of(plant(tmp_path, lambda *_: 0.0, examples=20, seeds=(1,), targets=("xnli",)))
    with pytest.raises(DataError, match="targets with predictions: xnli"):
        results.target("tatoeba")


def test_from_plan_looks_stages_up_by_short_key(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "p", {"en": np.array([1, 0])}, target="xnli")
    done, open_ = "a" * 64, "b" * 64

    @dataclass(frozen=True)
    class FakePlan:
        cells: tuple[Cell, ...]

    class FakeStore:
        def completed(self) -> dict[str, Path]:
            return {done[:16]: tmp_path / "p"}

    results = Results.from_plan(FakePlan((cell(done), cell(open_, seed=2))), FakeStore())
    assert [item.predict for item in results.cells] == [done]
    assert [item.predict for item in results.missing] == [open_]


def test_languages_without_facts_come_from_the_catalogue_or_are_unknown(tmp_path: Path) -> None:
    write_accuracy(tmp_path / "p", {code: np.array([1, 0]) for code in ("en", "fi", "tlh")}, target="udpos")
    results = Results.from_folders([cell("p", target="udpos")], {"p": tmp_path / "p"})
    assert results.languages["fi"].family == "Uralic"
    assert results.languages["tlh"].family == "unknown"
