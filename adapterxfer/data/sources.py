"""Where the original files of tasks and texts are below `data_root`, and what identifies them. Torch-free.

Files are found by their official names anywhere below the folder, packed or not, so the layout of a download does not
matter. Everything that is missing for a whole recipe is reported in one error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adapterxfer.catalog import DataSet, TaskLike, name_of, parts_of_task
from adapterxfer.data.composing import holds_uncomposed
from adapterxfer.data.conllu import hides_words
from adapterxfer.data.files import HashCache, closed_links, file_sha256, list_files, plain_name
from adapterxfer.data.official import find
from adapterxfer.errors import DataError

CORPUS = "corpus"
"""Name under which the plain text of `pretrain` is asked for, beside the names of tasks."""

SOURCES_FILE = "SOURCES.tsv"
"""Optional list of the parts of the text files, from which translation pairs are recovered; see `data.pairs`."""

READING = 2
"""Version of reading files, in the identity of those that give other examples than with the first: some described
layouts, and treebanks with hidden words."""


COMPOSED = "composed"
"""In the ``source`` of data some of whose texts are not in Unicode NFC: they are composed before they are tokenized."""


class Located(NamedTuple):
    """A file that was located; of a file of all languages, ``language`` is empty."""

    role: str
    language: str
    path: str


def locate(task: str, files: Iterable[str], languages: Sequence[str]) -> tuple[list[Located], list[str]]:
    """Find what a task needs among relative paths.

    Args:
        task: name of a task, or of another way to read one, or `CORPUS`.

    Returns:
        The files, and one line for each need that is missing or ambiguous.
    """
    if task == CORPUS:
        return _locate_corpus(files, languages)
    needs = find(task, files, languages)
    located = [Located(need.role, need.language, path) for need in needs for path in need.found]
    return located, [need.problem for need in needs if need.problem]


def _locate_corpus(files: Iterable[str], languages: Sequence[str]) -> tuple[list[Located], list[str]]:
    """One text per language, and the optional list of their parts."""
    by_name: dict[str, list[str]] = {}
    for path in files:
        by_name.setdefault(plain_name(path), []).append(path)
    located: list[Located] = []
    problems: list[str] = []
    for language, name in [*((code, f"{code}.txt") for code in languages), ("", SOURCES_FILE)]:
        paths = sorted(by_name.get(name, ()))
        if len(paths) > 1:
            # Names such as de.txt are common: a folder called text decides.
            paths = [path for path in paths if "text" in path.split("/")[:-1]] or paths
        subject = f"text {language}".strip()
        if len(paths) > 1:
            problems.append(f"{subject}: {len(paths)} files match ({', '.join(paths)}); keep one")
        elif paths:
            located.append(Located("text", language, paths[0]))
        elif language:
            problems.append(f"{subject}: missing, expected */{name} (also .gz, .bz2)")
    return located, problems


def describe_source(
    task: str, data_root: str | Path, languages: Sequence[str], *, cache: HashCache | None = None,
    apart: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """The ``source`` identity of one task: ``{kind: "files", files: {relative path: sha256}}``.

    Args:
        task: a task name, or `CORPUS`.
        data_root: folder of the original files.
        languages: test languages of the task, or languages of the corpus.
        cache: hashes already known.
        apart: folders of translations, as in `list_files`.

    Raises:
        DataError: files are missing; lists all of this task.
    """
    return describe_sources([(task, languages)], data_root, cache=cache, apart=apart)[task]


def describe_sources(
    requests: Iterable[tuple[str, Sequence[str]]], data_root: str | Path | None, *, cache: HashCache | None = None,
    apart: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """`describe_source` for many tasks; everything missing in all of them is one error.

    Args:
        requests: ``(task, languages)``.
        data_root: ``None`` when the recipe has none: the error then says what such a folder must hold.
        cache: hashes already known; by default the user's cache file.
        apart: folders of translations, as in `list_files`.

    Raises:
        DataError: files are missing, or the folder is.
    """
    requests = list(requests)
    if data_root is None:
        lines = [line for task, languages in requests for line in _report(task, locate(task, (), languages)[1])]
        raise DataError(
            "\n".join(["data_root is not set; it must hold", *lines]),
            fix="give the folder of the original files: --set data_root=PATH",
        )
    root = Path(data_root)
    files = list_files(root, apart)
    located: dict[str, list[Located]] = {}
    problems: list[str] = []
    for task, languages in requests:
        located[task], missing = locate(task, files, languages)
        problems += _report(task, missing)
    if problems:
        raise DataError(
            "\n".join([f"data_root '{root}': files are missing or ambiguous", *problems]),
            fix="put the original files there (any folder below it), or ask for fewer tasks or languages",
        )
    cache = cache or HashCache()
    described = {}
    for task, files_of_task in located.items():
        hashed = {file.path: cache.sha256(root / file.path) for file in files_of_task}
        if task == CORPUS:
            # The tokenizer that is made from it composes by itself, so that nothing changes.
            described[task] = {"kind": "files", "files": hashed}
        else:
            described[task] = with_reading(parts_of_task(task).data_sets(), root, hashed, cache)
    cache.save()
    return described


def with_reading(
    data_sets: Iterable[DataSet], root: Path, hashed: Mapping[str, str], cache: HashCache
) -> dict[str, Any]:
    """The ``source`` of files, with what has changed since in reading these, so that all others keep their keys.

    Treebanks with hidden words are read otherwise, and texts that are not in NFC are tokenized otherwise.

    Args:
        data_sets: that the files may be of.
        hashed: relative path -> sha256.
    """
    hidden = any(data.hides_words for data in data_sets) and any(
        cache.fact(root / path, "#hides", hides_words) for path in hashed if plain_name(path).endswith(".conllu")
    )
    source = with_composing(root, hashed, cache)
    return {**source, "reading": READING} if hidden else source


def with_composing(root: Path, hashed: Mapping[str, str], cache: HashCache) -> dict[str, Any]:
    """The ``source`` of files that says whether composing changes any of their texts.

    Args:
        hashed: relative path -> sha256.
    """
    source = {"kind": "files", "files": dict(hashed)}
    changed = any(cache.fact(root / path, "#uncomposed", holds_uncomposed) for path in hashed)
    return {**source, COMPOSED: True} if changed else source


def describe_layouts(
    task: TaskLike, data_root: str | Path, languages: Sequence[str], layouts: Mapping[Any, Any], protocol: str = "",
    *, apart: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """The ``source`` identity of a task with described layouts: also the layouts themselves, as they decide the data.

    Args:
        layouts: role -> layout as the user wrote it; other roles are read from official files.
        apart: folders of translations, as in `list_files`.

    Raises:
        DataError: a layout is wrong, or files are missing.
    """
    from adapterxfer.data.layout_reading import LANGUAGE
    from adapterxfer.data.layouts import layout_files, parse_roles

    root = Path(data_root)
    needs = find(task, list_files(root, apart), languages, protocol=protocol, without=layouts)
    problems = [need.problem for need in needs if need.problem]
    paths = [path for need in needs for path in need.found]
    for role, layout in parse_roles(task, layouts).items():
        if role == "test" and len(languages) > 1 and LANGUAGE not in layout.path:
            problems.append(f"test: {layout.path} is one file for {len(languages)} languages; write {LANGUAGE} into it")
        for code in languages if role == "test" else ("en",):
            matches = layout_files(layout, root, code)
            paths += matches
            if not matches:
                problems.append(f"{role} {code}: no file {layout.path.replace(LANGUAGE, code)}")
    if problems:
        raise DataError(
            "\n".join([f"data_root '{root}':", *_report(name_of(task), problems)]), fix="correct the layout"
        )
    cache = HashCache()
    hashed = {path: cache.sha256(root / path) for path in sorted(set(paths))}
    described = {
        **with_reading(parts_of_task(task, protocol).data_sets(), root, hashed, cache),
        "layout": dict(layouts),
    }
    cache.save()
    return {**described, "reading": READING} if _read_otherwise(parts_of_task(task).format, layouts) else described


def _read_otherwise(form: str, layouts: Mapping[Any, Any]) -> bool:
    """Whether these descriptions were read otherwise before `READING`: answers in cells of text, and mapped tags."""
    return form == "span_qa" or (form == "tagging" and any("labels" in layout for layout in layouts.values()))


def describe_present(
    task: str, data_root: str | Path, languages: Sequence[str], *, apart: Sequence[str] = ()
) -> dict[str, Any] | None:
    """`describe_source`, or None where no file of the task is there.

    Raises:
        DataError: some files are there and others are not, or several are where one is meant. The Hub's copy in place
            of all of them would be trained on without a word.
    """
    needs = find(task, list_files(Path(data_root), apart), languages)
    if not (problems := [need.problem for need in needs if need.problem]):
        return describe_source(task, data_root, languages, apart=apart)
    present = dict.fromkeys(path for need in needs for path in (*need.found, *need.misnamed))
    if not present:
        if closed := closed_links(Path(data_root)):
            raise DataError(
                f"data_root '{data_root}': {task}: no file of it, but links that are not followed, since they lead "
                f"nowhere or to a folder around it: {', '.join(closed[:8])}",
                fix=f"repair or remove the links, or read all of it from the Hub: tasks: {{{task}: {{source: hub}}}}",
            )
        return None
    shown = [f"it has {', '.join(list(present)[:8])}{' ...' if len(present) > 8 else ''}", *problems]
    raise DataError(
        "\n".join([f"data_root '{data_root}': some files of a task are missing or ambiguous", *_report(task, shown)]),
        fix=f"put the others there, or read all of it from the Hub: tasks: {{{task}: {{source: hub}}}}",
    )


def _report(task: str, problems: list[str]) -> list[str]:
    return [f"  {task}:", *(f"    {line}" for line in problems)] if problems else []


def check_source(data_root: object, source: Mapping[str, Any]) -> Path:
    """The data root, after checking that every file of an identity still has its bytes.

    Raises:
        DataError: the setting is absent, or a file is missing or changed since the plan was made.
    """
    if not isinstance(data_root, str | Path) or not str(data_root):
        raise DataError("data_root is not set", fix="give the folder of the original files: --set data_root=PATH")
    root = Path(data_root)
    for relative, expected in source["files"].items():
        path = root / relative
        if not path.is_file():
            raise DataError(f"{path}: not found", fix="restore the file, or plan the recipe again")
        if file_sha256(path) != expected:
            raise DataError(
                f"{path}: changed since the plan was made", fix="run again: the plan is made from the new file"
            )
    return root
