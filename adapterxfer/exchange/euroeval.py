"""Results of EuroEval: ``euroeval_benchmark_results.jsonl``, one record per model and data set.

Version 18 writes records of the Every Eval Ever schema (`euroeval/eee_utils.py`): scores with intervals, and in
``eval_library.additional_details.raw_results`` the scores of each iteration. An iteration draws the training,
validation and test examples with replacement from a generator with a fixed seed (`euroeval/data_loading.py`), so that
iteration 3 of two models of one kind has the same examples; models that are fine-tuned are trained anew on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from adapterxfer.errors import DataError
from adapterxfer.exchange.averages import Average
from adapterxfer.exchange.sources import Source
from adapterxfer.exchange.task_languages import UNDETERMINED, known_code

NOT_DRAWN = ("european-values",)
"""Tasks whose data sets EuroEval does not resample (`bootstrap_samples=False` in its dataset_configs)."""

SAME_DRAWS = ("generative", "few_shot", "validation_split")
"""Facts of a record on which the draws of its iterations depend."""


def read_euroeval(sources: Sequence[Source], *, metric: str = "") -> list[Average]:
    """The averages in some files or folders of EuroEval.

    Args:
        metric: e.g. ``test_macro_f1``; the first of each data set if empty, which is the one EuroEval ranks by.

    Raises:
        DataError: a line is no record of EuroEval, or a data set has no such metric.
    """
    rows: list[Average] = []
    for source in sources:
        files = [source.path] if source.path.is_file() else sorted(source.path.glob("*.jsonl"))
        for file in files:
            lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
            rows += [_row(source, f"{file}: line {number}", line, metric) for number, line in lines if line.strip()]
    return rows


def _row(source: Source, where: str, line: str, metric: str) -> Average:
    try:
        record = json.loads(line)
        results = {row["evaluation_name"]: row for row in record["evaluation_results"]}
        details = record["eval_library"]["additional_details"]
        model = str(record["model_info"]["id"])
        raw = json.loads(details["raw_results"])
        languages = json.loads(details["languages"])
        data_set, task = str(details.get("dataset") or ""), str(details["task"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where} is no record of EuroEval ({error!r})", fix="give the file EuroEval 18 writes"
        ) from None
    names = [name for name in results if metric in ("", name, name.removeprefix("test_"))]
    if not names or (metric and len(names) > 1):
        raise DataError(f"{where}: no metric '{metric}'; it has: {', '.join(results)}", fix="name one with --metric")
    name = names[0]
    source_data = results[name].get("source_data", {})
    score = float(results[name]["score_details"]["score"])
    repeats = _repeats(raw, name, score)
    drawn = task not in NOT_DRAWN
    return Average(
        system=source.name or model,
        task=data_set or str(source_data.get("dataset_name", "")),
        subset="",
        language=_language(languages),
        metric=name.removeprefix("test_"),
        score=score,
        version=_version(record, details),
        repeats=repeats if drawn else (),
        varied=_varied(len(repeats), generative=_says(record, details, "generative") == "true") if drawn else "",
        items_drawn=drawn,
    )


def _repeats(raw: Any, name: str, score: float) -> tuple[float, ...]:
    """The score of each iteration on the scale of the printed score, which is their mean, most often times 100."""
    plain = name.removeprefix("test_")
    values: list[Any] = (
        [row.get(plain, row.get(name)) for row in raw if isinstance(row, dict)] if isinstance(raw, list) else []
    )
    if not values or not all(isinstance(value, int | float) for value in values):
        return ()
    mean = sum(values) / len(values)
    scale = next((factor for factor in (100.0, 1.0) if abs(factor * mean - score) < 1e-6), None)
    return () if scale is None else tuple(scale * float(value) for value in values)


def _varied(count: int, *, generative: bool) -> str:
    if not count:
        return ""
    again = "" if generative else ", each with its own training"
    return f"EuroEval's {count} bootstrap samples of the test set{again}"


def _says(record: Mapping[str, Any], details: Mapping[str, Any], name: str) -> str:
    about = record["model_info"].get("additional_details", {})
    return str(details.get(name, about.get(name)))


def _version(record: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    facts = ", ".join(f"{name} {_says(record, details, name)}" for name in SAME_DRAWS)
    return f"EuroEval {record['eval_library'].get('version')}, {facts}"


def _language(listed: Sequence[str]) -> str:
    """Several codes of one language, such as nb and nn beside no, are one."""
    codes = [known_code(code) or code for code in listed]
    return "-".join(dict.fromkeys(codes)) or UNDETERMINED
