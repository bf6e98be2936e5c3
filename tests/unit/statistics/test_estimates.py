from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.intervals import interval, shift_p, t_p

ACCURACY = {"t": st.ratio_metric("accuracy", (1, 0), (0, 1))}


def pair(first: np.ndarray, second: np.ndarray, seeds: tuple[int | None, ...] = (1,)) -> tuple:
    ids = [f"{index:04d}" for index in range(len(first))]
    ones = np.ones(len(first), dtype=int)
    cells = [
        st.CellCounts(
            system={"name": name},
            seed=seed,
            target="t",
            language="en",
            domain="t",
            cluster_ids=ids,
            counts=np.stack([correct, ones], axis=1),
        )
        for name, correct in (("a", first), ("b", second))
        for seed in seeds
    ]
    table = st.build_table(cells, ACCURACY)
    a, b = (st.score(system, "t", "en") for system in table.systems)
    return table, st.difference(a, b)


def estimate(table: st.ScoreTable, question: st.Contrast, **settings) -> st.Estimate:
    return st.estimates(table, st.resample(table, [question], resamples=999, seed=7), **settings)[0]


def test_swapping_the_systems_negates_and_keeps_p(make_table, make_gain) -> None:
    table = make_table()
    for target in ("xnli", "panx"):
        question = make_gain(table, target)
        replicates = st.resample(table, [question, -question], resamples=999, seed=7)
        for scope in ("items", "items+runs"):
            there, back = st.estimates(table, replicates, scope=scope)
            assert (back.value, back.low, back.high) == (-there.value, -there.high, -there.low)
            assert (back.p, back.standard_error) == (there.p, there.standard_error)


def test_identical_systems() -> None:
    same = np.random.default_rng(0).integers(0, 2, 80)
    row = estimate(*pair(same, same))
    assert (row.value, row.low, row.high, row.p, row.standard_error) == (0.0, 0.0, 0.0, 1.0, 0.0)
    assert "no-variation" in row.flags
    assert row.discordant == 0
    both = estimate(*pair(same, same, (1, 2, 3)), scope="items+runs")
    assert (both.value, both.low, both.high, both.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_constant_difference_has_no_error_and_the_smallest_p() -> None:
    row = estimate(*pair(np.ones(80, dtype=int), np.zeros(80, dtype=int)))
    assert (row.value, row.low, row.high, row.standard_error) == (100.0, 100.0, 100.0, 0.0)
    assert row.p == 1 / 1000


def test_rounding_errors_of_equal_systems_are_no_difference() -> None:
    # What a mean over three languages of two systems that are always right comes to.
    noise = 100.0 * (1.0 - (1 / 3 + 1 / 3 + 1 / 3)) + 3.6e-15
    assert [t_p(noise, 0.0, np.inf, alternative=side) for side in ("two-sided", "greater", "less")] == [1.0] * 3
    assert t_p(1e-6, 0.0, np.inf) == 0.0
    assert t_p(1.0 + noise, 0.0, np.inf, null=1.0) == 1.0


def test_a_language_without_gold_spans_is_defined_and_flagged() -> None:
    ids = [str(index) for index in range(50)]
    cells = [
        st.CellCounts(
            system={"name": n},
            seed=1,
            target="ner",
            language="xx",
            domain="ner/xx",
            cluster_ids=ids,
            counts=np.zeros((50, 3), dtype=int),
        )
        for n in ("a", "b")
    ]
    table = st.build_table(cells, {"ner": st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1))})
    a, b = (st.score(system, "ner", "xx") for system in table.systems)
    row = estimate(table, a - b)
    assert (row.value, row.p) == (0.0, None)
    assert (row.low, row.high) == (-100.0, 100.0), "nothing was tested, so nothing is known"
    assert {"no-variation", "few-clusters"} <= set(row.flags)


def test_undefined_replicates_count_as_extreme_and_are_flagged() -> None:
    def share(sums: np.ndarray) -> np.ndarray:
        return 100.0 * sums[..., 0] / sums[..., 1]

    counts = np.zeros((60, 2), dtype=int)
    counts[:2] = [[1, 1], [0, 1]]
    cells = [
        st.CellCounts(
            system={"name": "a"},
            seed=1,
            target="t",
            language="en",
            domain="t",
            cluster_ids=[f"{i:03d}" for i in range(60)],
            counts=counts,
        )
    ]
    table = st.build_table(cells, {"t": share})
    replicates = st.resample(table, [st.score(table.systems[0], "t", "en")], resamples=999, seed=7)
    undefined = np.isnan(replicates.replicates[:, 0])
    assert 0.08 < undefined.mean() < 0.2
    assert shift_p(replicates.replicates[:, 0], 50.0) > undefined.mean()
    assert "undefined-replicates" in st.estimates(table, replicates)[0].flags


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_symmetric_interval_and_p_say_the_same(level: float) -> None:
    rng = np.random.default_rng(1)
    for resamples in (99, 999, 1000):
        for centre in np.linspace(0.2, 4.0, 40):
            values = centre + rng.normal(0, 1, resamples)
            low, _ = interval(values, centre, kind="symmetric", level=level)
            assert (shift_p(values, centre) <= 1 - level + 1e-12) == (low > 0)


