"""Where the files of a submission are, how they are read, and what a folder declares about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.errors import DataError, wrong_schema
from adapterxfer.metrics.benchmarks import BenchmarkTask

DECLARATION = "submission.json"
"""File of a folder that says which languages it holds and which of its lines belong together."""

SCHEMA = 1

REMOVED = "the labels were removed from this copy; get the test sets with labels, e.g. from the task's own site"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a folder says about one of its tasks.

    Attributes:
        languages: those it holds; fewer than the benchmark's are a declared subset.
        clusters: language -> cluster of each line, where lines belong together.
    """

    languages: tuple[str, ...]
    clusters: Mapping[str, tuple[str, ...]]


def file_of(folder: Path, task: BenchmarkTask, language: str) -> Path:
    """Where the file of a task and language is."""
    return folder / task.name / f"test-{language}.{task.suffix}"


def read_text(path: Path) -> str:
    """UTF-8 text without a byte-order mark.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})", fix="expected UTF-8 text") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file without repeated keys.

    Raises:
        DataError: it cannot be read, is no JSON, or repeats a key.
    """
    try:
        return json.loads(read_text(path), object_pairs_hook=_unique)
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error})", fix="write the file again") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key occurs twice")
    return content


def read_lines(path: Path) -> list[str]:
    """Stripped lines without those that are empty at the end.

    Raises:
        DataError: nothing is left.
    """
    lines = [line.strip() for line in read_text(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError(f"{path}: empty", fix="write one line per example")
    return lines


def check_values(path: Path, values: Mapping[str, int], allowed: Sequence[str], kind: str) -> None:
    """Refuse values outside the official ones; ``values`` maps each to the line (from 0) where it occurs first."""
    for value, line in sorted(values.items(), key=lambda item: item[1]):
        if value in allowed:
            continue
        raise DataError(
            f"{path}:{line + 1}: {value[:60]!r} is no {kind}; expected {' '.join(allowed)}",
            fix=f"one line holds the {kind} alone, spelt as in the official data",
        )


def read_declaration(folder: Path) -> dict[str, Declared]:
    """What a folder declares, by task; empty where it declares nothing.

    Raises:
        DataError: the file is damaged or of another schema.
    """
    path = folder / DECLARATION
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        cause, fix = wrong_schema(path, content.get("schema") if isinstance(content, dict) else None, SCHEMA)
        raise DataError(cause, fix=fix)
    try:
        return {
            str(name): Declared(
                tuple(map(str, task["languages"])),
                {str(code): tuple(map(str, names)) for code, names in task.get("clusters", {}).items()},
            )
            for name, task in content["tasks"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: no list of languages per task ({error!r})", fix="export the folder again") from None


def write_declaration(folder: Path, declared: Mapping[str, Declared]) -> Path:
    """Write what a folder holds, beside its tasks; see `read_declaration`."""
    tasks = {
        name: {
            "languages": list(task.languages),
            "clusters": {code: list(names) for code, names in task.clusters.items()},
        }
        for name, task in declared.items()
    }
    path = folder / DECLARATION
    text = json.dumps({"schema": SCHEMA, "tasks": tasks}, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path
