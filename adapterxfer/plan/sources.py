"""Where the examples of a task come from, as identity: what must change the key when the data change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from adapterxfer.catalog import Task, TaskSpec, parts_of_task
from adapterxfer.catalog.stand_ins import stand_in_source
from adapterxfer.errors import DataError
from adapterxfer.plan.pins import check_pins
from adapterxfer.recipe.recipe import Recipe

Source = dict[str, Any]
Requests = Sequence[tuple[str, Sequence[str]]]
DescribeFiles = Callable[[Requests, str | None], Mapping[str, Source]]

WORLD = "world"
"""Instead of a folder: the generator of the synthetic world."""

CORPUS = "corpus"
"""The name under which the plain text of a recipe's own series is described."""


def describe_files(requests: Requests, data_root: str | None, apart: Sequence[str] = ()) -> Mapping[str, Source]:
    """Names and checksums of original files; missing ones of all tasks are one error.

    Args:
        apart: folders of translations, which bear the names of originals.
    """
    from adapterxfer.data.sources import describe_sources

    return describe_sources(requests, data_root, apart=apart)


def layouts_without_root(recipe: Recipe) -> list[DataError]:
    """At most one error, which names the layouts of a recipe without ``data_root``: the Hub has other data.

    It does not stop the planning, so that a study can be counted before its data are there.
    """
    if recipe.data_root is not None:
        return []
    unread = [
        f"tasks.{name}.layout"
        for name, task in recipe.used_tasks().items()
        if task.source != "world"
        and (options := recipe.tasks.get(name)) is not None
        and options.layout
        and options.source != "hub"
    ]
    if not unread:
        return []
    return [
        DataError(
            f"{recipe.name}: data_root is not set, but files below it are described by {', '.join(unread)}",
            fix=f"give the folder: --set data_root=FOLDER, or read a task from the Hub: --set {unread[0]}=null",
        )
    ]


@cache
def world_fingerprint() -> str:
    """Fingerprint of the generator of the world's data, as stored with the package."""
    text = resources.files("adapterxfer.world").joinpath("generator.json").read_text(encoding="utf-8")
    return str(json.loads(text)["fingerprint"])


