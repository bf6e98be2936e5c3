"""Training data in the target languages, for supervision in them: which files they are, and reading them.

They are found beside the other files of a task, as its development data are. No file that the recipe tests on may be
among them, by name or by content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.catalog import DataSet, TaskSpec, name_of, parts_of_task
from adapterxfer.catalog.tasks import TaskLike
from adapterxfer.data.examples import Example, TaggingExample, TaskData
from adapterxfer.data.files import HashCache, list_files
from adapterxfer.data.layout_reading import LANGUAGE, Layout, layout_files
from adapterxfer.data.layouts import parse_roles
from adapterxfer.data.official import Index, Need, look_up
from adapterxfer.data.original import described
from adapterxfer.data.readers import reader_of
from adapterxfer.data.sources import with_reading
from adapterxfer.errors import DataError

TRAIN = "train"

FIX = "put the files there, or name the languages that have some in supervision: {KIND: {languages: [...]}}"


def describe_target_train(
    task: TaskLike, root: Path, languages: Sequence[str], protocol: str, *, layouts: Mapping[str, Any] | None,
    tested: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """The ``source`` identity of a task's training files in the target languages.

    Args:
        layouts: role -> layout, as the recipe describes the task; its training files then have ``{lang}`` in the path.
        tested: relative path -> sha256 of the files that the recipe tests on.

    Raises:
        DataError: files are missing, or one of them is tested on.
    """
    layout = _layout(task, layouts)
    if layout is not None:
        by_language = {code: layout_files(layout, root, code) for code in languages}
        absent = [code for code, there in by_language.items() if not there]
        problems = [f"train {code}: no file {layout.path.replace(LANGUAGE, code)}" for code in absent]
        paths = sorted({path for there in by_language.values() for path in there})
    else:
        needs = _needs(task, list_files(root), languages, protocol)
        problems = [need.problem for need in needs if need.problem]
        paths = sorted({path for need in needs for path in need.found})
    if problems:
        subject = f"data_root '{root}': training data of {name_of(task)} in the target languages:"
        lines = [subject, *(f"    {line}" for line in problems)]
        raise DataError("\n".join(lines), fix=FIX)
    cache = HashCache()
    hashed = {path: cache.sha256(root / path) for path in paths}
    source = with_reading([_trained(task, protocol)], root, hashed, cache)
    cache.save()
    by_content = {content: path for path, content in tested.items()}
    if both := [path for path in paths if hashed[path] in by_content]:
        shown = ", ".join(f"{path} (the content of {by_content[hashed[path]]})" for path in both[:4])
        raise DataError(
            f"supervision of {name_of(task)}: the recipe tests on what it would train on: {shown}",
            fix="test on the official test files",
        )
    return source if layout is None else {**source, "layout": {TRAIN: dict((layouts or {})[TRAIN])}}


def read_target_train(
    task: TaskLike, root: Path, source: Mapping[str, Any], languages: Sequence[str], *, protocol: str
) -> TaskData:
    """All training examples of a task in the target languages, as split ``train``, from the files of an identity.

    Raises:
        DataError: a file is missing or damaged, or a language would be empty.
    """
    layout = _layout(task, source.get("layout"))
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    needs = [] if layout is not None else _needs(task, source["files"], languages, protocol)
    for code in languages:
        if layout is not None:
            splits[TRAIN, code] = described(layout, task, root, code, notes)
            continue
        relative = dict.fromkeys(path for need in needs if need.language == code for path in need.found)
        paths = [root / path for path in sorted(relative, key=lambda path: path.rpartition("/")[2])]
        splits[TRAIN, code] = reader_of(_trained(task, protocol), TRAIN)(paths, code, notes)
    return _checked(task, splits, notes, str(root))


def read_hub_train(
    task: TaskLike, languages: Sequence[str], *, protocol: str = "", revisions: Mapping[str, str] | None = None
) -> TaskData:
    """The same from the Hub.

    Raises:
        DataError: the repository has none, cannot be loaded, or is not what the catalogue says.
    """
    from adapterxfer.data.hub import read_repository

    data, form = _trained(task, protocol), parts_of_task(task, protocol).format
    notes: Counter[str] = Counter()
    splits = {
        (TRAIN, code): read_repository(data, TRAIN, code, form, notes, protocol=protocol, revisions=revisions or {})
        for code in languages
    }
    return _checked(task, splits, notes, data.name)


def _layout(task: TaskLike, layouts: Mapping[str, Any] | None) -> Layout | None:
    """The described training files; None where official ones are read."""
    return parse_roles(task, {TRAIN: layouts[TRAIN]})[TRAIN] if layouts and TRAIN in layouts else None


def _trained(task: TaskLike, protocol: str) -> DataSet:
    """The data set that is tested, which has training data in the same languages; a declared task has another one."""
    parts = parts_of_task(task, protocol)
    data = parts.train[0].data if isinstance(task, TaskSpec) and task.declared else parts.test
    assert data is not None  # every target has one
    return data


def _needs(task: TaskLike, files: Iterable[str], languages: Sequence[str], protocol: str) -> list[Need]:
    data, index = _trained(task, protocol), Index(files)
    return [look_up(index, data, TRAIN, code, group, role=TRAIN) for code in languages for group in data.training()]


def _checked(
    task: TaskLike, splits: dict[tuple[str, str], list[Example]], notes: Counter[str], subject: str
) -> TaskData:
    if empty := [code for (_, code), examples in splits.items() if not examples]:
        raise DataError(
            f"{subject}: {name_of(task)}: no training example in {', '.join(empty)}",
            fix="name the other languages in supervision: {KIND: {languages: [...]}}",
        )
    parts = parts_of_task(task)
    labels = parts.labels
    if parts.format == "tagging" and not labels:
        examples_of_all = (e for examples in splits.values() for e in examples)
        labels = tuple(sorted({tag for e in examples_of_all if isinstance(e, TaggingExample) for tag in e.tags}))
    kept = {name: count for name, count in sorted(notes.items()) if count}
    return TaskData(name_of(task), parts.format, labels, splits, kept)
