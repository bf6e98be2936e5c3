"""Results as pandas DataFrames: scores, predictions and effects, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.data.examples import Example
from adapterxfer.data.storage import read_task
from adapterxfer.errors import DataError
from adapterxfer.predict.table import read_predictions
from adapterxfer.report.content import Effect
from adapterxfer.report.display import Cell
from adapterxfer.report.results import ScoreRow
from adapterxfer.report.settings import ReportSettings
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.record import read_record

if TYPE_CHECKING:
    from pandas import DataFrame

    from adapterxfer.report.results import Origin, Results

_KNOWN_FIELDS = {"example_id", "cluster_id", "language", "label", "tags", "answers", "answer_starts", "relevant"}
"""Fields of an example that other columns hold already, or that are its gold."""


def scores_frame(results: Results) -> DataFrame:
    """One row per finished cell and language."""
    from pandas import DataFrame

    columns = [field.name for field in fields(ScoreRow)]
    return DataFrame([asdict(row) for row in results.score_rows()], columns=columns)


def effects_frame(results: Results, origin: Origin | None, settings: ReportSettings | None) -> DataFrame:
    """Every difference of a report, one row each.

    Raises:
        DataError: no settings, and the results are of no plan with a report.
    """
    from pandas import DataFrame

    from adapterxfer.report.findings import find

    if settings is None:
        if origin is None or origin.report is None:
            raise DataError("effects: these results are of no plan", fix="give settings=ReportSettings(...)")
        settings = ReportSettings.from_identity(origin.report.identity, origin.report.labels)
    columns = [field.name for field in fields(Effect)]
    return DataFrame([asdict(effect) for effect in find(results, settings).effects], columns=columns)


def predictions_frame(
    results: Results, origin: Origin | None, *, texts: bool, probabilities: bool, device: str
) -> DataFrame:
    """One row per finished cell and test example; see `Results.predictions`.

    Raises:
        DataError: texts or probabilities of results that no store holds.
    """
    import pandas as pd

    if (texts or probabilities) and origin is None:
        raise DataError(
            "predictions: texts and probabilities are in the store, and these results are of no plan",
            fix="make them with Results.from_plan(plan, store)",
        )
    frames = []
    read: dict[str, DataFrame] = {}
    for cell in results.cells:
        if cell.predict not in read:
            read[cell.predict] = _of_one(results, origin, cell, texts=texts, probabilities=probabilities, device=device)
        frame = read[cell.predict].copy()
        for number, (name, value) in enumerate({**cell.values(), "control": cell.control}.items()):
            frame.insert(number, name, value)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _of_one(
    results: Results, origin: Origin | None, cell: Cell, *, texts: bool, probabilities: bool, device: str
) -> DataFrame:
    """The rows of one predict stage, in file order."""
    from pandas import DataFrame

    folder = results.folders[cell.predict]
    if not folder.is_dir():
        raise DataError(f"{folder}: a table of scores has no predictions", fix="read the table itself")
    table = read_predictions(folder)
    languages = [table.languages[index] for index in table.language]
    columns: dict[str, Any] = {
        "language": languages,
        "example": table.example_id,
        "cluster": table.cluster_id,
        "prediction": table.prediction,
        "gold": table.gold,
    }
    counts = {name if name not in columns else f"{name}_count": number for number, name in enumerate(table.columns)}
    columns |= {name: table.counts[:, number] for name, number in counts.items()}
    keys = list(zip(languages, map(str, table.example_id), strict=True))
    if texts and origin is not None:
        contents = [_content(example) for example in _examples(folder, origin.stages, keys)]
        columns |= {name: [row.get(name) for row in contents] for name in dict.fromkeys(n for r in contents for n in r)}
    if probabilities and origin is not None:
        known = _probabilities(folder, origin, device)
        columns["probability"] = [
            known.get(key, {}).get(str(prediction)) for key, prediction in zip(keys, table.prediction, strict=True)
        ]
        columns["probabilities"] = [known.get(key) for key in keys]
    return DataFrame(columns)


def _examples(folder: Path, stages: Mapping[str, Path], keys: list[tuple[str, str]]) -> list[Example]:
    """The examples of a predict stage, in the order of its file."""
    stage = read_record(folder).stage
    data = stages.get(stage.inputs["data"][:SHORT_KEY])
    if data is None:
        raise DataError(f"{folder}: the data it predicted are not in the store", fix="run the recipe again")
    task, split = read_task(data), str(stage.identity.get("split", "test"))
    examples = {
        (code, example.example_id): example
        for code in dict.fromkeys(code for code, _ in keys)
        for example in task.split(split, code)
    }
    return [examples[key] for key in keys]


def _content(example: Example) -> dict[str, Any]:
    return {field.name: getattr(example, field.name) for field in fields(example) if field.name not in _KNOWN_FIELDS}


def _probabilities(folder: Path, origin: Origin, device: str) -> dict[tuple[str, str], dict[str, float]]:
    from adapterxfer.plan.backbones import backbone_folders
    from adapterxfer.predict.probabilities import class_probabilities

    elsewhere = backbone_folders(origin.recipe, fetch=False) if origin.recipe is not None else {}
    return class_probabilities(read_record(folder).stage, origin.stages, folders=elsewhere, device=device)
