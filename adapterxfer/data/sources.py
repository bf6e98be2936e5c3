"""Which original files a task needs, where they are below `data_root`, and what identifies them. Torch-free.

Files are found by their official names anywhere below the folder, packed or not, so the layout of a download does not
matter. Everything that is missing for a whole recipe is reported in one error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from adapterxfer.catalog import FUSED
from adapterxfer.data.compositions import COMPOSITIONS
from adapterxfer.data.files import HashCache, file_sha256, list_files, plain_name
from adapterxfer.errors import DataError

Role = Literal["train", "dev", "test", "text"]

CORPUS = "corpus"
"""Name under which the plain text of `pretrain` is asked for, beside the names of tasks."""

UDPOS_FUSED = "udpos/fused"
"""Name of the files of udpos where its protocol has fused words."""

SOURCES_FILE = "SOURCES.tsv"
"""Optional list of the parts of the text files, from which translation pairs are recovered; see `data.pairs`."""

TYDIQA_LANGUAGES = {
    "ar": "arabic", "bn": "bengali", "en": "english", "fi": "finnish", "id": "indonesian",
    "ko": "korean", "ru": "russian", "sw": "swahili", "te": "telugu",
}  # fmt: skip
"""Codes of TyDi QA's languages and the names that begin its example ids and file names."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing a task needs.

    Attributes:
        role: what it is used for.
        language: of the examples; empty for a file of all languages.
        patterns: official file names without compression ending, the best first; ``*`` matches anything.
        several: whether all matches are read (treebanks of a language) or exactly one is allowed.
        optional: whether the task works without it.
    """

    role: Role
    language: str
    patterns: tuple[str, ...]
    several: bool = False
    optional: bool = False


class Located(NamedTuple):
    """A file found for a need."""

    role: Role
    language: str
    path: str


def file_task(task: str, protocol: str) -> str:
    """The name under which the files of a task are looked up: treebanks read as XTREME does are more files."""
    return UDPOS_FUSED if task == "udpos" and FUSED in protocol.split("/") else task


def wanted_files(task: str, languages: Sequence[str]) -> list[Wanted]:
    """What a task needs for these test languages (for `CORPUS`: training languages).

    Raises:
        DataError: the task is not read from files.
    """
    squad_train = Wanted("train", "en", ("train-v1.1.json", "*train*-v1.1.json"))
    tydiqa_train = Wanted("train", "en", ("tydiqa.goldp.en.train.json", "tydiqa-goldp-v1.1-train.json"))
    match task:
        case "corpus":
            parts = Wanted("text", "", (SOURCES_FILE,), optional=True)
            return [*(Wanted("text", code, (f"{code}.txt",)) for code in languages), parts]
        case "udpos":
            train = [
                Wanted("train", "en", ("en_ewt-ud-train.conllu",)),
                Wanted("dev", "en", ("en_ewt-ud-dev.conllu",)),
            ]
            return train + [Wanted("test", code, (f"{code}_*-ud-test.conllu",), several=True) for code in languages]
        case "udpos/fused":
            train = [
                Wanted(role, "en", (f"en_*-ud-{role}.conllu",), several=True)
                for role in cast("tuple[Role, ...]", ("train", "dev"))
            ]
            return train + [Wanted("test", code, (f"{code}_*-ud-test.conllu",), several=True) for code in languages]
        case "squad-gold-sentence":
            return [squad_train]
        case "xquad-gold-sentence":
            return [squad_train, *(_xquad_test(code) for code in languages)]
        case "tydiqa-gold-sentence":
            return [tydiqa_train, *(_tydiqa_test(code) for code in languages)]
        case "tydiqa-xquad-gold-sentence":
            return [tydiqa_train, *(_xquad_test(code) for code in languages)]
        case _:
            raise DataError(
                f"task '{task}': no reader for original files",
                fix="`adapterxfer ls tasks` says which tasks load; describe other files with a layout in the recipe",
            )


def _xquad_test(code: str) -> Wanted:
    return Wanted("test", code, (f"xquad.{code}.json",))


def _tydiqa_test(code: str) -> Wanted:
    names = (f"tydiqa.goldp.{code}.dev.json", f"tydiqa-goldp-dev-{TYDIQA_LANGUAGES.get(code, code)}.json")
    return Wanted("test", code, (*names, "tydiqa-goldp-v1.1-dev.json"))


def locate(task: str, files: Iterable[str], languages: Sequence[str]) -> tuple[list[Located], list[str]]:
    """Find what a task needs among relative paths.

    Returns:
        The files found, and one line for each need that is missing or ambiguous.
    """
    if task in COMPOSITIONS:
        from adapterxfer.data.official import find

        needs = find(task, files, languages)
        places: list[Located] = [Located(n.role, n.language, path) for n in needs for path in n.found]  # type: ignore[arg-type]
        return places, [need.problem for need in needs if need.problem]
    by_name: dict[str, list[str]] = {}
    for path in files:
        by_name.setdefault(plain_name(path), []).append(path)
    found: list[Located] = []
    problems: list[str] = []
    for need in wanted_files(task, languages):
        matches = _matches(need, by_name)
        place = f"{need.role} {need.language}".strip()
        if not matches and need.optional:
            continue
        if not matches:
            problems.append(f"{place}: missing, expected */{' or */'.join(need.patterns)} (also .gz, .bz2)")
        elif len(matches) > 1 and not need.several:
            problems.append(f"{place}: {len(matches)} files match ({', '.join(matches)}); keep one")
        else:
            found += [Located(need.role, need.language, path) for path in matches]
    return found, problems


def _matches(need: Wanted, by_name: Mapping[str, list[str]]) -> list[str]:
    """Paths of the first pattern that matches anything."""
    for pattern in need.patterns:
        if "*" in pattern:
            paths = [path for name, paths in by_name.items() if fnmatchcase(name, pattern) for path in paths]
        else:
            paths = by_name.get(pattern, [])
        if need.role == "text" and len(paths) > 1:
            # Names such as de.txt are common: a folder called text decides.
            paths = [path for path in paths if "text" in path.split("/")[:-1]] or paths
        if paths:
            return sorted(paths)
    return []


def describe_source(
    task: str, data_root: str | Path, languages: Sequence[str], *, cache: HashCache | None = None
) -> dict[str, Any]:
    """The ``source`` identity of one task: ``{kind: "files", files: {relative path: sha256}}``.

    Args:
        task: a task name, or `CORPUS`.
        data_root: folder of the original files.
        languages: test languages of the task, or languages of the corpus.
        cache: hashes already known.

    Raises:
        DataError: files are missing; lists all of this task.
    """
    return describe_sources([(task, languages)], data_root, cache=cache)[task]


def describe_sources(
    requests: Iterable[tuple[str, Sequence[str]]], data_root: str | Path | None, *, cache: HashCache | None = None
) -> dict[str, dict[str, Any]]:
    """`describe_source` for many tasks; everything missing in all of them is one error.

    Args:
        requests: ``(task, languages)``.
        data_root: ``None`` when the recipe has none: the error then says what such a folder must hold.
        cache: hashes already known; by default the user's cache file.

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
    files = list_files(root)
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
    described = {
        task: {"kind": "files", "files": {entry.path: cache.sha256(root / entry.path) for entry in entries}}
        for task, entries in located.items()
    }
    cache.save()
    return described


