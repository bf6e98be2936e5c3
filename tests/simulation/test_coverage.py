"""Do intervals cover and tests reject as often as they say? Simulated studies with known truth, all through the API.

All simulated data sets of a test are systems of one table, so that one set of weights serves them all. A coverage has
to lie within three binomial standard errors and one point of the nominal 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))
F1 = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1))


def near(found: float, studies: int, nominal: float = 0.95) -> bool:
    return abs(found - nominal) <= 3 * math.sqrt(nominal * (1 - nominal) / studies) + 0.01


def run(name: str, counts: np.ndarray, *, seed: int | None = None, language: str = "en", domain: str = "d",
        clusters: Sequence[str] | None = None) -> st.CellCounts:  # fmt: skip
    ids = clusters if clusters is not None else [f"{index:05d}" for index in range(len(counts))]
    return st.CellCounts(
        system={"name": name}, seed=seed, target="t", language=language, domain=domain, cluster_ids=ids, counts=counts
    )


def with_ones(correct: np.ndarray) -> np.ndarray:
    return np.stack([correct.astype(np.int64), np.ones(len(correct), dtype=np.int64)], axis=1)


def cell(name: str, language: str = "en") -> st.Contrast:
    return st.score(st.System.of({"name": name}), "t", language)


def covered(rows: Sequence[st.Estimate], truth: float) -> float:
    return float(np.mean([row.low <= truth <= row.high for row in rows]))


def paired_accuracy(rng: np.random.Generator, items: int, gain: float, discordance: float) -> list[np.ndarray]:
    """Correctness of two systems: `discordance` of the items differ, the first is better by `gain` (shares)."""
    kind = rng.random(items)
    first = (kind < (discordance + gain) / 2) | (kind > 0.5)
    second = ((kind >= (discordance + gain) / 2) & (kind < discordance)) | (kind > 0.5)
    return [with_ones(first), with_ones(second)]


def test_paired_accuracy_covers_and_keeps_its_level() -> None:
    rng, studies, truth = np.random.default_rng(1), 1000, 3.0
    cells, null_cells = [], []
    for number in range(studies):
        for side, counts in zip("ab", paired_accuracy(rng, 500, 0.03, 0.2), strict=True):
            cells.append(run(f"{number}{side}", counts))
        for side, counts in zip("ab", paired_accuracy(rng, 500, 0.0, 0.2), strict=True):
            null_cells.append(run(f"{number}{side}", counts))
    gaps = [cell(f"{number}a") - cell(f"{number}b") for number in range(studies)]
    table = st.build_table(cells, {"t": ACCURACY})
    replicates = st.resample(table, gaps, resamples=1999, seed=1)
    for kind in ("symmetric", "percentile", "basic", "t"):
        assert near(covered(st.estimates(table, replicates, kind=kind), truth), studies), kind
    null = st.build_table(null_cells, {"t": ACCURACY})
    rows = st.estimates(null, st.resample(null, gaps, resamples=1999, seed=2))
    assert 0.03 <= np.mean([row.p <= 0.05 for row in rows]) <= 0.065


def ner(rng: np.random.Generator, gold: np.ndarray, rate: float) -> np.ndarray:
    tp = rng.binomial(gold, rate)
    return np.stack([tp, tp + rng.poisson(0.4, len(gold)), gold], axis=1)


@pytest.mark.parametrize("weights", ["multinomial", "poisson", "mammen"])
def test_span_f1_covers_with_every_kind_of_weights(weights: str) -> None:
    rng, studies = np.random.default_rng(2), 1000
    cells = []
    for number in range(studies):
        gold = rng.poisson(1.5, 300)
        for side, rate in (("a", 0.75), ("b", 0.7)):
            own = rate + 0.2 * (rng.random(300) - 0.5)
            cells.append(
                st.CellCounts(
                    system={"name": f"{number}{side}"},
                    seed=None,
                    target="t",
                    language="en",
                    domain="d",
                    cluster_ids=[f"{i:05d}" for i in range(300)],
                    counts=ner(rng, gold, own),
                )
            )
    table = st.build_table(cells, {"t": F1})
    gaps = [cell(f"{number}a") - cell(f"{number}b") for number in range(studies)]
    truth = 100 * (2 * 0.75 * 1.5 / (0.75 * 1.5 + 0.4 + 1.5) - 2 * 0.7 * 1.5 / (0.7 * 1.5 + 0.4 + 1.5))
    rows = st.estimates(table, st.resample(table, gaps, resamples=1499, seed=3, weights=weights))
    assert near(covered(rows, truth), studies)


def test_parallel_languages_need_joint_ids() -> None:
    rng, studies, languages = np.random.default_rng(3), 400, [f"l{index:02d}" for index in range(11)]
    rho, items = 0.5, 200
    joint = []
    for number in range(studies):
        shared = rng.normal(0, math.sqrt(rho), items)
        for language in languages:
            latent = shared + rng.normal(0, math.sqrt(1 - rho), items)
            joint.append(run(str(number), with_ones(latent > -0.5), language=language))
    means = [st.macro([cell(str(number), language) for language in languages]) for number in range(studies)]
    truth = 100 * 0.5 * math.erfc(-0.5 / math.sqrt(2))
    table = st.build_table(joint, {"t": ACCURACY})
    rows = st.estimates(table, st.resample(table, means, resamples=999, seed=4))
    assert near(covered(rows, truth), studies)
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
    separate = st.build_table(apart, {"t": ACCURACY})
    rows = st.estimates(separate, st.resample(separate, means, resamples=999, seed=4))
    assert covered(rows, truth) < 0.75


def test_questions_on_one_article_are_one_cluster() -> None:
    rng, studies, articles, questions = np.random.default_rng(4), 600, 60, 20
    names = [f"{index // questions:03d}" for index in range(articles * questions)]
    together, apart = [], []
    for number in range(studies):
        level = np.repeat(rng.normal(0, 0.6, articles), questions)
        counts = with_ones(level + rng.normal(0, 0.8, len(names)) > 0)
        together.append(run(str(number), counts, clusters=names))
        apart.append(run(str(number), counts))
    scores = [cell(str(number)) for number in range(studies)]
    found = []
    for cells in (together, apart):
        table = st.build_table(cells, {"t": ACCURACY})
        found.append(covered(st.estimates(table, st.resample(table, scores, resamples=999, seed=5)), 50.0))
    assert near(found[0], studies)
    assert found[1] < 0.80


def seeded(rng: np.random.Generator, studies: int, seeds: int, kappa: float) -> tuple[list[st.CellCounts], float]:
    """Differences of two methods whose true value is 0; the seed sd is `kappa` times the error over items."""
    items = 200
    over_items = 100 * math.sqrt(2 * 0.25 / items)
    cells = []
    for number in range(studies):
        for side in "ab":
            for seed in range(seeds):
                share = min(0.99, max(0.01, 0.5 + rng.normal(0, kappa * over_items / 100)))
                cells.append(run(f"{number}{side}", with_ones(rng.random(items) < share), seed=seed))
    return cells, 0.0


def test_three_seeds_need_the_two_way_variance() -> None:
    rng, studies = np.random.default_rng(5), 800
    cells, truth = seeded(rng, studies, 3, 2.0)
    table = st.build_table(cells, {"t": ACCURACY})
    gaps = [cell(f"{number}a") - cell(f"{number}b") for number in range(studies)]
    replicates = st.resample(table, gaps, resamples=999, seed=6)
    assert near(covered(st.estimates(table, replicates, scope="items+runs"), truth), studies)
    assert covered(st.estimates(table, replicates, scope="items"), truth) < 0.80


def test_step_down_keeps_the_family_wise_error_and_beats_holm() -> None:
    rng, studies, family, items = np.random.default_rng(6), 200, 99, 200
    cells, gaps = [], []
    for number in range(studies):
        easy = rng.normal(0, 1, items)
        for member in range(family + 1):
            latent = easy + rng.normal(0, 0.6, items)
            cells.append(run(f"{number}-{member}", with_ones(latent > -0.4)))
        gaps += [cell(f"{number}-{member}") - cell(f"{number}-0") for member in range(1, family + 1)]
    table = st.build_table(cells, {"t": ACCURACY})
    replicates = st.resample(table, gaps, resamples=999, seed=7)
    raw = np.array([row.p for row in st.estimates(table, replicates)]).reshape(studies, family)
    adjusted = np.array([
        st.step_down(replicates, range(start, start + family)) for start in range(0, len(gaps), family)
    ])  # fmt: skip
    assert (raw.min(axis=1) <= 0.05).mean() > 0.6
    assert (adjusted.min(axis=1) <= 0.05).mean() <= 0.08
    assert (adjusted.min(axis=1) <= 0.05).sum() >= ((raw.min(axis=1) * family) <= 0.05).sum()


def test_non_inferiority_at_the_margin_errs_as_often_as_it_says() -> None:
    rng, studies = np.random.default_rng(8), 1000
    cells = []
    for number in range(studies):
        for side, counts in zip("ab", paired_accuracy(rng, 500, -0.02, 0.2), strict=True):
            cells.append(run(f"{number}{side}", counts))
    table = st.build_table(cells, {"t": ACCURACY})
    gaps = [cell(f"{number}a") - cell(f"{number}b") for number in range(studies)]
    replicates = st.resample(table, gaps, resamples=999, seed=9)
    tests = [
        st.equivalence(row, replicates, number, margin=2.0)
        for number, row in enumerate(st.estimates(table, replicates))
    ]
    assert 0.03 <= np.mean([test.non_inferior for test in tests]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)


def test_rank_intervals_hold_for_all_tied_systems_at_once() -> None:
    rng, studies, systems, items = np.random.default_rng(9), 300, 8, 300
    cells = []
    for number in range(studies):
        easy = rng.normal(0, 1, items)
        noise = rng.normal(0, 0.8, (systems, items))
        cells += [run(f"{number}-{member}", with_ones(easy + own > -0.5)) for member, own in enumerate(noise)]
    table = st.build_table(cells, {"t": ACCURACY})
    scores = [cell(f"{number}-{member}") for number in range(studies) for member in range(systems)]
    replicates = st.resample(table, scores, resamples=999, seed=10)
    complete = 0
    for start in range(0, len(scores), systems):
        ranks = st.rank_intervals(replicates, range(start, start + systems))
        complete += all(row.low == 1 and row.high == systems for row in ranks)
    assert complete / studies >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / studies)


def test_an_intermediate_run_shared_by_targets_is_one_run() -> None:
    """Mean gain over three targets that start from the same intermediate model: its noise does not average out."""
    rng, studies, items = np.random.default_rng(11), 400, 150
    cells = []
    for number in range(studies):
        for seed in range(3):
            intermediate = rng.normal(0, 0.07)
            for target in "xyz":
                for side in ("nli", "none"):
                    share = 0.5 + rng.normal(0, 0.01) + (intermediate if side == "nli" else 0.0)
                    counts = with_ones(rng.random(items) < share)
                    ids = [f"{index:05d}" for index in range(items)]
                    labels = {"study": number, "side": side}
                    cells.append(
                        st.CellCounts(
                            system=labels,
                            seed=seed,
                            target=target,
                            language="en",
                            domain=target,
                            cluster_ids=ids,
                            counts=counts,
                        )
                    )
    systems = [[st.System.of({"study": n, "side": side}) for side in ("nli", "none")] for n in range(studies)]
    means = [st.macro([st.gain(*pair, target, ["en"]) for target in "xyz"]) for pair in systems]
    found = []
    for shared in (True, False):
        grouped = [
            replace(c, run_group=f"{c.system['study']} nli") if shared and c.system["side"] == "nli" else c
            for c in cells
        ]
        table = st.build_table(grouped, dict.fromkeys("xyz", ACCURACY))
        replicates = st.resample(table, means, resamples=99, seed=12)
        found.append(covered(st.estimates(table, replicates, scope="items+runs"), 0.0))
    assert near(found[0], studies)
    assert found[1] < 0.91
