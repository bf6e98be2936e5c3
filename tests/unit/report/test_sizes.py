"""Parameters of every system in the report: from the predictions, and nothing where these are older."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from planted_study import PlantedStudy, plant

from adapterxfer.report.content import Findings
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.writing import write_report

SIZES = {"full-ft": 0, "stack": 4_000, "fuse": 9_000, "adapter": 4_000}


def tell(folder: Path, size: dict[str, int]) -> None:
    """Put a size into the metadata of predictions, as their stage does."""
    path = folder / "predictions.parquet"
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[b"adapterxfer"]) | {"model_size": size}
    pq.write_table(table.replace_schema_metadata({"adapterxfer": json.dumps(metadata)}), path)


def report_of(planted: PlantedStudy, folder: Path) -> Findings:
    results = Results.from_folders(planted.cells, planted.folders, languages=planted.languages)
    return write_report(results, folder, settings=ReportSettings(recipe="planted", resamples=200))


@pytest.fixture
def small(tmp_path: Path) -> PlantedStudy:
    sizes = {"tiny-1": (200_000, 60_000)}
    return plant(
        tmp_path, lambda *_: 12.0, examples=40, targets=("xnli",), sizes=sizes, intermediates=("none", "nli", "qa")
    )


def test_systems_with_what_they_train(small: PlantedStudy, tmp_path: Path) -> None:
    for name, folder in small.folders.items():
        kind = next(kind for kind in SIZES if f"-{kind}-" in name.removeprefix("xnli-tiny"))
        more = SIZES[kind] + (1_000 if "-qa-" in name and kind == "stack" else 0)
        tell(folder, {"total": 200_000 + more, "trainable": more or 200_000})
    findings = report_of(small, tmp_path / "report")
    rows: dict[str, Any] = {row.system: row for row in findings.sizes}
    assert set(rows) == {"full-ft", "adapter baseline", "stack", "fuse"}
    assert rows["full-ft"].share == (1.0,)
    assert rows["fuse"].trained == ("nli", "qa")
    assert rows["adapter baseline"].trained == ()
    assert rows["stack"].total == (204_000, 205_000)
    assert rows["stack"].share == (4_000 / 205_000, 5_000 / 204_000)
    assert (rows["fuse"].parameters, rows["fuse"].non_embedding_parameters) == (200_000, 60_000)
    told = json.loads((tmp_path / "report" / "report.json").read_text())["sizes"]
    assert {row["system"]: row["trainable"] for row in told}["fuse"] == [9_000]
    for file in ("tables/parameters.csv", "report.html"):
        assert "4.3%" in (tmp_path / "report" / file).read_text()
    for file in ("report.md", "report.html"):
        text = (tmp_path / "report" / file).read_text()
        assert "Parameters of every system, and how many train" in text


def test_older_predictions_make_a_report_without(small: PlantedStudy, tmp_path: Path) -> None:
    findings = report_of(small, tmp_path / "report")
    assert findings.sizes == ()
    assert findings.scores
    assert "how many train" not in (tmp_path / "report" / "report.md").read_text()
    assert not (tmp_path / "report" / "tables" / "parameters.csv").exists()


def test_merged_models_have_no_training_of_their_own(small: PlantedStudy, tmp_path: Path) -> None:
    for folder in small.folders.values():
        tell(folder, {"total": 204_000})
    findings = report_of(small, tmp_path / "report")
    assert {row.trainable for row in findings.sizes} == {()}
    assert {row.share for row in findings.sizes} == {()}
    assert "Parameters of every system" in (tmp_path / "report" / "report.md").read_text()