def describe_layouts(
    task: str, data_root: str | Path, languages: Sequence[str], layouts: Mapping[Any, Any]
) -> dict[str, Any]:
    """The ``source`` identity of a task with described layouts: also the layouts themselves, as they decide the data.

    Args:
        layouts: role -> layout as the user wrote it; other roles are read from official files.

    Raises:
        DataError: a layout is wrong, or files are missing.
    """
    from adapterxfer.data.layouts import layout_files, parse_layouts
    from adapterxfer.data.official import find

    root = Path(data_root)
    needs = find(task, list_files(root), languages, without=layouts)
    problems = [need.problem for need in needs if need.problem]
    paths = [path for need in needs for path in need.found]
    for role, layout in parse_layouts({task: layouts}, "layout")[task].items():
        for code in languages if role == "test" else ("en",):
            found = layout_files(layout, root, code)
            paths += found
            if not found:
                problems.append(f"{role} {code}: no file {layout.path.format(lang=code)}")
    if problems:
        raise DataError("\n".join([f"data_root '{root}':", *_report(task, problems)]), fix="correct the layout")
    cache = HashCache()
    hashed = {path: cache.sha256(root / path) for path in sorted(set(paths))}
    cache.save()
    return {"kind": "files", "files": hashed, "layout": dict(layouts)}


def describe_present(task: str, data_root: str | Path, languages: Sequence[str]) -> dict[str, Any] | None:
    """`describe_source`, or None where files of the task are missing."""
    if locate(task, list_files(Path(data_root)), languages)[1]:
        return None
    return describe_source(task, data_root, languages)


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
