"""Multilingual text and translated training data of an arm, from folders of the user.

Texts are files ``XX.txt``, one text per line. Translations are copies of a task's training files under their original
names, one folder per language; they are read by the reader of the original, so a broken translation is found as a
broken original would be. Both are named relative to `data_root`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterxfer.catalog import parts_of_task, task_specs
from adapterxfer.data.examples import Example, TaggingExample, TaskData
from adapterxfer.data.files import HashCache, list_files
from adapterxfer.data.held_out import keep
from adapterxfer.data.official import Need, find
from adapterxfer.data.original import read_part
from adapterxfer.data.sources import with_composing
from adapterxfer.data.texts import sample_lines
from adapterxfer.errors import DataError


def describe_texts(
    data_root: str | Path | None, folder: str, languages: Sequence[str], option: str = "mlm_mix"
) -> dict[str, Any]:
    """The ``source`` identity of the texts of an MLM mix or of language adapters.

    Args:
        option: of the recipe, for messages.

    Raises:
        DataError: the folder is absent, or has no file for a language.
    """
    root, files = _listed(data_root, folder, f"{option}: texts")
    paths = {code: _text_file(files, folder, code) for code in languages}
    missing = [f"{folder}/{code}.txt" for code, path in paths.items() if not path]
    if missing:
        raise DataError(
            f"data_root '{root}': {option}: texts: missing {', '.join(missing)} (also .gz, .bz2)",
            fix=f"put one text file per language there, or name those there are in {option}.languages",
        )
    return _hashed(root, [path for path in paths.values() if path])


def describe_translations(
    task: str, data_root: str | Path | None, folder: str, languages: Sequence[str]
) -> dict[str, Any]:
    """The ``source`` identity of a translated intermediate task.

    Raises:
        DataError: the task has no reader of original files, or files of a language are missing.
    """
    root, files = _listed(data_root, folder, "translated: folder")
    paths: list[str] = []
    problems: list[str] = []
    for code in languages:
        needs = _needs(task, files, folder, code)
        problems += [f"{folder}/{code}: {need.problem}" for need in needs if need.problem]
        paths += [path for need in needs for path in need.found]
    if problems:
        raise DataError(
            "\n".join([f"data_root '{root}': translations of '{task}' are missing", *(f"  {p}" for p in problems)]),
            fix="put the translated training files there, or name the languages there are in translated.languages",
        )
    return _hashed(root, paths)


def read_text_lines(
    root: Path, files: Iterable[str], folder: str, languages: Sequence[str], count: int
) -> dict[str, list[str]]:
    """Language -> at most ``count`` lines of its file."""
    listed = list(files)
    paths = {code: _text_file(listed, folder, code) for code in languages}
    return {code: sample_lines(root / path, count) for code, path in paths.items() if path}


def read_translations(
    task: str,
    root: Path,
    files: Iterable[str],
    folder: str,
    languages: Sequence[str],
    *,
    train_examples: int | None,
    seed: int,
) -> TaskData:
    """The translated training examples, by language; the same examples are kept as of the original.

    Raises:
        DataError: a file is damaged, or a language has no example.
    """
    parts, listed = parts_of_task(task), list(files)
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    for code in languages:
        needs = _needs(task, listed, folder, code)
        joined: list[Example] = []
        for data, split, language in parts.train:
            prefix = f"{data.name}/" if len(parts.train) > 1 else ""
            joined += [
                replace(e, language=code, example_id=prefix + e.example_id, cluster_id=prefix + e.cluster_id)
                for e in read_part(data, split, language, root=root, needs=needs, role="train", notes=notes)
            ]
        if not joined:
            raise DataError(f"{root}: {folder}/{code}: no example of '{task}'", fix="repair the translated files")
        splits["train", code] = keep(joined, train_examples, seed)
    labels = parts.labels
    if parts.format == "tagging" and not labels:
        examples_of_all = (e for examples in splits.values() for e in examples)
        labels = tuple(sorted({tag for e in examples_of_all if isinstance(e, TaggingExample) for tag in e.tags}))
    counted: Mapping[str, int] = {name: count for name, count in sorted(notes.items()) if count}
    return TaskData(task, parts.format, labels, splits, dict(counted))


def _listed(data_root: str | Path | None, folder: str, option: str) -> tuple[Path, list[str]]:
    if data_root is None:
        raise DataError(
            f"data_root is not set; {option} ('{folder}') lies below it",
            fix="give the folder of the original files: --set data_root=PATH",
        )
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        raise DataError(
            f"{option} is '{folder}'", fix="name it relative to data_root, so that results do not depend on the machine"
        )
    root = Path(data_root)
    return root, list_files(root)


def _inside(files: Iterable[str], folder: str) -> list[str]:
    prefix = Path(folder).as_posix() + "/"
    return [path for path in files if path.startswith(prefix)]


def _text_file(files: Iterable[str], folder: str, code: str) -> str:
    relative = f"{Path(folder).as_posix()}/{code}.txt"
    return next((path for path in files if path.removesuffix(".gz").removesuffix(".bz2") == relative), "")


def _needs(task: str, files: Iterable[str], folder: str, code: str) -> list[Need]:
    if task not in task_specs():
        raise DataError(
            f"task '{task}': no reader for original files, so none for translations",
            fix="leave its translated arm out",
        )
    return find(task, _inside(files, f"{folder}/{code}"), (), without=("dev",))


def _hashed(root: Path, paths: Sequence[str]) -> dict[str, Any]:
    cache = HashCache()
    described = with_composing(root, {path: cache.sha256(root / path) for path in sorted(set(paths))}, cache)
    cache.save()
    return described
