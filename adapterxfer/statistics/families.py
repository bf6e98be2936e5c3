"""Adjustment of a declared family of tests, by the rule that holds for its scope and its number of runs.

Over test items, Romano-Wolf step-down max-T from the same replicates. Over runs, bootstrap max-T is not safe with few
seeds: Holm on Satterthwaite t from five runs on, a multivariate t with the fewest degrees of freedom for three and
four, and nothing for two, where one degree of freedom per system cannot carry a family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.engine import ReplicateValues
from adapterxfer.statistics.estimate import Estimate
from adapterxfer.statistics.intervals import TIE
from adapterxfer.statistics.metric import Floats
from adapterxfer.statistics.multiplicity import step_down, step_down_p, with_adjusted
from adapterxfer.statistics.weights import BLOCK, stream

WITHHELD = "withheld: two runs per system"
_ENOUGH_RUNS = 5
_DRAWS = 20_480


def adjust_family(
    family: Sequence[Estimate], replicates: ReplicateValues, columns: Sequence[int] | None = None
) -> tuple[Estimate, ...]:
    """The same estimates with `p_adjusted` and `adjustment` filled in.

    Args:
        family: estimates that are tested together, all of the same scope and alternative.
        replicates: where they come from.
        columns: the contrast number of each; 0, 1, ... when None.

    Returns:
        Estimates with `adjustment` one of `romano-wolf`, `holm`, `multivariate t`, or `WITHHELD` with no p-value.
        Rows over items that do not rest on replicates (few clusters, few discordant items) make the whole family
        use `holm`.

    Raises:
        StatisticsError: an empty or mixed family, or numbers that do not match.
    """
    chosen = list(range(len(family))) if columns is None else list(columns)
    _check_family(family, replicates, chosen)
    if family[0].scope == "items":
        if any(row.interval in ("t", "agresti-min") or row.alternative != "two-sided" for row in family):
            return with_adjusted(family, "holm")
        values = np.maximum(step_down(replicates, chosen), [1.0 if row.p is None else row.p for row in family])
        return _filled(family, values, "romano-wolf")
    fewest = min((row.runs for row in family if row.runs > 0), default=_ENOUGH_RUNS)
    if fewest >= _ENOUGH_RUNS or any(row.alternative != "two-sided" for row in family if fewest > 2):
        return with_adjusted(family, "holm")
    if fewest == 2:
        return tuple(replace(row, p_adjusted=None, adjustment=WITHHELD) for row in family)
    values = multivariate_t_p(family, replicates, chosen)
    return _filled(family, np.maximum(values, [1.0 if row.p is None else row.p for row in family]), "multivariate t")


def multivariate_t_p(family: Sequence[Estimate], replicates: ReplicateValues, columns: Sequence[int]) -> Floats:
    """Step-down p-values from a multivariate t with the fewest degrees of freedom in the family.

    The correlation is the covariance over items divided by the whole variances; what runs add is taken as independent
    between contrasts, which errs on the safe side where a shared baseline would correlate them.
    """
    errors = np.array([row.standard_error for row in family])
    values = np.abs([row.value for row in family])
    fewest = min(row.df for row in family)
    draws = replicates.replicates[:, list(columns)]
    draws = draws[~np.isnan(draws).any(axis=1)]
    safe = np.where(errors > 0.0, errors, 1.0)
    covariance = np.atleast_2d(np.cov(draws, rowvar=False)) / np.outer(safe, safe)
    scale = 1.0 / np.sqrt(np.maximum(np.diag(covariance), 1.0))
    correlation = covariance * np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    null = np.abs(_standard_t(len(columns), fewest, replicates.seed, root))
    observed = np.where(errors > 0.0, values / safe, np.where(values > TIE, np.inf, 0.0))
    return step_down_p(observed, null)


def _standard_t(width: int, df: float, seed: int, root: Floats) -> Floats:
    """Draws of a multivariate t from raw bits only, shape ``(draws, width)``."""
    blocks = []
    for number in range(_DRAWS // BLOCK):
        words = np.frombuffer(stream(seed, "multivariate t", number).bytes(8 * BLOCK * (width + 1)), dtype="<u8")
        uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
        table = uniform.reshape(BLOCK, width + 1)
        normal = special.ndtri(table[:, :width]) @ root.T
        spread = 1.0 if np.isinf(df) else np.sqrt(special.chdtri(df, table[:, width]) / df)[:, None]
        blocks.append(normal / spread)
    return np.concatenate(blocks)


def _filled(family: Sequence[Estimate], values: Floats, adjustment: str) -> tuple[Estimate, ...]:
    return tuple(
        replace(row, p_adjusted=min(1.0, value), adjustment=adjustment)
        for row, value in zip(family, values.tolist(), strict=True)
    )


def _check_family(family: Sequence[Estimate], replicates: ReplicateValues, columns: Sequence[int]) -> None:
    if not family:
        raise StatisticsError("a family without tests", fix="declare at least one hypothesis in it")
    if len(columns) != len(family):
        raise StatisticsError(f"{len(family)} estimates and {len(columns)} contrast numbers", fix="give one each")
    if len({(row.scope, row.alternative) for row in family}) > 1:
        raise StatisticsError(
            "a family mixes scopes or alternatives", fix="declare one family per scope and alternative"
        )
    for row, column in zip(family, columns, strict=True):
        if row.value != float(replicates.values[column]):
            raise StatisticsError(
                f"'{row.name}' is not contrast {column} of these replicates", fix="pass the number of its contrast"
            )
