"""The resampling kernel: cluster weights times cluster sums, then the metric, then the contrasts.

One block of 256 replicates of one domain is one matrix product ``(replicates, clusters) @ (clusters, columns)``.
The product is exact (see products.py), so sums do not depend on the library, the number of threads or the other columns
in the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.columns import DomainColumns
from adapterxfer.statistics.contrasts import Contrast
from adapterxfer.statistics.design import Design, build_design
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.products import CountMatrix, int8_library
from adapterxfer.statistics.table import Domain, ScoreTable
from adapterxfer.statistics.variance import Components, components
from adapterxfer.statistics.vocabulary import Backend, WeightKind
from adapterxfer.statistics.weights import BLOCK, Weights, draw, stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicates:
    """Contrasts in every replicate of the test items, models held fixed.

    Attributes:
        contrasts: the questions, in the order of the columns.
        values: shape ``(contrasts,)``, on the full data.
        replicates: shape ``(resamples, contrasts)``; NaN where a metric was undefined.
        components: analytic variances of the same contrasts by source.
        resamples, seed, weights: how it was made.
    """

    contrasts: tuple[Contrast, ...]
    values: Floats
    replicates: Floats
    components: Components
    resamples: int
    seed: int
    weights: WeightKind


def resample(
    table: ScoreTable,
    contrasts: Sequence[Contrast],
    *,
    resamples: int = 10_000,
    seed: int,
    weights: WeightKind = "multinomial",
    backend: Backend = "auto",
) -> Replicates:
    """Reweight the test items of every domain and recompute all contrasts each time.

    A cluster has the same weight in every system, run, target and language of its domain, which makes every contrast
    a paired one. The draws of a domain depend on its name, its clusters and `seed` only.

    Args:
        contrasts: what to estimate; memory is ``resamples * len(contrasts)`` floats plus one block.
        resamples: 10_000 gives a p-value step of 1e-4 and a Monte Carlo error of 0.002 at p = 0.05.
        seed: any non-negative integer.
        backend: who multiplies matrices; changes the speed and no bit.

    Raises:
        StatisticsError: fewer than 2 resamples, an unknown backend, or a contrast that the table cannot answer.

    Source: Efron and Tibshirani 1993, chapter 6 (bootstrap); Rubin-style weights give the same coverage.
    """
    if resamples < 2:
        raise StatisticsError(f"{resamples} resamples; at least 2 are needed", fix="set statistics.resamples to 10000")
    design = build_design(table, contrasts)
    torch = int8_library(backend, _multiplications(table, design, resamples))
    values, draws = np.zeros((len(contrasts), 1)), np.zeros((len(contrasts), resamples))
    for domain in table.domains:
        if not _used(design, domain):
            continue
        columns = DomainColumns(table, domain, design, torch=torch)
        columns.add_contrasts(columns.totals[:, None], values)
        for start, block in _blocks(domain, weights, seed, resamples):
            stop = min(start + BLOCK, resamples)
            assert columns.matrix is not None
            sums = columns.matrix.by_column(block.multiples[: stop - start], block.largest_total)
            columns.add_contrasts(sums, draws[:, start:stop], offset=block.offset, step=block.step)
    parts = components(table, contrasts, design)
    return Replicates(
        contrasts=tuple(contrasts),
        values=values[:, 0],
        replicates=draws.T,
        components=parts,
        resamples=resamples,
        seed=seed,
        weights=weights,
    )


def _used(design: Design, domain: Domain) -> bool:
    return any(matrix[:, domain.first : domain.last].nnz for matrix in design.matrices.values())


def _multiplications(table: ScoreTable, design: Design, resamples: int) -> float:
    """About how many the whole job needs: two columns per row."""
    return sum(2.0 * resamples * len(d.clusters) * (d.last - d.first) for d in table.domains if _used(design, d))


def _blocks(domain: Domain, weights: WeightKind, seed: int, resamples: int) -> Iterator[tuple[int, Weights]]:
    """Blocks of weights, each in the memory of the one before."""
    multiples = np.empty((BLOCK, len(domain.clusters)), dtype=np.uint8)
    for number, start in enumerate(range(0, resamples, BLOCK)):
        rng = stream(seed, domain.name, number)
        yield start, draw(weights, rng, clusters=len(domain.clusters), out=multiples)


def block_scores(table: ScoreTable, domain: Domain, weights: Weights, counts: CountMatrix | None = None) -> Floats:
    """Points of a domain's rows under some weights, shape ``(replicates, rows of the domain)``.

    Args:
        counts: the domain's counts, prepared for several blocks.
    """
    sums = weighted_sums(weights, counts or CountMatrix(domain.counts))
    result = np.empty((len(sums), domain.last - domain.first))
    offset = 0
    for block in domain.blocks:
        width = (block.last - block.first) * block.columns
        sums_of_block = sums[:, offset : offset + width].reshape(len(sums), -1, block.columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            scored = table.metrics[block.target].score(sums_of_block)
        result[:, block.first - domain.first : block.last - domain.first] = scored
        offset += width
    return result


def weighted_sums(weights: Weights, counts: CountMatrix) -> Floats:
    """``weights @ counts`` as float64 ``(replicates, columns)``: an exact product, then at most one rounding."""
    sums = counts.product(weights.multiples, weights.largest_total)
    if weights.offset == 0.0 and weights.step == 1.0:
        return sums
    return np.asarray(weights.offset * counts.totals() + weights.step * sums)
