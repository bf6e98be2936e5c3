"""Reading a table of per-example scores: the documented columns without gaps, and the counts of its metric.

Every error names the column or the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS, Metric, check_counts, is_metric, read_metric
from adapterxfer.metrics.classes import CLASS_SCORES, KINDS, class_columns
from adapterxfer.recipe.axes import AXES, Axes
from adapterxfer.report.display import NONE
from adapterxfer.report.table_columns import Texts, load_columns

REQUIRED = ("target", "language", "example")
SYSTEM = (*(axis for axis in AXES if axis not in ("target", "seed")), "parameters", "non_embedding_parameters")
MARKS = ("control", "draw", "overlap", "predict")
"""What a study says of its systems: controls, drawn examples, tasks with shared text, and which predictions are one."""

OPTIONAL = (*SYSTEM, *MARKS, "seed", "cluster", "text", "gold", "family", "resource", "metric")
DEFAULTS: dict[str, Any] = {
    **Axes(backbone="model", variant="system", intermediate=NONE).values(),
    **dict.fromkeys(("parameters", "non_embedding_parameters", "draw", "overlap"), 0),
    **dict.fromkeys(("text", "gold", "family", "resource", "metric", "control", "predict"), ""),
    "cluster": None,
}
KNOWN = (
    *dict.fromkeys((*REQUIRED, "system", *OPTIONAL, "score", "prediction")),
    *dict.fromkeys(name for metric in METRICS.values() for name in metric.columns if name not in ("gold", "score")),
)
"""Every column that is read, by the name this framework has for it."""

NUMBERS = ("parameters", "non_embedding_parameters", "seed", "draw", "overlap")

MEAN_SCORE = Metric(
    name="mean score",
    columns=("score", "total"),
    protocol="mean of per-example scores between 0 and 1, times 100",
    score=METRICS["accuracy"].score,
    count=METRICS["accuracy"].count,
    float_columns=("score",),
)
"""What a single column `score` means."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """A checked table: text and number columns, and the counts of the metric."""

    path: Path
    columns: Mapping[str, Texts]
    counts: Floats
    metric: Metric


def read_tables(
    tables: Sequence[tuple[Path, str, int | None]], *, columns: Mapping[str, str] | None = None
) -> list[ScoreRows]:
    """The rows of one table, of one for each system, or of one for each target.

    Args:
        tables: path, what its system is called (empty: its column says, or with several tables its file name), and
            the seed of its training (None: its column says).
        columns: name that this framework knows -> name in the tables, where they differ.

    Returns:
        All rows together; of tables that name their systems and have no target in common, each by itself, since other
        targets have other metrics.

    Raises:
        DataError: columns are missing or differ between the tables, values are not finite or out of range, or the
            metric is unclear.
    """
    renamed = {named: name for name, named in (columns or {}).items()}
    unknown = sorted(set(renamed.values()) - set(KNOWN))
    if unknown:
        raise DataError(f"--column {unknown[0]}: no such column is read", fix=f"columns: {', '.join(KNOWN)}")
    files: list[dict[str, Texts]] = []
    for file, *_ in tables:
        values = load_columns(file, renamed)
        if "system" in values and "variant" not in values:
            values["variant"] = values.pop("system")
        files.append(values)
    if _of_different_targets(tables, files):
        return [_rows(file, values) for (file, *_), values in zip(tables, files, strict=True)]
    return [_rows(tables[0][0], _together(tables, files))]


def _of_different_targets(tables: Sequence[tuple[Path, str, int | None]], files: Sequence[dict[str, Texts]]) -> bool:
    """Whether each table says which systems it has, and no two of them have a target in common."""
    if any(system or seed is not None for _, system, seed in tables) or not all("variant" in file for file in files):
        return False
    targets = [set(file["target"].tolist()) if "target" in file else set() for file in files]
    return len(files) > 1 and all(targets) and len(set.union(*targets)) == sum(map(len, targets))


def _together(tables: Sequence[tuple[Path, str, int | None]], files: Sequence[dict[str, Texts]]) -> dict[str, Texts]:
    """One table of those of several systems."""
    path = tables[0][0]
    for (file, system, seed), values in zip(tables, files, strict=True):
        size = len(next(iter(values.values()), ()))
        if system or (len(tables) > 1 and "variant" not in values):
            values["variant"] = np.full(size, system or file.stem, dtype=object)
        if seed is not None:
            values["seed"] = np.full(size, seed, dtype=object)
        if set(values) != set(files[0]):
            differing = ", ".join(sorted(set(values) ^ set(files[0])))
            raise DataError(f"{file} and {path} have different columns: {differing}", fix="give both the same columns")
    return {name: np.concatenate([values[name] for values in files]) for name in files[0]}


def _rows(path: Path, table: dict[str, Texts]) -> ScoreRows:
    names = tuple(table)
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; it has: {', '.join(names)}",
            fix="give target, language, example and scores, or say --column target=NAME; docs/exchange.md lists all",
        )
    size = len(table["target"])
    if not size:
        raise DataError(f"{path}: no rows", fix="give one row per example and run")
    columns: dict[str, Texts] = {}
    for name in (*REQUIRED, *OPTIONAL):
        values = table.get(name)
        empty = np.full(size, DEFAULTS.get(name), dtype=object)
        columns[name] = empty if values is None else _filled(path, name, values)
    if "cluster" not in table:
        columns["cluster"] = columns["example"]
    if "backbone" in table:  # a lookup table has none, and is no model of an unknown name
        columns["backbone"] = np.where(columns["control"] == "", columns["backbone"], _plain(table["backbone"]))
    metric = _metric(path, table, columns)
    return ScoreRows(path, columns, _counts(path, table, metric, size), metric)


def _filled(path: Path, name: str, values: Texts) -> Texts:
    """A column without gaps; whole numbers where numbers are meant.

    Raises:
        DataError: an empty value, or one that is no whole number.
    """
    default = DEFAULTS.get(name)
    result = np.empty(len(values), dtype=object)
    for row, value in enumerate(values.tolist()):
        empty = value is None or value == "" or (isinstance(value, float) and np.isnan(value))
        if empty and (name in REQUIRED or name in ("cluster", "seed")):
            raise DataError(f"{path}: row {row + 1}: no value for '{name}'", fix="fill it in")
        if name in NUMBERS:
            number: Any = default if empty else value
            if isinstance(number, str) or int(number) != number or int(number) < 0:
                raise DataError(f"{path}: row {row + 1}: {name} = {value!r} is no whole number", fix="correct it")
            result[row] = int(number)
        else:
            result[row] = default if empty else str(value)
    return result


def _plain(values: Texts) -> Texts:
    return np.array(["" if value is None else str(value) for value in values.tolist()], dtype=object)


def _metric(path: Path, table: dict[str, Texts], columns: Mapping[str, Texts]) -> Metric:
    """The metric that is named, or the one whose columns are there.

    Raises:
        DataError: several are named, one is unknown, or no score columns are there.
    """
    named = sorted({str(value) for value in columns["metric"].tolist() if value})
    if len(named) > 1:
        raise DataError(f"{path}: metrics {', '.join(named)} in one file", fix="give one file per metric")
    if named:
        if not is_metric(named[0]):
            known = ", ".join(sorted((*METRICS, *CLASS_SCORES)))
            raise DataError(f"{path}: unknown metric '{named[0]}'", fix=f"known metrics: {known}")
        return read_metric(named[0], class_columns(sum(name.startswith(f"{KINDS[0]}_") for name in table)))
    if "score" in table:
        return MEAN_SCORE
    if {"prediction", "gold"} <= set(table) and "correct" not in table:
        pairs = zip(table["prediction"], table["gold"], strict=True)
        table["correct"] = np.array([int(str(a) == str(b)) for a, b in pairs], dtype=object)
        table["total"] = np.ones(len(table["correct"]), dtype=object)
    for name in ("accuracy", "span_f1", "qa_f1"):
        if set(METRICS[name].columns) <= set(table):
            return METRICS[name]
    raise DataError(
        f"{path}: no scores; expected 'score' (0 to 1), or correct, total, or tp, predicted, gold_spans, or "
        "prediction, gold",
        fix="add a column of scores, or name the metric in a column 'metric'",
    )


def _counts(path: Path, table: Mapping[str, Texts], metric: Metric, size: int) -> Floats:
    """Counts of the metric, checked.

    Raises:
        DataError: a column is missing, or a value is no finite number, negative, or above its total.
    """
    columns = []
    for name in metric.columns:
        if name == "total" and metric is MEAN_SCORE:
            columns.append(np.ones(size))
            continue
        if name not in table:
            raise DataError(f"{path}: metric '{metric.name}' needs a column '{name}'", fix="add it")
        try:
            values = np.asarray(table[name], dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{path}: column '{name}' holds something that is no number", fix="correct it") from None
        bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
        if len(bad):
            raise DataError(
                f"{path}: row {bad[0] + 1}: {name} = {values[bad[0]]:g}; expected a finite number from 0 on "
                f"({len(bad)} such rows)",
                fix="score these examples again, or leave them out for every system",
            )
        columns.append(values)
    counts = np.stack(columns, axis=1)
    if metric is MEAN_SCORE and (counts[:, 0] > 1).any():
        row = int(np.flatnonzero(counts[:, 0] > 1)[0])
        raise DataError(
            f"{path}: row {row + 1}: score = {counts[row, 0]:g}; expected 0 to 1", fix="divide percentages by 100"
        )
    if metric.columns[:2] == ("correct", "total") and (counts[:, 0] > counts[:, 1]).any():
        row = int(np.flatnonzero(counts[:, 0] > counts[:, 1])[0])
        raise DataError(f"{path}: row {row + 1}: more correct than total", fix="correct it")
    check_counts(metric, counts, where=str(path))
    return counts
