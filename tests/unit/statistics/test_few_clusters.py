"""Few test items: no p-value and no verdict below ten clusters, a t test below forty, and never a false certainty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adapterxfer import statistics as st

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))


def plain_accuracy(sums: np.ndarray) -> np.ndarray:
    """As reports score: a function of sums without its gradient, which is taken numerically."""
    return 100.0 * sums[..., 0] / sums[..., 1]


def compared(
    first: np.ndarray, second: np.ndarray, *, scope: str = "items", seeds: int = 1, metric: object = ACCURACY
) -> st.Estimate:
    ids = [f"{number:03d}" for number in range(len(first))]
    cells = [
        st.CellCounts(
            system={"name": name},
            seed=seed,
            target="t",
            language="en",
            domain="t",
            cluster_ids=ids,
            counts=np.stack([right, np.ones_like(right)], axis=1),
        )
        for name, right in (("a", first), ("b", second))
        for seed in range(seeds)
    ]
    table = st.build_table(cells, {"t": metric})
    a, b = (st.score(system, "t", "en") for system in table.systems)
    return st.estimates(table, st.resample(table, [a - b], resamples=199, seed=0), scope=scope)[0]


@pytest.mark.parametrize("metric", [ACCURACY, plain_accuracy])
@pytest.mark.parametrize("scope", ["items", "items+runs"])
@pytest.mark.parametrize("items", [1, 2, 9])
def test_below_ten_clusters_nothing_is_tested(items: int, scope: str, metric: object) -> None:
    row = compared(np.ones(items, dtype=int), np.zeros(items, dtype=int), scope=scope, seeds=3, metric=metric)
    assert (row.value, row.p) == (pytest.approx(100.0), None)
    assert (row.low, row.high) == (-100.0, 100.0)
    assert "too-few-clusters" in row.flags
    verdict = st.verdict(row)
    assert verdict.outcome == "inconclusive"
    assert f"{items} clusters of test items" in verdict.sentence
    assert st.verdict(row, None).minimum_detectable == math.inf


def test_from_ten_to_forty_clusters_the_t_test_has_their_degrees_of_freedom() -> None:
    first = np.arange(20) % 2
    row = compared(first, (np.arange(20) % 5 == 0).astype(int))
    assert (row.interval, row.df) == ("t", pytest.approx(19.0))
    assert row.p == pytest.approx(st.t_p(row.value, row.standard_error, 19.0))


def test_identical_systems_have_no_detectable_effect_of_zero() -> None:
    right = np.arange(100) % 3
    row = compared((right > 0).astype(int), (right > 0).astype(int))
    assert (row.value, row.p) == (0.0, 1.0)
    assert st.verdict(row).sentence == "inconclusive (minimum detectable effect unbounded)"


def test_intervals_end_where_scores_end() -> None:
    row = compared(np.array([1] * 11 + [0]), np.array([0] * 11 + [1]))
    assert (row.low > -100.0, row.high) == (True, 100.0)


def test_a_verdict_on_few_discordant_items_names_what_its_exact_test_would_find() -> None:
    first = np.ones(200)
    second = first.copy()
    second[:4] = 0.0
    row = compared(first, second)
    assert row.interval == "agresti-min"
    assert st.verdict(row).minimum_detectable == st.smallest_mcnemar_difference(200, 4, 0)
