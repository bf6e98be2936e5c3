from __future__ import annotations

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError


def cells(*names: str) -> list[st.Contrast]:
    return [st.score(st.System.of({"name": name}), "t", "en") for name in names]


def weights(contrast: st.Contrast) -> dict[object, float]:
    return {cell.system["name"]: weight for cell, weight in contrast.terms.items()}


def test_arithmetic() -> None:
    a, b, c, d = cells("a", "b", "c", "d")
    assert weights(st.difference(a, b)) == {"a": 1.0, "b": -1.0}
    assert weights((a - b) - (c - d)) == {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}
    assert weights((a - b) - (c - b)) == {"a": 1.0, "c": -1.0}
    assert weights(st.macro([a - b, c - b])) == {"a": 0.5, "b": -1.0, "c": 0.5}
    assert weights(2.0 * a - b * 0.5) == {"a": 2.0, "b": -0.5}
    assert weights(-(a + b)) == {"a": -1.0, "b": -1.0}


def test_gain_averages_languages_and_carries_labels() -> None:
    nli, none = st.System.of({"backbone": "b", "intermediate": "nli"}), st.System.of({"backbone": "b"})
    gain = st.gain(nli, none, "t", ["en", "sw"], family="x")
    assert gain.terms[st.ScoreCell(nli, "t", "sw")] == 0.5
    assert gain.terms[st.ScoreCell(none, "t", "en")] == -0.5
    assert gain.labels == {"backbone": "b", "intermediate": "nli", "target": "t", "family": "x"}


def test_labels_on_which_parts_agree_are_kept() -> None:
    a, b = (c.named("", family="x", which=n) for n, c in enumerate(cells("a", "b")))
    assert st.macro([a, b], "mean", tier="low").labels == {
        "family": "x", "target": "t", "language": "en", "tier": "low",
    }  # fmt: skip


def test_a_slope_through_two_sizes_is_a_difference_per_decade() -> None:
    a, b, c = cells("a", "b", "c")
    two = st.slope([a, b], [1e6, 1e8])
    assert weights(two) == {"a": -0.5, "b": 0.5}
    assert two.flags == ("two-points",)
    three = st.slope([a, b, c], [1e6, 1e7, 1e8])
    assert three.flags == ()
    assert weights(three) == pytest.approx({"a": -0.5, "c": 0.5})


@pytest.mark.parametrize(("make", "message"), [
    (lambda a, b: st.slope([a, b], [1e6, 1e6]), "two different sizes"),
    (lambda a, b: st.slope([a, b], [1e6, 0.0]), "not positive"),
    (lambda a, b: st.slope([a, b], [1e6]), "2 contrasts for 1 sizes"),
    (lambda a, b: st.macro([]), "nothing to average"),
    (lambda a, b: a.on("logit") - b, "different scales"),
    (lambda a, b: st.macro([a.on("logit"), b]), "different scales"),
    (lambda a, b: st.linear([a, b], [1.0]), "2 contrasts for 1 weights"),
])  # fmt: skip
def test_questions_without_meaning(make, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        make(*cells("a", "b"))


def accuracy_table(shares: dict[str, float]) -> st.ScoreTable:
    ids = [f"{index:04d}" for index in range(1000)]
    runs = []
    for name, share in shares.items():
        correct = (np.arange(1000) < round(1000 * share)).astype(int)
        counts = np.stack([correct, np.ones(1000, dtype=int)], axis=1)
        runs.append(
            st.CellCounts(
                system={"name": name}, seed=1, target="t", language="en", domain="t", cluster_ids=ids, counts=counts
            )
        )
    return st.build_table(runs, {"t": st.ratio_metric("accuracy", (1, 0), (0, 1))})


def test_a_constant_gain_in_logits_shrinks_in_points_near_the_ceiling() -> None:
    def lifted(share: float) -> float:
        odds = share / (1 - share) * np.exp(0.2)
        return odds / (1 + odds)

    for base, points in ((0.55, 4.88), (0.80, 3.01), (0.90, 1.66)):
        assert 100 * (lifted(base) - base) == pytest.approx(points, abs=0.005)
    table = accuracy_table({"a": 0.60, "b": 0.55})
    gap = st.difference(*cells("a", "b"))
    found = st.resample(table, [gap, gap.on("logit"), gap.on("log-error")], resamples=3000, seed=1)
    logit = np.log(0.6 / 0.4) - np.log(0.55 / 0.45)
    np.testing.assert_allclose(found.values, [5.0, logit, np.log(40 / 45)], rtol=1e-12)
    assert 1 - np.exp(found.values[2]) == pytest.approx(5 / 45)
    np.testing.assert_allclose(found.replicates.std(axis=0), np.sqrt(found.components.items), rtol=0.06)


def test_series_get_their_own_intercepts() -> None:
    """Two series, each falling by 2 points per decade, far apart in level: the joint line would rise."""
    sizes, series = [1e8, 1e9, 1e9, 1e10], ["x", "x", "y", "y"]
    assert np.array(st.slope_weights(sizes, series=series)) @ [10.0, 8.0, 30.0, 28.0] == pytest.approx(-2.0)
    assert np.array(st.slope_weights(sizes)) @ [10.0, 8.0, 30.0, 28.0] > 0
    parts = cells("a", "b", "c", "d")
    rows = np.array([[np.log10(size), series[k] == "x", series[k] == "y"] for k, size in enumerate(sizes)], dtype=float)
    expected = np.linalg.pinv(rows)[0]
    assert list(weights(st.slope(parts, sizes, series=series)).values()) == pytest.approx(expected.tolist(), rel=1e-9)
    with pytest.raises(StatisticsError, match="fewer than two"):
        st.slope_weights([1e8, 1e9], series=["x", "y"])
