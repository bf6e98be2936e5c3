"""Files in any other layout, described by the user: which files, how rows are cut, which column is what.

    mnli:
      dev: {path: "nli/mnli_*.csv", layout: csv, columns: {text: premise, text_pair: hypothesis, label: label}}
    hellaswag:
      dev: {path: "some.txt", layout: text, record: 6, columns: {context: 0, label: 1, choices: [2, 3, 4, 5]}}

Columns of ``tsv`` without header (``header: false``) and lines of ``text`` records count from 0. ``labels`` maps raw
labels to names. ``{lang}`` in a path is the language.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterxfer.catalog import parts_of_task, task_specs
from adapterxfer.data.classification import NO_GOLD
from adapterxfer.data.examples import (
    ChoiceExample,
    Example,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
)
from adapterxfer.data.labelled import Clusters
from adapterxfer.data.rows import Placed, read_csv, read_jsonl, read_lines, read_tsv, refuse_hidden
from adapterxfer.data.squad import locate_answer
from adapterxfer.errors import DataError

KINDS = ("csv", "tsv", "jsonl", "text")
ROLES = ("train", "dev", "test")

FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sequence_classification": (("text", "label"), ("text_pair", "id", "cluster")),
    "tagging": (("words", "tags"), ("id", "cluster")),
    "span_qa": (("context", "question", "answers"), ("answer_starts", "id", "cluster")),
    "multiple_choice": (("choices", "label"), ("context", "question", "id", "cluster")),
    "retrieval": (("text", "translation"), ("id", "cluster")),
}
"""Format -> columns that a layout must name, and those it may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where one role of a task is and how to read it.

    Attributes:
        path: pattern below the data root, with ``{lang}``.
        kind: one of `KINDS`.
        columns: canonical field -> column name, index, or a list of them.
        labels: raw label -> official name (of choices: 0-based index).
        header: whether a TSV begins with names.
        record: lines of a text record; 0 with ``tsv`` is a word per line and an empty line after each sentence.
        separator: between words, and between tags, where one column holds them all.
        first_label: number of the first choice where labels are numbers.
    """

    path: str
    kind: str
    columns: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    record: int = 1
    separator: str = " "
    first_label: int = 0


def parse_layouts(content: object, where: str) -> dict[str, dict[str, Layout]]:
    """Layouts of tasks from plain values (as YAML gives them).

    Raises:
        DataError: an unknown task, role, key, kind or column; names its place.
    """
    if not isinstance(content, Mapping):
        raise DataError(f"{where}: not a mapping of tasks", fix="write TASK: {train: {path: ..., layout: ...}}")
    parsed: dict[str, dict[str, Layout]] = {}
    known = [name for name, spec in task_specs().items() if spec.parts.layouts]
    for task, roles in content.items():
        if task not in known or not isinstance(roles, Mapping):
            raise DataError(f"{where}: no task '{task}' to lay out", fix=f"tasks: {', '.join(known)}")
        parts = parts_of_task(str(task))
        for role, description in roles.items():
            subject = f"{where}: {task}.{role}"
            if role == "test" and parts.pools:
                raise DataError(
                    f"{subject}: task '{task}' searches a pool of candidates", fix="use the official files of its test"
                )
            if role not in ROLES or not isinstance(description, Mapping):
                raise DataError(f"{subject}: not a role", fix=f"roles: {', '.join(ROLES)}")
            parsed.setdefault(str(task), {})[str(role)] = _layout(description, parts.format, subject)
    return parsed


def _layout(description: Mapping[str, Any], form: str, subject: str) -> Layout:
    known = {"path", "layout", "columns", "labels", "header", "record", "separator", "first_label"}
    if unknown := sorted(set(description) - known):
        raise DataError(f"{subject}: unknown key '{unknown[0]}'", fix=f"keys: {', '.join(sorted(known))}")
    if description.get("layout") not in KINDS or not isinstance(description.get("path"), str):
        raise DataError(f"{subject}: needs 'path' and 'layout'", fix=f"layout: {' | '.join(KINDS)}")
    columns = description.get("columns")
    needed, allowed = FIELDS[form]
    if not isinstance(columns, Mapping):
        raise DataError(f"{subject}: no columns", fix=f"name columns of: {', '.join(needed)}")
    if missing := [name for name in needed if name not in columns]:
        raise DataError(f"{subject}: column of '{missing[0]}' is missing", fix=f"needed: {', '.join(needed)}")
    if extra := [name for name in columns if name not in needed + allowed]:
        raise DataError(f"{subject}: '{extra[0]}' is no field", fix=f"fields: {', '.join(needed + allowed)}")
    return Layout(
        path=description["path"],
        kind=str(description["layout"]),
        columns=dict(columns),
        labels={str(raw): str(name) for raw, name in dict(description.get("labels") or {}).items()},
        header=bool(description.get("header", True)),
        record=int(description.get("record", 1)),
        separator=str(description.get("separator", " ")),
        first_label=int(description.get("first_label", 0)),
    )


def layout_files(layout: Layout, root: Path, language: str) -> list[str]:
    """Relative paths that a layout means, also packed; sorted."""
    pattern = layout.path.format(lang=language)
    paths = {path for end in ("", ".gz", ".bz2") for path in root.glob(pattern + end) if path.is_file()}
    return sorted(path.relative_to(root).as_posix() for path in paths)


def read_layout(layout: Layout, task: str, paths: Sequence[Path], language: str, notes: Counter[str]) -> list[Example]:
    """Examples of a task from files in a described layout.

    Raises:
        DataError: a row lacks a column, or a label is unknown or the same everywhere.
    """
    parts = parts_of_task(task)
    make = _MAKERS[parts.format]
    examples: list[Example] = []
    for path in paths:
        clusters = Clusters(f"{path.stem}/")
        labels: list[object] = []
        for row in _rows(layout, path):
            example = make(_Cells(layout, row, notes), parts.labels, language, clusters)
            if example is not None:
                examples.append(example)
                labels.append(getattr(example, "label", len(labels)))
        refuse_hidden(path, labels)
    if not examples:
        raise DataError(f"{paths[0] if paths else layout.path}: no example", fix="check the layout")
    return examples


def _rows(layout: Layout, path: Path) -> list[Placed]:
    if layout.kind == "csv":
        return read_csv(path)
    if layout.kind == "jsonl":
        return read_jsonl(path)
    if layout.kind == "tsv" and layout.record == 0:
        return _blocks(path)
    if layout.kind == "tsv":
        if layout.header:
            return read_tsv(path)
        lines = [line for line in read_lines(path) if line]
        width = len(lines[0].split("\t")) if lines else 0
        return read_tsv(path, columns=[str(number) for number in range(width)])
    lines = read_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) % layout.record:
        raise DataError(f"{path}: {len(lines)} lines are no records of {layout.record}", fix="check 'record'")
    return [
        (f"{path}:{at + 1}", {str(number): line for number, line in enumerate(lines[at : at + layout.record])})
        for at in range(0, len(lines), layout.record)
    ]


def _blocks(path: Path) -> list[Placed]:
    """Sentences of a file with a word per line and an empty line between: each column is a list."""
    rows: list[Placed] = []
    lines: list[list[str]] = []
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if line.strip():
            lines.append(line.split("\t"))
            if len(lines[-1]) != len(lines[0]):
                raise DataError(
                    f"{path}:{number}: {len(lines[-1])} columns after {len(lines[0])}", fix="repair the line"
                )
        elif lines:
            columns = {str(place): [cells[place] for cells in lines] for place in range(len(lines[0]))}
            rows.append((f"{path}:{number - len(lines)}", columns))
            lines = []
    return rows


class _Cells:
    """Canonical fields of one row."""

    def __init__(self, layout: Layout, row: Placed, notes: Counter[str]) -> None:
        self.layout, self.row, self.notes = layout, row, notes

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self.layout.columns:
            return default
        column = self.layout.columns[name]
        return [self._cell(part) for part in column] if isinstance(column, list) else self._cell(column)

    def _cell(self, column: object) -> Any:
        position, row = self.row
        if str(column) not in row:
            raise DataError(f"{position}: no column '{column}'; it has {', '.join(row)}", fix="correct the layout")
        return row[str(column)]

    def text(self, name: str) -> str:
        value = self.get(name, "")
        return value if isinstance(value, str) else "" if value is None else str(value)

    def name(self) -> str:
        return self.text("id") or self.row[0].rpartition("/")[2]

    def parts(self, name: str) -> list[str]:
        value = self.get(name, [])
        if isinstance(value, str):
            value = json.loads(value) if value.startswith("[") else value.split(self.layout.separator)
        return [str(part) for part in value]

    def label(self, labels: Sequence[str]) -> str | None:
        raw = str(self.get("label"))
        if raw in NO_GOLD:
            self.notes["examples without a gold label left out"] += 1
            return None
        name = self.layout.labels.get(raw, raw)
        if name not in labels:
            raise DataError(
                f"{self.row[0]}: label {raw!r} is not one of: {', '.join(labels)}", fix="map it with 'labels'"
            )
        return name


def _pair(cells: _Cells, labels: Sequence[str], language: str, clusters: Clusters) -> Example | None:
    label = cells.label(labels)
    if label is None:
        return None
    text = cells.text("text")
    pair = cells.text("text_pair") if "text_pair" in cells.layout.columns else None
    return PairExample(cells.name(), cells.text("cluster") or clusters.of(text), language, text, pair, label)


def _tags(cells: _Cells, labels: Sequence[str], language: str, _: Clusters) -> Example | None:
    words, tags = cells.parts("words"), cells.parts("tags")
    if len(words) != len(tags) or not words:
        raise DataError(f"{cells.row[0]}: {len(words)} words and {len(tags)} tags", fix="check 'separator'")
    if unknown := [tag for tag in tags if labels and tag not in labels]:
        raise DataError(f"{cells.row[0]}: tag {unknown[0]!r}; expected {' '.join(labels)}", fix="use official tags")
    name = cells.name()
    return TaggingExample(name, cells.text("cluster") or name, language, tuple(words), tuple(tags))


def _span(cells: _Cells, _: Sequence[str], language: str, clusters: Clusters) -> Example | None:
    context, answers = cells.text("context"), [text for text in cells.parts("answers") if text]
    starts = [int(start) for start in cells.parts("answer_starts")] or [0] * len(answers)
    places = [locate_answer(context, text, start) for text, start in zip(answers, starts, strict=True)]
    located = [(text, place) for text, place in zip(answers, places, strict=True) if place is not None]
    if not located:
        cells.notes["questions without an answer left out"] += 1
        return None
    return SpanExample(
        example_id=cells.name(),
        cluster_id=cells.text("cluster") or clusters.of(context),
        language=language,
        question=cells.text("question"),
        context=context,
        answers=tuple(text for text, _ in located),
        answer_starts=tuple(place for _, place in located),
    )


def _choice(cells: _Cells, _: Sequence[str], language: str, clusters: Clusters) -> Example | None:
    choices = cells.parts("choices")
    first = cells.layout.first_label
    names = [str(number + first) for number in range(len(choices))]
    raw = cells.label([*names, *cells.layout.labels.values()])
    if raw is None:
        return None
    name, context = cells.name(), cells.text("context")
    label = int(raw) if str(cells.get("label")) in cells.layout.labels else names.index(raw)
    return ChoiceExample(
        example_id=name,
        cluster_id=cells.text("cluster") or clusters.of(context or name),
        language=language,
        context=context,
        question=cells.text("question"),
        choices=tuple(choices),
        label=label,
    )


def _translation(cells: _Cells, _: Sequence[str], language: str, __: Clusters) -> Example | None:
    name = cells.name()
    return RetrievalExample(
        name, cells.text("cluster") or name, language, cells.text("text"), cells.text("translation")
    )


_MAKERS: dict[str, Callable[[_Cells, Sequence[str], str, Clusters], Example | None]] = {
    "sequence_classification": _pair,
    "tagging": _tags,
    "span_qa": _span,
    "multiple_choice": _choice,
    "retrieval": _translation,
}
