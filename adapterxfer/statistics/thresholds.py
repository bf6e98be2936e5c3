"""Numbers that decide which method is used, each once, with the reason for its value."""

from __future__ import annotations

TIE = 1e-12
"""Values that differ by less, in points or as a share of the larger one, are equal up to rounding. Sums of some
thousand scores in float64 are off by about 1e-13; real differences are at least one item, 1e-4 points."""

BEST_SCORE = 100.0
"""The best score in points, of every metric; the worst is the metric's `lowest`."""

NOISE = 1e-8
"""Standard errors below this share of the value are rounding errors of a quantity that does not vary. Numerical
gradients are exact to about 1e-10; one item in a million that differs gives 1e-6."""

FEWEST_CLUSTERS = 10
"""With fewer clusters of test items there is neither a p-value nor a verdict. The variance between so few clusters is
itself hardly known, and a t interval rests on their effects being normal; one item would always be "found"."""

FEW_CLUSTERS = 40
"""Below this, t intervals with the clusters' degrees of freedom instead of the bootstrap, which is too narrow by about
the factor sqrt((n - 1) / n) and by its normal quantile: 4 % at 40 clusters, 15 % at 10."""

SPARSE_DISCORDANCE = 25
"""Two systems that differ on fewer items are compared by exact tests: a bootstrap distribution on so few is coarse and
skewed. 25 is the usual limit below which McNemar's test is not approximated."""

ENOUGH_RUNS = 5
"""From so many training runs per system on, t tests keep their level in a family under Holm's adjustment. With fewer,
a family would be decided by the tests whose few runs agree by chance."""

ENOUGH_MODERATED_RUNS = 3
"""The same where the run variance is moderated: no family of 24 in docs/simulations.md errs in more than 6.5 % from
three runs on, except with skewed runs and one or two systems five times as noisy (7 to 10 %). With two runs one such
system makes it 9 %, and 6 % when all are read with the fewest degrees of freedom."""


def significant(p: float | None, alpha: float) -> bool:
    """Whether a p-value rejects at level alpha; equality does, up to rounding, and an unknown p-value does not."""
    return p is not None and p <= alpha + TIE
