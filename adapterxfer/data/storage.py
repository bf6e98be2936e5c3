"""A task on disk: `task.json` and one Parquet file per split and language.

`prepare` stages write this folder; training, prediction and the controls read it. Files hold the fields of the example
records (`data/examples.py`) as columns, so any Parquet reader can look at them. `task.json` is written last: a folder
that has it is complete.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.data.examples import EXAMPLE_TYPES, POOL_TYPES, Example, FormatName, TaskData
from adapterxfer.errors import DataError, wrong_schema

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """What `task.json` of a folder says; the examples themselves stay on disk until `split` is called.

    Attributes:
        folder: where the task lies.
        task: name in the catalogue.
        format: one of the five formats.
        labels: label or tag names in official order; empty where the format has none.
        counts: split -> language -> number of examples, in the order of the reader.
        notes: what the reader repaired or dropped, by name.
        fingerprint: sha256 over all examples and labels; equal data give equal fingerprints on any machine.
        extra: whatever the writer added, e.g. source, licence, protocol.
    """

    folder: Path
    task: str
    format: FormatName
    labels: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    notes: Mapping[str, int]
    fingerprint: str
    extra: Mapping[str, Any]

    def languages(self, split: str) -> tuple[str, ...]:
        """Languages that have this split; empty where the task lacks it."""
        return tuple(self.counts.get(split, {}))

    def split(self, split: str, language: str) -> list[Example]:
        """All examples of one split and language, in the reader's order.

        Raises:
            DataError: the task has no such split, or its file is damaged.
        """
        if language not in self.counts.get(split, {}):
            known = ", ".join(f"{s} ({' '.join(ls)})" for s, ls in self.counts.items()) or "none"
            raise DataError(
                f"{self.folder}: task '{self.task}' has no split '{split}' in language '{language}'; it has {known}",
                fix="name a split and language the task has, or prepare the task again with that language",
            )
        return _read_examples(_split_path(self.folder, split, language), self.format, self.counts[split][language])


def write_task(folder: Path, data: TaskData, *, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Store a task and return the content of its `task.json`.

    Args:
        folder: target; created if absent, `task.json` must not exist yet.
        data: examples by (split, language); at least one split.
        extra: JSON values to keep beside the data, e.g. source and licence.

    Raises:
        DataError: an example is of another format, sits under the wrong language, an id is repeated within a split and
            language, a label is unknown, or a split is empty.
    """
    path = folder / "task.json"
    if path.exists():
        raise DataError(f"{path}: a task is already stored here", fix="write each task into a folder of its own")
    check_task(data)
    (folder / "examples").mkdir(parents=True, exist_ok=True)
    counts: dict[str, dict[str, int]] = {}
    for (split, language), examples in data.splits.items():
        _write_examples(_split_path(folder, split, language), examples)
        counts.setdefault(split, {})[language] = len(examples)
    content = {
        "schema": SCHEMA_VERSION,
        "task": data.task,
        "format": data.format,
        "labels": list(data.labels),
        # A list of pairs, not an object: the order of languages survives tools that sort keys.
        "splits": [[split, language, len(examples)] for (split, language), examples in data.splits.items()],
        "notes": dict(data.notes),
        "fingerprint": task_fingerprint(data),
        "extra": dict(extra or {}),
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return content


def read_task(folder: Path) -> StoredTask:
    """Read `task.json` of a folder written by `write_task`.

    Raises:
        DataError: there is no complete task in the folder, or it was written by an incompatible version.
    """
    path = folder / "task.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: not found", fix="prepare the task first; the folder holds no complete task") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON", fix="prepare the task again") from None
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA_VERSION:
        problem, fix = wrong_schema(path, schema, SCHEMA_VERSION)
        raise DataError(problem, fix=fix)
    if content.get("format") not in EXAMPLE_TYPES:
        raise DataError(
            f"{path}: format {content.get('format')!r}; expected one of {', '.join(EXAMPLE_TYPES)}",
            fix="prepare the task again with this version",
        )
    counts: dict[str, dict[str, int]] = {}
    for split, language, count in content["splits"]:
        counts.setdefault(split, {})[language] = count
    return StoredTask(
        folder=folder,
        task=content["task"],
        format=content["format"],
        labels=tuple(content["labels"]),
        counts=counts,
        notes=content["notes"],
        fingerprint=content["fingerprint"],
        extra=content["extra"],
    )


def task_fingerprint(data: TaskData) -> str:
    """sha256 over format, labels and every example, independent of how the files are compressed."""
    state = hashlib.sha256(_canonical([SCHEMA_VERSION, data.task, data.format, list(data.labels)]).encode())
    for (split, language), examples in data.splits.items():
        names = [f.name for f in fields(_kind_of(examples))]
        state.update(_canonical([split, language, len(examples)]).encode())
        for example in examples:
            state.update(_canonical([getattr(example, name) for name in names]).encode())
    return state.hexdigest()


