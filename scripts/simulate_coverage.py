"""How often do intervals cover and tests err? Simulated studies with a known truth, many more than in the test suite.

    python scripts/simulate_coverage.py --data-sets 10000 --minutes 15 --json simulations.json

Every situation is simulated in batches of data sets with seeds of their own until it has the number asked for or the
CPU time is used up, in turn; what was really done is printed beside every figure. All through the public functions of
`adapterxfer.statistics`. The page docs/simulations.md holds the results of one such run, and says which: it is written
again after every round, so that a run can be stopped at any time.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from adapterxfer import statistics as st
from adapterxfer.statistics.vocabulary import WeightKind

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))
F1 = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1))
RESAMPLES = 999
Found = dict[str, list[bool]]
"""What was asked -> whether it held, one entry per data set."""


def cells_of(
    name: str,
    counts: np.ndarray,
    *,
    seed: int | None = None,
    language: str = "en",
    domain: str = "d",
    clusters: Sequence[str] | None = None,
) -> st.CellCounts:
    ids = clusters or [f"{index:05d}" for index in range(len(counts))]
    return st.CellCounts(
        system={"name": name}, seed=seed, target="t", language=language, domain=domain, cluster_ids=ids, counts=counts
    )


def ones(correct: np.ndarray) -> np.ndarray:
    return np.stack([correct.astype(np.int64), np.ones(len(correct), dtype=np.int64)], axis=1)


def cell(name: str, language: str = "en") -> st.Contrast:
    return st.score(st.System.of({"name": name}), "t", language)


def gaps(studies: int) -> list[st.Contrast]:
    return [cell(f"{number}a") - cell(f"{number}b") for number in range(studies)]


def inside(rows: Sequence[st.Estimate], truth: float) -> list[bool]:
    return [row.low <= truth <= row.high for row in rows]


def rejected(rows: Sequence[st.Estimate]) -> list[bool]:
    return [row.p is not None and row.p <= 0.05 for row in rows]


def resampled(cells: list[st.CellCounts], metric: st.SumScore, questions: list[st.Contrast], seed: int,
              weights: WeightKind = "multinomial") -> tuple[st.ScoreTable, st.Replicates]:  # fmt: skip
    table = st.build_table(cells, {"t": metric})
    return table, st.resample(table, questions, resamples=RESAMPLES, seed=seed, weights=weights)


def paired(rng: np.random.Generator, studies: int, items: int, gain: float, discordance: float) -> list[st.CellCounts]:
    cells = []
    for number in range(studies):
        kind = rng.random(items)
        first = (kind < (discordance + gain) / 2) | (kind > 0.5)
        second = ((kind >= (discordance + gain) / 2) & (kind < discordance)) | (kind > 0.5)
        cells += [cells_of(f"{number}{side}", ones(right)) for side, right in (("a", first), ("b", second))]
    return cells


def two_accuracies(rng: np.random.Generator, studies: int, seed: int) -> Found:
    table, draws = resampled(paired(rng, studies, 500, 0.03, 0.2), ACCURACY, gaps(studies), seed)
    found = {f"{kind} interval covers": inside(st.estimates(table, draws, kind=kind), 3.0)
             for kind in ("symmetric", "percentile", "basic", "t")}  # fmt: skip
    table, draws = resampled(paired(rng, studies, 500, 0.0, 0.2), ACCURACY, gaps(studies), seed)
    return {**found, "null-shift test errs": rejected(st.estimates(table, draws))}


def few_discordant_items(rng: np.random.Generator, studies: int, seed: int) -> Found:
    table, draws = resampled(paired(rng, studies, 200, 0.0, 0.02), ACCURACY, gaps(studies), seed)
    rows = st.estimates(table, draws)
    return {
        "default (Agresti-Min) interval covers": inside(rows, 0.0),
        "default (exact McNemar) test errs": rejected(rows),
        "percentile interval covers": inside(st.estimates(table, draws, kind="percentile"), 0.0),
    }


def span_f1(rng: np.random.Generator, studies: int, seed: int) -> Found:
    cells = []
    for number in range(studies):
        gold = rng.poisson(1.5, 300)
        for side, rate in (("a", 0.75), ("b", 0.7)):
            tp = rng.binomial(gold, rate + 0.2 * (rng.random(300) - 0.5))
            cells.append(cells_of(f"{number}{side}", np.stack([tp, tp + rng.poisson(0.4, 300), gold], axis=1)))
    truth = 100 * (2 * 0.75 * 1.5 / (0.75 * 1.5 + 1.9) - 2 * 0.7 * 1.5 / (0.7 * 1.5 + 1.9))
    found = {}
    for weights in ("multinomial", "poisson", "mammen"):
        table, draws = resampled(cells, F1, gaps(studies), seed, weights)
        found[f"{weights} weights cover"] = inside(st.estimates(table, draws), truth)
    return found


def parallel_languages(rng: np.random.Generator, studies: int, seed: int) -> Found:
    languages, items = [f"l{index:02d}" for index in range(11)], 200
    joint = []
    for number in range(studies):
        shared = rng.normal(0, math.sqrt(0.5), items)
        for language in languages:
            latent = shared + rng.normal(0, math.sqrt(0.5), items)
            joint.append(cells_of(str(number), ones(latent > -0.5), language=language))
    apart = [
        st.CellCounts(
            system=c.system,
            seed=None,
            target="t",
            language=c.language,
            domain=c.language,
            cluster_ids=c.cluster_ids,
            counts=c.counts,
        )
        for c in joint
    ]
    means = [st.macro([cell(str(number), language) for language in languages]) for number in range(studies)]
    truth = 50 * math.erfc(-0.5 / math.sqrt(2))
    found = {}
    for name, cells in (("joint ids cover", joint), ("languages as if independent cover", apart)):
        table, draws = resampled(cells, ACCURACY, means, seed)
        found[name] = inside(st.estimates(table, draws), truth)
    return found


def questions_on_articles(rng: np.random.Generator, studies: int, seed: int) -> Found:
    names = [f"{index // 20:03d}" for index in range(1200)]
    together, apart = [], []
    for number in range(studies):
        right = ones(np.repeat(rng.normal(0, 0.6, 60), 20) + rng.normal(0, 0.8, 1200) > 0)
        together.append(cells_of(str(number), right, clusters=names))
        apart.append(cells_of(str(number), right))
    found = {}
    for name, cells in (("articles as clusters cover", together), ("questions as if independent cover", apart)):
        table, draws = resampled(cells, ACCURACY, [cell(str(number)) for number in range(studies)], seed)
        found[name] = inside(st.estimates(table, draws), 50.0)
    return found


def seeded(rng: np.random.Generator, names: Sequence[str], seeds: int, kappa: float) -> list[st.CellCounts]:
    """Systems of equal quality; the deviation over seeds is `kappa` times the error of a difference over items."""
    items, cells = 200, []
    over_items = math.sqrt(2 * 0.25 / items)
    for name in names:
        for seed in range(seeds):
            share = min(0.99, max(0.01, 0.5 + rng.normal(0, kappa * over_items)))
            cells.append(cells_of(name, ones(rng.random(items) < share), seed=seed))
    return cells


def training_runs(seeds: int, kappa: float) -> Callable[[np.random.Generator, int, int], Found]:
    def simulate(rng: np.random.Generator, studies: int, seed: int) -> Found:
        names = [f"{number}{side}" for number in range(studies) for side in "ab"]
        cells = seeded(rng, names, seeds, kappa)
        table, draws = resampled(cells, ACCURACY, gaps(studies), seed)
        found = {"items only covers": inside(st.estimates(table, draws), 0.0)}
        if seeds > 1:
            found["two-way t covers"] = inside(st.estimates(table, draws, scope="items+runs"), 0.0)
        return found

    return simulate


def family_over_items(rng: np.random.Generator, studies: int, seed: int) -> Found:
    """99 comparisons with one baseline."""
    count, family, items = max(1, studies // 10), 99, 200
    cells, questions = [], []
    for number in range(count):
        easy = rng.normal(0, 1, items)
        names = [f"{number}-{member}" for member in range(family + 1)]
        cells += [cells_of(name, ones(easy + rng.normal(0, 0.6, items) > -0.4)) for name in names]
        questions += [cell(name) - cell(names[0]) for name in names[1:]]
    table, draws = resampled(cells, ACCURACY, questions, seed)
    raw = np.array([row.p for row in st.estimates(table, draws)]).reshape(count, family)
    steps = [st.step_down(draws, range(start, start + family)) for start in range(0, len(questions), family)]
    return {
        "any of 99, not adjusted, errs": (raw.min(axis=1) <= 0.05).tolist(),
        "any of 99, step-down max-T, errs": [bool(p.min() <= 0.05) for p in steps],
        "any of 99, Holm, errs": [bool(st.adjust(p, "holm").min() <= 0.05) for p in raw],
    }


def family_over_runs(seeds: int) -> Callable[[np.random.Generator, int, int], Found]:
    def simulate(rng: np.random.Generator, studies: int, seed: int) -> Found:
        count, family = max(1, studies // 10), 20
        names = [f"{number}-{member}" for number in range(count) for member in range(family + 1)]
        cells = seeded(rng, names, seeds, 2.0)
        questions = [cell(f"{n}-{m}") - cell(f"{n}-0") for n in range(count) for m in range(1, family + 1)]
        table, draws = resampled(cells, ACCURACY, questions, seed)
        rows = st.estimates(table, draws, scope="items+runs")
        errors, unsafe = [], []
        for start in range(0, len(rows), family):
            columns = range(start, start + family)
            adjusted = st.adjust_family(rows[start : start + family], draws, columns)
            errors.append(any(row.p_adjusted is not None and row.p_adjusted <= 0.05 for row in adjusted))
            unsafe.append(bool(st.step_down(draws, columns).min() <= 0.05))
        rule = "Holm on t" if seeds >= 5 else "Holm on t with the fewest df"
        return {f"any of 20, {rule}, errs": errors, "any of 20, max-T over items only, errs": unsafe}

    return simulate


def non_inferiority(rng: np.random.Generator, studies: int, seed: int) -> Found:
    table, draws = resampled(paired(rng, studies, 500, -0.02, 0.2), ACCURACY, gaps(studies), seed)
    tests = [st.equivalence(row, draws, k, margin=2.0) for k, row in enumerate(st.estimates(table, draws))]
    return {"non-inferior at the margin, errs": [test.non_inferior for test in tests]}


def tied_ranks(rng: np.random.Generator, studies: int, seed: int) -> Found:
    cells, questions = [], []
    for number in range(studies):
        easy = rng.normal(0, 1, 300)
        names = [f"{number}-{member}" for member in range(8)]
        cells += [cells_of(name, ones(easy + rng.normal(0, 0.8, 300) > -0.5)) for name in names]
        questions += [cell(name) for name in names]
    _, draws = resampled(cells, ACCURACY, questions, seed)
    ranks = [st.rank_intervals(draws, range(start, start + 8)) for start in range(0, len(questions), 8)]
    return {"all intervals hold together": [all((row.low, row.high) == (1, 8) for row in found) for found in ranks]}


SITUATIONS: dict[str, Callable[[np.random.Generator, int, int], Found]] = {
    "two accuracies, 500 items, 20 % discordant": two_accuracies,
    "two accuracies, 200 items, 2 % discordant": few_discordant_items,
    "span F1, 300 sentences": span_f1,
    "mean of 11 parallel languages, correlation .5": parallel_languages,
    "60 articles with 20 questions each": questions_on_articles,
    "2 seeds, seed sd twice the error over items": training_runs(2, 2.0),
    "3 seeds, seed sd twice the error over items": training_runs(3, 2.0),
    "3 seeds, seed sd half the error over items": training_runs(3, 0.5),
    "5 seeds, seed sd twice the error over items": training_runs(5, 2.0),
    "99 comparisons with one baseline, over items": family_over_items,
    "20 comparisons with one baseline, 3 seeds": family_over_runs(3),
    "20 comparisons with one baseline, 5 seeds": family_over_runs(5),
    "non-inferiority, the truth at the margin": non_inferiority,
    "8 tied systems": tied_ranks,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=10_000, help="of every situation")
    parser.add_argument("--minutes", type=float, default=15.0, help="CPU minutes of all situations together")
    parser.add_argument("--batch", type=int, default=200, help="data sets simulated together; families take a tenth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write counts here, after every round")
    parser.add_argument("--page", type=Path, help="write the page here")
    arguments = parser.parse_args()
    results: dict[str, dict[str, list[int]]] = {name: {} for name in SITUATIONS}
    batch = 0
    while batch * arguments.batch < arguments.data_sets and time.process_time() < 60.0 * arguments.minutes:
        for place, (name, simulate) in enumerate(SITUATIONS.items()):
            rng = np.random.default_rng([arguments.seed, place, batch])
            for asked, held in simulate(rng, arguments.batch, batch).items():
                counts = results[name].setdefault(asked, [0, 0])
                counts[0] += sum(held)
                counts[1] += len(held)
        batch += 1
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
        if arguments.page:
            arguments.page.write_text(page(results, time.process_time()), encoding="utf-8")
    print(page(results, time.process_time()))


SHORTCUTS = ("items only", "as if independent", "not adjusted")
"""What marks a row as the shortcut that goes wrong."""


def page(results: dict[str, dict[str, list[int]]], seconds: float) -> str:
    lines = [
        "# Simulated coverage and error rates",
        "",
        "Written by `scripts/simulate_coverage.py --page FILE`. Intervals are nominal 95 %, tests 5 %.",
        f"{RESAMPLES} resamples per data set, {seconds / 60:.1f} CPU minutes in all; how many data sets were really",
        "simulated stands in every row. The error is one binomial standard error. Rows marked with a dagger show what",
        "goes wrong without the recommended method. A family counts as one data set. Holm over items cannot reject:",
        f"99 times the smallest p-value of {RESAMPLES} resamples is above .05. Step-down max-T has no such limit.",
        "",
        "| situation | what | share | error | data sets |",
        "|---|---|---|---|---|",
    ]
    for name, asked in results.items():
        for what, (held, total) in asked.items():
            share = held / total
            error = math.sqrt(max(share * (1 - share), 1 / total) / total)
            mark = " (dagger)" if any(word in what for word in SHORTCUTS) else ""
            lines.append(f"| {name} | {what}{mark} | {share:.3f} | {error:.3f} | {total} |")
    lines += ["", "Elsewhere: [laws of the gain](simulations-laws.md), [pooled studies](meta.md)."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
