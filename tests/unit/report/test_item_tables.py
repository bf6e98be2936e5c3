"""Tables of item counts hold all that the report's numbers need: read back, they give the same numbers."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from planted_study import PlantedStudy, plant, write_accuracy

from adapterxfer.api.significance import table_settings
from adapterxfer.cli.main import main
from adapterxfer.errors import DataError
from adapterxfer.exchange import item_tables
from adapterxfer.exchange.item_tables import write_item_tables
from adapterxfer.recipe import load_recipe
from adapterxfer.report.content import plain
from adapterxfer.report.display import Cell
from adapterxfer.report.findings import find, verdicts
from adapterxfer.report.results import Results
from adapterxfer.report.score_files import read_scores
from adapterxfer.report.settings import ReportSettings

SETTINGS = ReportSettings(title="planted", recipe="planted", resamples=200, seed=3)
ABOUT = {"study": "planted", "adapterxfer": "0.1.0"}


@pytest.fixture
def study(tmp_path: Path) -> PlantedStudy:
    """One target, with two rules that have no backbone and differ in name only, and an untrained twin that has one."""
    made = plant(tmp_path, lambda *_: 12.0, seeds=(1, 2, 3), targets=("xnli",))
    rng = np.random.default_rng(5)
    cells, folders = list(made.cells), dict(made.folders)
    for backbone, control in (("", "lookup"), ("", "majority"), ("tiny-3-untrained", "untrained")):
        size = 450_000 if backbone else 0
        shape: dict[str, Any] = {"parameters": size, "non_embedding_parameters": size, "intermediate": "none"}
        variant = "stack" if backbone else "control"
        cells.append(
            Cell(backbone=backbone, variant=variant, target="xnli", seed=1, predict=control, control=control, **shape)
        )
        folders[control] = tmp_path / control
        write_accuracy(folders[control], {code: rng.random(160) < 0.4 for code in made.languages}, target="xnli")
    return PlantedStudy(cells, folders, made.languages)


def results_of(study: PlantedStudy) -> Results:
    return Results.from_folders(study.cells, study.folders, languages=study.languages)


@pytest.mark.parametrize("rows", [item_tables.ROWS_OF_A_GROUP, 2000, 1])
def test_read_back_they_give_every_number_of_the_report(
    study: PlantedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(item_tables, "ROWS_OF_A_GROUP", rows)
    results = results_of(study)
    (path,) = write_item_tables(results, tmp_path / "items", about=ABOUT)
    again = read_scores(path)
    labels = [{**asdict(cell), "predict": ""} for cell in results.cells]
    assert [{**asdict(cell), "predict": ""} for cell in again.cells] == labels
    assert again.score_rows() == results.score_rows()
    assert pq.ParquetFile(path).num_row_groups == {2000: 29, 1: 57}.get(rows, 1)
    whole, theirs = find(results, SETTINGS), find(again, SETTINGS)
    assert len(whole.effects) > 100
    assert [asdict(effect) for effect in theirs.effects] == [asdict(effect) for effect in whole.effects]


def test_they_hold_counts_and_neither_gold_nor_predictions(study: PlantedStudy, tmp_path: Path) -> None:
    (path,) = write_item_tables(results_of(study), tmp_path, about=ABOUT)
    table = pq.read_table(path)
    assert not {"gold", "prediction", "text"} & set(table.column_names)
    facts = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    assert facts["study"] == "planted"
    assert facts["metric"] == "accuracy"
    assert len(facts["gold_fingerprint"]) == 64
    assert set(table["control"].to_pylist()) == {"", "lookup", "majority", "untrained"}
    assert not list(tmp_path.glob("*.part"))


def test_runs_that_were_damaged_are_refused_when_read(study: PlantedStudy, tmp_path: Path) -> None:
    """A row that is missing for one system is no smaller test set for all."""
    (path,) = write_item_tables(results_of(study), tmp_path, about=ABOUT)
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(DataError, match="scored on different examples"):
        read_scores(path)


def test_nothing_finished_is_said(study: PlantedStudy, tmp_path: Path) -> None:
    nothing = replace(results_of(study), cells=())
    with pytest.raises(DataError, match="no predictions are finished"):
        write_item_tables(nothing, tmp_path, about=ABOUT)


RECIPE = """\
recipe: 1
name: planted
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
train: {default: {batch_size: 8, steps: 1, learning_rate: 1e-3}}
statistics:
  resamples: 300
  seed: 7
  confidence: 0.9
  hypotheses:
    - {id: H1, contrast: gain, over: {variant: stack}}
    - {id: H2, contrast: difference, a: stack, b: full-ft, family: arms}
  multiplicity: {arms: holm}
"""


def test_the_recipe_that_declared_hypotheses_judges_a_table_of_its_items(
    study: PlantedStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_of(study)
    (path,) = write_item_tables(results, tmp_path, about=ABOUT)
    file = tmp_path / "planted.yaml"
    file.write_text(RECIPE)
    assert main(["significance", str(path), "--hypotheses", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["verdicts"]
    statistics = load_recipe(file).statistics.identity()
    settings = ReportSettings.from_identity({"recipe": "planted", "statistics": statistics})
    assert [test["hypothesis"] for test in said] == ["H1", "H2"]
    assert said == json.loads(json.dumps([plain(test) for test in verdicts(results, settings)]))
    own = table_settings("mine", hypotheses=file, resamples=None, margin=None, seed=None)
    assert (own.resamples, own.margin, own.seed, own.level) == (300, None, 7, 0.9)
    others = {"hypotheses": file, "resamples": 400, "margin": 2.0, "seed": 1}
    changed = table_settings("mine", **others)
    assert (changed.resamples, changed.margin, changed.seed, changed.level) == (400, 2.0, 1, 0.9)
