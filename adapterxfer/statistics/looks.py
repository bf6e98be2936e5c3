"""Looking at a study more than once: which p-value decides at each look, and what an undeclared look costs.

Seeds are added in steps and the study is judged after each. With `n` seeds an estimate has the variance
``items + runs / n``, and the covariance of two looks is the variance of the later one. That is the canonical joint
distribution of group-sequential designs, with information ``1 / variance``, so their recursion gives exact error rates
for any ratio of run variance to item variance.

Source: Armitage, McPherson and Rowe 1969 (the recursion); O'Brien and Fleming 1979; Lan and DeMets 1983 (the spending
function); Jennison and Turnbull 2000, chapter 7 (levels applied to p-values of t tests).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from adapterxfer.errors import StatisticsError

NODES = 129
"""Gauss-Legendre nodes of one integration; 65 give the same levels to seven digits."""

WIDEST = 12.0
"""Standard errors beyond which a boundary counts as never crossed: the tail there is below 1e-32."""


def spending_levels(looks: Sequence[int], *, alpha: float = 0.05) -> tuple[float, ...]:
    """Two-sided p-value that decides at each look, by the spending function of the O'Brien-Fleming kind.

    Early looks need strong evidence and cost little, so the last look keeps almost the whole level: with looks at 3, 5
    and 10 seeds the levels are 0.00035, 0.00544 and 0.04776. Information is counted in seeds, as if all variance came
    from training runs; where items matter too the looks are more alike than that, and the error rate is below `alpha`.

    Args:
        looks: numbers of seeds, increasing.
        alpha: error rate of the whole sequence of looks, in (0, 1).

    Raises:
        StatisticsError: looks that do not increase, or a level outside (0, 1).
    """
    _check(looks, [alpha])
    fractions = [look / looks[-1] for look in looks]
    spent = [float(2.0 * norm.sf(norm.isf(alpha / 2.0) / math.sqrt(fraction))) for fraction in fractions]
    levels: list[float] = []
    state = _Continuing.at_start()
    for index, fraction in enumerate(fractions):
        to_spend = spent[index] - (spent[index - 1] if index else 0.0)
        bound = _bound_that_spends(state, fraction, to_spend)
        levels.append(float(2.0 * norm.sf(bound)))
        state = state.after(fraction, bound)
    return tuple(levels)


def error_rate(looks: Sequence[int], levels: Sequence[float], *, runs_to_items: float = math.inf) -> float:
    """Probability that a difference is declared at one of the looks although there is none.

    Args:
        looks: numbers of seeds, increasing.
        levels: two-sided p-value that decides at each look; the nominal 0.05 at every look is what happens when
            seeds are added until something is significant.
        runs_to_items: run standard deviation of one seed over the standard error that the test items alone give.
            Infinite means that only training runs vary, the worst case.

    Raises:
        StatisticsError: looks that do not increase, levels outside (0, 1), or numbers of looks and levels that differ.
    """
    _check(looks, levels)
    if len(looks) != len(levels):
        raise StatisticsError(f"{len(looks)} looks and {len(levels)} levels", fix="give one level per look")
    if runs_to_items < 0.0 or math.isnan(runs_to_items):
        raise StatisticsError(f"ratio {runs_to_items} of runs to items; expected 0 or more", fix="pass a ratio")
    if runs_to_items == 0.0:  # all looks are the same look
        return max(levels)
    items = 0.0 if math.isinf(runs_to_items) else runs_to_items**-2
    variances = [items + 1.0 / look for look in looks]
    crossed, state = 0.0, _Continuing.at_start()
    for level, variance in zip(levels, variances, strict=True):
        information = variances[-1] / variance
        bound = float(norm.isf(level / 2.0))
        crossed += state.crossing(information, bound)
        state = state.after(information, bound)
    return crossed


@dataclass(frozen=True, slots=True)
class _Continuing:
    """Studies that have crossed no boundary: density of their score process, on the nodes of an integration.

    Attributes:
        information: at the last look, as a share of the final one.
        nodes, masses: values of the process, and density times weight there; masses sum to the probability of going on.
    """

    information: float
    nodes: NDArray[np.float64]
    masses: NDArray[np.float64]

    @classmethod
    def at_start(cls) -> _Continuing:
        return cls(0.0, np.zeros(1), np.ones(1))

    def crossing(self, information: float, bound: float) -> float:
        """Probability of crossing ``bound`` standard errors, for the first time, at this information."""
        step, limit = math.sqrt(information - self.information), bound * math.sqrt(information)
        outside = norm.sf((limit - self.nodes) / step) + norm.cdf((-limit - self.nodes) / step)
        return float(outside @ self.masses)

    def after(self, information: float, bound: float) -> _Continuing:
        """Those that have not crossed at this information either."""
        step, limit = math.sqrt(information - self.information), bound * math.sqrt(information)
        points, weights = np.polynomial.legendre.leggauss(NODES)
        nodes = limit * points
        density = norm.pdf((nodes[:, None] - self.nodes[None, :]) / step) @ self.masses / step
        return _Continuing(information, nodes, density * weights * limit)


def _bound_that_spends(state: _Continuing, information: float, probability: float) -> float:
    """Standard errors whose first crossing at this information has the wanted probability."""
    return float(brentq(lambda bound: state.crossing(information, bound) - probability, 0.0, WIDEST, xtol=1e-10))


def _check(looks: Sequence[int], levels: Sequence[float]) -> None:
    if not looks or looks[0] < 1 or any(later <= earlier for earlier, later in pairwise(looks)):
        raise StatisticsError(
            f"looks {list(looks)}; expected increasing numbers of seeds", fix="e.g. looks: [3, 5, 10]"
        )
    if not all(0.0 < level < 1.0 for level in levels):
        raise StatisticsError(f"levels {list(levels)}; expected numbers between 0 and 1", fix="0.05 is usual")
