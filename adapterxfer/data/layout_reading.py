"""Reading files in a layout that a user described; the description itself is `adapterxfer.data.layouts`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from adapterxfer.catalog import TaskLike, TaskParts, parts_of_task
from adapterxfer.data.conllu import read_conllu
from adapterxfer.data.examples import (
    ChoiceExample,
    Example,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
)
from adapterxfer.data.files import OPENERS, list_files
from adapterxfer.data.labelled import ClusterNames
from adapterxfer.data.layout_cells import Cells
from adapterxfer.data.layout_rows import rows_of
from adapterxfer.data.questions import read_questions
from adapterxfer.data.repeats import as_sampled
from adapterxfer.data.rows import refuse_hidden
from adapterxfer.data.squad import locate_answer
from adapterxfer.errors import DataError

LANGUAGE = "{lang}"
"""Where the language stands in a path."""

ENDS = ("", *OPENERS)
"""Endings of a file that is meant, plain and packed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where one role of a task is and how to read it.

    Attributes:
        path: pattern below the data root, with ``{lang}``.
        kind: ``csv``, ``tsv``, ``jsonl``, ``text``; ``squad`` and ``conllu`` are official formats under other names.
        columns: canonical field -> column name, index, or a list of them.
        labels: raw label -> official name (of choices: 0-based index).
        header: whether a table begins with names.
        record: lines of a text record; 0 is a word per line and an empty line after each sentence.
        quoted: whether a TSV is quoted as CSV is.
        delimiter: between the columns of a line; empty for what is usual.
        separator: between words, tags, answers or choices where one cell holds them all; empty where none is declared.
        first_label: number of the first choice where labels are numbers.
    """

    path: str
    kind: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    record: int = 1
    quoted: bool = False
    delimiter: str = ""
    separator: str = ""
    first_label: int = 0


def layout_files(layout: Layout, root: Path, language: str) -> list[str]:
    """Relative paths that a layout means, also packed; sorted."""
    pattern = layout.path.replace(LANGUAGE, language)
    paths = {path for path in _matches(root, pattern) if path.is_file()}
    # Signs of patterns may also be part of a name.
    paths |= {path for end in ENDS if (path := root / (pattern + end)).is_file()}
    return sorted(path.relative_to(root).as_posix() for path in paths)


def layout_languages(layout: Layout, root: Path) -> list[str]:
    """Languages whose files are there, the catalogue's or others; none where the path names no language."""
    before, mark, after = layout.path.partition(LANGUAGE)
    if not mark or LANGUAGE in after:
        return []
    shape = re.compile(f"{_shape(before)}(?P<lang>[A-Za-z][A-Za-z0-9_-]*){_shape(after)}(?:\\.gz|\\.bz2)?")
    parts = [
        re.sub(r"\*+", "*", part.replace(LANGUAGE, "*")) if LANGUAGE in part else part
        for part in layout.path.split("/")
    ]
    paths = (path.relative_to(root).as_posix() for path in _matches(root, "/".join(parts)))
    return sorted({match["lang"] for path in paths if (match := shape.fullmatch(path)) is not None})


def _matches(root: Path, pattern: str) -> set[Path]:
    """Paths that a pattern means, also packed; links to folders are followed as they are for official names."""
    patterns = [PurePosixPath(pattern + end) for end in ENDS]
    paths = {path for packed in patterns for path in root.glob(str(packed))}
    if "**" in pattern:
        # `glob` follows no link that ** stands for. What it finds all the same keeps its path and is not read twice.
        known = {os.path.realpath(path) for path in paths}
        paths |= {
            root / path
            for path in list_files(root)
            if any(_means(packed.parts, path.split("/")) for packed in patterns)
            and os.path.realpath(root / path) not in known
        }
    return paths