class Sources:
    """Describes each task of a recipe; all original files are looked up together, when the first one is asked for.

    Missing files do not stop the planning, so that a study can be counted before its data are there; ``missing`` then
    lists all of them.

    Args:
        files: describes original files; replaced in tests.
        world: gives the fingerprint of the world's generator; replaced in tests.
    """

    def __init__(
        self, recipe: Recipe, *, files: DescribeFiles | None = None, world: Callable[[], str] = world_fingerprint
    ) -> None:
        check_pins(recipe)
        self._recipe = recipe
        self._apart = recipe.translation_folders()
        self._files = files or partial(describe_files, apart=self._apart)
        self._world = world
        self._described: Mapping[str, Source] | None = None
        self._missing: list[DataError] = []

    @property
    def missing(self) -> DataError | None:
        """One error that lists every missing file of every task; None if nothing is missing."""
        if not self._missing:
            return None
        fixes = dict.fromkeys(error.fix for error in self._missing if error.fix)
        return DataError("\n".join(error.what for error in self._missing), fix="\n       ".join(fixes))

    def of_task(self, task: Task) -> Source:
        """The ``source`` of a task's prepare stage."""
        if task.source == "world":
            source: Source = {"kind": "world", "generator": self._world()}
            return {**source, **stand_in_source(task)} if task.stand_in else source
        options, spec = self._recipe.tasks.get(task.name), self._spec(task.name)
        if spec.declared:
            return self._declared(task, spec)
        if options is not None and options.source == "hub":
            return self._from_hub(task)
        if task.source == "files" and not (spec.on_hub and self._all_from_hub):
            return self._of_layouts(task) or self._from_files(self._file_name(task.name))
        if task.source == "local" or self._recipe.data_root is not None:
            return self._local_first(task)
        return self._from_hub(task)

    def _spec(self, name: str) -> TaskSpec:
        """The entry of a real task."""
        spec = self._recipe.spec(name)
        assert spec is not None  # only tasks of the world have none, and these are asked for first
        return spec

    def _declared(self, task: Task, spec: TaskSpec) -> Source:
        """The source of a task that the recipe declares: its files, or its repository, and nothing in their place."""
        if spec.source == "hub":
            return _of_hub(task, spec, self._recipe.data_revisions)
        return self._of_layouts(task) or {"kind": "files", "files": None, "layout": {}}

    def with_items(
        self, task: Task, languages: Sequence[str], protocol: str, *, count: int | None, seed: int
    ) -> Source:
        """The ``source`` of a task's prepare stage, and whether fewer test items have to be chosen over languages.

        Args:
            count, seed: how many test items of each language are kept, and what chooses them.
        """
        source = self.of_task(task)
        if count is None or len(languages) < 2 or source["kind"] == "world":
            return source
        from adapterxfer.data.same_items import SAME_ITEMS, chooses_otherwise

        root = self._recipe.data_root
        if chooses_otherwise(self._spec(task.name), root, source, languages, protocol=protocol, count=count, seed=seed):
            return {**source, SAME_ITEMS: True}
        return source

    def _local_first(self, task: Task) -> Source:
        """Original files where the folder has any, else the Hub; what is missing of either is said."""
        from adapterxfer.data.origins import off_hub
        from adapterxfer.data.sources import describe_present

        root, languages = self._recipe.data_root, self._recipe.languages_of(task.name)
        if root is None:
            return self._from_hub(task)
        if (source := self._of_layouts(task)) is not None:
            return source
        try:
            return describe_present(task.name, root, languages, apart=self._apart) or self._from_hub(task)
        except DataError as error:
            if Path(root).is_dir() and off_hub(task.name, self._recipe.protocol_of(task.name)):
                return self._from_hub(task)  # which names the files and where they come from
            self._missing.append(error)
            return _of_hub(task, self._spec(task.name), self._recipe.data_revisions)

    def _of_layouts(self, task: Task) -> Source | None:
        """Files in other layouts, as the recipe describes them; None where it describes none."""
        from adapterxfer.data.sources import describe_layouts

        options, root = self._recipe.tasks.get(task.name), self._recipe.data_root
        if options is None or not options.layout or root is None:
            return None
        layouts: dict[str, Any] = {role: layout for role, layout in options.layout.items()}  # noqa: C416 - widens
        languages, protocol = self._recipe.languages_of(task.name), self._recipe.protocol_of(task.name)
        spec = self._spec(task.name)
        try:
            return describe_layouts(spec, root, languages, layouts, protocol, apart=self._apart)
        except DataError as error:
            self._missing.append(error)
            if spec.declared:
                return {"kind": "files", "files": None, "layout": layouts}
            return _of_hub(task, spec, self._recipe.data_revisions)

    def _from_hub(self, task: Task) -> Source:
        """A repository; what no repository holds is missing, by the names of its files."""
        from adapterxfer.data.files import list_files
        from adapterxfer.data.origins import need_files, off_hub
        from adapterxfer.data.sources import locate

        protocol, root = self._recipe.protocol_of(task.name), self._recipe.data_root
        if absent := off_hub(task.name, protocol):
            languages = self._recipe.languages_of(task.name)
            problems: Sequence[str] = ()
            if root is not None:
                problems = locate(self._file_name(task.name), list_files(Path(root), self._apart), languages)[1]
            self._missing.append(need_files(task.name, languages, absent, problems, protocol))
        return _of_hub(task, self._spec(task.name), self._recipe.data_revisions)

    def of_target_dev(self, task: Task, languages: Sequence[str]) -> tuple[Source, tuple[str, ...]]:
        """The ``source`` of development data in the target languages, and the languages that have some.

        They come from where the task comes from: its folder, its repository, or the world.
        """
        main = self.of_task(task)
        if main["kind"] == "world":
            return main, tuple(languages)
        from adapterxfer.data.target_dev import describe_target_dev, no_repository, tested_files

        development = self._spec(task.name).target_dev
        assert development is not None  # every target says whether it has some
        supposed = tuple(code for code in languages if code not in development.without)
        if main["kind"] != "files":
            if development.files_only:
                self._missing.append(no_repository(task.name))
            return main, supposed
        root = self._recipe.data_root
        if root is None or main["files"] is None:
            return main, supposed  # the task's own files are missing, which the plan says
        protocol = self._recipe.protocol_of(task.name)
        tested = tested_files(task.name, Path(root), self._recipe.languages_of(task.name), protocol, main)
        try:
            return describe_target_dev(task.name, Path(root), languages, protocol, tested=tested)
        except DataError as error:
            self._missing.append(error)
            return {"kind": "files", "files": None}, supposed

    def of_target_train(self, task: Task, languages: Sequence[str]) -> Source:
        """The ``source`` of training data in the target languages; they come from where the task comes from."""
        main = self.of_task(task)
        root, options = self._recipe.data_root, self._recipe.tasks.get(task.name)
        if main["kind"] != "files" or root is None or main["files"] is None:
            return main  # the world, a repository, or files whose absence the plan tells
        from adapterxfer.data.target_dev import tested_files
        from adapterxfer.data.target_train import describe_target_train

        protocol, spec = self._recipe.protocol_of(task.name), self._spec(task.name)
        tested = tested_files(spec, Path(root), self._recipe.languages_of(task.name), protocol, main)
        layouts: dict[str, Any] = {role: layout for role, layout in ((options and options.layout) or {}).items()}  # noqa: C416 - widens
        return self._or_missing(
            lambda: describe_target_train(spec, Path(root), languages, protocol, layouts=layouts or None, tested=tested)
        )

    def of_texts(self, folder: str, languages: Sequence[str], option: str) -> Source:
        """The ``source`` of the texts of an option of the recipe: of an MLM mix, or of language adapters."""
        if self._recipe.world or folder == WORLD:
            return {"kind": "world", "generator": self._world()}
        from adapterxfer.data.translations import describe_texts

        return self._or_missing(lambda: describe_texts(self._recipe.data_root, folder, languages, option))

    def of_translations(self, task: Task, folder: str, languages: Sequence[str]) -> Source:
        """The ``source`` of the translations of an intermediate task."""
        if task.source == "world":
            return self.of_task(task)
        from adapterxfer.data.translations import describe_translations

        root = self._recipe.data_root
        return self._or_missing(lambda: describe_translations(task.name, root, folder, languages))

    def _or_missing(self, describe: Callable[[], Source]) -> Source:
        try:
            return describe()
        except DataError as error:
            self._missing.append(error)
            return {"kind": "files", "files": None}

    @property
    def _all_from_hub(self) -> bool:
        """Whether the recipe needs no folder at all: then treebanks, too, come from the Hub."""
        recipe = self._recipe
        files = [name for name, task in recipe.used_tasks().items() if task.source == "files"]
        served = all(self._spec(name).on_hub for name in files)
        return recipe.data_root is None and recipe.pretrain is None and served

    def _file_name(self, task: str) -> str:
        return parts_of_task(task, self._recipe.protocol_of(task)).name

    def of_corpus(self) -> Source:
        """The ``source`` of the pretraining text."""
        return self._from_files(CORPUS)

    def _from_files(self, name: str) -> Source:
        if self._described is None:
            recipe = self._recipe
            requests = [
                (self._file_name(task.name), recipe.languages_of(task.name))
                for task in recipe.used_tasks().values()
                if task.source == "files"
            ]
            if recipe.pretrain is not None:
                requests.append((CORPUS, recipe.pretrain.corpus.languages))
            try:
                self._described = self._files(requests, recipe.data_root)
            except DataError as error:
                self._missing.append(error)
                self._described = {task: {"kind": "files", "files": None} for task, _ in requests}
        return self._described[name]


def _of_hub(task: Task, spec: TaskSpec, pins: Mapping[str, str]) -> Source:
    """A repository and the commit that the catalogue pins; without one, what its branch holds is read.

    A plan cannot look whether its texts are in NFC, as the Hub is read when the data are prepared, so all of them are
    taken for changed by composing: Hindi, Arabic and Vietnamese texts of most tasks are.

    Args:
        pins: repository -> commit, as the recipe pins them; those of other tasks are left out.
    """
    from adapterxfer.data.origins import repositories
    from adapterxfer.data.sources import COMPOSED

    kind = "hub" if task.source == "files" else task.source
    pinned = {name: pins[name] for name in repositories(spec) if name in pins} if pins else {}
    described = {"kind": kind, "repo": spec.repository or None, "revision": spec.pinned, COMPOSED: True}
    return {**described, "revisions": pinned} if pinned else described
