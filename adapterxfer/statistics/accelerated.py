"""Second-order bootstrap intervals: BCa and bootstrap-t.

Neither is the default: with few discordant items both cover less than the percentile interval does.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import build_design, transform_slope
from adapterxfer.statistics.engine import ReplicateValues, block_scores
from adapterxfer.statistics.intervals import Bounds
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.products import exact_product
from adapterxfer.statistics.table import Domain, ScoreTable
from adapterxfer.statistics.weights import BLOCK, Weights, draw, stream

_TIE = 1e-12
_WIDEST = 64
"""Most count columns of a contrast for bootstrap-t; its cost grows with their square."""


def bca_interval(table: ScoreTable, replicates: ReplicateValues, number: int, *, level: float = 0.95) -> Bounds:
    """Bias-corrected and accelerated interval of one contrast.

    The acceleration comes from leaving out one cluster at a time; with several domains, the third and second moments
    are added over domains. Each contrast has its own.

    Raises:
        StatisticsError: the replicates do not vary, or an undefined replicate.

    Source: Efron 1987; DiCiccio and Efron 1996, section 6 for several samples.
    """
    column, value = replicates.replicates[:, number], float(replicates.values[number])
    slack = _TIE * max(1.0, abs(value))
    share = 0.5 * float((column < value - slack).mean() + (column <= value + slack).mean())
    if np.isnan(column).any() or not 0.0 < share < 1.0:
        raise StatisticsError(
            f"BCa interval of '{replicates.contrasts[number].name}': replicates are degenerate",
            fix="use the symmetric interval",
        )
    acceleration = _acceleration(table, replicates.contrasts[number])
    bias = float(special.ndtri(share))
    ends = []
    for tail in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
        moved = bias + float(special.ndtri(tail))
        ends.append(float(special.ndtr(bias + moved / (1.0 - acceleration * moved))))
    low, high = np.quantile(column, ends)
    return Bounds(float(low), float(high))


def _acceleration(table: ScoreTable, contrast: Contrast) -> float:
    design = build_design(table, [contrast])
    second = third = 0.0
    for domain in table.domains:
        if not any(matrix[:, domain.first : domain.last].nnz for matrix in design.matrices.values()):
            continue
        left_out = 1 - np.eye(len(domain.clusters), dtype=np.int64)
        scores = block_scores(table, domain, Weights(left_out, 0.0, 1.0))
        without = design.apply(scores, domain.first, domain.last)[:, 0]
        size = len(without)
        effects = (size - 1.0) * (without.mean() - without)
        third += float((effects**3).sum()) / size**3
        second += float((effects**2).sum()) / size**2
    return third / (6.0 * second**1.5) if second > 0.0 else 0.0


def bootstrap_t_interval(
    table: ScoreTable, contrast: Contrast, *, resamples: int = 10_000, seed: int, level: float = 0.95
) -> Bounds:
    """Bootstrap-t interval of one contrast: quantiles of (replicate - estimate) / (its own standard error).

    ReplicateValues without variation are left out.

    Raises:
        StatisticsError: more than 64 count columns in a domain, or no replicate with a standard error.

    Source: Efron and Tibshirani 1993, section 12.5; standard errors by linearisation in every replicate.
    """
    design = build_design(table, [contrast])
    matrix = design.matrices[contrast.scale]
    value = float(design.apply(table.scores[None, :], 0, len(table.rows))[0, 0])
    moved, variance, base = np.zeros(resamples), np.zeros(resamples), 0.0
    for domain in table.domains:
        weights = np.asarray(matrix[:, domain.first : domain.last].todense())[0]
        if not weights.any():
            continue
        columns = _columns(domain, weights, contrast)
        for number, start in enumerate(range(0, resamples, BLOCK)):
            drawn = draw("multinomial", stream(seed, domain.name, number), clusters=len(domain.clusters))
            stop = min(start + BLOCK, resamples)
            scores = block_scores(table, domain, drawn)
            moved[start:stop] += design.apply(scores, domain.first, domain.last)[: stop - start, 0]
            found = _variance(table, domain, contrast, weights, columns, drawn, scores)
            variance[start:stop] += found[: stop - start]
        once = Weights(np.ones((1, len(domain.clusters)), dtype=np.int64), 0.0, 1.0)
        base += float(_variance(table, domain, contrast, weights, columns, once, block_scores(table, domain, once))[0])
    usable = variance > 0.0
    if not usable.any():
        raise StatisticsError(f"bootstrap-t of '{contrast.name}': no variation", fix="use the symmetric interval")
    ratios = (moved[usable] - value) / np.sqrt(variance[usable])
    low, high = np.quantile(ratios, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    error = float(np.sqrt(base))
    return Bounds(value - float(high) * error, value - float(low) * error)


def _columns(domain: Domain, weights: Floats, contrast: Contrast) -> np.typing.NDArray[np.intp]:
    """Count columns of the rows that the contrast uses."""
    used: list[int] = []
    offset = 0
    for block in domain.blocks:
        for row in range(block.first - domain.first, block.last - domain.first):
            if weights[row] != 0.0:
                used.extend(range(offset, offset + block.columns))
            offset += block.columns
    if len(used) > _WIDEST:
        raise StatisticsError(
            f"bootstrap-t of '{contrast.name}': {len(used)} count columns, at most {_WIDEST}",
            fix="use the symmetric interval for contrasts of many cells",
        )
    return np.array(used, dtype=np.intp)


def _variance(
    table: ScoreTable,
    domain: Domain,
    contrast: Contrast,
    weights: Floats,
    columns: np.typing.NDArray[np.intp],
    drawn: Weights,
    scores: Floats,
) -> Floats:
    """Linearised variance of the contrast in every replicate, shape ``(replicates,)``."""
    counts = domain.counts[columns].T.astype(np.float64)
    products = np.einsum("ci,cj->cij", counts, counts).reshape(len(counts), -1)
    totals = exact_product(drawn.multiples, counts)
    size = len(columns)
    squares = (drawn.multiples.astype(np.float64) @ products).reshape(-1, size, size)
    gradient = np.empty((len(totals), size))
    position = 0
    for block in domain.blocks:
        for row in range(block.first - domain.first, block.last - domain.first):
            if weights[row] == 0.0:
                continue
            part = slice(position, position + block.columns)
            slope = transform_slope(scores[:, row], contrast.scale) * weights[row]
            gradient[:, part] = slope[:, None] * table.metrics[block.target].derivatives(totals[:, part])
            position += block.columns
    number = len(domain.clusters)
    return np.asarray(np.einsum("bi,bij,bj->b", gradient, squares, gradient) * number / max(number - 1, 1))
