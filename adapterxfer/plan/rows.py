"""The stages of a plan: most are in rows, whose stages are spelled out only when somebody asks for one.

A plan of 60,000 stages is counted and estimated by its few thousand rows; labels and identities of single stages would
take more time than their keys.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from adapterxfer.store.keys import Stage


class Row(ABC):
    """Stages that differ in a seed and in the keys of some inputs.

    Attributes:
        kind, resources: of each.
        identity: but for the seed.
        labels: but for the seed, and in predictions for what tells one model from another.
        given: keys of the inputs that all share.
    """

    def __init__(
        self,
        *,
        kind: str,
        identity: Mapping[str, Any],
        labels: Mapping[str, Any],
        resources: Mapping[str, Any],
        given: Iterable[str],
    ) -> None:
        self.kind, self.identity, self.labels, self.resources = kind, identity, labels, resources
        self.given = tuple(given)

    @abstractmethod
    def stage(self, key: str, seed: int, keys: Sequence[str]) -> Stage:
        """One of them.

        Args:
            keys: of the inputs that differ within the row.
        """


class Single(Row):
    """A row of one stage, which is there already."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(
            kind=stage.kind,
            identity=stage.identity,
            labels=stage.labels,
            resources=stage.resources,
            given=stage.inputs.values(),
        )
        self._stage = stage

    def stage(self, key: str, seed: int, keys: Sequence[str]) -> Stage:
        """The stage."""
        del key, seed, keys  # there is no other
        return self._stage


Member = tuple[Row, int, Sequence[str]]
"""The row of a stage, its seed, and the keys of its inputs that differ within the row. Plain: a plan has so many."""


class Stages(Mapping[str, Stage]):
    """Key -> stage, every stage after its inputs."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._rows: defaultdict[Row, list[str]] = defaultdict(list)
        self._spelled: dict[str, Stage] = {}

    def __getitem__(self, key: str) -> Stage:
        stage = self._spelled.get(key)
        if stage is None:
            row, seed, keys = self._members[key]
            stage = self._spelled[key] = row.stage(key, seed, keys)
        return stage

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def add(self, stage: Stage) -> str:
        """Add a stage unless it is there, and give its key."""
        return self.add_member(stage.key, Single(stage), 0, ())

    def add_member(self, key: str, row: Row, seed: int, keys: Sequence[str]) -> str:
        """Add a stage of a row unless it is there, and give its key."""
        if key not in self._members:
            self._members[key] = (row, seed, keys)
            self._rows[row].append(key)
        return key

    def join(self, others: Stages) -> None:
        """Add all stages of another plan that are not there."""
        for key, member in others._members.items():
            self.add_member(key, *member)

    def ready(self, done: set[str]) -> set[str]:
        """Keys of the stages that are not done and whose inputs all are."""
        ready: set[str] = set()
        for row, keys in self._rows.items():
            if done.issuperset(row.given):
                ready.update(key for key in keys if key not in done and done.issuperset(self._members[key][2]))
        return ready

    @property
    def rows(self) -> Mapping[Row, Sequence[str]]:
        """Row -> keys of its stages, in order of their first ones."""
        return self._rows

    def of_kind(self, kind: str) -> Iterator[Stage]:
        """The stages of one kind, in the order of the plan."""
        return self.where(lambda row: row.kind == kind)

    def where(self, is_meant: Callable[[Row], bool]) -> Iterator[Stage]:
        """The stages of some rows, in the order of the plan."""
        keys = {key for row, keys in self._rows.items() if is_meant(row) for key in keys}
        return (self[key] for key in self._members if key in keys) if keys else iter(())
