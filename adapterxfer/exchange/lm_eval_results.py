"""Runs of lm-evaluation-harness joined document by document, and checked: same documents, answers and prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.errors import DataError
from adapterxfer.exchange.lm_eval import HarnessItem, HarnessRun, chosen_metric, read_items
from adapterxfer.exchange.task_languages import split_task
from adapterxfer.report.results import Results
from adapterxfer.report.score_files import results_of
from adapterxfer.report.score_tables import DEFAULTS, MEAN_SCORE, OPTIONAL, REQUIRED, ScoreRows

_PROMPT_FACTS = (
    ("n-shot", "examples in the prompt"),
    ("versions", "version of the task"),
    ("chat_template_sha", "chat template"),
    ("system_instruction_sha", "system instruction"),
    ("fewshot_as_multiturn", "examples as turns"),
)
"""What the harness records of a run that moves prompts, for the message."""


def results_of_runs(
    runs: Sequence[HarnessRun],
    *,
    metric: str = "",
    languages: Mapping[str, str] | None = None,
    text_field: str = "",
    other_prompts: bool = False,
    common_tasks: bool = False,
    source_language: str = "",
) -> Results:
    """Runs of the harness as results, one system per name.

    Documents are paired by their hash. Those with the same number in several languages are drawn together, as in
    parallel test sets; where they are no translations of each other, that widens nothing on average.

    Args:
        metric: ``METRIC`` or ``METRIC,FILTER`` as the harness prints them; the first of each task if empty.
        languages: task -> code, where its name and data do not say it.
        text_field: field of a document; documents with an equal one are one cluster (default: the first of
            `lm_eval.TEXT_FIELDS` that is there).
        other_prompts: accept that systems were given different prompts for the same documents.
        common_tasks: keep only tasks that every run has, instead of refusing.
        source_language: of the training data, left out of means; none if empty.

    Raises:
        DataError: a run lacks a task or a seed, or documents, answers or prompts differ.
    """
    _check_seeds(runs)
    tasks = _tasks(runs, common_tasks=common_tasks)
    told = {name: code for name, code in (languages or {}).items() if name in tasks}
    unknown = sorted(set(languages or {}) - set(told))
    if unknown:
        raise DataError(f"--language {unknown[0]}: no such task", fix=f"tasks: {', '.join(tasks)}")
    columns: dict[str, list[Any]] = {name: [] for name in ("target", "language", "example", "system", "seed")}
    columns |= {name: [] for name in ("cluster", "text", "gold")}
    scores: list[float] = []
    names = [split_task(task, configuration=_configuration(runs[0], task), told=told) for task in tasks]
    for task, (target, language) in zip(tasks, names, strict=True):
        first: dict[str, HarnessItem] = {}
        chosen = chosen_metric(runs[0], task, metric)
        for run in runs:
            items = read_items(run, task, *chosen, text_field=text_field)
            first = first or items
            _check_pair(runs[0], run, task, first, items, other_prompts=other_prompts)
            for key, item in items.items():
                row = (target, language, key, run.system, run.seed, str(first[key].number), item.text, item.answer)
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
                scores.append(item.score)
    return _results(runs, columns, scores, source_language=source_language)


def _results(
    runs: Sequence[HarnessRun], columns: dict[str, list[Any]], scores: list[float], *, source_language: str
) -> Results:
    columns["variant"] = columns.pop("system")
    filled = {
        name: np.array(columns[name], dtype=object)
        if name in columns
        else np.full(len(scores), DEFAULTS.get(name), dtype=object)
        for name in (*REQUIRED, *OPTIONAL)
    }
    counts = np.stack([np.array(scores), np.ones(len(scores))], axis=1)
    where = Path(next(iter(runs[0].samples.values()))).parent
    return results_of(ScoreRows(where, filled, counts, MEAN_SCORE), source_language=source_language)


def _configuration(run: HarnessRun, task: str) -> str:
    return str(run.content[task].get("configs", {}).get(task, {}).get("dataset_name") or "")


def _check_seeds(runs: Sequence[HarnessRun]) -> None:
    seeds: dict[str, set[int]] = {}
    for run in runs:
        seeds.setdefault(run.system, set()).add(run.seed)
    every = set.union(*seeds.values())
    for system, present in seeds.items():
        if present != every:
            absent = ", ".join(map(str, sorted(every - present)))
            raise DataError(
                f"system '{system}' has no run with seed {absent}, where others have",
                fix="give every system the same seeds, as NAME:SEED=FOLDER",
            )


def _tasks(runs: Sequence[HarnessRun], *, common_tasks: bool) -> list[str]:
    shared = [task for task in runs[0].samples if all(task in run.samples for run in runs)]
    every = dict.fromkeys(task for run in runs for task in run.samples)
    if len(shared) < len(every) and not common_tasks:
        task = next(task for task in every if task not in shared)
        lacking = next(run for run in runs if task not in run.samples)
        raise DataError(
            f"{lacking.name} has no samples of task '{task}', where others have",
            fix="run the same tasks, or keep the shared ones with --common-languages",
        )
    if not shared:
        raise DataError("no task that all systems were run on", fix="run the same tasks")
    return shared


def _check_pair(
    first: HarnessRun,
    run: HarnessRun,
    task: str,
    reference: Mapping[str, HarnessItem],
    items: Mapping[str, HarnessItem],
    *,
    other_prompts: bool,
) -> None:
    """Raises `DataError` where a run was not scored on the documents of the first one, or with other prompts."""
    where = f"{run.samples[task]}: task '{task}': {run.name} and {first.name}"
    if set(items) != set(reference):
        both = len(set(items) & set(reference))
        changed = {item.number for item in items.values()} == {item.number for item in reference.values()}
        kind = "the documents have the same numbers and other contents" if changed else "other documents"
        raise DataError(
            f"{where}: {kind} ({len(items)} and {len(reference)}, {both} in both by doc_hash)",
            fix="evaluate both with the same version of the task and its data, and the same --limit or --samples",
        )
    answers = [key for key, item in items.items() if item.answer != reference[key].answer]
    if answers:
        raise DataError(
            f"{where}: other right answers for {len(answers)} of {len(items)} documents, e.g. document "
            f"{items[answers[0]].number}",
            fix="evaluate both with the same version of the task",
        )
    prompts = [key for key, item in items.items() if item.prompt != reference[key].prompt]
    if prompts and not other_prompts:
        raise DataError(
            f"{where}: other prompts for {len(prompts)} of {len(items)} documents{_prompt_cause(first, run, task)}",
            fix="evaluate both with the same prompts, or accept the difference with --other-prompts",
        )


def _prompt_cause(first: HarnessRun, run: HarnessRun, task: str) -> str:
    for key, text in _PROMPT_FACTS:
        mine, theirs = run.content[task].get(key), first.content[task].get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            mine, theirs = mine.get(task), theirs.get(task)
        if mine != theirs:
            return f" ({text}: {mine} and {theirs})"
    return ""
