"""Results of mteb: one file per model and task, with an average per subset.

``results/MODEL/REVISION/TASK.json`` as `mteb.results.TaskResult.to_disk` of version 2.26 writes it: ``scores`` by
split, each a list with ``main_score`` (0 to 1), ``hf_subset``, ``languages`` and, for classification,
``scores_per_experiment`` of ten classifiers, each trained on a few examples that are drawn anew from a fixed seed
(`mteb/abstasks/classification.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.errors import DataError
from adapterxfer.exchange.averages import Average
from adapterxfer.exchange.sources import Source, mteb_files
from adapterxfer.exchange.task_languages import UNDETERMINED, known_code


def read_mteb(sources: Sequence[Source]) -> list[Average]:
    """The averages in some folders; the system is the model's folder, or what the user calls it.

    Raises:
        DataError: a file cannot be read, or a model has several revisions.
    """
    rows: list[Average] = []
    for source in sources:
        folders: dict[str, Path] = {}
        for file in mteb_files(source.path):
            content = _content(file)
            if "task_name" not in content:
                continue
            system = source.name or _model(file)
            if folders.setdefault(system, file.parent) != file.parent:
                raise DataError(
                    f"{source.path}: '{system}' has results in {folders[system]} and {file.parent}",
                    fix="name the folder of one model and revision: a=FOLDER b=FOLDER",
                )
            rows += _rows(system, file, content)
    return rows


def _model(file: Path) -> str:
    """The name that `model_meta.json` beside the results has, or the folder of the model."""
    meta = _content(file.parent / "model_meta.json") if (file.parent / "model_meta.json").is_file() else {}
    return str(meta.get("name") or file.parent.parent.name)


def _content(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error})", fix="run mteb again") from None
    return value if isinstance(value, dict) else {}


def _rows(system: str, file: Path, content: Mapping[str, Any]) -> list[Average]:
    rows = []
    try:
        for split, listed in content["scores"].items():
            for subset in listed:
                main = float(subset["main_score"])
                name, repeats = _repeats(subset)
                rows.append(
                    Average(
                        system=system,
                        task=str(content["task_name"]),
                        subset=f"{subset['hf_subset']} {split}",
                        language=_language(subset["languages"]),
                        metric=name or "main_score",
                        score=100.0 * main,
                        version=f"data {content['dataset_revision']}, mteb {content.get('mteb_version')}",
                        repeats=repeats,
                        varied=f"mteb's {len(repeats)} draws of training examples" if repeats else "",
                    )
                )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{file}: no result of mteb ({error!r})", fix="run mteb 2 again; older files differ") from None
    return rows


def _repeats(subset: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    """Name and values of the metric whose mean over the experiments is the main score.

    The file does not name the main metric. Values have six digits, so means are compared to five; where two metrics
    agree in all experiments it does not matter which is taken, and else the main score stands without repetitions.
    """
    experiments = subset.get("scores_per_experiment") or []
    if len(experiments) < 2 or not all(isinstance(values, dict) for values in experiments):
        return "", ()
    fitting: dict[tuple[float, ...], str] = {}
    for name in experiments[0]:
        values = tuple(values.get(name) for values in experiments)
        if not all(isinstance(value, int | float) for value in values):
            continue
        if (
            abs(sum(values) / len(values) - float(subset["main_score"])) < 1e-5
            and abs(float(subset.get(name, subset["main_score"])) - float(subset["main_score"])) < 1e-5
        ):
            fitting.setdefault(tuple(100.0 * value for value in values), name)
    if len(fitting) != 1:
        return "", ()
    ((values, name),) = fitting.items()
    return name, values


def _language(listed: Sequence[str]) -> str:
    """The language of a subset: of a pair with English the other one."""
    codes = [known_code(code) or code or UNDETERMINED for code in listed]
    others = [code for code in codes if code != "en"] if len(codes) == 2 else codes
    return "-".join(dict.fromkeys(others or codes)) or UNDETERMINED
