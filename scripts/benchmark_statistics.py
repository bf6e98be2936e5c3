"""Time the resampling engine beside scipy.stats.bootstrap and a plain loop, in one process and on the same data.

    python scripts/benchmark_statistics.py [--pairs 200] [--examples 5000] [--resamples 10000] [--json] [--int8]

Every contestant answers the same question: the bootstrap distribution of a difference in accuracy, for every pair of
systems. Contestants that take minutes run a share of the pairs or the resamples and are extrapolated, marked so. Times
are CPU seconds of the process; set OMP_NUM_THREADS=1 for one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.statistics.products import CountMatrix
from adapterxfer.statistics.weights import BLOCK, draw, stream

_CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp")


class Timing(NamedTuple):
    """CPU seconds for the whole question; `share` of it was really computed."""

    seconds: float
    share: float


def main() -> None:
    arguments = _arguments()
    if arguments.int8:
        import torch

        torch.set_num_threads(1)
    correct = _correct(arguments.pairs, arguments.examples)
    timings = {
        "adapterxfer, multinomial": _ours(correct, arguments.resamples, "multinomial"),
        "adapterxfer, poisson": _ours(correct, arguments.resamples, "poisson"),
        "adapterxfer, mammen": _ours(correct, arguments.resamples, "mammen"),
        "limit: random numbers and matrix product": _limit(correct, arguments.resamples),
        "scipy.stats.bootstrap, all pairs in one call": _scipy_joint(correct, arguments.resamples),
        "scipy.stats.bootstrap, pair by pair": _scipy_pairs(correct, arguments.resamples),
        "plain loop over resamples": _plain_loop(correct, arguments.resamples),
    }
    if arguments.json:
        print(json.dumps(_as_json(arguments, timings), indent=2))
    else:
        _print(arguments, timings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--int8", action="store_true", help="load PyTorch, whose int8 product is used if it is faster")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _correct(pairs: int, examples: int) -> np.ndarray:
    """Correctness, shape ``(pairs, 2, examples)``."""
    rng = np.random.default_rng(0)
    easy = rng.normal(0, 1, examples)
    return ((easy + rng.normal(0, 0.7, (pairs, 2, examples))) > -0.7).astype(np.int64)


def _timed(function: Callable[[], object], share: float = 1.0) -> Timing:
    start = time.process_time()
    function()
    return Timing((time.process_time() - start) / share, share)


def _ours(correct: np.ndarray, resamples: int, weights: str) -> Timing:
    """The whole public way: table, replicates and analytic variances, intervals and p-values."""
    pairs, _, examples = correct.shape
    ids = np.array([f"{index:06d}" for index in range(examples)])
    ones = np.ones(examples, dtype=np.int64)
    metric = st.ratio_metric("accuracy", (1, 0), (0, 1))
    cells = [
        st.CellCounts({"pair": pair, "side": side}, None, "t", "en", "t", ids,
                      np.stack([correct[pair, side], ones], axis=1))
        for pair in range(pairs)
        for side in (0, 1)
    ]  # fmt: skip
    systems = [[st.System.of({"pair": pair, "side": side}) for side in (0, 1)] for pair in range(pairs)]
    contrasts = [st.score(a, "t", "en") - st.score(b, "t", "en") for a, b in systems]

    def work() -> None:
        table = st.build_table(cells, {"t": metric})
        st.estimates(table, st.resample(table, contrasts, resamples=resamples, seed=0, weights=weights))

    return _timed(work)


def _limit(correct: np.ndarray, resamples: int) -> Timing:
    """Only the random words and the product with one column per system, the least any exact engine has to do."""
    counts = correct.reshape(-1, correct.shape[-1]).T.astype(np.float64)
    matrix = CountMatrix.of(counts)

    def work() -> None:
        for block in range(-(-resamples // BLOCK)):
            matrix.product(draw("multinomial", stream(0, "t", block), clusters=len(counts)).multiples)

    return _timed(work)


def _scipy_joint(correct: np.ndarray, resamples: int) -> Timing:
    share = min(1.0, 200 / resamples)
    gaps = (correct[:, 0] - correct[:, 1]).astype(np.float64)

    def work() -> None:
        stats.bootstrap((gaps,), np.mean, axis=-1, vectorized=True, method="percentile", batch=5,
                        n_resamples=round(share * resamples), rng=np.random.default_rng(0))  # fmt: skip

    return _timed(work, share)


def _scipy_pairs(correct: np.ndarray, resamples: int) -> Timing:
    share = 1 / len(correct)
    first, second = correct[0].astype(np.float64)

    def gap(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    def work() -> None:
        stats.bootstrap((first, second), gap, paired=True, vectorized=True, method="percentile", batch=100,
                        n_resamples=resamples, rng=np.random.default_rng(0))  # fmt: skip

    return _timed(work, share)


def _plain_loop(correct: np.ndarray, resamples: int) -> Timing:
    rng = np.random.default_rng(0)
    count = max(1, resamples // 10)
    share = count / resamples / len(correct)
    first, second = correct[0].astype(np.float64)

    def work() -> None:
        for _ in range(count):
            rows = rng.integers(0, len(first), len(first))
            first[rows].mean() - second[rows].mean()

    return _timed(work, share)


def _features() -> list[str]:
    source = Path("/proc/cpuinfo")
    flags = source.read_text(encoding="utf-8").split() if source.exists() else []
    return [feature for feature in _CPU_FEATURES if feature in flags]


def _as_json(arguments: argparse.Namespace, timings: dict[str, Timing]) -> dict[str, object]:
    base = timings["adapterxfer, multinomial"].seconds
    return {
        "pairs": arguments.pairs,
        "examples": arguments.examples,
        "resamples": arguments.resamples,
        "int8": arguments.int8,
        "cpu_features": _features(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "results": {
            name: {"cpu_s": timing.seconds, "computed_share": timing.share, "ratio": timing.seconds / base}
            for name, timing in timings.items()
        },
    }


def _print(arguments: argparse.Namespace, timings: dict[str, Timing]) -> None:
    base = timings["adapterxfer, multinomial"].seconds
    print(f"{arguments.pairs} pairs x {arguments.examples} examples x {arguments.resamples} resamples")
    print(f"cpu features: {' '.join(_features()) or 'unknown'}; numpy {np.__version__}")
    print(f"{'':46} {'CPU s':>9} {'ratio':>8}")
    for name, timing in timings.items():
        note = "" if timing.share == 1.0 else f"  extrapolated from {timing.share:.4%}"
        print(f"{name:46} {timing.seconds:9.2f} {timing.seconds / base:8.1f}{note}")


if __name__ == "__main__":
    main()
