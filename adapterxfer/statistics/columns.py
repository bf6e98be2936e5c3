"""What of a domain is multiplied by the weights, and how contrasts follow from the weighted sums.

Only rows that some contrast uses take part. A ratio metric needs two columns per row, numerator and denominator;
`combining.py` says where a contrast is itself one ratio of combined columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from adapterxfer.statistics.combining import Combined, Pending, Places, Ratios, combinable, join
from adapterxfer.statistics.design import Design, transform
from adapterxfer.statistics.metric import Floats, Metric, Ratio
from adapterxfer.statistics.products import CountMatrix, narrowest
from adapterxfer.statistics.table import Block, Domain, ScoreTable
from adapterxfer.statistics.vocabulary import Scale


@dataclass(frozen=True, slots=True)
class Rowwise:
    """Rows of one block that are scored one by one, and the contrasts of their scores.

    Attributes:
        metric: of the block.
        columns: columns of each row: ``(rows, 2)`` numerators and denominators for a ratio, else ``(rows, k)``.
        ratio: the metric as a ratio, or None.
        matrices: scale -> (numbers of the contrasts, CSR ``(their number, rows)``).
    """

    metric: Metric
    columns: Places
    ratio: Ratio | None
    matrices: dict[Scale, tuple[Places, Any]]


_Part = Combined | Rowwise | Pending


class DomainColumns:
    """The columns of one domain, ready for any number of products."""

    def __init__(self, table: ScoreTable, domain: Domain, design: Design, *, torch: Any = None) -> None:
        """Choose the columns; `torch` as `products.int8_library` gives it."""
        columns = _Columns()
        pending = [part for block in domain.blocks for part in _parts(table, domain, block, design, columns)]
        width = len(columns.vectors)
        self.parts = [part.finished(width) if isinstance(part, Pending) else part for part in pending]
        self.matrix = CountMatrix(columns.stacked(), distinct=True, torch=torch) if width else None
        self.totals = self.matrix.totals() if self.matrix is not None else np.zeros(0)

    def add_contrasts(self, sums: Floats, out: Floats, *, offset: float = 0.0, step: float = 1.0) -> None:
        """Add what this domain contributes to every contrast.

        Args:
            sums: ``columns @ multiples``, shape ``(columns, replicates)``.
            out: shape ``(contrasts, replicates)``, changed in place.
            offset, step: the weights are ``offset + step * multiples``.
        """

        def weighted(part: Floats, totals: Floats) -> Floats:
            if offset == 0.0 and step == 1.0:
                return part
            result = step * part
            result += offset * totals[..., None]
            return np.asarray(result)

        with np.errstate(divide="ignore", invalid="ignore"):
            for part in self.parts:
                if isinstance(part, Combined):
                    below = weighted(sums[part.denominator], self.totals[part.denominator])
                    out[part.where] += _combined(part, sums, below, self.totals, weighted)
                    continue
                scores = _scores(part, weighted(sums[part.columns], self.totals[part.columns]))
                for scale, (numbers, matrix) in part.matrices.items():
                    out[numbers] += matrix @ transform(scores, scale)


def _combined(part: Combined, sums: Floats, below: Floats, totals: Floats, weighted: Any) -> Floats:
    """Contributions of shape ``(g, replicates)``."""
    if part.matrix is None:
        above, whole = sums[part.places], totals[part.places]
    else:
        above, whole = np.asarray(part.matrix @ sums), np.asarray(part.matrix @ totals)
    result = weighted(above, whole)
    result = np.multiply(result, part.factors[:, None], out=None if result is above else result)
    result /= below
    if (below == 0.0).any():
        result[:, below == 0.0] = 0.0
    return np.asarray(result)


def _scores(part: Rowwise, values: Floats) -> Floats:
    """Points of shape ``(rows, replicates)`` from weighted sums ``(rows, columns of a row, replicates)``."""
    if part.ratio is None:
        return part.metric.score(np.moveaxis(values, 1, -1))
    above, below = values[:, 0], values[:, 1]
    result = part.ratio.points * above
    result /= below
    result[below == 0.0] = 0.0
    return np.asarray(result)


class _Columns:
    """Different integer (or fractional) vectors over the clusters, each kept once."""

    def __init__(self) -> None:
        self.vectors: list[npt.NDArray[Any]] = []
        self.numbers: dict[bytes, int] = {}

    def place(self, vector: npt.NDArray[Any]) -> int:
        """Number of the column that holds this vector."""
        number = self.numbers.setdefault(vector.tobytes(), len(self.vectors))
        if number == len(self.vectors):
            self.vectors.append(vector)
        return number

    def stacked(self) -> npt.NDArray[Any]:
        """All columns, shape ``(columns, clusters)``."""
        return np.stack([narrowest(vector) for vector in self.vectors])


def _parts(table: ScoreTable, domain: Domain, block: Block, design: Design, columns: _Columns) -> list[_Part]:
    metric = table.metrics[block.target]
    here = slice(block.first, block.last)
    used = {scale: matrix[:, here].tocsr() for scale, matrix in design.matrices.items()}
    counts = domain.of_block(block)
    ratio = metric.ratio if metric.ratio is not None and metric.ratio.integral else None
    if ratio is None:
        return _rowwise(metric, None, used, lambda row: [columns.place(narrowest(vector)) for vector in counts[row]])
    vectors = Ratios(counts, ratio)
    combined = combinable(used["points"], vectors) if "points" in used else []
    if combined:
        kept = np.ones(used["points"].shape[0])
        kept[[number for number, _, _ in combined]] = 0.0
        used["points"] = sparse.diags_array(kept).tocsr() @ used["points"]
        used["points"].eliminate_zeros()
    others = np.unique(np.concatenate([matrix.indices for matrix in used.values()]))

    def places(row: int) -> list[int]:
        return [columns.place(vectors.numerator(row)), columns.place(vectors.denominator(row))]

    return [*join(combined, vectors, others, columns.place), *_rowwise(metric, ratio, used, places)]


def _rowwise(metric: Metric, ratio: Ratio | None, used: dict[Scale, Any], places: Any) -> list[_Part]:
    """The part of contrasts that need the scores of single rows, if there are any."""
    rows = np.unique(np.concatenate([matrix.indices for matrix in used.values()]))
    if not len(rows):
        return []
    matrices: dict[Scale, tuple[Places, Any]] = {}
    for scale, matrix in used.items():
        numbers = np.flatnonzero(np.diff(matrix.indptr))
        if len(numbers):
            chosen = matrix[numbers][:, rows].tocsr()
            chosen.sort_indices()
            matrices[scale] = (numbers, chosen)
    return [Rowwise(metric, np.array([places(row) for row in rows.tolist()], dtype=np.intp), ratio, matrices)]