def _kinds(format_name: FormatName) -> tuple[type, ...]:
    """Types of records that a split of this format may hold."""
    return (EXAMPLE_TYPES[format_name], *(POOL_TYPES if format_name == "retrieval" else ()))


def _kind_of(examples: Sequence[Example]) -> type:
    return type(examples[0])


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def check_task(data: TaskData) -> None:
    """Refuse data that later rooms could not use; see `write_task` for what is checked."""
    kinds = _kinds(data.format)
    labels = set(data.labels)
    if not data.splits:
        raise DataError(f"task '{data.task}': no split at all", fix="read at least one split")
    for (split, language), examples in data.splits.items():
        subject = f"task '{data.task}', {split}.{language}"
        for name in (split, language):
            if not _SAFE_NAME.match(name):
                raise DataError(f"{subject}: {name!r} cannot be a file name", fix="use letters, digits, '-' and '_'")
        if not examples:
            raise DataError(f"{subject}: no examples", fix="leave the language out, or repair its file")
        seen: set[str] = set()
        kind = _kind_of(examples) if _kind_of(examples) in kinds else kinds[0]
        for position, example in enumerate(examples):
            where = f"{subject}, example {position}"
            if type(example) is not kind:
                raise DataError(f"{where}: {type(example).__name__}; expected {kind.__name__}", fix="repair the reader")
            if example.language != language:
                raise DataError(f"{where}: its language is '{example.language}'", fix="repair the reader")
            if example.example_id in seen:
                raise DataError(f"{where}: id '{example.example_id}' is used twice", fix="give each example its own id")
            seen.add(example.example_id)
            if problem := _problem(example, labels):
                raise DataError(f"{where} ('{example.example_id}'): {problem}", fix="repair the data file or drop it")


def _problem(example: Any, labels: set[str]) -> str:
    """What is wrong inside one example; empty if nothing."""
    match EXAMPLE_NAMES.get(type(example), ""):
        case "sequence_classification":
            return "" if example.label in labels else f"label {example.label!r} is not a label of the task"
        case "tagging":
            if len(example.words) != len(example.tags) or not example.words:
                return f"{len(example.words)} words but {len(example.tags)} tags"
            unknown = set(example.tags) - labels
            return f"tag {min(unknown)!r} is not a label of the task" if unknown else ""
        case "span_qa":
            if len(example.answers) != len(example.answer_starts):
                return f"{len(example.answers)} answers but {len(example.answer_starts)} offsets"
            for answer, start in zip(example.answers, example.answer_starts, strict=True):
                # Released test files hide their gold as an empty answer at 0: scores from them would be meaningless.
                if not answer:
                    return "an answer is empty"
                if start < 0 or example.context[start : start + len(answer)] != answer:
                    return f"answer {answer!r} is not at character {start} of the context"
            return ""
        case "multiple_choice":
            count = len(example.choices)
            return "" if 0 <= example.label < count else f"label {example.label} of {count} choices"
        case _:
            return ""


EXAMPLE_NAMES: dict[type, FormatName] = {kind: name for name, kind in EXAMPLE_TYPES.items()}


def _split_path(folder: Path, split: str, language: str) -> Path:
    return folder / "examples" / f"{split}.{language}.parquet"


def _schema(kind_of_example: type) -> pa.Schema:
    import pyarrow as pa

    types = {
        "str": pa.string(),
        "str | None": pa.string(),
        "int": pa.int32(),
        "tuple[str, ...]": pa.list_(pa.string()),
        "tuple[int, ...]": pa.list_(pa.int32()),
    }
    columns = []
    for field in fields(kind_of_example):
        kind = pa.dictionary(pa.int32(), pa.string()) if field.name == "language" else types[str(field.type)]
        columns.append(pa.field(field.name, kind, nullable="None" in str(field.type)))
    return pa.schema(columns)


def _write_examples(path: Path, examples: Sequence[Example]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(_kind_of(examples))
    columns = [pa.array([getattr(e, field.name) for e in examples], type=field.type) for field in schema]
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), path, compression="zstd")


def _read_examples(path: Path, format_name: FormatName, count: int) -> list[Example]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {tuple(f.name for f in fields(kind)): kind for kind in _kinds(format_name)}
    try:
        # ParquetFile, not read_table: the latter reads `x=y` in a folder name as a partition column.
        with pq.ParquetFile(path) as file:
            table = file.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error})", fix="prepare the task again") from None
    names = table.column_names
    if tuple(names) not in kinds or table.num_rows != count:
        raise DataError(
            f"{path}: {table.num_rows} rows of {names}; expected {count} of {list(next(iter(kinds)))}",
            fix="prepare the task again",
        )
    kind = kinds[tuple(names)]
    tuples = {f.name for f in fields(kind) if str(f.type).startswith("tuple")}
    columns = [
        [tuple(v) for v in table[name].to_pylist()] if name in tuples else table[name].to_pylist() for name in names
    ]
    return [kind(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