def test_p_is_never_below_its_resolution_and_ties_count() -> None:
    assert shift_p(np.full(99, 5.0), 5.0) == 0.01
    assert shift_p(np.array([1.0, 3.0, 2.0]), 1.0) == (1 + 2) / 4
    assert shift_p(np.array([0.0, 2.0, 1.0]), 1.0) == (1 + 2) / 4
    assert shift_p(np.array([0.0, 2.0, 1.0]), 1.0, alternative="greater") == (1 + 1) / 4
    assert shift_p(np.array([0.0, 2.0, 1.0]), 1.0, alternative="less") == 1.0
    assert shift_p(np.array([1.0, np.nan]), 1.0) == 2 / 3


def test_t_tests_without_variation() -> None:
    assert (t_p(0.0, 0.0, 3), t_p(1.0, 0.0, 3), t_p(1.0, 0.0, 3, alternative="less")) == (1.0, 0.0, 1.0)


def test_few_clusters_give_a_t_interval() -> None:
    rng = np.random.default_rng(0)
    row = estimate(*pair(rng.integers(0, 2, 20), rng.integers(0, 2, 20)))
    assert (row.interval, row.df) == ("t", pytest.approx(19.0))
    assert "few-clusters" in row.flags
    assert row.p == pytest.approx(t_p(row.value, row.standard_error, 19))


@pytest.mark.parametrize(("seeds", "scope", "flag"), [
    ((1,), "items", "one-seed"), ((1, 2), "items+runs", "two-seeds"), ((1, 2, 3), "items+runs", None),
])  # fmt: skip
def test_scope_follows_the_number_of_runs(seeds: tuple[int, ...], scope: str, flag: str | None, make_table,
                                          make_gain) -> None:  # fmt: skip
    table = make_table(seeds=seeds)
    row = estimate(table, make_gain(table, "xnli"), scope="items+runs")
    assert (row.scope, row.requested, row.runs) == (scope, "items+runs", len(seeds))
    assert not {"one-seed", "two-seeds"} & set(row.flags) - {flag}
    assert flag is None or flag in row.flags
    assert ("held fixed" in row.resampled) == (scope == "items")


def test_what_was_never_trained_adds_no_run_variance(make_cells) -> None:
    trained = make_cells(("nli",), targets=("xnli",), languages=("en",))
    control = [replace(c, seed=None) for c in make_cells(("none",), seeds=(1,), targets=("xnli",), languages=("en",))]
    table = st.build_table(trained + control, {"xnli": st.ratio_metric("accuracy", (1, 0), (0, 1))})
    question = st.gain(table.find(name="nli")[0], table.find(name="none")[0], "xnli", ["en"])
    row = estimate(table, question, scope="items+runs")
    assert (row.scope, row.runs) == ("items+runs", 3)
    alone = estimate(table, st.score(table.find(name="none")[0], "xnli", "en"), scope="items+runs")
    assert (alone.scope, alone.runs, alone.resampled.endswith("no trained model")) == ("items+runs", 0, True)
    assert alone.interval == "symmetric"


def test_few_differing_items_give_agresti_min_and_mcnemar() -> None:
    first, second = np.zeros(200, dtype=int), np.zeros(200, dtype=int)
    first[:10], second[10:12] = 1, 1
    row = estimate(*pair(first, second))
    assert (row.discordant, row.interval) == (12, "agresti-min")
    assert "sparse-discordance" in row.flags
    assert (row.low, row.high) == st.agresti_min_interval(10, 2, 200)
    assert row.p == st.mcnemar(10, 2).p
    assert row.resampled.startswith("200 test items (exact McNemar")
    assert estimate(*pair(first, second), kind="percentile").interval == "percentile"
    assert estimate(*pair(first, second, (1, 2))).interval == "symmetric"
    clustered = [
        st.CellCounts(
            system={"name": n},
            seed=1,
            target="t",
            language="en",
            domain="t",
            cluster_ids=[f"{i // 2:03d}" for i in range(200)],
            counts=np.stack([v, np.ones(200, int)], axis=1),
        )
        for n, v in (("a", first), ("b", second))
    ]
    table = st.build_table(clustered, ACCURACY)
    a, b = (st.score(system, "t", "en") for system in table.systems)
    assert estimate(table, a - b).interval == "symmetric"


def test_a_clipped_score_is_flagged_on_logits_only() -> None:
    table, question = pair(np.ones(80, dtype=int), np.random.default_rng(0).integers(0, 2, 80))
    assert "ceiling" not in estimate(table, question).flags
    assert "ceiling" in estimate(table, question.on("logit")).flags


def test_levels_are_checked_and_wider_for_more(make_table, make_gain) -> None:
    table = make_table()
    for kind in ("symmetric", "percentile", "basic", "t"):
        narrow, wide = (estimate(table, make_gain(table, "panx"), kind=kind, level=level) for level in (0.8, 0.99))
        assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
        assert narrow.interval == kind
    with pytest.raises(StatisticsError, match=r"level 1\.5"):
        estimate(table, make_gain(table, "panx"), level=1.5)
    with pytest.raises(StatisticsError, match="not made from replicates"):
        interval(np.arange(5.0), 2.0, kind="bca")


def test_flags_have_sentences(make_table, make_gain) -> None:
    row = estimate(make_table(seeds=(1,)), make_gain(make_table(seeds=(1,)), "xnli"), scope="items+runs")
    assert row.flag_texts == tuple(st.FLAG_TEXT[flag] for flag in row.flags)
