"""Time the resampling engine beside other tools, in one process and on the same data.

    python scripts/benchmark_statistics.py [--pairs 200] [--examples 5000] [--resamples 10000] [--json]
    python scripts/benchmark_statistics.py --end-to-end [--backend numpy]

Every contestant answers the same question: the bootstrap distribution of a difference in accuracy, for every pair of
systems. Contestants that take minutes run a share of the pairs or the resamples and are extrapolated, marked so. Times
are CPU seconds of the process, the best of several repeats for ours; set OMP_NUM_THREADS=1 for one thread.

The engine is measured on the path that reports take: every system scored in every replicate, then the contrasts of the
scores. Its limit is what it cannot do without: drawing the weights, and the bare matrix product on operands that are
ready, one column per system and one of totals. `--end-to-end` times a whole study instead: 264 runs, each scored on 15
parallel languages and 40 other ones, 400 contrasts, with analytic variances, intervals, p-values and step-down
adjustment.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.statistics.products import CountMatrix, int8_library
from adapterxfer.statistics.vocabulary import Backend, WeightKind
from adapterxfer.statistics.weights import BLOCK, draw, stream

_CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp")


class Timing(NamedTuple):
    """CPU seconds for the whole question; `share` of it was really computed."""

    seconds: float
    share: float = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5, help="of our own, of which the best counts")
    parser.add_argument("--end-to-end", action="store_true", help="a whole study instead of pairs")
    parser.add_argument("--backend", choices=("auto", "numpy", "torch"), default="auto", help="for --end-to-end")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = end_to_end(arguments.resamples, arguments.backend) if arguments.end_to_end else pairs(arguments)
    result |= {"cpu_features": features(), "numpy": np.__version__, "blas": blas(), "python": platform.python_version()}
    if arguments.json:
        print(json.dumps(result, indent=2))
    elif arguments.end_to_end:
        for name, value in result.items():
            print(f"{name:28} {value}")
    else:
        show(result)


def pairs(arguments: argparse.Namespace) -> dict[str, Any]:
    """All contestants on pairs of accuracies; ratios are to both of our paths."""
    correct = made_up(arguments.pairs, arguments.examples)
    resamples, repeats = arguments.resamples, arguments.repeats
    rows: dict[str, Timing] = {}
    ratios: dict[str, float] = {}
    study = Study(correct)
    table_s = min(timed(study.table).seconds for _ in range(repeats))
    backends: list[Backend] = ["numpy", "torch"] if importlib.util.find_spec("torch") else ["numpy"]
    for backend in backends:
        one_thread(backend)
        for weights in ("multinomial", "poisson", "mammen"):
            limits, runs, whole = [], [], []
            for _ in range(repeats):
                limits.append(limit(correct, resamples, weights, backend))
                replicates, both = study.ours(resamples, weights, backend)
                runs.append(replicates)
                whole.append(both)
            name = f"ours, {backend}, {weights}"
            rows[f"{name}: limit (draws + bare product)"] = Timing(min(limits))
            rows[f"{name}: replicates and variances"] = Timing(min(runs))
            rows[f"{name}: and intervals, p-values"] = Timing(min(whole))
            ratios[f"{name}: replicates / limit"] = min(runs) / min(limits)
            ratios[f"{name}: all / limit"] = min(whole) / min(limits)
    rows["ours: table from examples (once, any number of questions)"] = Timing(table_s)
    rows |= peers(correct, resamples)
    joint = rows["scipy.stats.bootstrap, all pairs in one call"].seconds
    for backend in backends:
        ours = rows[f"ours, {backend}, multinomial: and intervals, p-values"].seconds
        ratios[f"scipy joint / ours, {backend}"] = joint / ours
        ratios[f"scipy joint / ours with the table, {backend}"] = joint / (ours + table_s)
    return {
        "pairs": arguments.pairs,
        "examples": arguments.examples,
        "resamples": resamples,
        "cpu_s": {name: timing.seconds for name, timing in rows.items()},
        "computed_share": {name: timing.share for name, timing in rows.items()},
        "ratios": ratios,
    }


def made_up(count: int, examples: int) -> np.ndarray:
    """Correctness, shape ``(pairs, 2, examples)``."""
    rng = np.random.default_rng(0)
    easy = rng.normal(0, 1, examples)
    return ((easy + rng.normal(0, 0.7, (count, 2, examples))) > -0.7).astype(np.int64)


def one_thread(backend: str) -> None:
    """PyTorch takes its threads from its own setting."""
    if backend == "torch":
        int8_library("torch").set_num_threads(1)


def timed(function: Callable[[], object], share: float = 1.0) -> Timing:
    start = time.process_time()
    function()
    return Timing((time.process_time() - start) / share, share)


class Study:
    """The public way: cells, table, contrasts."""

    def __init__(self, correct: np.ndarray) -> None:
        ids = np.array([f"{index:06d}" for index in range(correct.shape[2])])
        ones = np.ones(correct.shape[2], dtype=np.int64)
        self.cells = [
            st.CellCounts(
                system={"pair": pair, "side": side},
                seed=None,
                target="t",
                language="en",
                domain="t",
                cluster_ids=ids,
                counts=np.stack([correct[pair, side], ones], axis=1),
            )
            for pair in range(len(correct))
            for side in (0, 1)
        ]
        systems = [[st.System.of({"pair": pair, "side": side}) for side in (0, 1)] for pair in range(len(correct))]
        self.contrasts = [st.score(a, "t", "en") - st.score(b, "t", "en") for a, b in systems]
        self.built = self.table()

    def table(self) -> st.ScoreTable:
        """From counts per example to cluster sums."""
        return st.build_table(self.cells, {"t": st.ratio_metric("accuracy", (1, 0), (0, 1))})

    def ours(self, resamples: int, weights: WeightKind, backend: Backend) -> tuple[float, float]:
        """CPU seconds of the replicates with analytic variances, and with intervals and p-values as well."""
        start = time.process_time()
        replicates = st.resample(
            self.built, self.contrasts, resamples=resamples, seed=0, weights=weights, backend=backend
        )
        middle = time.process_time()
        st.estimates(self.built, replicates)
        return middle - start, time.process_time() - start


def limit(correct: np.ndarray, resamples: int, weights: WeightKind, backend: Backend) -> float:
    """CPU seconds of the draws and of the bare product of the path that the engine takes here."""
    examples = correct.shape[2]
    columns = np.concatenate([correct.reshape(-1, examples), np.ones((1, examples), dtype=np.int64)]).astype(np.int8)
    matrix = CountMatrix(columns, distinct=True, torch=int8_library(backend))
    out = np.empty((BLOCK, examples), dtype=np.uint8)
    first = draw(weights, stream(0, "t", 0), clusters=examples, out=out)
    matrix.product(first.multiples, first.largest_total)
    product = bare_product(matrix)
    start = time.process_time()
    for block in range(-(-resamples // BLOCK)):
        drawn = draw(weights, stream(0, "t", block), clusters=examples, out=out)
        product(drawn.multiples[: min(BLOCK, resamples - block * BLOCK)])
    return time.process_time() - start


def bare_product(matrix: CountMatrix) -> Callable[[np.ndarray], object]:
    """The library call alone, with operands in their final type: the int8 product, or packed columns in float32."""
    if matrix._path == matrix._in_int8:
        torch, left = matrix._torch, matrix._int8
        return lambda multiples: torch._int_mm(left, torch.from_numpy(multiples.view(np.int8)).t())
    packed = matrix._pairs() if matrix._path == matrix._in_pairs else [(slice(None), matrix.counts.astype(np.float32))]
    right = np.random.default_rng(0).integers(0, 3, (BLOCK, matrix.counts.shape[1])).astype(np.float32)
    return lambda multiples: [left @ right[: len(multiples), part].T for part, left in packed]


def peers(correct: np.ndarray, resamples: int) -> dict[str, Timing]:
    """Other tools on the same question; each computes a share that takes seconds."""
    gaps = (correct[:, 0] - correct[:, 1]).astype(np.float64)
    first, second = correct[0].astype(np.float64)
    count, share = max(2, resamples // 50), max(2, resamples // 50) / resamples
    few, few_share = max(2, resamples // 500), max(2, resamples // 500) / resamples
    pair_share = 1 / len(correct)
    found = {
        "scipy.stats.bootstrap, all pairs in one call": timed(
            lambda: stats.bootstrap((gaps,), np.mean, axis=-1, vectorized=True, method="percentile", batch=5,
                                    n_resamples=count, rng=np.random.default_rng(0)), share),
        "scipy.stats.bootstrap, pair by pair": timed(
            lambda: stats.bootstrap((first, second), _gap, paired=True, vectorized=True, method="percentile",
                                    batch=100, n_resamples=resamples, rng=np.random.default_rng(0)), pair_share),
        "rliable style: stratified, numpy's global choice": timed(lambda: _rliable(gaps.T, few), few_share),
        "plain loop over resamples, pair by pair": timed(lambda: _loop(first, second, few), few_share * pair_share),
    }  # fmt: skip
    if importlib.util.find_spec("arch"):
        found["arch IIDBootstrap, all pairs together"] = timed(lambda: _arch(gaps.T, count), share)
        found["arch IIDBootstrap, pair by pair"] = timed(lambda: _arch(gaps[:1].T, count), share * pair_share)
    return found


def _gap(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    gap: np.ndarray = np.mean(x, axis=axis) - np.mean(y, axis=axis)
    return gap


def _arch(columns: np.ndarray, resamples: int) -> None:
    from arch.bootstrap import IIDBootstrap

    IIDBootstrap(columns, seed=np.random.default_rng(0)).conf_int(
        lambda drawn: drawn.mean(axis=0), resamples, method="percentile"
    )


def _rliable(scores: np.ndarray, resamples: int) -> None:
    """Every column gets rows of its own, one `choice` per replicate and column, as in its StratifiedBootstrap."""
    rows, columns = scores.shape
    for _ in range(resamples):
        drawn = [np.random.choice(rows, rows, replace=True) for _ in range(columns)]  # noqa: NPY002
        scores[np.array(drawn).T, np.arange(columns)].mean(axis=0)


def _loop(first: np.ndarray, second: np.ndarray, resamples: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(resamples):
        rows = rng.integers(0, len(first), len(first))
        first[rows].mean() - second[rows].mean()


def end_to_end(resamples: int, backend: Backend) -> dict[str, Any]:
    """A study of the largest kind, from counts per example to adjusted p-values."""
    one_thread("torch" if backend == "torch" else "numpy")
    metrics = {
        "xnli": st.ratio_metric("accuracy", (1, 0), (0, 1), gold_columns=(1,)),
        "panx": st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1), gold_columns=(2,)),
    }
    making = time.process_time()
    made = list(_study())
    start = time.process_time()
    table = st.build_table(made, metrics)
    del made
    built = time.process_time()
    contrasts = _questions(table)
    replicates = st.resample(table, contrasts, resamples=resamples, seed=0, backend=backend)
    drawn = time.process_time()
    rows = st.estimates(table, replicates)
    st.estimates(table, replicates, scope="items+runs")
    st.adjust_family(rows, replicates)
    end = time.process_time()
    return {
        "runs": 264,
        "rows": len(table.rows),
        "clusters": sum(len(domain.clusters) for domain in table.domains),
        "contrasts": len(contrasts),
        "resamples": resamples,
        "backend": backend,
        "making_the_data_cpu_s": start - making,
        "table_cpu_s": built - start,
        "resample_cpu_s": drawn - built,
        "estimates_cpu_s": end - drawn,
        "total_cpu_s": end - start,
        "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def _study() -> Iterator[st.CellCounts]:
    """4 backbones x 2 variants x 11 intermediates x 3 seeds on 15 parallel languages and 40 with 5,500 sentences."""
    rng = np.random.default_rng(0)
    premises = np.array([f"{index // 3:05d}" for index in range(5010)])
    sentences = np.array([f"{index:05d}" for index in range(5500)])
    gold = rng.poisson(1.4, (40, 5500)).astype(np.int8)
    one = np.ones(5010, dtype=np.int8)
    for backbone in range(4):
        for variant in ("full-ft", "stack"):
            for intermediate in range(11):
                labels: dict[str, str | int] = {"backbone": backbone, "variant": variant, "intermediate": intermediate}
                for seed in (1, 2, 3):
                    for language in range(15):
                        right = (rng.random(5010) < 0.6 + 0.01 * backbone).astype(np.int8)
                        counts = np.stack([right, one], axis=1)
                        yield st.CellCounts(
                            system=labels,
                            seed=seed,
                            target="xnli",
                            language=f"x{language:02d}",
                            domain="xnli",
                            cluster_ids=premises,
                            counts=counts,
                        )
                    for language in range(40):
                        found = gold[language] - (rng.random(5500) < 0.3) * (gold[language] > 0)
                        counts = np.stack([found, found + (rng.random(5500) < 0.2), gold[language]], axis=1)
                        name = f"n{language:02d}"
                        yield st.CellCounts(
                            system=labels,
                            seed=seed,
                            target="panx",
                            language=name,
                            domain=f"panx/{name}",
                            cluster_ids=sentences,
                            counts=counts.astype(np.int8),
                        )


def _questions(table: st.ScoreTable) -> list[st.Contrast]:
    """400 gains: of 80 systems on the parallel languages, on all others, and on three groups of these."""
    others = table.languages("panx")
    groups = [("xnli", table.languages("xnli")), ("panx", others)]
    groups += [("panx", others[:13]), ("panx", others[13:26]), ("panx", others[26:])]
    treated = [system for system in table.systems if system["intermediate"] != 0]
    return [
        st.gain(system, system.replace(intermediate=0), target, languages)
        for system in treated
        for target, languages in groups
    ]


def features() -> list[str]:
    source = Path("/proc/cpuinfo")
    flags = source.read_text(encoding="utf-8").split() if source.exists() else []
    return [feature for feature in _CPU_FEATURES if feature in flags]


def blas() -> str:
    """Library and kernel that numpy multiplies with."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return "unknown"
    from threadpoolctl import threadpool_info

    found = [i for i in threadpool_info() if i["user_api"] == "blas"]
    return ", ".join(f"{i['internal_api']} {i['version']} {i.get('architecture', '')}".strip() for i in found)


def show(result: dict[str, Any]) -> None:
    print(f"{result['pairs']} pairs x {result['examples']} examples x {result['resamples']} resamples")
    print(f"cpu features: {' '.join(result['cpu_features']) or 'unknown'}; numpy {result['numpy']}, {result['blas']}")
    print(f"{'':64} {'CPU s':>9}")
    for name, seconds in result["cpu_s"].items():
        share = result["computed_share"][name]
        print(f"{name:64} {seconds:9.3f}{'' if share == 1.0 else f'  extrapolated from {share:.4%}'}")
    print()
    for name, ratio in result["ratios"].items():
        print(f"{name:64} {ratio:9.2f}")


if __name__ == "__main__":
    main()
