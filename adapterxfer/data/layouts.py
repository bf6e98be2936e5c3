"""Files in any other layout, described by the user: which files, how rows are cut, which column is what.

    mnli:
      dev: {path: "nli/mnli_*.csv", layout: csv, columns: {text: premise, text_pair: hypothesis, label: label}}
    hellaswag:
      dev: {path: "some.txt", layout: text, record: 6, columns: {context: 0, label: 1, choices: [2, 3, 4, 5]}}
    xquad:
      test: {path: "mine/{lang}.json", layout: squad}

Columns of ``tsv`` without header (``header: false``) and lines of ``text`` records count from 0. ``labels`` maps raw
labels to names. ``{lang}`` in a path is the language. What could not be read, or would be ignored, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapterxfer.catalog import TaskLike, TaskParts, name_of, parts_of_task, task_specs
from adapterxfer.data.layout_reading import LANGUAGE, Layout, layout_files, layout_languages, read_layout
from adapterxfer.errors import DataError

__all__ = ["Layout", "layout_files", "layout_languages", "parse_layouts", "parse_roles", "read_layout"]

ROLES = ("train", "dev", "test")

KEYS: Mapping[str, tuple[str, ...]] = {
    "csv": ("columns", "labels", "header", "delimiter", "separator", "first_label"),
    "tsv": ("columns", "labels", "header", "record", "quoted", "delimiter", "separator", "first_label"),
    "jsonl": ("columns", "labels", "separator", "first_label"),
    "text": ("columns", "labels", "record", "delimiter", "separator", "first_label"),
    "squad": (),
    "conllu": (),
}
"""Kind -> keys that mean something there, beside ``path`` and ``layout``."""

NEUTRAL: Mapping[str, Any] = {"header": True, "record": 1, "quoted": False, "separator": " ", "first_label": 0}
"""Key -> the value that says what holds anyway, and so is no mistake where the key means nothing."""

WHOLE: Mapping[str, str] = {"squad": "span_qa", "conllu": "tagging"}
"""Kinds that say what every field is -> the one format they are files of."""

FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sequence_classification": (("text", "label"), ("text_pair", "id", "cluster")),
    "tagging": (("words", "tags"), ("id", "cluster")),
    "span_qa": (("context", "question", "answers"), ("answer_starts", "id", "cluster")),
    "multiple_choice": (("choices", "label"), ("context", "question", "id", "cluster")),
    "retrieval": (("text", "translation"), ("id", "cluster")),
}
"""Format -> columns that a layout must name, and those it may name."""

LISTS = ("choices", "answers")
"""Fields that several columns may make up."""


def _as_read(value: Any) -> Any:
    """Lists again where a recipe, whose values do not change, holds tuples: both mean what YAML wrote as a list."""
    if isinstance(value, list | tuple):
        return [_as_read(item) for item in value]
    return {key: _as_read(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def parse_layouts(content: object, where: str) -> dict[str, dict[str, Layout]]:
    """Layouts of tasks from plain values (as YAML gives them).

    Raises:
        DataError: an unknown task, role, key, kind, column or value; names its place.
    """
    if not isinstance(content, Mapping):
        raise DataError(f"{where}: not a mapping of tasks", fix="write TASK: {train: {path: ..., layout: ...}}")
    parsed: dict[str, dict[str, Layout]] = {}
    known = [name for name, spec in task_specs().items() if spec.parts.layouts]
    for task, roles in content.items():
        if task not in known or not isinstance(roles, Mapping):
            raise DataError(f"{where}: no task '{task}' to lay out", fix=f"tasks: {', '.join(known)}")
        parsed[str(task)] = parse_roles(str(task), roles, where)
    return parsed


def parse_roles(task: TaskLike, roles: Mapping[Any, Any], where: str = "layout") -> dict[str, Layout]:
    """Layouts of one task by role.

    Raises:
        DataError: an unknown role, key, kind, column or value; names its place.
    """
    parts, parsed = parts_of_task(task), {}
    for role, block in roles.items():
        position = f"{where}: {name_of(task)}.{role}"
        if role == "test" and parts.pools:
            raise DataError(
                f"{position}: task '{name_of(task)}' searches a pool of candidates",
                fix="use the official files of its test",
            )
        if role not in ROLES or not isinstance(block, Mapping):
            raise DataError(f"{position}: not a role", fix=f"roles: {', '.join(ROLES)}")
        parsed[str(role)] = _layout(_as_read(block), parts, position)
    return parsed


def _layout(block: Mapping[str, Any], parts: TaskParts, position: str) -> Layout:
    known = sorted({key for keys in KEYS.values() for key in keys} | {"path", "layout"})
    if unknown := sorted(str(key) for key in block if key not in known):
        raise DataError(f"{position}: unknown key '{unknown[0]}'", fix=f"keys: {', '.join(known)}")
    kind = block.get("layout")
    if not isinstance(kind, str) or not isinstance(block.get("path"), str):
        raise DataError(f"{position}: needs 'path' and 'layout'", fix=f"layout: {' | '.join(KEYS)}")
    if kind not in KEYS:
        raise DataError(f"{position}: no layout '{kind}'", fix=f"layout: {' | '.join(KEYS)}")
    _check_path(block["path"], position)
    if unused := [
        key for key in block if key not in (*KEYS[kind], "path", "layout") and block[key] != NEUTRAL.get(key)
    ]:
        raise DataError(
            f"{position}: '{unused[0]}' means nothing for layout {kind}",
            fix=f"leave it out; {kind} takes {', '.join(KEYS[kind]) or 'path alone'}",
        )
    if WHOLE.get(kind, parts.format) != parts.format:
        raise DataError(f"{position}: {kind} files are not of format {parts.format}", fix="give another layout")
    record = _number(block, "record", 1, position)
    if record == 0 and parts.format != "tagging":
        raise DataError(f"{position}: record 0 is a word per line, for tags", fix="leave 'record' out")
    if kind == "tsv" and record > 1:
        raise DataError(f"{position}: a TSV has a record per line", fix="write layout: text, or record: 0")
    delimiter, separator = _signs(block, position), _signs(block, position, "separator")
    if record == 0 and separator and not delimiter:
        # Nothing else can be separated in a file with a word per line.
        delimiter, separator = separator, ""
    layout = Layout(
        path=block["path"],
        kind=kind,
        columns={} if kind in WHOLE else _columns(block, parts.format, position),
        labels=_labels(block.get("labels"), parts, position),
        header=_flag(block, "header", True, position),
        record=record,
        quoted=_flag(block, "quoted", False, position),
        delimiter=delimiter,
        separator=separator,
        first_label=_number(block, "first_label", 0, position),
    )
    _check_use(layout, block, parts.format, position)
    return layout


def _check_path(path: str, position: str) -> None:
    """Refuse what no file below the data root can have."""
    segments = path.split("/")
    if not path.strip() or path.startswith("/") or ".." in segments or "" in segments:
        raise DataError(
            f"{position}: path '{path}' is not below the data root", fix="give a relative path, as mine/*.csv"
        )
    if any(sign in path.replace(LANGUAGE, "") for sign in "{}"):
        raise DataError(f"{position}: path '{path}': braces hold {LANGUAGE} alone", fix="use * or ? for other parts")
    if segments[-1] == "**" or any("**" in segment and segment != "**" for segment in segments):
        raise DataError(f"{position}: path '{path}': ** is a whole folder name", fix="write **/ or *")


def _columns(block: Mapping[str, Any], form: str, position: str) -> dict[str, Any]:
    columns = block.get("columns")
    needed, allowed = FIELDS[form]
    if not isinstance(columns, Mapping):
        raise DataError(f"{position}: no columns", fix=f"name columns of: {', '.join(needed)}")
    if missing := [name for name in needed if name not in columns]:
        raise DataError(f"{position}: column of '{missing[0]}' is missing", fix=f"needed: {', '.join(needed)}")
    if extra := [name for name in columns if name not in needed + allowed]:
        raise DataError(f"{position}: '{extra[0]}' is no field", fix=f"fields: {', '.join(needed + allowed)}")
    for canonical, column in columns.items():
        several = column if isinstance(column, list) and column and canonical in LISTS else [column]
        if not all(isinstance(name, str | int) and not isinstance(name, bool) for name in several):
            raise DataError(
                f"{position}: column of '{canonical}' is {column!r}",
                fix=f"give a column's name or number; a list of them only for {' and '.join(LISTS)}",
            )
    return dict(columns)


def _labels(raw_labels: object, parts: TaskParts, position: str) -> dict[str, str]:
    """Raw label -> official name; a list gives the names in the order of their numbers."""
    if raw_labels is None:
        return {}
    chosen = parts.format == "multiple_choice"
    if isinstance(raw_labels, list):
        # The official name of a choice is its number, so a list of choices has the raw labels.
        pairs = [(raw, number) if chosen else (number, raw) for number, raw in enumerate(raw_labels)]
    elif isinstance(raw_labels, Mapping):
        pairs = list(raw_labels.items())
    else:
        raise DataError(f"{position}: labels are {raw_labels!r}", fix="write {raw: official, ...}, or a list in order")
    labels: dict[str, str] = {}
    for raw, name in pairs:
        if isinstance(name, list | dict) or name is None:
            raise DataError(f"{position}: label {raw!r} means {name!r}", fix="give one official name")
        if chosen and not str(name).isdigit():
            raise DataError(f"{position}: label {raw!r} means {name!r}", fix="give the number of the choice, from 0")
        if not chosen and parts.labels and str(name) not in parts.labels:
            raise DataError(f"{position}: no label '{name}'", fix=f"labels: {', '.join(parts.labels)}")
        labels[str(raw)] = str(name)
        if isinstance(raw, bool):
            labels[str(raw).lower()] = str(name)  # as JSON and most tables write it
    return labels


def _check_use(layout: Layout, block: Mapping[str, Any], form: str, position: str) -> None:
    """Refuse keys that would be without effect for this task."""
    useless = {
        "separator": form in ("sequence_classification", "retrieval"),
        "labels": form in ("span_qa", "retrieval"),
        "first_label": form != "multiple_choice",
        "header": layout.record == 0 and layout.header and "header" in block,
        "quoted": layout.record == 0 and layout.quoted,
        "delimiter": layout.record != 0 and layout.kind != "csv" and not layout.quoted,
    }
    fixes = {
        "separator": "it cuts words, tags, answers or choices in one cell; 'delimiter' cuts columns of CSV",
        "delimiter": "it is for csv, quoted tsv and a word per line (record: 0)",
    }
    for key, without_effect in useless.items():
        if (
            key in block
            and without_effect
            and block[key] not in (None, {})
            and (key == "header" or block[key] != NEUTRAL.get(key))
        ):
            raise DataError(f"{position}: '{key}' would change nothing here", fix=fixes.get(key, "leave it out"))


def _number(block: Mapping[str, Any], key: str, default: int, position: str) -> int:
    value = block.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"{position}: {key} is {value!r}", fix="give a whole number from 0")
    return value


def _flag(block: Mapping[str, Any], key: str, default: bool, position: str) -> bool:
    value = block.get(key, default)
    if not isinstance(value, bool):
        raise DataError(f"{position}: {key} is {value!r}", fix="write true or false")
    return value


def _signs(block: Mapping[str, Any], position: str, key: str = "delimiter") -> str:
    value = block.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise DataError(f"{position}: {key} is {value!r}", fix='give the sign between them, as "|" or "\\t"')
    if key == "delimiter" and value is not None and len(value) != 1:
        raise DataError(f"{position}: delimiter is {value!r}", fix="give one sign")
    return value or ""
