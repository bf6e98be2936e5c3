"""Tasks from the Hugging Face Hub: plain files only, labels by the names the repository states, never by position.

Repositories that still have a loading script are read from their converted branch, by folder: that branch has no
configurations, and loading it without a folder would join all languages without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from adapterxfer.catalog import DataSet, DataSplit, HubSource, TaskLike, TaskSpec, name_of, parts_of_task
from adapterxfer.data.examples import Example, FormatName, TaskData
from adapterxfer.data.held_out import carve, carved_size, keep, keep_tests
from adapterxfer.data.hub_rows import RowMaker
from adapterxfer.data.origins import FIX, need_files, off_hub
from adapterxfer.data.readers import load_function
from adapterxfer.data.repeats import parallel_by
from adapterxfer.data.rows import refuse_hidden
from adapterxfer.errors import DataError


def read_hub(
    task: TaskLike,
    languages: Sequence[str],
    *,
    train_examples: int | None,
    dev_examples: int | None,
    test_examples: int | None,
    seed: int,
    protocol: str = "",
    revisions: Mapping[str, str] | None = None,
    same_items: bool = False,
) -> TaskData:
    """Load a task; arguments as in `adapterxfer.data.original.read_original`.

    Args:
        revisions: repository -> commit, in place of what the catalogue names.

    Raises:
        DataError: a part has no repository, cannot be loaded, or is not what the catalogue says.
    """
    if missing := off_hub(task, protocol):
        raise need_files(name_of(task), languages, missing, protocol=protocol)
    parts = parts_of_task(task, protocol)
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    read = partial(read_repository, notes=notes, protocol=protocol, revisions=revisions or {})
    if parts.train:
        train = _joined(parts.train, parts.format, read)
        if parts.dev:
            dev = keep(_joined(parts.dev, parts.format, read), dev_examples, seed)
        else:
            size = carved_size(dev_examples, len(train), declared=isinstance(task, TaskSpec))
            train, dev = carve(train, size, seed)
            notes["development examples cut from the training data"] = len(dev)
        splits = {("train", "en"): keep(train, train_examples, seed), ("dev", "en"): dev}
    if (test := parts.test) is not None:
        tests = {language: read(test, "test", language, parts.format) for language in languages}
        by = parallel_by(tests, test.clusters, parts.format) if same_items else ""
        tests = keep_tests(tests, test_examples, seed, by=by)
        splits |= {("test", language): examples for language, examples in tests.items()}
        for split in parts.pools:
            if test.on_hub(split):
                for language in parts.pool_languages(languages):
                    splits[(split, language)] = read(test, split, language, "retrieval")
    kept = {name: count for name, count in sorted(notes.items()) if count}
    return TaskData(name_of(task), parts.format, parts.labels, splits, kept)


def _joined(parts: Sequence[DataSplit], form: FormatName, read: Callable[..., list[Example]]) -> list[Example]:
    joined: list[Example] = []
    for data, role, language in parts:
        prefix = f"{data.name}/" if len(parts) > 1 else ""
        joined += [
            replace(e, language="en", example_id=prefix + e.example_id, cluster_id=prefix + e.cluster_id)
            for e in read(data, role, language, form)
        ]
    return joined


def read_repository(
    data: DataSet,
    role: str,
    language: str,
    form: FormatName,
    notes: Counter[str],
    *,
    protocol: str = "",
    revisions: Mapping[str, str] = MappingProxyType({}),
) -> list[Example]:
    """Examples of one data set, role and language.

    Args:
        protocol: of the task; decides whether broken questions are repaired from another language.
        revisions: repository -> commit. Where one of the data set's repositories is pinned so, alternates without a
            commit are not read in its place: the stage would have the same key with other examples.

    Raises:
        DataError: there is no repository, it cannot be loaded, or its columns or labels are others.
    """
    if data.hub is None or not data.hub.serves(role):
        raise DataError(
            f"{data.name}: not on the Hub" + (f"; it is from {data.origin}" if data.origin else ""), fix=FIX
        )
    candidates = data.hub.places()
    pinned = tuple(replace(s, revision=revisions[s.repository]) for s in candidates if s.repository in revisions)
    candidates = pinned or candidates
    if role in candidates[0].lines:
        examples: list[Example] = load_function(data.hub.lines_reader)(candidates[0], role, language, notes)
        return examples
    repaired = data.repair is not None and data.repair.unless not in protocol.split("/")
    problems: list[str] = []
    for source in candidates:
        try:
            examples = _read_source(source, data, role, language, form, notes, repaired=repaired)
        except _Unreadable as error:
            problems.append(error.what)
            continue
        if problems:
            notes[f"examples from the alternate {source.repository}"] += len(examples)
        return examples
    raise DataError(
        "\n".join([f"{data.name}: no repository can be read", *(f"  {problem}" for problem in problems)]),
        fix="check repository, revision, config, split and columns of the task's hub block, and the connection"
        if data.rows_only
        else "check the connection, or put the original files into a folder and give --set data_root=PATH",
    )


class _Unreadable(DataError):
    """A repository that is absent, or not what the catalogue describes: the next one may be."""


def _read_source(
    source: HubSource,
    data: DataSet,
    role: str,
    language: str,
    form: FormatName,
    notes: Counter[str],
    *,
    repaired: bool,
) -> list[Example]:
    """Examples from one repository.

    Raises:
        _Unreadable: it cannot be loaded or has other columns.
        DataError: its labels are not those of the task.
    """
    examples: list[Example] = []
    kinds: dict[str, str] = {}
    if repaired and data.repair is not None and language != data.repair.language:
        name, kind = source.columns["id"], source.columns["cause"]
        for split in source.splits[role]:
            rows, _ = _load(source, split, data.repair.language, data.code(data.repair.language))
            kinds |= {str(row[name]): str(row[kind]) for row in rows}
    for split in source.splits[role]:
        rows, names = _load(source, split, language, data.code(language))
        if source.language_column:
            rows = [row for row in rows if row.get(source.language_column) == language]
        maker = RowMaker(source, data, split, language, names=names, notes=notes, kinds=kinds)
        if missing := [column for column in maker.columns() if rows and column not in rows[0]]:
            raise _Unreadable(
                f"{source.repository} {split}: no column '{missing[0]}'; it has {', '.join(rows[0])}",
                fix="correct the columns of the task's hub block"
                if data.rows_only
                else "pin the revision the catalogue describes, or use the original files",
            )
        rows = _whole(rows, maker.columns(), notes)
        if source.rows_reader:
            whole: list[Example] = load_function(source.rows_reader)(rows, source, role, language)
            return whole
        examples_of_split = [
            example for number, row in enumerate(rows) if (example := maker.make(form, row, number)) is not None
        ]
        examples += examples_of_split
        labels = [getattr(example, "label", number) for number, example in enumerate(examples_of_split)]
        _refuse_equal(f"{source.repository} {split}", labels)
    if not examples:
        raise _Unreadable(f"{source.repository}: no example in '{language}'", fix="leave the language out")
    return examples


def _whole(rows: list[dict[str, Any]], columns: Iterable[str], notes: Counter[str]) -> list[dict[str, Any]]:
    """Rows without empty cells: table readers turn the words ``NA`` and ``null`` into nothing, which is no text."""
    named = list(columns)
    kept = [row for row in rows if all(row[column] is not None for column in named)]
    notes["rows with empty cells left out"] += len(rows) - len(kept)
    return kept


def _refuse_equal(subject: str, labels: Sequence[object]) -> None:
    from pathlib import Path

    refuse_hidden(Path(subject), labels)


def _load(
    source: HubSource, split: str, language: str, code: str
) -> tuple[list[dict[str, Any]], dict[str, tuple[str, ...]]]:
    """Rows of a split and the label names of its columns."""
    import datasets

    words = {"lang": language, "code": code}
    options: dict[str, Any] = {"split": split}
    if source.folder:
        options["data_dir"] = source.folder.format(**words)
    elif source.config:
        options["name"] = source.config.format(**words)
    if source.revision:
        options["revision"] = source.revision
    try:
        loaded = datasets.load_dataset(source.repository, **options)
    except Exception as error:
        # The library raises whatever its many layers raise: from the network, from readers, from its own checks.
        raise _Unreadable(
            f"{source.repository} ({options}): cannot be loaded ({type(error).__name__}: {str(error)[:300]})",
            fix="check the connection, or put the original files into a folder and give --set data_root=PATH",
        ) from None
    names = {}
    for column, feature in loaded.features.items():
        inner = getattr(feature, "feature", feature)
        if getattr(inner, "names", None):
            names[column] = tuple(inner.names)
    return list(loaded), names
