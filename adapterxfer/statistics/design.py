"""Contrasts against a table, as sparse matrices: which row has which weight, on which scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.table import ScoreTable
from adapterxfer.statistics.vocabulary import Scale

_CLIP = 0.01
"""Distance in points that logits keep from 0 and 100."""


@dataclass(frozen=True, slots=True)
class Design:
    """Sparse weights of contrasts on rows.

    Attributes:
        matrices: scale -> CSR ``(contrasts, rows)``; a contrast has entries only in the matrix of its scale. A cell's
            weight is shared equally by its runs. Column order is row order, so sums run in a fixed order.
    """

    matrices: dict[Scale, Any]

    def apply(self, values: Floats, first: int, last: int) -> Floats:
        """Contrasts of row scores in points.

        Args:
            values: ``(replicates, last - first)``, points of the rows ``first:last``.

        Returns:
            Shape ``(replicates, contrasts)``.
        """
        total: Floats | None = None
        for scale, matrix in self.matrices.items():
            scaled = np.asarray((matrix[:, first:last] @ transform(values, scale).T).T)
            total = scaled if total is None else total + scaled
        assert total is not None
        return total


def build_design(table: ScoreTable, contrasts: Sequence[Contrast]) -> Design:
    """Look every cell up.

    Raises:
        StatisticsError: no contrasts, an empty one, or one that names a cell or a run the table does not have.
    """
    if not contrasts:
        raise StatisticsError("no contrasts given: nothing to estimate", fix="give at least one contrast")
    entries: dict[Scale, list[tuple[int, int, float]]] = {}
    for number, contrast in enumerate(contrasts):
        chosen = entries.setdefault(contrast.scale, [])
        for cell, weight in contrast.terms.items():
            rows = table.cells.get(cell)
            if rows is None:
                raise StatisticsError(
                    f"contrast '{contrast.name}': no scores of {cell}", fix="leave it out, or add this system's runs"
                )
            used = [row for row in rows if not contrast.seeds or table.rows[row].seed in {None, *contrast.seeds}]
            if not used:
                raise StatisticsError(
                    f"contrast '{contrast.name}': {cell} has none of the seeds {sorted(map(str, contrast.seeds))}",
                    fix="leave it out, or add this system's runs",
                )
            chosen.extend((number, row, weight / len(used)) for row in used)
    shape = (len(contrasts), len(table.rows))
    return Design({scale: _matrix(chosen, shape) for scale, chosen in entries.items()})


def transform(points: Floats, scale: Scale) -> Floats:
    """Points to another scale; clipped 0.01 points away from 0 and 100 where the transform is infinite."""
    if scale == "points":
        return points
    kept = np.clip(points, _CLIP, 100.0 - _CLIP)
    if scale == "logit":
        return np.asarray(np.log(kept) - np.log(100.0 - kept))
    return np.asarray(np.log(100.0 - kept))


def transform_slope(points: Floats, scale: Scale) -> Floats:
    """Derivative of `transform` by the points."""
    if scale == "points":
        return np.ones_like(points)
    kept = np.clip(points, _CLIP, 100.0 - _CLIP)
    if scale == "logit":
        return np.asarray(100.0 / (kept * (100.0 - kept)))
    return np.asarray(-1.0 / (100.0 - kept))


def clipped(points: Floats) -> npt.NDArray[np.bool_]:
    """True where a score is so close to an end of the scale that a transform clips it."""
    return np.asarray((points < _CLIP) | (points > 100.0 - _CLIP))


def _matrix(entries: Sequence[tuple[int, int, float]], shape: tuple[int, int]) -> Any:
    numbers, rows, weights = zip(*entries, strict=True) if entries else ((), (), ())
    matrix = sparse.csr_array((np.asarray(weights, dtype=np.float64), (numbers, rows)), shape=shape)
    matrix.sort_indices()
    return matrix
