"""The data model: counts of every run on every (target, language), aggregated to clusters, grouped by domain.

A *domain* is a set of clusters that is resampled together. Targets with parallel example ids are one domain over all
their languages, so that a cluster has the same weight in every language and every system; other targets have one
domain per language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from adapterxfer.statistics.metric import Floats, SumScore
from adapterxfer.statistics.products import Counts

Label = str | int | float | None


@dataclass(frozen=True, slots=True)
class System:
    """What was trained, as sorted labels: backbone, variant, adapter, intermediate, ... but never the seed."""

    labels: tuple[tuple[str, Label], ...]

    @classmethod
    def of(cls, labels: Mapping[str, Label]) -> System:
        """Labels in any order."""
        return cls(tuple(sorted(labels.items())))

    def __getitem__(self, name: str) -> Label:
        return dict(self.labels)[name]

    def get(self, name: str, default: Label = None) -> Label:
        """The label, or ``default``."""
        return dict(self.labels).get(name, default)

    def replace(self, **labels: Label) -> System:
        """The same system with some labels changed, e.g. ``system.replace(intermediate="none")``."""
        return System.of({**dict(self.labels), **labels})

    def matches(self, labels: Mapping[str, Label]) -> bool:
        """True if every given label has the given value."""
        labels_of_system = dict(self.labels)
        return all(name in labels_of_system and labels_of_system[name] == value for name, value in labels.items())

    def __str__(self) -> str:
        return " ".join(str(value) for _, value in self.labels)


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """One system's score on one language of one target: the mean over its training runs. The atom of contrasts."""

    system: System
    target: str
    language: str

    def __str__(self) -> str:
        return f"{self.system} {self.target}/{self.language}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCounts:
    """Per-example counts of one training run on one (target, language): what callers provide.

    Attributes:
        system: labels of the system (without the seed).
        seed: which repetition; None for something that was not trained and cannot vary (a control, a backbone
            as it is), which then adds no run variance.
        target: name of the target task; it selects the metric.
        language: language code.
        domain: name of the resampling domain: ``target`` if its ids are parallel, else ``target/language``.
        cluster_ids: shape ``(n,)``, one per example; equal ids are drawn together.
        counts: shape ``(n, k)``, integers, or floats for fractional counts such as QA F1.
        run_group: runs of one group that differ only by seed are exchangeable, and all rows with the same group and
            seed are one trained model with one weight. Defaults to (system, target). Give a wider group where one
            trained model (a shared intermediate adapter, a retrieval model) serves several targets or systems.
    """

    system: Mapping[str, Label]
    seed: int | str | None
    target: str
    language: str
    domain: str
    cluster_ids: Sequence[str] | npt.NDArray[np.str_]
    counts: npt.NDArray[np.integer] | npt.NDArray[np.floating]
    run_group: str = ""


@dataclass(frozen=True, slots=True)
class RunScore:
    """One training run on one (target, language); rows are sorted, so their order never depends on the input's."""

    cell: ScoreCell
    seed: int | str | None
    domain: str
    group: tuple[str, ...]
    examples: int


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one target inside a domain: rows ``first:last`` of the table, k count columns each."""

    target: str
    first: int
    last: int
    columns: int


@dataclass(frozen=True, slots=True)
class Domain:
    """Clusters that are resampled together.

    Attributes:
        clusters: sorted cluster ids.
        first, last: its rows in the table.
        blocks: its rows by target.
        counts: sums over each cluster, shape ``(columns, clusters)``, in the narrowest type that holds them; the
            columns of all blocks one after the other, each row's k columns together.
    """

    name: str
    clusters: tuple[str, ...]
    first: int
    last: int
    blocks: tuple[Block, ...]
    counts: Counts

    def of_block(self, block: Block) -> Counts:
        """Counts of the rows of a block, shape ``(rows, k, clusters)``; a view."""
        start = 0
        for other in self.blocks:
            if other == block:
                break
            start += (other.last - other.first) * other.columns
        width = (block.last - block.first) * block.columns
        return self.counts[start : start + width].reshape(-1, block.columns, len(self.clusters))


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """All counts of a study, ready to be resampled.

    Attributes:
        rows: sorted by domain, target, language, system, seed.
        domains: in the order of their rows.
        metrics: target -> metric.
        scores: shape ``(rows,)``, points of each row on the full data.
        cells: cell -> indices of its rows (one per seed).
        systems: every system, sorted.
    """

    rows: tuple[RunScore, ...]
    domains: tuple[Domain, ...]
    metrics: Mapping[str, SumScore]
    scores: Floats
    cells: Mapping[ScoreCell, tuple[int, ...]] = field(repr=False)
    systems: tuple[System, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target, sorted."""
        return tuple(sorted({cell.target for cell in self.cells}))

    def find(self, **labels: Label) -> tuple[System, ...]:
        """Systems whose labels have the given values, e.g. ``table.find(backbone="tiny-2", variant="stack")``."""
        return tuple(system for system in self.systems if system.matches(labels))

    def languages(self, target: str, system: System | None = None) -> tuple[str, ...]:
        """Languages of a target (that the system was scored in), sorted."""
        return tuple(
            sorted({c.language for c in self.cells if c.target == target and (system is None or c.system == system)})
        )

    def seeds(self, cell: ScoreCell) -> tuple[int | str | None, ...]:
        """Seeds of the runs behind a cell."""
        return tuple(self.rows[index].seed for index in self.cells[cell])

    def score(self, cell: ScoreCell) -> float:
        """Points of a cell: the mean over its runs."""
        return float(self.scores[list(self.cells[cell])].mean())
