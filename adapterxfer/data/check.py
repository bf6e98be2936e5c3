"""What of each task is in a folder, whether it loads, how it differs from the catalogue, and which items repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from adapterxfer.catalog import DataSet, TaskParts, parts_of_task, task_specs
from adapterxfer.data.composing import changes_of, count_uncomposed, texts_of
from adapterxfer.data.examples import Example, TaggingExample, TaskData
from adapterxfer.data.files import list_files
from adapterxfer.data.layout_reading import LANGUAGE
from adapterxfer.data.layouts import Layout, layout_files, layout_languages, read_layout
from adapterxfer.data.official import Need, find, find_development
from adapterxfer.data.original import read_part
from adapterxfer.data.repeats import item_of, parallel_by, repeated
from adapterxfer.data.storage import check_task
from adapterxfer.errors import DataError

State = Literal["found", "absent", "refused"]

SHOWN_CHANGES = 3
"""Changes by composing that are named for each split; the most frequent ones tell what kind of text it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCheck:
    """One split of one language of a task, as it lies in the folder.

    Attributes:
        role: ``train``, ``dev``, ``test``, a split of candidates (``test-pool`` ...), or ``more`` for splits that a run
            does not need.
        dataset, split, language: what it is.
        state: whether it was found and loads.
        files: relative paths.
        examples: loaded.
        expected: examples by the catalogue; None where it states none.
        message: why it was refused, or which files are expected.
        needed: whether a run is refused without it, whatever languages it tests.
        repeated: examples that ask what an earlier one of the same split asked.
        in_training: test examples that are in the training data too.
        texts, uncomposed: texts (each word of a tagged sentence is one), and those that are not in Unicode NFC.
        composing: what composing these changes most often: code points before and after, and how often.
    """

    role: str
    dataset: str
    split: str
    language: str
    state: State
    files: tuple[str, ...] = ()
    examples: int = 0
    expected: int | None = None
    message: str = ""
    needed: bool = False
    repeated: int = 0
    in_training: int = 0
    texts: int = 0
    uncomposed: int = 0
    composing: tuple[tuple[str, int], ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the number of examples is not the catalogue's."""
        return self.state == "found" and self.expected is not None and self.examples != self.expected


@dataclass(frozen=True, slots=True)
class TaskCheck:
    """All parts of a task and what its readers repaired or left out.

    Attributes:
        parallel_by: what tells that test items of different languages are one item: ``ids``, ``rows``, or nothing.
    """

    task: str
    parts: tuple[SplitCheck, ...]
    notes: Mapping[str, int]
    parallel_by: str = ""

    @property
    def runnable(self) -> bool:
        """Whether a run has all but test languages, of which it has one, and would refuse nothing that is there."""
        roles = {checked.role for checked in self.parts if checked.state == "found"}
        needed = {checked.role for checked in self.parts if checked.role not in ("dev", "more")}
        stopped = any(
            checked.state == "refused" or (checked.needed and checked.state == "absent") for checked in self.parts
        )
        return needed <= roles and not stopped

    @property
    def files(self) -> frozenset[str]:
        """Relative paths of everything found, but of what no run needs."""
        return frozenset(path for checked in self.parts if checked.role != "more" for path in checked.files)

    @property
    def partial(self) -> tuple[str, ...]:
        """What keeps a task of which some files are there from running; empty where it runs, or nothing is there."""
        if self.runnable or not any(checked.state == "found" for checked in self.parts):
            return ()
        roles = {checked.role for checked in self.parts if checked.state == "found"}
        absent = [checked for checked in self.parts if checked.state == "absent"]
        lacking = [
            checked
            for checked in absent
            if checked.needed or (checked.role not in roles and checked.role not in ("dev", "more"))
        ]
        return tuple(dict.fromkeys(checked.message for checked in lacking))


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
    return [_Checker(name, root, files, (layouts or {}).get(name, {})).check() for name in names or known]


class _Checker:
    """Looks at one task; remembers what is trained on and tested, to compare them."""

    def __init__(self, task: str, root: Path, files: list[str], layouts: Mapping[str, Layout]) -> None:
        self.task, self.root, self.files, self.layouts = task, root, files, layouts
        spec = task_specs()[task]
        self.languages = (*spec.languages, *spec.more)
        self.material: TaskParts = parts_of_task(task)
        self.notes: Counter[str] = Counter()
        self.trained: set[str] = set()
        self.tests: dict[str, list[Example]] = {}

    def check(self) -> TaskCheck:
        """All parts, training data first."""
        groups: dict[tuple[str, str, str], list[Need]] = {}
        for need in find(self.task, self.files, self.languages, without=self.layouts):
            groups.setdefault((need.role, need.data.name, need.language), []).append(need)
        official = list(groups.values())
        # What is trained on is loaded first, to be found again in what is tested.
        parts = [self._described("train", layout, "en") for role, layout in self.layouts.items() if role == "train"]
        parts += [self._official(needs) for needs in official]
        parts += [
            self._described(role, layout, code)
            for role, layout in self.layouts.items()
            if role != "train"
            for code in self._spoken(role, layout)
        ]
        if (test := self.material.test) is not None:
            parts += self._more(test, {(checked.dataset, checked.split, checked.language) for checked in parts})
        notes = {name: count for name, count in sorted(self.notes.items()) if count}
        by = "" if test is None else parallel_by(self.tests, test.clusters, self.material.format)
        return TaskCheck(self.task, tuple(parts), notes, by)

    def _spoken(self, role: str, layout: Layout) -> Sequence[str]:
        """Languages of a described role: those of the catalogue and others that have files."""
        if role != "test":
            return ("en",)
        if LANGUAGE not in layout.path:
            return ("any",)  # one file, of the one language that a recipe then tests
        return list(dict.fromkeys((*self.languages, *layout_languages(layout, self.root))))

    def _official(self, needs: list[Need]) -> SplitCheck:
        first = needs[0]
        problems = [need.problem for need in needs if need.problem]
        checked = SplitCheck(
            role=first.role,
            dataset=first.data.name,
            split=first.split,
            language=first.language,
            state="absent",
            files=tuple(path for need in needs for path in need.found),
            expected=first.data.size(first.split, first.language),
            message="; ".join(problems),
            needed=first.role in ("train", "dev") and bool(problems),
        )
        if problems and (checked.files or any(need.misnamed for need in needs)):
            return replace(checked, state="refused")  # which of several, or the rest of it, a run cannot know
        if checked.message or not checked.files:
            return replace(checked, message=checked.message or "expected */" + " or */".join(first.expected))
        return self._load(
            checked,
            lambda: read_part(
                first.data, first.split, first.language, root=self.root, needs=needs, role=first.role, notes=self.notes
            ),
        )

    def _described(self, role: str, layout: Layout, language: str) -> SplitCheck:
        checked = SplitCheck(
            role=role,
            dataset=f"{self.task} (layout)",
            split=role,
            language=language,
            state="absent",
            files=tuple(layout_files(layout, self.root, language)),
            message=f"expected {layout.path.replace(LANGUAGE, language)}",
        )
        if not checked.files:
            return checked
        paths = [self.root / path for path in checked.files]
        return self._load(checked, lambda: read_layout(layout, self.task, paths, language, self.notes))

    def _load(self, checked: SplitCheck, read: Callable[[], list[Example]]) -> SplitCheck:
        try:
            examples = read()
            self._check(checked, examples)
        except DataError as error:
            return replace(checked, state="refused", message=error.what)
        in_training = 0
        if checked.role == "train":
            self.trained |= {item_of(example) for example in examples}
        elif checked.role == "test":
            self.tests[checked.language] = examples
            in_training = sum(item_of(example) in self.trained for example in examples)
        uncomposed, texts = count_uncomposed(examples)
        changes = (
            Counter(change for example in examples for text in texts_of(example) for change in changes_of(text))
            if uncomposed
            else Counter()
        )
        return replace(
            checked,
            texts=texts,
            uncomposed=uncomposed,
            composing=tuple(changes.most_common(SHOWN_CHANGES)),
            state="found",
            message="",
            examples=len(examples),
            repeated=repeated(examples),
            in_training=in_training,
        )

    def _check(self, checked: SplitCheck, examples: list[Example]) -> None:
        """What is checked before a run stores a task.

        Raises:
            DataError: an id is repeated, or an example is not whole; names the files.
        """
        if not examples:
            raise DataError(
                f"{', '.join(checked.files[:4])}: no example", fix="leave the language out, or repair the file"
            )
        labels = self.material.labels
        if self.material.format == "tagging" and not labels:  # those of the training data
            labels = tuple({tag for example in examples if isinstance(example, TaggingExample) for tag in example.tags})
        splits = {(checked.split, examples[0].language): examples}
        try:
            check_task(TaskData(self.task, self.material.format, labels, splits))
        except DataError as error:
            raise DataError(f"{', '.join(checked.files[:4])}: {error.what}", fix=error.fix) from None

    def _more(self, data: DataSet, done: set[tuple[str, str, str]]) -> list[SplitCheck]:
        """Development sets of other languages: no run uses them, but they tell what a folder holds."""
        parts = []
        for language in self.languages:
            if (data.name, "dev", language) in done:
                continue
            needs = find_development(data, self.files, [language], role="more")
            if any(need.found and not need.optional for need in needs):
                parts.append(self._official(needs))
        return parts