def _means(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the parts of a pattern mean those of a path; ``**`` stands for any number of folders."""
    if not pattern or not names:
        return not pattern and not names
    if pattern[0] == "**":
        return _means(pattern[1:], names) or _means(pattern, names[1:])
    return fnmatch(names[0], pattern[0]) and _means(pattern[1:], names[1:])


def _shape(pattern: str) -> str:
    signs = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(token, re.escape(token)) for token in re.split(r"(\*\*/|\*|\?)", pattern))


def read_layout(
    layout: Layout, task: TaskLike, paths: Sequence[Path], language: str, notes: Counter[str]
) -> list[Example]:
    """Examples of a task from files in a described layout.

    Raises:
        DataError: a row lacks a column, a cell is in no known shape, or a label is unknown or the same everywhere.
    """
    parts = parts_of_task(task)
    if layout.kind == "squad":
        return read_questions(paths, language, notes, unanswerable=_unanswerable(parts))
    examples: list[Example] = []
    for path in paths:
        if layout.kind == "conllu":
            examples += as_sampled(read_conllu)(path, language, notes)
            continue
        clusters = ClusterNames(f"{path.stem}/")
        labels: list[object] = []
        for row in rows_of(layout, path, notes):
            example = _MAKERS[parts.format](Cells(layout, row, notes), parts, language, clusters)
            if example is not None:
                examples.append(example)
                labels.append(getattr(example, "label", len(labels)))
        refuse_hidden(path, labels)
    if not examples:
        raise DataError(f"{paths[0] if paths else layout.path}: no example", fix="check the layout")
    return examples


def _unanswerable(parts: TaskParts) -> bool:
    """Whether questions without an answer belong to the task."""
    return any(data.unanswerable for data in parts.data_sets())


def _pair(cells: Cells, parts: TaskParts, language: str, clusters: ClusterNames) -> Example | None:
    label = cells.label(parts.labels)
    if label is None:
        return None
    text = cells.text("text")
    pair = cells.text("text_pair") if "text_pair" in cells.layout.columns else None
    return PairExample(cells.name(), cells.text("cluster") or clusters.of(text), language, text, pair, label)


def _tags(cells: Cells, parts: TaskParts, language: str, _: ClusterNames) -> Example | None:
    words, tags = cells.items("words"), cells.tags(parts.labels)
    if len(words) != len(tags) or not words:
        cells.refuse(f"{len(words)} words and {len(tags)} tags", "check 'separator'")
    name = cells.name()
    return TaggingExample(name, cells.text("cluster") or name, language, tuple(words), tuple(tags))


def _span(cells: Cells, parts: TaskParts, language: str, clusters: ClusterNames) -> Example | None:
    context, answers = cells.text("context"), cells.answers(cells.text("context"))
    spans: list[tuple[str, int]] = []
    for text, stated in answers:
        start = locate_answer(context, text, stated or 0)
        if start is None:
            cells.notes["answers not in their context left out"] += 1
            continue
        cells.notes["answer offsets repaired"] += stated is not None and start != stated
        if (text, start) not in spans:
            spans.append((text, start))
    if not spans and (answers or not _unanswerable(parts)):
        cells.notes["questions without an answer left out"] += 1
        return None
    return SpanExample(
        example_id=cells.name(),
        cluster_id=cells.text("cluster") or clusters.of(context),
        language=language,
        question=cells.text("question"),
        context=context,
        answers=tuple(text for text, _ in spans),
        answer_starts=tuple(start for _, start in spans),
    )


def _choice(cells: Cells, _: TaskParts, language: str, clusters: ClusterNames) -> Example | None:
    choices, first = cells.items("choices"), cells.layout.first_label
    names = [str(number + first) for number in range(len(choices))]
    label = cells.label(names)
    if label is None:
        return None
    mapped = str(cells.get("label")) in cells.layout.labels
    index = int(label) if mapped else names.index(label)
    if index >= len(choices):
        cells.refuse(f"label {cells.get('label')!r} means choice {index} of {len(choices)}, from 0", "check 'labels'")
    name, context = cells.name(), cells.text("context")
    return ChoiceExample(
        example_id=name,
        cluster_id=cells.text("cluster") or clusters.of(context or name),
        language=language,
        context=context,
        question=cells.text("question"),
        choices=tuple(choices),
        label=index,
    )


def _translation(cells: Cells, _: TaskParts, language: str, __: ClusterNames) -> Example | None:
    name = cells.name()
    return RetrievalExample(
        name, cells.text("cluster") or name, language, cells.text("text"), cells.text("translation")
    )


_MAKERS: dict[str, Callable[[Cells, TaskParts, str, ClusterNames], Example | None]] = {
    "sequence_classification": _pair,
    "tagging": _tags,
    "span_qa": _span,
    "multiple_choice": _choice,
    "retrieval": _translation,
}
