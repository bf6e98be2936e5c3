"""What of a domain is multiplied by the weights, and how contrasts follow from the weighted sums.

Only rows that some contrast uses take part, and equal columns (such as the totals of all rows) are multiplied once. A
contrast of accuracies on the same items could be multiplied as one column instead; with the many contrasts of few rows
that reports ask (835 on 2,379 rows in the quickstart) looking for such contrasts takes longer than it saves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adapterxfer.statistics.design import Design, transform
from adapterxfer.statistics.metric import Floats, SumScore
from adapterxfer.statistics.products import CountMatrix, narrowest
from adapterxfer.statistics.table import Block, Domain, ScoreTable
from adapterxfer.statistics.vocabulary import Scale

Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Rows of one block that some contrast uses, and the contrasts of their scores.

    Attributes:
        metric: of the block.
        columns: columns of each row, shape ``(rows, k)``.
        matrices: scale -> (numbers of the contrasts, CSR ``(their number, rows)``).
    """

    metric: SumScore
    columns: Numbers
    matrices: dict[Scale, tuple[Numbers, Any]]


class DomainColumns:
    """The columns of one domain, ready for any number of products."""

    def __init__(self, table: ScoreTable, domain: Domain, design: Design, *, torch: Any = None) -> None:
        """Choose the columns; `torch` as `products.int8_library` gives it."""
        columns = _Columns()
        blocks = [_scored_rows(table, domain, block, design, columns) for block in domain.blocks]
        self.parts = [block_rows for block_rows in blocks if block_rows is not None]
        width = len(columns.vectors)
        self.matrix = CountMatrix(columns.stacked(), distinct=True, torch=torch) if width else None
        self.totals = self.matrix.totals() if self.matrix is not None else np.zeros(0)

    def add_contrasts(self, sums: Floats, out: Floats, *, offset: float = 0.0, step: float = 1.0) -> None:
        """Add what this domain contributes to every contrast.

        Args:
            sums: ``columns @ multiples``, shape ``(columns, replicates)``.
            out: shape ``(contrasts, replicates)``, changed in place.
            offset, step: the weights are ``offset + step * multiples``.
        """
        plain = offset == 0.0 and step == 1.0
        weighted = sums if plain else step * sums + offset * self.totals[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            for block_rows in self.parts:
                scores = block_rows.metric.score(np.moveaxis(weighted[block_rows.columns], 1, -1))
                for scale, (numbers, matrix) in block_rows.matrices.items():
                    out[numbers] += matrix @ transform(scores, scale)


class _Columns:
    """Different integer (or fractional) vectors over the clusters, each kept once."""

    def __init__(self) -> None:
        self.vectors: list[npt.NDArray[Any]] = []
        self.numbers: dict[bytes, int] = {}

    def number(self, vector: npt.NDArray[Any]) -> int:
        """Number of the column that holds this vector."""
        number = self.numbers.setdefault(vector.tobytes(), len(self.vectors))
        if number == len(self.vectors):
            self.vectors.append(vector)
        return number

    def stacked(self) -> npt.NDArray[Any]:
        """All columns, shape ``(columns, clusters)``."""
        return np.stack([narrowest(vector) for vector in self.vectors])


def _scored_rows(
    table: ScoreTable, domain: Domain, block: Block, design: Design, columns: _Columns
) -> ScoredRows | None:
    """The rows of a block that contrasts use; None if there are none."""
    used = {scale: matrix[:, block.first : block.last].tocsr() for scale, matrix in design.matrices.items()}
    rows = np.unique(np.concatenate([matrix.indices for matrix in used.values()]))
    if not len(rows):
        return None
    counts = domain.of_block(block)
    matrices: dict[Scale, tuple[Numbers, Any]] = {}
    for scale, matrix in used.items():
        numbers = np.flatnonzero(np.diff(matrix.indptr))
        if len(numbers):
            chosen = matrix[numbers][:, rows].tocsr()
            chosen.sort_indices()
            matrices[scale] = (numbers, chosen)
    places = [[columns.number(narrowest(vector)) for vector in counts[row]] for row in rows.tolist()]
    return ScoredRows(table.metrics[block.target], np.array(places, dtype=np.intp), matrices)
