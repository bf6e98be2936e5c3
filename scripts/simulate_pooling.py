"""How often the pooled interval of `adapterxfer meta` holds the truth, with and without the part common to all studies.

    python scripts/simulate_pooling.py [--analyses 2000] [--seed 0]

Effects of studies on the same test items: a common error with standard deviation .7, true effects that differ by tau,
training runs that differ by 1. docs/meta.md holds the table of one such run.
"""

from __future__ import annotations

import argparse

import numpy as np

from adapterxfer.statistics.pooling import pool

COMMON = 0.7


def coverage(studies: int, tau: float, runs: int, analyses: int, seed: int) -> tuple[float, float]:
    """Shares of analyses whose 95 % interval holds 0: with the common part, and as if studies were independent."""
    rng = np.random.default_rng([seed, studies, runs, round(10 * tau)])
    held = np.zeros(2)
    for _ in range(analyses):
        scores = rng.normal(0.0, 1.0, (studies, runs))
        effects = rng.normal(0.0, COMMON) + rng.normal(0.0, tau, studies) + scores.mean(axis=1)
        within = scores.var(axis=1, ddof=1).mean() / runs if runs > 1 else 0.0
        for k, options in enumerate(({"common": COMMON**2, "common_df": 150.0}, {})):
            pooled = pool(effects.tolist(), [within] * studies, **options)
            held[k] += pooled.low <= 0.0 <= pooled.high
    return float(held[0] / analyses), float(held[1] / analyses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--analyses", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| studies | runs of each | tau | covers | as if independent (dagger) |\n|---|---|---|---|---|")
    for studies in (2, 3, 5, 10):
        for runs in (1, 3):
            for tau in (0.0, 1.0):
                right, wrong = coverage(studies, tau, runs, arguments.analyses, arguments.seed)
                print(f"| {studies} | {runs} | {tau:g} | {right:.3f} | {wrong:.3f} |")


if __name__ == "__main__":
    main()
