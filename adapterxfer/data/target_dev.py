"""Development data in the target languages, for the oracle: which files they are, and reading them.

They are found beside the other files of a task and kept apart from them: no file that the recipe tests on may select,
by name or by content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adapterxfer.catalog import DataSet, TargetDev, parts_of_task, task_specs
from adapterxfer.catalog.tasks import TaskLike
from adapterxfer.data.examples import Example, TaskData
from adapterxfer.data.files import HashCache, list_files
from adapterxfer.data.held_out import keep
from adapterxfer.data.official import Need, find, find_development
from adapterxfer.data.original import needed_under
from adapterxfer.data.readers import reader_of
from adapterxfer.data.sources import with_reading
from adapterxfer.errors import DataError

LEAVE_OUT = "or name the other targets: oracle: [TARGET, ...]"


class DevFiles(NamedTuple):
    """What an oracle on one task reads.

    Attributes:
        source: as in the identity of a prepare stage.
        languages: those that have development data, in the order asked for.
    """

    source: dict[str, Any]
    languages: tuple[str, ...]


def target_dev_of(task: str) -> TargetDev:
    """The catalogue's development data of a target.

    Raises:
        DataError: the task has no development data in its target languages.
    """
    spec = task_specs().get(task)
    target_dev = spec.target_dev if spec is not None else None
    if target_dev is None or target_dev.why_not:
        why = target_dev.why_not if target_dev is not None else "the catalogue knows of none"
        raise DataError(f"{task}: no development data in the target languages: {why}", fix=LEAVE_OUT)
    return target_dev


def _tested(task: str, protocol: str = "") -> DataSet:
    """The data set whose ``dev`` split holds them."""
    test = parts_of_task(task, protocol).test
    assert test is not None  # every target has one
    return test


def find_dev(task: str, files: Iterable[str], languages: Sequence[str], protocol: str = "") -> list[Need]:
    """Development files of a task in some languages, found or not.

    Args:
        files: relative paths to choose from.
        protocol: questions as they were released need no file of another language beside those of the languages.
    """
    target_dev_of(task)
    return needed_under(find_development(_tested(task, protocol), files, languages), protocol)


def describe_target_dev(
    task: str, root: Path, languages: Sequence[str], protocol: str, *, tested: Mapping[str, str]
) -> DevFiles:
    """Names and checksums of the development files in the target languages.

    Args:
        tested: relative path -> sha256 of the files that the recipe tests on.

    Raises:
        DataError: files are missing, no language has any, or one of them is tested on.
    """
    target_dev = target_dev_of(task)
    needs = find_dev(task, list_files(root), languages, protocol)
    absent = {need.language for need in needs if not need.found and not need.optional}
    without = absent & set(languages if target_dev.by_release else target_dev.without)
    spoken = tuple(code for code in languages if code not in without)
    needs = [need for need in needs if need.language in spoken]
    problems = [need.problem for need in needs if need.problem]
    if not spoken:
        shown = " or ".join(f"*/{name}" for need in find_dev(task, (), languages[:1]) for name in need.expected)
        problems.append(f"no language has a development file, such as {shown}")
    if problems:
        lines = [f"data_root '{root}': oracle on {task}:", *(f"    {line}" for line in problems)]
        raise DataError("\n".join(lines), fix=f"put the development files there, {LEAVE_OUT}")
    cache = HashCache()
    paths = sorted({path for need in needs for path in need.found})
    hashed = {path: cache.sha256(root / path) for path in paths}
    source = with_reading([_tested(task, protocol)], root, hashed, cache)
    cache.save()
    by_content = {content: path for path, content in tested.items()}
    if both := [path for path in paths if hashed[path] in by_content]:
        shown = ", ".join(
            path if path in tested else f"{path} (the same content as {by_content[hashed[path]]})" for path in both[:4]
        )
        raise DataError(
            f"oracle on {task}: the recipe tests on its development data: {shown}",
            fix=f"test on the official test files, {LEAVE_OUT}",
        )
    return DevFiles(source, spoken)


def tested_files(
    task: TaskLike, root: Path, languages: Sequence[str], protocol: str, source: Mapping[str, Any]
) -> dict[str, str]:
    """Files of a task's own source that are tested on, with their checksums.

    Args:
        source: that of the task's prepare stage, of kind ``files``.
    """
    if "test" in (source.get("layout") or {}):
        from adapterxfer.data.layouts import layout_files, parse_roles

        layout = parse_roles(task, source["layout"])["test"]
        paths = {path for code in languages for path in layout_files(layout, root, code)}
    else:
        needs = find(task, source["files"], languages, protocol=protocol)
        paths = {path for need in needs if need.role.startswith("test") for path in need.found}
    return {path: content for path, content in source["files"].items() if path in paths}


def read_target_dev(
    task: str, root: Path, files: Iterable[str], languages: Sequence[str], *, dev_examples: int | None, seed: int,
    protocol: str = "",
) -> TaskData:  # fmt: skip
    """Development examples of a task in the target languages, as split ``dev``, from original files.

    Args:
        files: relative paths, those of the stage's identity.
        languages: those that have some.
        dev_examples: how many to keep in each language; ``None`` keeps all.
        seed: chooses which; in parallel data the same in every language.

    Raises:
        DataError: a file is missing or damaged, or a language would be empty.
    """
    needs = find_dev(task, files, languages, protocol)
    if problems := [need.problem for need in needs if need.problem]:
        raise DataError(f"{root}: {task}: {'; '.join(problems)}", fix="plan the recipe again with these files")
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    for code in languages:
        relative = dict.fromkeys(path for need in needs if need.language == code for path in need.found)
        # XTREME joins the treebanks of a language by the names of their files, wherever they lie.
        paths = [root / path for path in sorted(relative, key=lambda path: path.rpartition("/")[2])]
        splits["dev", code] = keep(reader_of(_tested(task, protocol), "dev")(paths, code, notes), dev_examples, seed)
    return _checked(task, splits, notes, str(root))


def read_hub_dev(
    task: str, languages: Sequence[str], *, dev_examples: int | None, seed: int, protocol: str = "",
    revisions: Mapping[str, str] | None = None,
) -> TaskData:  # fmt: skip
    """The same from the Hub.

    Args:
        revisions: repository -> commit, in place of what the catalogue names.

    Raises:
        DataError: the repository has none, cannot be loaded, or is not what the catalogue says.
    """
    from adapterxfer.data.hub import read_repository

    if target_dev_of(task).files_only:
        raise no_repository(task)
    data = _tested(task)
    notes: Counter[str] = Counter()
    splits: dict[tuple[str, str], list[Example]] = {}
    for code in languages:
        examples = read_repository(
            data, "dev", code, parts_of_task(task).format, notes, protocol=protocol, revisions=revisions or {}
        )
        splits["dev", code] = keep(examples, dev_examples, seed)
    return _checked(task, splits, notes, data.name)


def no_repository(task: str) -> DataError:
    """The error of an oracle whose data are on no repository."""
    shown = ", ".join(dict.fromkeys(p for need in find_dev(task, (), ("XX",)) for p in need.expected))
    return DataError(
        f"oracle on {task}: no repository on the Hub holds development data in the target languages; files {shown}",
        fix=f"put all original files of the task into a folder and give --set data_root=PATH, {LEAVE_OUT}",
    )


def _checked(task: str, splits: dict[tuple[str, str], list[Example]], notes: Counter[str], subject: str) -> TaskData:
    if empty := [code for (_, code), examples in splits.items() if not examples]:
        raise DataError(
            f"{subject}: {task}: no development example in {', '.join(empty)}", fix="leave the language out"
        )
    parts = parts_of_task(task)
    kept = {name: count for name, count in sorted(notes.items()) if count}
    return TaskData(task, parts.format, parts.labels, splits, kept)
