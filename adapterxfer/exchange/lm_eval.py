"""Results of lm-evaluation-harness with ``--log_samples``: one score per document, as `Results`.

The harness writes ``OUTPUT/MODEL/results_DATE.json`` and beside it ``samples_TASK_DATE.jsonl`` for every task, with a
line per document and filter: its number, hashes of document, prompt and answer, and the value of every metric
(`lm_eval/loggers/evaluation_tracker.py` and `lm_eval/evaluator.py` of version 0.4.13).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.errors import DataError
from adapterxfer.exchange.sources import Source

TEXT_FIELDS = ("flores_passage", "passage", "context", "paragraph", "article", "premise")
"""Fields of a document that several documents may share: those with an equal one are one cluster of items."""

SAME = 1e-9
"""How far the mean of the samples may be from the harness's own score: both are sums of the same doubles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessRun:
    """One run of the harness: a system with one training seed.

    Attributes:
        results: what `results_DATE.json` holds, by file; several where tasks were run one after the other.
        samples: task -> its file of samples.
        content: task -> the results file that it belongs to.
    """

    system: str
    seed: int
    samples: Mapping[str, Path]
    content: Mapping[str, Mapping[str, Any]]

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.system} seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessItem:
    """One document of a task as one system answered it."""

    number: int
    score: float
    document: str
    prompt: str
    answer: str
    text: str


def read_runs(sources: Sequence[Source]) -> list[HarnessRun]:
    """The runs of some folders or files of results; a folder may hold several models.

    Raises:
        DataError: no samples are there, a task was run twice, or two systems have one name.
    """
    runs: list[tuple[Source, HarnessRun]] = []
    for source in sources:
        files = [source.path] if source.path.is_file() else sorted(source.path.glob("results_*.json"))
        folders = {source.path.parent if source.path.is_file() else source.path: files} if files else {}
        if not files:
            for file in sorted(source.path.glob("*/results_*.json")):
                folders.setdefault(file.parent, []).append(file)
        if len(folders) > 1 and source.name:
            raise DataError(
                f"{source.path}: {len(folders)} models, and one name '{source.name}'", fix="name the folder of each"
            )
        runs += [(source, _run(source, listed)) for listed in folders.values()]
    return _with_names(runs)


def _with_names(runs: list[tuple[Source, HarnessRun]]) -> list[HarnessRun]:
    """Every system with a name of its own: that of its model, or of its folder where models have one name."""
    names = [(run.system, run.seed) for _, run in runs]
    renamed: list[HarnessRun] = []
    for source, run in runs:
        system = run.system
        if names.count((run.system, run.seed)) > 1 and not source.name:
            system = source.path.stem
        renamed.append(HarnessRun(system=system, seed=run.seed, samples=run.samples, content=run.content))
    names = [(run.system, run.seed) for run in renamed]
    twice = sorted({run.name for run in renamed if names.count((run.system, run.seed)) > 1})
    if twice:
        raise DataError(f"{twice[0]} is given twice", fix="name each: base=FOLDER tuned=FOLDER, or tuned:2=FOLDER")
    return renamed


def _run(source: Source, files: Sequence[Path]) -> HarnessRun:
    samples: dict[str, Path] = {}
    content: dict[str, Mapping[str, Any]] = {}
    model = ""
    for file in files:
        value = _results(file)
        model = model or str(value.get("model_name") or value.get("config", {}).get("model") or file.parent.name)
        date = file.stem.removeprefix("results_")
        for path in sorted(file.parent.glob(f"samples_*_{date}.jsonl")):
            task = path.stem.removeprefix("samples_").removesuffix(f"_{date}")
            if task in samples:
                raise DataError(
                    f"{file.parent}: task '{task}' was run twice: {samples[task].name}, {path.name}",
                    fix="name the results file of the run that counts in place of the folder",
                )
            samples[task], content[task] = path, value
    if not samples:
        raise DataError(
            f"{files[0]}: no samples_TASK_DATE.jsonl beside it, only averages", fix="run lm_eval with --log_samples"
        )
    return HarnessRun(system=source.name or model, seed=source.seed, samples=samples, content=content)


