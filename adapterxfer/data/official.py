"""Which official files a task needs, and which of them are there. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from adapterxfer.catalog import DataSet, TaskLike, parts_of_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One file, or several, that a task needs.

    Attributes:
        role: ``train``, ``dev`` or ``test`` of the task, or a split of candidates.
        data, split, language: what it is of.
        found: relative paths.
        expected: the patterns, for messages.
        optional: whether the task works without it.
        marked: whether the file is optional in itself, whatever else is there.
        ambiguous: whether several files match where one is meant.
        misnamed: relative paths of files that are named like it but for case, signs and the order of the words; only
            where nothing was found.
    """

    role: str
    data: DataSet
    split: str
    language: str
    found: tuple[str, ...]
    expected: tuple[str, ...]
    optional: bool
    marked: bool
    ambiguous: bool
    misnamed: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong; empty if nothing."""
        subject = f"{self.role} {self.language} ({self.data.name})"
        if self.ambiguous:
            return f"{subject}: {len(self.found)} files match ({', '.join(self.found)}); keep one"
        if self.misnamed:
            return (
                f"{subject}: {', '.join(self.misnamed)} is not read: the official name is */"
                f"{' or */'.join(self.expected)} (also .gz, .bz2); rename it"
            )
        if not self.found and not self.optional:
            return f"{subject}: missing, expected */{' or */'.join(self.expected)} (also .gz, .bz2)"
        return ""


class Index:
    """Relative paths by their last part, without the endings of packed files."""

    def __init__(self, files: Iterable[str]) -> None:
        self._by_name: dict[str, list[tuple[str, str]]] = {}
        self._alike: dict[str, list[tuple[str, str]]] = {}
        for path in files:
            plain = path.removesuffix(".gz").removesuffix(".bz2")
            name = plain.rpartition("/")[2]
            self._by_name.setdefault(name, []).append((plain, path))
            for key in {_letters(name), _words(name)}:
                self._alike.setdefault(key, []).append((plain, path))

    def match(self, pattern: str) -> list[str]:
        """Paths whose last parts match; ``*`` matches within a part."""
        tail = pattern.rpartition("/")[2]
        names = [tail] if tail in self._by_name else []
        if not names and any(sign in tail for sign in "*?["):
            names = [name for name in self._by_name if fnmatchcase(name, tail)]
        depth = pattern.count("/") + 1
        folders = pattern.split("/")
        return sorted(
            path
            for name in names
            for plain, path in self._by_name[name]
            if len(path_tail := plain.split("/")[-depth:]) == depth
            and all(fnmatchcase(folder, want) for folder, want in zip(path_tail, folders, strict=True))
        )

    def alike(self, pattern: str) -> list[str]:
        """Paths whose last parts have the letters and digits of a pattern, whatever their case and signs, or its words
        in another order.
        """
        *folders, name = pattern.split("/")
        if any(sign in pattern for sign in "*?["):
            return []  # a pattern says too little about a name to tell a wrong one from another file
        named = {row for key in (_letters(name), _words(name)) for row in self._alike.get(key, ())}
        around = [_letters(folder) for folder in folders]
        return sorted(
            path
            for plain, path in named
            if len(parts := plain.split("/")) > len(around)
            and [_letters(folder) for folder in parts[len(parts) - 1 - len(around) : -1]] == around
        )


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _words(name: str) -> str:
    """The words of a name in alphabetic order."""
    return " ".join(sorted(re.findall(r"[^\W_]+", name.lower())))


def find(
    task: TaskLike, files: Iterable[str], languages: Sequence[str], *, protocol: str = "", without: Iterable[str] = ()
) -> list[Need]:
    """Everything a task needs for these test languages, with what was found of it.

    Args:
        task: a task, or the name of another way to read one.
        protocol: decides which files are read where a task can be read in several ways.
        without: roles that a described layout serves.
    """
    parts, index = parts_of_task(task, protocol), Index(files)
    requests = [("train", *trained) for trained in parts.train]
    requests += [("dev", *judged) for judged in parts.dev]
    if parts.test is not None:
        requests += [("test", parts.test, "test", code) for code in languages]
        spoken = parts.pool_languages(languages)
        requests += [(split, parts.test, split, code) for split in parts.pools for code in spoken]
    requests = [request for request in requests if request[0] not in set(without)]
    needs = []
    for role, data, split, language in requests:
        for group in data.files[split]:
            need = look_up(index, data, split, language, group, role=role)
            needs.append(replace(need, optional=True) if role == "dev" and not parts.needs_dev else need)
    if any(need.role == "dev" and need.found for need in needs):
        # A development set is cut from the training data only where there is none at all, never half of one.
        needs = [replace(need, optional=need.marked) if need.role == "dev" else need for need in needs]
    return needs


def find_development(data: DataSet, files: Iterable[str], languages: Sequence[str], role: str = "dev") -> list[Need]:
    """Development files of a data set in some languages, found or not."""
    index = Index(files)
    return [look_up(index, data, "dev", code, group, role=role) for code in languages for group in data.development()]


def look_up(index: Index, data: DataSet, split: str, language: str, group: Sequence[str], *, role: str) -> Need:
    """What there is of one group of files: the matches of its first pattern that has any."""
    expected = data.patterns(tuple(group), language)
    paths = next((paths for pattern in expected if (paths := index.match(pattern))), [])
    marked = group[0].startswith("?")
    return Need(
        role=role,
        data=data,
        split=split,
        language=language,
        found=tuple(paths),
        expected=expected,
        optional=marked,
        marked=marked,
        ambiguous=len(paths) > 1 and not group[0].startswith("+"),
        misnamed=() if paths else tuple(dict.fromkeys(path for p in expected for path in index.alike(p))),
    )
