"""`Results`: the cells of a study joined with their predictions, checked, and scored.

Nothing here trains or resamples. A study whose stages are not all finished gives partial results that know what is
missing, so a report can be made at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from adapterxfer.catalog import Task, oracle_without, tasks
from adapterxfer.catalog.declared import declared_in
from adapterxfer.errors import DataError
from adapterxfer.recipe.axes import Axes
from adapterxfer.report.display import SOURCE_LANGUAGE, Cell, LanguageFacts
from adapterxfer.report.language_facts import describe_languages
from adapterxfer.report.notebook import facts_html
from adapterxfer.report.reading import FILE_NAME, PredictionFile, read_counts, read_frame
from adapterxfer.report.target_results import TargetResults, check_same_gold, target_results
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

    from adapterxfer.report.settings import ReportSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow(Axes):
    """One score: a cell in one language, in points."""

    parameters: int
    non_embedding_parameters: int
    control: str
    language: str
    family: str
    resource: str
    score: float


class _Plan(Protocol):
    """What `Results.from_plan` needs of a plan: its cells, as objects or mappings."""

    @property
    def cells(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """The study that results were read from.

    Attributes:
        stages: short key -> folder of every finished stage.
        report: its report stage, with the settings of its statistics; None where none is planned.
        recipe: of the plan, where it has one.
    """

    stages: Mapping[str, Path]
    report: Any
    recipe: Any


class _Store(Protocol):
    """What `Results.from_plan` needs of a store: short key -> folder of every finished stage."""

    def completed(self) -> Mapping[str, Path]: ...


@dataclass(frozen=True, kw_only=True, repr=False)
class Results:
    """Cells of a study with predictions, and the cells that still lack them.

    Attributes:
        cells: the cells that have predictions, in plan order.
        missing: the cells that do not.
        folders: ``cell.predict`` -> folder of its predict stage.
        languages: family and resource tier of every language that occurs.
        trained_seeds: of the training runs, finished or not, in the order of the recipe.
        declared: the tasks that the recipe declares, by name.
    """

    cells: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    folders: Mapping[str, Path]
    languages: Mapping[str, LanguageFacts]
    source_language: str = SOURCE_LANGUAGE
    trained_seeds: tuple[int, ...] = ()
    declared: Mapping[str, Task] = field(default_factory=dict, repr=False)
    _files: dict[str, PredictionFile] = field(default_factory=dict, repr=False)
    _targets: dict[str, TargetResults] = field(default_factory=dict, repr=False)
    _origin: Origin | None = field(default=None, repr=False)

    @classmethod
    def from_folders(
        cls,
        cells: Iterable[Cell],
        folders: Mapping[str, Path],
        *,
        languages: Mapping[str, Mapping[str, Any]] | None = None,
        source_language: str = SOURCE_LANGUAGE,
        declared: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Results:
        """Join cells with the folders of their predict stages.

        Args:
            folders: ``cell.predict`` -> folder; cells without a folder, or with one that holds no predictions yet,
                are `missing`.
            languages: code -> ``{name, family, resource}``; what is not given is looked up in the catalogue.
            declared: name -> what the recipe says of a task that it declares, as in the identity of its report.

        Raises:
            DataError: two systems of one target were not evaluated on the same gold data, or with different metrics.
        """
        cells = tuple(cells)
        present: list[Cell] = []
        missing: list[Cell] = []
        files: dict[str, PredictionFile] = {}
        for cell in cells:
            folder = folders.get(cell.predict)
            if folder is None or not (folder / FILE_NAME).is_file():
                missing.append(cell)
                continue
            present.append(cell)
            if cell.predict not in files:
                files[cell.predict] = read_counts(folder)
        check_same_gold(present, files)
        codes: dict[str, None] = {}
        for target in dict.fromkeys(cell.target for cell in present):
            first = next(cell for cell in present if cell.target == target)
            codes.update(dict.fromkeys(read_frame(folders[first.predict]).languages))
        return cls(
            cells=tuple(present),
            missing=tuple(missing),
            folders=dict(folders),
            languages=describe_languages(codes, languages or {}),
            source_language=source_language,
            trained_seeds=trained_seeds(cells),
            declared=declared_in(declared),
            _files=files,
        )

    @classmethod
    def from_plan(cls, plan: _Plan, store: _Store | str | Path) -> Results:
        """Results of a plan, complete or not.

        Args:
            plan: what `build_plan` returns.
            store: where its stages are: a folder, or a `Store`.

        Raises:
            DataError: systems of one target were evaluated on different gold data.
        """
        cells = [cell_of(item) for item in plan.cells]
        done = (Store(store) if isinstance(store, str | Path) else store).completed()
        keys = dict.fromkeys(cell.predict for cell in cells)
        folders = {key: done[key[:SHORT_KEY]] for key in keys if key[:SHORT_KEY] in done}
        stage = getattr(plan, "report", None)
        identity = stage.identity if stage is not None else {}
        joined = cls.from_folders(cells, folders, languages=identity.get("languages"), declared=identity.get("tasks"))
        return replace(joined, _origin=Origin(done, stage, getattr(plan, "recipe", None)))

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks of the catalogue, and those that the recipe declares."""
        return {**tasks(), **self.declared} if self.declared else tasks()

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}: {value}" for name, value in self._facts().items())
        return f"Results({facts})"

    def _repr_html_(self) -> str:
        return facts_html("Results", self._facts())

    def _facts(self) -> dict[str, object]:
        def listed(values: Iterable[str]) -> str:
            return ", ".join(dict.fromkeys(values)) or "none"

        return {
            "cells with predictions": len(self.cells),
            "cells without": len(self.missing),
            "backbones": listed(cell.backbone for cell in self.cells),
            "targets": listed(self.targets),
            "variants": listed(cell.variant for cell in self.cells if not cell.is_control),
            "languages": len(self.languages),
        }

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets with at least one prediction, in plan order."""
        return tuple(dict.fromkeys(cell.target for cell in self.cells))

    @property
    def complete(self) -> bool:
        """Whether every planned cell has predictions."""
        return not self.missing

    def file(self, cell: Cell) -> PredictionFile:
        """Metadata and counts of a finished cell."""
        return self._files[cell.predict]

    def select(self, **labels: Any) -> Results:
        """Keep the cells whose labels have the given value, or one of the given values.

        Example: ``results.select(variant=["stack", "full-ft"], target="xnli")``.

        Raises:
            DataError: a label no cell has.
        """
        unknown = sorted(set(labels) - set(Cell.__dataclass_fields__))
        if unknown:
            raise DataError(
                f"Results.select: no label named {', '.join(unknown)}",
                fix=f"use one of: {', '.join(Cell.__dataclass_fields__)}",
            )

        def keep(cell: Cell) -> bool:
            for name, value in labels.items():
                allowed = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
                if getattr(cell, name) not in allowed:
                    return False
            return True

        return self._kept(keep)

    def of_seeds(self, seeds: Sequence[int]) -> Results:
        """The training runs of some seeds, with all controls."""
        return self._kept(lambda cell: cell.is_control or cell.seed in seeds)

    def _kept(self, keep: Callable[[Cell], bool]) -> Results:
        targets = {}
        for name, data in self._targets.items():  # those of tables stand here alone, in no folder to read again
            if cells := tuple(filter(keep, data.cells)):
                counts = {cell.predict: data.counts[cell.predict] for cell in cells}
                targets[name] = replace(data, cells=cells, counts=counts)
        return Results(
            cells=tuple(filter(keep, self.cells)),
            missing=tuple(filter(keep, self.missing)),
            folders=self.folders,
            languages=self.languages,
            source_language=self.source_language,
            trained_seeds=self.trained_seeds,
            declared=self.declared,
            _files=self._files,
            _targets=targets,
            _origin=self._origin,
        )

    def target(self, name: str) -> TargetResults:
        """Everything needed to score and compare the systems of one target.

        Raises:
            DataError: no finished cell has this target.
        """
        if name not in self._targets:
            cells = tuple(cell for cell in self.cells if cell.target == name)
            if not cells:
                have = ", ".join(self.targets) or "nothing yet"
                raise DataError(
                    f"target '{name}': no predictions in these results", fix=f"targets with predictions: {have}"
                )
            folder = self.folders[cells[0].predict]
            self._targets[name] = target_results(cells, self._files, folder, source_language=self.source_language)
        return self._targets[name]

    def scores(self) -> DataFrame:
        """One row per finished cell and language, in plan and file order; `ScoreRow` names the columns."""
        frame: DataFrame = _frames().scores_frame(self)
        return frame

    def predictions(self, *, texts: bool = False, probabilities: bool = False, device: str = "cpu") -> DataFrame:
        """One row per finished cell and test example.

        Columns: the axes of the cell, language, example, cluster, prediction, gold, and the counts of the metric (those
        of other targets are missing values).

        Args:
            texts: adds what the example holds, e.g. ``text`` and ``text_pair``, or ``words``, or ``question`` and
                ``context``.
            probabilities: adds ``probability`` of the prediction and ``probabilities``, of each label or choice by
                name; trained models of classification and multiple choice predict once more for them, all other
                systems have missing values.
            device: for probabilities.

        Raises:
            DataError: texts or probabilities are asked of results that no store holds.
        """
        frame: DataFrame = _frames().predictions_frame(
            self, self._origin, texts=texts, probabilities=probabilities, device=device
        )
        return frame

    def effects(self, settings: ReportSettings | None = None) -> DataFrame:
        """Every difference that a report shows, one row each, with intervals, p-values and verdicts; `Effect` names
        the columns.

        Args:
            settings: of the statistics; those of the plan's recipe if None.

        Raises:
            DataError: no settings, and the results are of no plan.
        """
        frame: DataFrame = _frames().effects_frame(self, self._origin, settings)
        return frame

    def score_rows(self) -> list[ScoreRow]:
        """One tidy row per finished cell and language, in plan and file order."""
        rows: list[ScoreRow] = []
        cache: dict[str, dict[str, float]] = {}
        for cell in self.cells:
            if cell.predict not in cache:
                cache[cell.predict] = self.target(cell.target).scores_by_language(cell.predict)
            without = oracle_without(cell.control)
            for code, score in cache[cell.predict].items():
                if code in without:
                    continue
                language = self.languages[code]
                rows.append(
                    ScoreRow(
                        **cell.values(),
                        parameters=cell.parameters,
                        non_embedding_parameters=cell.non_embedding_parameters,
                        control=cell.control,
                        language=code,
                        family=language.family,
                        resource=language.resource,
                        score=score,
                    )
                )
        return rows


def _frames() -> Any:
    """The module that makes data frames: looked up when asked for, as a report is made of results, not they of it."""
    return import_module("adapterxfer.report.data_frames")


def trained_seeds(cells: Iterable[Cell]) -> tuple[int, ...]:
    """The seeds of what is trained, in the order in which they first occur: that of the recipe, or of a table."""
    return tuple(dict.fromkeys(cell.seed for cell in cells if not cell.is_control))


def cell_of(item: Any) -> Cell:
    """A cell of the report from a cell of a plan: a mapping, or an object with the same names as attributes."""
    if isinstance(item, Mapping):
        return Cell.from_labels(item)
    return Cell.from_labels({name: getattr(item, name, None) for name in Cell.__dataclass_fields__})