def _results(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error})", fix="run the harness again") from None
    if not isinstance(value, dict) or not isinstance(value.get("results"), dict):
        raise DataError(f"{file}: no 'results' in it; is it of lm-evaluation-harness?", fix="give results_DATE.json")
    return value


def metric_names(run: HarnessRun, task: str) -> list[str]:
    """``METRIC,FILTER`` of a task, in the order of the harness, errors and texts left out."""
    scores = run.content[task]["results"].get(task, {})
    return [
        name
        for name, value in scores.items()
        if "," in name and "_stderr" not in name and isinstance(value, int | float)
    ]


def chosen_metric(run: HarnessRun, task: str, requested: str) -> tuple[str, str]:
    """Metric and filter of a task: the requested ones, or the task's first.

    Raises:
        DataError: the task has no such metric, several filters have it, or less of it is better.
    """
    names = metric_names(run, task)
    fitting = [name for name in names if not requested or name == requested or name.split(",")[0] == requested]
    if not requested:
        fitting = fitting[:1]
    if len(fitting) != 1:
        problem = f"no metric '{requested}'" if not fitting else f"'{requested}' under several filters"
        raise DataError(
            f"{run.samples[task]}: task '{task}': {problem}; it has: {' '.join(names) or 'none'}",
            fix="name one with --metric",
        )
    metric, _, chosen = fitting[0].partition(",")
    if run.content[task].get("higher_is_better", {}).get(task, {}).get(metric) is False:
        raise DataError(
            f"{run.samples[task]}: task '{task}': less of '{metric}' is better", fix="name another with --metric"
        )
    return metric, chosen


def read_items(run: HarnessRun, task: str, metric: str, chosen: str, *, text_field: str = "") -> dict[str, HarnessItem]:
    """Document -> its item; documents are told apart by their hash, equal ones of a task by their order.

    Raises:
        DataError: a line is no sample of the harness, the metric has no value from 0 to 1 for each document, or the
            mean over the documents is not the score that the harness printed.
    """
    path = run.samples[task]
    items: dict[str, HarnessItem] = {}
    repeats: dict[str, int] = {}
    for number, sample in _lines(path):
        if sample.get("filter", "none") != chosen:
            continue
        value = sample.get(metric)
        if not isinstance(value, bool | int | float) or not 0.0 <= value <= 1.0:
            raise DataError(
                f"{path}: line {number}: {metric} = {str(value)[:40]}; expected one number from 0 to 1 for a document",
                fix="name a metric that is a mean over documents, e.g. --metric acc",
            )
        document = str(sample["doc_hash"])
        repeats[document] = repeats.get(document, 0) + 1
        key = document if repeats[document] == 1 else f"{document}#{repeats[document]}"
        items[key] = HarnessItem(
            number=int(sample["doc_id"]),
            score=float(value),
            document=document,
            prompt=str(sample.get("prompt_hash", "")),
            answer=str(sample.get("target_hash", "")),
            text=_shared_text(sample["doc"], text_field),
        )
    printed = run.content[task]["results"][task].get(f"{metric},{chosen}")
    mean = sum(item.score for item in items.values()) / len(items) if items else 0.0
    if not items or abs(mean - float(printed)) > SAME:
        raise DataError(
            f"{path}: the mean of '{metric}' over {len(items)} documents is {mean:.6f}, the harness printed {printed}",
            fix="name a metric that is a mean over documents with --metric; do not change the files",
        )
    return items


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                value = json.loads(line)
                complete = isinstance(value["doc_id"], int) and isinstance(value["doc_hash"], str) and "doc" in value
            except (ValueError, KeyError, TypeError):
                complete = False
            if not complete:
                raise DataError(
                    f"{path}: line {number} is no sample with doc_id, doc and doc_hash",
                    fix="run a newer lm_eval with --log_samples; 0.4.13 writes them",
                )
            rows.append((number, value))
    return rows


def _shared_text(document: Any, field: str) -> str:
    if not isinstance(document, dict):
        return ""
    for name in (field,) if field else TEXT_FIELDS:
        if isinstance(document.get(name), str):
            return str(document[name])
    return ""
