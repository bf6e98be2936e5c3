"""Ranked lists with repeated candidates, against XTREME's rule written in another way; bounds of scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS, check_counts, count_predictions
from adapterxfer.metrics.retrieval import RANKED, average_precision
from adapterxfer.report.reading import read_counts

CANDIDATES = st.integers(0, 12)


def by_first_ranks(ranked: list[int], gold: set[int], k: int) -> float:
    """Every right candidate has one rank, its first; the n-th of these ranks is worth n / rank."""
    ranks = sorted(ranked[:k].index(name) + 1 for name in gold if name in ranked[:k])
    return sum(number / rank for number, rank in enumerate(ranks, start=1)) / min(len(gold), k) if gold else 0.0


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(CANDIDATES, max_size=30), st.sets(CANDIDATES, max_size=12), st.sampled_from([1, 3, RANKED]))
def test_a_repeated_candidate_counts_once(ranked: list[int], gold: set[int], k: int) -> None:
    value = average_precision(ranked, gold, k)
    assert value == pytest.approx(by_first_ranks(ranked, gold, k), abs=1e-12)
    assert 0.0 <= value <= 1.0


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(CANDIDATES.map(str), max_size=30), CANDIDATES.map(str))
def test_one_right_candidate_is_worth_the_reciprocal_of_its_first_rank(ranked: list[str], gold: str) -> None:
    """Mewsli-X: what its own function computes."""
    counts = count_predictions(METRICS["map_at_20"], [json.dumps(ranked)], [json.dumps([gold])])
    first = next((1.0 / rank for rank, name in enumerate(ranked[:20], start=1) if name == gold), 0.0)
    assert counts.tolist() == [[pytest.approx(first), 1.0]]


def test_the_right_candidate_five_times_is_no_more_than_once() -> None:
    gold = [json.dumps(["Q1"])] * 2
    once, often = (
        count_predictions(METRICS["map_at_20"], [json.dumps(["Q1"] * times), "[]"], gold).sum(0) for times in (1, 5)
    )
    assert METRICS["map_at_20"].score(often) == METRICS["map_at_20"].score(once) == 50.0
    # a miss between the repetitions still takes its rank
    assert average_precision(["a", "a", "x", "b"], {"a", "b"}) == pytest.approx((1 + 2 / 4) / 2)


IMPOSSIBLE = {
    "accuracy": [2, 1], "token_accuracy": [3, 2], "span_f1": [3, 2, 2], "qa_f1": [1.5, 1, 1], "qa2_f1": [0, 2, 1],
    "mlqa_f1": [1.1, 0, 1], "retrieval_accuracy": [2, 1], "chunk_f1": [1, 1, 1, 5, 4], "duplicate_f1": [2, 1, 1, 1, 1],
    "map_at_20": [5.0, 1], "mining_f1": [1, 0, 0],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(METRICS))
def test_counts_beyond_the_bounds_of_a_score_are_refused(name: str) -> None:
    metric = METRICS[name]
    good = [1.0] * len(metric.columns)
    check_counts(metric, np.array([good]), where="file")
    for bad in (IMPOSSIBLE.get(name, [-1.0] * len(good)), [-1.0, *good[1:]], [float("nan"), *good[1:]]):
        with pytest.raises(DataError, match=rf"file: row 2: .*no counts of '{name}'"):
            check_counts(metric, np.array([good, bad]), where="file")


@pytest.mark.parametrize("name", sorted(METRICS))
def test_sums_of_possible_counts_score_within_the_bounds(name: str) -> None:
    metric, rng = METRICS[name], np.random.default_rng(3)
    drawn = rng.integers(0, 4, size=(4000, len(metric.columns))).astype(float)
    kept = []
    for row in drawn:
        try:
            kept.append(check_counts(metric, row[None], where="row")[0])
        except DataError:
            continue
    assert len(kept) > 20
    sums = rng.integers(0, 3, size=(300, len(kept))) @ np.array(kept)
    for score in (metric.score, *metric.extra_scores.values()):
        values = score(sums)
        assert ((values >= -1e-9) & (values <= 100 + 1e-9) | np.isnan(values)).all()


def test_a_stored_file_with_impossible_counts_is_named(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from adapterxfer.data.examples import SearchExample
    from adapterxfer.predict.table import FILE_NAME, write_predictions

    queries = [SearchExample(f"q{n}", f"q{n}", "de", "text", ("Q1",)) for n in range(2)]
    metadata = {"stage_key": "k", "task": "mewslix", "format": "retrieval", "protocol": "p"}
    write_predictions(tmp_path, queries, ['["Q1", "Q1"]', "[]"], METRICS["map_at_20"], metadata=metadata)
    assert read_counts(tmp_path).counts.tolist() == [[1, 1], [0, 1]]
    table = pq.read_table(tmp_path / FILE_NAME)
    column = table.column_names.index("precision")
    pq.write_table(table.set_column(column, "precision", [[5.0, 0.0]]), tmp_path / FILE_NAME)
    with pytest.raises(DataError, match=r"predictions.parquet: row 1: precision 5, total 1"):
        read_counts(tmp_path)
