from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError


def accuracy(sums: np.ndarray) -> np.ndarray:
    return 100.0 * sums[..., 0] / sums[..., 1]


def cell(**changes: object) -> st.CellCounts:
    counts = np.array([[1, 1], [0, 1], [1, 1]])
    return replace(
        st.CellCounts(
            system={"name": "a"},
            seed=1,
            target="t",
            language="en",
            domain="t",
            cluster_ids=["x", "y", "y"],
            counts=counts,
        ),
        **changes,
    )


def test_rows_are_sorted_and_aggregated_to_clusters(make_cells, make_table) -> None:
    table = make_table()
    cells = make_cells()
    shuffled = st.build_table([cells[i] for i in np.random.default_rng(0).permutation(len(cells))], table.metrics)
    assert shuffled.rows == table.rows
    np.testing.assert_array_equal(shuffled.scores, table.scores)
    assert [d.name for d in table.domains] == ["panx/de", "panx/en", "panx/sw", "xnli"]
    small = st.build_table([cell()], {"t": accuracy})
    assert small.domains[0].clusters == ("x", "y")
    np.testing.assert_array_equal(small.domains[0].counts.T, [[1, 1], [1, 2]])
    assert small.score(st.ScoreCell(small.systems[0], "t", "en")) == pytest.approx(200 / 3)


def test_a_cell_is_the_mean_over_its_runs(make_table) -> None:
    table = make_table()
    one = st.ScoreCell(table.find(name="nli")[0], "panx", "sw")
    assert table.seeds(one) == (1, 2, 3)
    assert table.score(one) == pytest.approx(np.mean([table.scores[i] for i in table.cells[one]]))


def test_examples_missing_in_a_language_are_zero_rows() -> None:
    short = cell(language="de", cluster_ids=["x"], counts=np.array([[1, 1]]))
    table = st.build_table([cell(), short], {"t": accuracy})
    np.testing.assert_array_equal(table.domains[0].counts.T, [[1, 1, 1, 1], [0, 0, 1, 2]])
    assert table.scores.tolist() == [100.0, pytest.approx(200 / 3)]


@pytest.mark.parametrize(("second", "message"), [
    ({}, "given twice"),
    ({"system": {"name": "b"}, "cluster_ids": ["x", "y", "z"]}, "other examples"),
    ({"system": {"name": "b"}, "cluster_ids": ["x", "x", "y"]}, "other examples"),
    ({"system": {"name": "b"}, "counts": np.array([[1, 1], [0, 2], [1, 1]])}, "gold counts differ"),
    ({"target": "u"}, "no metric"),
    ({"seed": 2, "cluster_ids": ["x"]}, "cluster ids for 3 examples"),
    ({"seed": 2, "counts": np.array([[1.0, 1], [np.nan, 1], [1, 1]])}, "not finite"),
    ({"seed": 2, "counts": np.array([[1, 1], [-1, 1], [1, 1]])}, "negative"),
    ({"seed": 2, "counts": np.zeros((0, 2)), "cluster_ids": []}, "at least one example"),
    ({"seed": None}, "without a seed beside others"),
    ({"system": {"name": "b"}, "counts": np.ones((3, 3))}, "3 count columns"),
])  # fmt: skip
def test_bad_data_is_refused_with_place_and_fix(second: dict[str, object], message: str) -> None:
    metric = st.SumScore("accuracy", accuracy, gold_columns=(1,))
    with pytest.raises(StatisticsError, match=message) as caught:
        st.build_table([cell(), cell(**second)], {"t": metric})
    assert caught.value.fix


def test_an_undefined_score_is_refused_and_a_defined_one_kept() -> None:
    empty = cell(counts=np.zeros((3, 2), dtype=int))
    with np.errstate(invalid="ignore"), pytest.raises(StatisticsError, match="undefined"):
        st.build_table([empty], {"t": accuracy})
    with pytest.raises(StatisticsError, match="undefined"):
        st.build_table([empty], {"t": st.ratio_metric("accuracy", (1, 0), (0, 1))})
    table = st.build_table([empty], {"t": st.ratio_metric("f1", (2, 0), (1, 1))})
    assert table.scores.tolist() == [0.0]


def test_systems_compare_by_their_labels() -> None:
    system = st.System.of({"variant": "stack", "backbone": "b"})
    assert system == st.System.of({"backbone": "b", "variant": "stack"})
    assert system.replace(variant="fuse")["variant"] == "fuse"
    assert system.matches({"backbone": "b"})
    assert not system.matches({"seed": 1})
    assert system.get("adapter") is None
