"""What a comparison of two systems could find, before anything is trained: power from items, seeds and discordance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapterxfer.statistics import detectable_paired, paired_standard_error, power_mcnemar, power_paired

EXACT_LIMIT = 20_000
"""Test items up to which McNemar's power is summed over all outcomes."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One row of a planning table.

    Attributes:
        standard_error: in points.
        detectable: smallest true difference in points that is found with probability .8; None where there is none.
        power: of finding ``effect``, None where no effect was asked about.
        exact_power: the same for McNemar's mid-p test over items, where one run per system is compared.
    """

    items: int
    seeds: int
    standard_error: float
    detectable: float | None
    power: float | None
    exact_power: float | None


def plan_comparison(
    items: Sequence[int],
    seeds: Sequence[int],
    *,
    discordance: float,
    seed_sd: float,
    effect: float | None = None,
    tests: int = 1,
    level: float = 0.95,
) -> tuple[Planned, ...]:
    """Every combination of test items and training runs.

    Args:
        items: independent test items (clusters).
        seeds: training runs per system.
        discordance: share of items that only one of the two systems gets right.
        seed_sd: standard deviation over runs of one system, in points; 0 holds the runs fixed, whatever ``seeds`` says.
        effect: true difference in points to compute the power for.
        tests: size of the family, which every column takes into account.

    Raises:
        StatisticsError: a share outside [0, 1], or an effect larger than the discordance allows.
    """
    alpha = 1.0 - level
    rows = []
    for size in items:
        for runs in seeds:
            error = paired_standard_error(size, discordance, seeds=runs, seed_sd=seed_sd, effect=effect or 0.0)
            detectable = detectable_paired(size, discordance, seeds=runs, seed_sd=seed_sd, alpha=alpha, tests=tests)
            power = None
            if effect:
                power = power_paired(size, discordance, effect, seeds=runs, seed_sd=seed_sd, alpha=alpha, tests=tests)
            exact = None
            if effect and runs == 1 and seed_sd == 0.0 and size <= EXACT_LIMIT:
                exact = power_mcnemar(size, discordance, effect, alpha=alpha / tests, mid_p=True)
            known = detectable if math.isfinite(detectable) else None
            rows.append(Planned(size, runs, error, known, power, exact))
    return tuple(rows)
