"""What of each task is in a folder, whether it loads, and how it differs from the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adapterxfer.catalog import DataSet, parts_of_task, task_specs
from adapterxfer.data.examples import Example
from adapterxfer.data.files import list_files
from adapterxfer.data.layouts import Layout, layout_files, read_layout
from adapterxfer.data.official import Need, find, find_development
from adapterxfer.data.original import read_part
from adapterxfer.errors import DataError

State = Literal["found", "absent", "refused"]


@dataclass(frozen=True, slots=True)
class Part:
    """One split of one language.

    Attributes:
        role: ``train``, ``dev``, ``test``, a split of candidates (``test-pool`` ...), or ``more`` for splits that a run
            does not need.
        dataset, split, language: what it is.
        state: whether it was found and loads.
        files: relative paths.
        examples: loaded.
        expected: examples by the catalogue; None where it states none.
        message: why it was refused, or which files are expected.
    """

    role: str
    dataset: str
    split: str
    language: str
    state: State
    files: tuple[str, ...]
    examples: int
    expected: int | None
    message: str = ""

    @property
    def differs(self) -> bool:
        """Whether the number of examples is not the catalogue's."""
        return self.state == "found" and self.expected is not None and self.examples != self.expected


@dataclass(frozen=True, slots=True)
class TaskCheck:
    """All parts of a task and what its readers repaired or left out."""

    task: str
    parts: tuple[Part, ...]
    notes: Mapping[str, int]

    @property
    def runnable(self) -> bool:
        """Whether training data and at least one test language load."""
        roles = {part.role for part in self.parts if part.state == "found"}
        needed = {part.role for part in self.parts if part.role not in ("dev", "more")}
        whole = all(part.state == "found" for part in self.parts if part.role == "train")
        return needed <= roles and whole


def check_folder(
    root: Path, names: Sequence[str] = (), *, layouts: Mapping[str, Mapping[str, Layout]] | None = None
) -> list[TaskCheck]:
    """Check tasks.

    Args:
        root: the data root.
        names: tasks; all that are read from files when empty.
        layouts: described layouts by task and role; they win over official names.

    Raises:
        DataError: the folder does not exist, or a task is unknown.
    """
    known = tuple(task_specs())
    for name in names:
        if name not in known:
            raise DataError(f"task '{name}' is not read from files", fix=f"tasks: {', '.join(known)}")
    files = list_files(root)
    return [_check(name, root, files, (layouts or {}).get(name, {})) for name in names or known]


def _check(task: str, root: Path, files: list[str], layouts: Mapping[str, Layout]) -> TaskCheck:
    notes: Counter[str] = Counter()
    languages = task_specs()[task].languages
    needs = find(task, files, languages)
    groups: dict[tuple[str, str, str, str], list[Need]] = {}
    for need in needs:
        groups.setdefault((need.role, need.data.name, need.split, need.language), []).append(need)
    parts = [_official(root, key, members, notes) for key, members in groups.items() if key[0] not in layouts]
    for role, layout in layouts.items():
        spoken = languages if role == "test" else ("en",)
        parts += [_described(task, root, role, layout, code, notes) for code in spoken]
    if (test := parts_of_task(task).test) is not None:
        parts += _more(test, root, files, languages, notes, {(p.dataset, p.split, p.language) for p in parts})
    return TaskCheck(task, tuple(parts), _kept(notes))


def _official(root: Path, key: tuple[str, str, str, str], needs: list[Need], notes: Counter[str]) -> Part:
    role, dataset, split, language = key
    data = needs[0].data
    expected = data.size(split, language)
    paths = tuple(path for need in needs for path in need.found)
    missing = next((need.problem for need in needs if need.problem), "")
    if missing or not paths:
        message = missing or "expected */" + " or */".join(needs[0].expected)
        return Part(role, dataset, split, language, "absent", paths, 0, expected, message)
    return _load(key, paths, expected, lambda: read_part(data, split, language, root, needs, role, notes))


def _load(key: tuple[str, str, str, str], paths: tuple[str, ...], expected: int | None, read: object) -> Part:
    role, dataset, split, language = key
    try:
        examples: list[Example] = read()  # type: ignore[operator]
    except DataError as error:
        return Part(role, dataset, split, language, "refused", paths, 0, expected, error.what)
    return Part(role, dataset, split, language, "found", paths, len(examples), expected)


def _described(task: str, root: Path, role: str, layout: Layout, language: str, notes: Counter[str]) -> Part:
    paths = tuple(layout_files(layout, root, language))
    key = (role, f"{task} (layout)", role, language)
    if not paths:
        return Part(*key, "absent", (), 0, None, f"expected {layout.path.format(lang=language)}")
    return _load(key, paths, None, lambda: read_layout(layout, task, [root / p for p in paths], language, notes))


def _more(
    data: DataSet,
    root: Path,
    files: list[str],
    languages: Sequence[str],
    notes: Counter[str],
    done: set[tuple[str, str, str]],
) -> list[Part]:
    """Development sets of other languages: no run uses them, but they tell what a folder holds."""
    parts = []
    for language in languages:
        if (data.name, "dev", language) in done:
            continue
        needs = find_development(data, files, [language], role="more")
        if any(need.found and not need.optional for need in needs):
            parts.append(_official(root, ("more", data.name, "dev", language), needs, notes))
    return parts


def _kept(notes: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in sorted(notes.items()) if count}
