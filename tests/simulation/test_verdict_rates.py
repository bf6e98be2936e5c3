"""Error rates of the rules for few seeds: many studies without an effect, judged by the functions behind a report.

Small versions of `scripts/simulate_verdicts.py` (whole studies) and of single rules (many studies in one table); the
rates of large runs are in docs/simulations.md. Bounds are three binomial standard errors above .05 + .015.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapterxfer import statistics as st

SCRIPTS = Path(__file__).parents[2] / "scripts"
ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))


def highest(studies: int, rate: float = 0.065) -> float:
    """The largest share that is no sign of a rate above the one allowed."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / studies)


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield importlib.import_module("simulate_verdicts")
    finally:
        sys.path.remove(str(SCRIPTS))
        for name in ("simulate_verdicts", "verdict_studies"):
            sys.modules.pop(name, None)


def table_of(
    studies: int, systems: int, seeds: int, *, shared: float, kappa: float = 2.0, items: int = 100, seed: int = 0
) -> st.ScoreTable:
    """Equal systems on one backbone per study; `shared` of the run variance is common to all of a seed."""
    rng = np.random.default_rng([seed, systems, seeds])
    over_items = math.sqrt(2 * 0.25 / items)
    ids = [f"{number:03d}" for number in range(items)]
    cells = []
    for study in range(studies):
        common = rng.normal(size=seeds)
        for system in range(systems):
            runs = math.sqrt(shared) * common + math.sqrt(1 - shared) * rng.normal(size=seeds)
            for run in range(seeds):
                share = min(0.98, max(0.02, 0.5 + kappa * over_items * float(runs[run])))
                right = (rng.random(items) < share).astype(int)
                counts = np.stack([right, np.ones(items, dtype=int)], axis=1)
                labels = {"study": study, "system": system}
                cells.append(
                    st.CellCounts(
                        system=labels,
                        seed=run,
                        target="t",
                        language="en",
                        domain="d",
                        cluster_ids=ids,
                        counts=counts,
                        run_group=str(study),
                    )
                )
    return st.build_table(cells, {"t": ACCURACY})


def score(study: int, system: int) -> st.Contrast:
    return st.score(st.System.of({"study": study, "system": system}), "t", "en")


def errors(table: st.ScoreTable, contrasts: list[st.Contrast]) -> tuple[float, float]:
    """Share of 5 % tests that err, and standard errors over the true spread."""
    replicates = st.resample(table, contrasts, resamples=50, seed=1)
    rows = st.estimates(table, replicates, scope="items+runs")
    wrong = float(np.mean([row.p is not None and row.p <= 0.05 for row in rows]))
    printed = math.sqrt(float(np.mean([row.standard_error**2 for row in rows])))
    return wrong, printed / float(np.std([row.value for row in rows]))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_differences_of_mean_scores_keep_their_level_although_seeds_correlate(seeds: int) -> None:
    """Two variants after four intermediate tasks: cells of one seed move together within each variant."""
    studies = 500
    rng = np.random.default_rng([3, seeds])
    ids = [f"{number:03d}" for number in range(100)]
    cells = []
    for study in range(studies):
        for variant in range(2):
            luck = rng.normal(0, 0.1, seeds)
            for task in range(4):
                for run in range(seeds):
                    right = (rng.random(100) < 0.5 + luck[run] + rng.normal(0, 0.05)).astype(int)
                    counts = np.stack([right, np.ones(100, dtype=int)], axis=1)
                    labels = {"study": study, "variant": variant, "task": task}
                    cells.append(
                        st.CellCounts(
                            system=labels,
                            seed=run,
                            target="t",
                            language="en",
                            domain="d",
                            cluster_ids=ids,
                            counts=counts,
                            run_group=str(study),
                        )
                    )
    table = st.build_table(cells, {"t": ACCURACY})
    sides = [
        [st.macro([st.score(st.System.of({"study": n, "variant": v, "task": t}), "t", "en") for t in range(4)])
         for v in range(2)]
        for n in range(studies)
    ]  # fmt: skip
    wrong, _ = errors(table, [first - second for first, second in sides])
    assert wrong <= highest(studies)


def test_gains_use_the_pairing_by_seed() -> None:
    wrong, ratio = errors(table_of(500, 2, 3, shared=0.9), [score(n, 1) - score(n, 0) for n in range(500)])
    assert wrong <= highest(500)
    assert 0.85 <= ratio <= 1.15, "as independent runs the printed error is more than twice the true one"


@pytest.mark.parametrize("seeds", [2, 3])
def test_eight_tasks_over_one_baseline_on_one_backbone_keep_their_level(seeds: int) -> None:
    studies = 500
    table = table_of(studies, 9, seeds, shared=0.0, items=60)
    means = [st.macro([score(n, task) for task in range(1, 9)]) - score(n, 0) for n in range(studies)]
    assert errors(table, means)[0] <= highest(studies)


