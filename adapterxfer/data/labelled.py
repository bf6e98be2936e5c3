"""What readers of labelled rows share: ids and clusters of one file, and the refusal of files without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adapterxfer.data.examples import Example
from adapterxfer.data.files import plain_name
from adapterxfer.data.rows import Placed, refuse_hidden
from adapterxfer.errors import DataError


class ClusterNames:
    """Names for whatever was sampled together, numbers in the order of appearance: equal texts share one."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._numbers: dict[str, int] = {}

    def of(self, name: str) -> str:
        """Name of the cluster."""
        return f"{self._prefix}{self._numbers.setdefault(name, len(self._numbers))}"


class LabelledFile:
    """Ids, clusters and labels of the examples of one file.

    Args:
        path: its name without ending begins every id.
        notes: counts of repeated ids are added.
    """

    def __init__(self, path: Path, notes: Counter[str]) -> None:
        self._path, self._notes = path, notes
        self._stem = plain_name(path.name).rpartition(".")[0]
        self._used: Counter[str] = Counter()
        self._labels: list[object] = []
        self.clusters = ClusterNames(f"{self._stem}/")

    def add(self, name: str, label: object) -> str:
        """The id of a labelled example; a name that comes again is numbered."""
        self._labels.append(label)
        self._used[name] += 1
        if self._used[name] > 1:
            self._notes["repeated ids numbered"] += 1
            name = f"{name}#{self._used[name]}"
        return f"{self._stem}/{name}"

    def close(self) -> None:
        """Refuse the file if its labels were removed.

        Raises:
            DataError: all labels are equal.
        """
        refuse_hidden(self._path, self._labels)


def require_examples(examples: list[Example], paths: Sequence[Path]) -> list[Example]:
    """The examples, of which there must be some.

    Raises:
        DataError: no row had a label.
    """
    if not examples:
        raise DataError(f"{paths[0]}: no labelled example", fix="use a file with labels")
    return examples


def line_of(row: Placed) -> str:
    """Number of the line of a row, the id where a file has none."""
    return row[0].rpartition(":")[2]
