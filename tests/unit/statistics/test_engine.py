from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.products import CountMatrix, exact_product
from adapterxfer.statistics.weights import BLOCK, draw, draw_signs, stream


def test_adding_systems_languages_targets_and_seeds_changes_no_bit(make_table, make_gain) -> None:
    small, large = make_table(languages=("de", "sw")), make_table(("none", "nli", "qa"))
    for target in ("xnli", "panx"):
        one = st.resample(small, [make_gain(small, target, "sw")], resamples=600, seed=4).replicates
        contrasts = [make_gain(large, target, "de"), make_gain(large, target, "sw"), make_gain(large, "xnli")]
        two = st.resample(large, contrasts, resamples=600, seed=4).replicates
        np.testing.assert_array_equal(one[:, 0], two[:, 1])


def test_fewer_resamples_are_a_prefix_of_more(make_table, make_gain) -> None:
    table = make_table()
    few = st.resample(table, [make_gain(table, "panx")], resamples=300, seed=1).replicates
    many = st.resample(table, [make_gain(table, "panx")], resamples=700, seed=1).replicates
    np.testing.assert_array_equal(few, many[:300])
    other = st.resample(table, [make_gain(table, "panx")], resamples=300, seed=2).replicates
    assert not np.array_equal(few, other)


def test_same_numbers_in_another_process(make_table) -> None:
    code = (
        "import hashlib; from adapterxfer.statistics.weights import draw, stream;"
        "print(hashlib.sha256(draw('multinomial', stream(13, 'xnli', 2), clusters=77).multiples.astype('<i8')"
        ".tobytes()).hexdigest())"
    )
    theirs = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    ours = draw("multinomial", stream(13, "xnli", 2), clusters=77).multiples.astype("<i8").tobytes()
    assert hashlib.sha256(ours).hexdigest() == theirs
    assert draw("multinomial", stream(13, "xnli", 2), clusters=5, replicates=2).multiples.tolist() == PINNED


PINNED = [[2, 0, 1, 0, 2], [0, 0, 1, 2, 2]]


@pytest.mark.parametrize("kind", ["multinomial", "poisson", "mammen"])
def test_weights_have_mean_and_variance_one(kind: str) -> None:
    drawn = [draw(kind, stream(0, "d", block), clusters=200) for block in range(20)]
    weights = np.concatenate([w.offset + w.step * w.multiples for w in drawn])
    draws = weights.size
    assert weights.shape == (20 * BLOCK, 200)
    assert abs(weights.mean() - 1.0) < 5 / np.sqrt(draws) + 1e-4
    assert abs(weights.var() - (199 / 200 if kind == "multinomial" else 1.0)) < 5 * np.sqrt(3 / draws) + 1e-3
    if kind == "multinomial":
        assert (weights.sum(axis=1) == 200).all()
    if kind == "mammen":
        assert abs(((weights - 1.0) ** 3).mean() - 1.0) < 0.02
        assert weights.min() > 0.0


def test_signs_are_fair_and_of_the_right_width() -> None:
    bits = draw_signs(stream(0, "d", 0), clusters=37, replicates=4000)
    assert bits.shape == (4000, 37)
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)


@pytest.mark.parametrize("kind", ["poisson", "mammen"])
def test_other_weights_agree_on_the_standard_error(kind: str, make_table, make_gain) -> None:
    table = make_table()
    for target in ("xnli", "panx"):
        question = [make_gain(table, target)]
        first = st.resample(table, question, resamples=4000, seed=1).replicates.std()
        second = st.resample(table, question, resamples=4000, seed=1, weights=kind).replicates.std()
        assert second == pytest.approx(first, rel=0.07)


@pytest.mark.parametrize("highest", [1, 127, 2**13, 2**30])
def test_products_of_integers_are_exact(highest: int) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, highest, (500, 7), endpoint=True)
    multiples = draw("multinomial", stream(0, "d", 0), clusters=500).multiples.astype(int)
    np.testing.assert_array_equal(exact_product(multiples, counts.astype(float)), (multiples @ counts).astype(float))


def test_the_int8_path_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 100, (701, 133)).astype(float)
    multiples = draw("multinomial", stream(0, "d", 0), clusters=701).multiples
    monkeypatch.setattr("adapterxfer.statistics.products._seconds", lambda function, _: hasattr(function, "__self__"))
    fast = CountMatrix.of(counts)
    np.testing.assert_array_equal(fast.product(multiples), multiples.astype(int) @ counts.astype(int))
    assert fast._int8 is not None
    too_large = CountMatrix.of(counts + 100)
    np.testing.assert_array_equal(too_large.product(multiples), multiples.astype(int) @ (counts.astype(int) + 100))
    assert too_large._int8 is None


def test_fractional_counts_give_the_same_bits_in_any_company() -> None:
    rng = np.random.default_rng(0)
    ids = [str(index) for index in range(333)]
    f1 = st.ratio_metric("qa_f1", (1, 0), (0, 1))
    cells = [
        st.CellCounts({"name": name}, 1, "qa", "en", "qa", ids, np.stack([rng.random(333), np.ones(333)], axis=1))
        for name in "abcdefgh"
    ]
    one = st.build_table(cells[:1], {"qa": f1})
    all_of_them = st.build_table(cells, {"qa": f1})
    question = st.score(one.systems[0], "qa", "en")
    np.testing.assert_array_equal(
        st.resample(one, [question], resamples=300, seed=0).replicates,
        st.resample(all_of_them, [question], resamples=300, seed=0).replicates,
    )


def test_repeating_every_example_of_a_cluster_keeps_the_standard_error(make_cells) -> None:
    cells = make_cells(targets=("xnli",), languages=("en",), seeds=(1,))
    doubled = [replace(c, cluster_ids=[*c.cluster_ids] * 2, counts=np.tile(c.counts, (2, 1))) for c in cells]
    apart = [replace(c, cluster_ids=[f"{i:05d}" for i in range(len(c.counts))]) for c in doubled]
    errors = []
    for version in (cells, doubled, apart):
        table = st.build_table(version, {"xnli": st.ratio_metric("accuracy", (1, 0), (0, 1))})
        question = st.gain(table.find(name="nli")[0], table.find(name="none")[0], "xnli", ["en"])
        errors.append(float(np.sqrt(st.resample(table, [question], resamples=2, seed=0).components.items[0])))
    assert errors[1] == pytest.approx(errors[0], rel=1e-12)
    assert errors[2] == pytest.approx(errors[0] / np.sqrt(2), rel=0.01)


def test_questions_the_table_cannot_answer(make_table) -> None:
    table = make_table(languages=("en",))
    system = table.systems[0]
    with pytest.raises(StatisticsError, match="no scores of"):
        st.resample(table, [st.score(system, "xnli", "fr")], seed=0)
    with pytest.raises(StatisticsError, match="no contrasts"):
        st.resample(table, [], seed=0)
    with pytest.raises(StatisticsError, match="1 resamples"):
        st.resample(table, [st.score(system, "xnli", "en")], resamples=1, seed=0)
    with pytest.raises(StatisticsError, match="not one of"):
        st.resample(table, [st.score(system, "xnli", "en")], seed=0, weights="jackknife")