@pytest.mark.parametrize(("seeds", "shared"), [(2, 0.0), (2, 0.6), (3, 0.0)])
def test_families_with_moderated_variances_keep_their_error_rate(seeds: int, shared: float) -> None:
    studies, family = 160, 12
    table = table_of(studies, 2 * family, seeds, shared=shared, items=60)
    gains = [score(n, 2 * k + 1) - score(n, 2 * k) for n in range(studies) for k in range(family)]
    replicates = st.resample(table, gains, resamples=50, seed=1)
    pools = {
        number: pool
        for n in range(studies)
        for pool in [st.lenders(table, gains[n * family : (n + 1) * family])]
        for number in range(n * family, (n + 1) * family)
    }
    parts = st.moderate(table, gains, replicates.components, pools)
    wrong = unadjusted = 0
    for n in range(studies):
        numbers = range(n * family, (n + 1) * family)
        tests = []
        for number in numbers:
            reading = st.Reading(
                float(replicates.values[number]), math.sqrt(parts.total[number]), float(parts.total_df[number])
            )
            tests.append(
                st.FamilyMember(
                    p=reading.p(), readings=(reading,), runs=seeds, over_runs=True, moderated=pools[number].enough
                )
            )
        adjusted = [p for p, _ in st.adjust_tests(tests)]
        assert None not in adjusted
        wrong += min(p for p in adjusted if p is not None) <= 0.05
        unadjusted += min(test.p for test in tests if test.p is not None) <= 0.05
    assert wrong / studies <= highest(studies)
    assert unadjusted > wrong


def test_a_whole_study_with_one_seed_gives_no_verdict_beyond_its_models(script: Any) -> None:
    situations = dict(script.situations())
    counted = script.rates(situations["1 seed, scope languages"], 12, 5)
    (rates,) = counted.values()
    assert (rates.studies, rates.found, rates.withheld) == (12, 0, 12)


def test_whole_studies_are_judged_as_often_right_as_they_say(script: Any) -> None:
    situations = dict(script.situations())
    for kind in ("means", "cells"):
        null = script.rates(situations[f"2 seeds, runs of a seed correlate .6, {kind}"], 25, 7)
        for name, rates in null.items():
            assert rates.any_found / rates.studies <= highest(25), name
            assert rates.withheld == 0, name
            assert rates.covered / len(rates.estimates) >= 0.85, name
    for seeds, least in ((2, 6), (3, 10)):  # .95 and .999 of effects of 6 standard errors are found
        real = script.rates(situations[f"{seeds} seeds, gain of 10 points"], 10, 8)
        assert real["gain (mean, items+runs)"].found >= least, f"mean gain of 10 points, {seeds} seeds"


def test_one_noisy_system_does_not_decide_a_mean_or_a_slope(script: Any) -> None:
    """One of 18 systems scatters five times as much: a moderated variance alone errs in 9 to 15 % of the studies."""
    counted = script.rates(dict(script.situations())["2 seeds, one cell x5, means"], 60, 11)
    for name in ("gain (mean, items+runs)", "slope (slope, items+runs)", "gain (backbone, items+runs)"):
        assert counted[name].any_found / counted[name].studies <= highest(60), name


@pytest.mark.parametrize(
    "kind",
    ["targets of a seed correlate .6", "one run in ten collapses", "tests of 50 and 1,000 items", "baselines x3"],
)
def test_kinds_of_noise_that_the_rules_were_not_chosen_on(script: Any, kind: str) -> None:
    counted = script.rates(dict(script.situations())[f"3 seeds, {kind}, means"], 30, 13)
    for name, rates in counted.items():
        assert rates.any_found / rates.studies <= highest(30), name


def test_no_rung_of_a_ladder_is_surer_than_the_one_below(script: Any) -> None:
    counted = script.rates(dict(script.situations())["2 seeds, ladder of a slope"], 15, 17)
    assert [(rates.studies, rates.unnested) for rates in counted.values()] == [(15, 0), (15, 0)]


def test_what_every_report_asks_keeps_its_error_rate_in_each_family(script: Any) -> None:
    counted = script.rates(dict(script.situations())["2 seeds, general answers"], 8, 19)
    assert {"mean gain", "gain of each cell", "trend of the gain with size", "variants on each cell"} <= set(counted)
    for name, rates in counted.items():
        assert rates.studies == 8
        assert rates.any_found / rates.studies <= highest(8), name


def test_two_seeds_are_too_few_to_choose_and_judge(script: Any) -> None:
    (rates,) = script.rates(dict(script.situations())["2 seeds, best of 6 equal tasks"], 5, 23).values()
    assert (rates.withheld, rates.found) == (5, 0)


def test_the_best_of_six_equal_tasks_is_not_better_than_it_is(script: Any) -> None:
    (rates,) = script.rates(dict(script.situations())["3 seeds, best of 6 equal tasks"], 60, 9).values()
    error = np.std(rates.estimates) / math.sqrt(len(rates.estimates))
    assert abs(np.mean(rates.estimates)) <= 3 * error + 0.5
    assert rates.positive / rates.studies <= highest(60, 0.04)
