"""Scores in the Hub's `.eval_results/` files, for test sets that the Hub knows as benchmarks. Torch-free.

A data set is a benchmark where its repository has an `eval.yaml` that names its tasks, each a configuration and a split
(huggingface/hub-docs, docs/hub/eval-results.md). Only a score on exactly one of them, whole and at a known commit,
becomes an entry; every other score stays in the card's model-index, which no leaderboard reads.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from adapterxfer.catalog import DataSet, parts_of_task, task_specs
from adapterxfer.hub import layout
from adapterxfer.hub.requests import Sleep, call, hub_api
from adapterxfer.plan import Plan

BENCHMARK = "eval.yaml"
"""What makes a repository of data a benchmark."""

LARGEST = 1_000_000
"""Bytes of an `eval.yaml` that is read; the published ones have a few thousand."""

Place = Mapping[str, str]
"""``dataset``, ``revision`` (empty where no commit is pinned), ``config`` and ``split``."""


def benchmark_places(plan: Plan, cells: Sequence[Any]) -> dict[tuple[str, str], Place]:
    """(target, language) -> what of the Hub its test set is, for targets whose whole test set was read from there.

    Args:
        cells: of the plan.
    """
    places: dict[tuple[str, str], Place] = {}
    for cell in cells:
        prepare = plan.stages[plan.stages[cell.predict].inputs["data"]]
        identity, source = prepare.identity, prepare.identity.get("source") or {}
        if source.get("kind") != "hub" or identity.get("test_examples") is not None or cell.target not in task_specs():
            continue
        test = parts_of_task(cell.target, str(identity.get("protocol") or "")).test
        if test is None or (place := _place(test, source)) is None:
            continue
        for language in identity["languages"]:
            config = place["config"].format(lang=language, code=test.code(language))
            places[cell.target, language] = {**place, "config": config}
    return places


def _place(test: DataSet, source: Mapping[str, Any]) -> dict[str, str] | None:
    """Where a test set is, its configuration with the language left open; None where it is not one whole split."""
    hub = test.hub
    splits = hub.splits.get("test", ()) if hub is not None else ()
    # A joint configuration holds all languages.
    if hub is None or len(splits) != 1 or not hub.config or hub.language_column or hub.rows_reader:
        return None
    pinned = (source.get("revisions") or {}).get(hub.repository)
    if hub.alternates and not pinned:
        return None  # another repository may have been read in its place
    revision = pinned or hub.pinned or ""
    return {"dataset": hub.repository, "revision": revision, "config": hub.config, "split": splits[0]}


def write_eval_results(folder: Path, results: Mapping[str, Any], what: str, *, sleep: Sleep) -> dict[str, int]:
    """Ask the Hub which test sets are benchmarks, and write one file for each that is; returns relative path -> bytes.

    Args:
        folder: of the bundle that is published.
        results: its ``results.json``; bundles made by earlier versions name no places.
        what: the variant, for the notes of an entry.

    Raises:
        HubError: the Hub did not answer.
    """
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in results["scores"]:
        if (place := row.get("hub")) and row["score"] is not None and not row["secondary"]:
            rows.setdefault((place["dataset"], place["revision"]), []).append(row)
    written: dict[str, int] = {}
    for (dataset, revision), scored in sorted(rows.items()):
        tasks = benchmark_tasks(dataset, revision, sleep=sleep)
        entries = [
            _entry(row, task, what) for row in scored
            if (task := tasks.get((row["hub"]["config"], row["hub"]["split"])))
        ]  # fmt: skip
        if entries:
            name = f"{layout.EVAL_RESULTS}/{re.sub(r'[^a-z0-9]+', '-', dataset.lower()).strip('-')}.yaml"
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True), "utf-8", newline="\n")
            written[name] = path.stat().st_size
    return written


def _entry(row: Mapping[str, Any], task: str, what: str) -> dict[str, Any]:
    place = row["hub"]
    about = {"id": place["dataset"], "task_id": task}
    kind = "English, the training language" if row["group"] == "source" else "zero-shot, trained on English"
    return {
        "dataset": about | ({"revision": place["revision"]} if place["revision"] else {}),
        "value": round(float(row["score"]), 2),
        "notes": f"{row['metric']} in points, {row['language']}, {kind}; {what}",
    }


def benchmark_tasks(dataset: str, revision: str, *, sleep: Sleep) -> dict[tuple[str, str], str]:
    """(configuration, split) -> task of a benchmark; empty where the data set is none.

    Raises:
        HubError: the Hub did not answer.
    """
    api = hub_api()
    at = revision or None

    def there() -> bool:
        return bool(api.file_exists(dataset, BENCHMARK, repo_type="dataset", revision=at))

    if not call("read", dataset, there, sleep=sleep):
        return {}
    with tempfile.TemporaryDirectory(prefix="adapterxfer-benchmark-") as root:
        path = Path(
            call(
                "read",
                dataset,
                lambda: api.hf_hub_download(dataset, BENCHMARK, repo_type="dataset", revision=at, local_dir=root),
                sleep=sleep,
            )
        )
        text = path.read_text("utf-8", errors="replace") if path.stat().st_size <= LARGEST else ""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}  # not ours to mend: a benchmark that cannot be read is none
    listed = content.get("tasks") if isinstance(content, dict) else None
    return {
        (str(task.get("config", "default")), str(task["split"])): str(task["id"])
        for task in (listed if isinstance(listed, list) else ())
        if isinstance(task, dict) and "id" in task and "split" in task
    }


def with_places(rows: Sequence[dict[str, Any]], places: Mapping[tuple[str, str], Place]) -> list[dict[str, Any]]:
    """Rows of scores, those of one language with the place of its test set where that is known."""
    return [
        {**row, "hub": dict(place)} if row["languages"] == 1 and (place := places.get((row["target"], row["language"])))
        else row
        for row in rows
    ]  # fmt: skip
