from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError
from adapterxfer.statistics import weights as weights_module
from adapterxfer.statistics.columns import DomainColumns
from adapterxfer.statistics.design import build_design
from adapterxfer.statistics.engine import block_scores
from adapterxfer.statistics.products import CountMatrix, exact_product
from adapterxfer.statistics.weights import BLOCK, draw, stream


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


METRICS = {
    "xnli": st.ratio_metric("accuracy", (1, 0), (0, 1), gold_columns=(1,)),
    "panx": st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1), gold_columns=(2,)),
}


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


@pytest.mark.parametrize("lowest", [0, -1, -40])
def test_every_path_of_the_product_gives_the_same_bits(lowest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    counts = np.random.default_rng(0).integers(lowest, 41 if lowest == -40 else 2, (701, 133))
    multiples = draw("multinomial", stream(0, "d", 0), clusters=701).multiples
    expected = multiples.astype(int) @ counts
    chosen = CountMatrix(counts.T)
    for path in (chosen._in_double, chosen._in_single, chosen._in_pairs, chosen.by_column):
        np.testing.assert_array_equal(path(multiples), expected.T)
    np.testing.assert_array_equal(chosen.product(multiples), expected)
    assert (chosen._path == chosen._in_pairs) == (lowest > -40), "few clusters fit into one packed number here"
    monkeypatch.setattr(
        "adapterxfer.statistics.products._seconds", lambda function, _: float(function.__name__ != "_in_int8")
    )
    fast = CountMatrix(counts.T, torch=torch)
    np.testing.assert_array_equal(fast.product(multiples), expected)
    assert fast._path == fast._in_int8
    too_large = CountMatrix(counts.T + 100, torch=torch)
    np.testing.assert_array_equal(too_large.product(multiples), multiples.astype(int) @ (counts + 100))
    assert (too_large._path == too_large._in_int8) == (lowest > -40)


def test_packed_columns_give_way_where_their_sums_do_not_fit() -> None:
    counts = np.ones((9000, 4), dtype=np.int8)
    counts[:, 1:] = np.random.default_rng(0).integers(0, 2, (9000, 3))
    heavy = np.zeros((3, 9000), dtype=np.uint8)
    heavy[:, :3000] = 3
    matrix = CountMatrix(counts.T)
    np.testing.assert_array_equal(matrix._in_pairs(heavy).T, heavy.astype(int) @ counts.astype(int))
    assert matrix._single is not None, "9000 of weight in one slice cannot be held in 12 bits"


def test_equal_columns_are_multiplied_once_and_other_contrasts_change_no_bit(make_table) -> None:
    table = make_table(("none", "nli", "qa", "mc"), targets=("xnli",))
    names, languages = ("nli", "qa", "mc"), table.languages("xnli")
    none = table.find(name="none")[0]
    gains = [st.gain(table.find(name=name)[0], none, "xnli", languages) for name in names]
    for weights in ("multinomial", "poisson", "mammen"):
        alone = st.resample(table, gains[:1], resamples=300, seed=1, weights=weights)
        beside = st.resample(table, [*gains, *(-gain for gain in gains)], resamples=300, seed=1, weights=weights)
        np.testing.assert_array_equal(alone.replicates[:, 0], beside.replicates[:, 0])
    columns = DomainColumns(table, table.domains[0], build_design(table, gains[:1]))
    rows = 2 * 3 * len(languages)  # two systems with three seeds; all rows share one column of totals
    assert len(columns.totals) == rows + 1


def test_contrasts_are_those_of_the_scores(make_table) -> None:
    """Every route through `columns` against the plain formula: score each row, then weight."""
    table = make_table(("none", "nli"), items=60)
    none, nli = table.find(name="none")[0], table.find(name="nli")[0]
    contrasts = [
        st.gain(nli, none, target, table.languages(target)).on(scale)
        for target in ("xnli", "panx")
        for scale in ("points", "logit", "log-error")
    ]
    third = st.linear([st.score(nli, "xnli", "de"), st.score(none, "xnli", "en")], [0.7310585786300049, -1 / 3])
    contrasts += [third, st.score(nli, "panx", "sw"), contrasts[0] + contrasts[3]]
    found = st.resample(table, contrasts, resamples=BLOCK, seed=3)
    design = build_design(table, contrasts)
    expected = np.zeros((BLOCK, len(contrasts)))
    for domain in table.domains:
        drawn = draw("multinomial", stream(3, domain.name, 0), clusters=len(domain.clusters))
        expected += design.apply(block_scores(table, domain, drawn), domain.first, domain.last)
    np.testing.assert_allclose(found.replicates, expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.values, design.apply(table.scores[None], 0, len(table.rows))[0], rtol=1e-12)


def test_backends_give_the_same_bits_and_unknown_ones_are_refused(make_table, make_gain) -> None:
    pytest.importorskip("torch")
    table = make_table(items=700)
    questions = [make_gain(table, target) for target in ("xnli", "panx")]
    made = [st.resample(table, questions, resamples=600, seed=2, backend=name) for name in ("numpy", "torch", "auto")]
    np.testing.assert_array_equal(made[0].replicates, made[1].replicates)
    np.testing.assert_array_equal(made[0].replicates, made[2].replicates)
    with pytest.raises(StatisticsError, match="backend 'cupy'"):
        st.resample(table, questions, seed=2, backend="cupy")


def test_numpy_alone_never_loads_torch() -> None:
    code = (
        "import sys, numpy as np; from adapterxfer import statistics as st;"
        "cell = st.CellCounts(system={'name': 'a'}, seed=1, target='t', language='en', domain='t',"
        " cluster_ids=[str(i) for i in range(99)], counts=np.ones((99, 2), int));"
        "table = st.build_table([cell], {'t': st.ratio_metric('accuracy', (1, 0), (0, 1))});"
        "st.resample(table, [st.score(table.systems[0], 't', 'en')], seed=0); print('torch' in sys.modules)"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "False"


@pytest.mark.parametrize("clusters", [1, 2, 5, 7, 30, 1000])
def test_multinomial_counts_have_the_binomial_law(clusters: int) -> None:
    """Counts are made of Poisson draws and top-ups; each cluster's count has to be binomial all the same."""
    drawn = np.concatenate([
        draw("multinomial", stream(1, "law", block), clusters=clusters).multiples for block in range(40)
    ])  # fmt: skip
    assert (drawn.sum(axis=1, dtype=int) == clusters).all()
    law = stats.binom(clusters, 1 / clusters).pmf(np.arange(6))
    found = np.bincount(np.minimum(drawn, 5).ravel(), minlength=6)[:5] / drawn.size
    np.testing.assert_allclose(found, law[:5], atol=6 * np.sqrt(1 / drawn.size) + 1e-12)
    if clusters > 1:
        joint = np.cov(drawn[:, 0], drawn[:, 1])[0, 1]
        assert abs(joint + 1 / clusters) < 5 * np.sqrt(1.0 / len(drawn))


def test_small_laws_are_met_to_the_last_bit_of_the_words() -> None:
    law = weights_module._law((0.72, 0.2, 0.05, 0.03))
    bytes_per_value = np.diff([0, *law.steps, law.undecided])
    tail = np.diff([0.0, *law.tail, 2.0**32]) / 2.0**32 * (256 - law.undecided)
    np.testing.assert_allclose((bytes_per_value + tail) / 256, [0.72, 0.2, 0.05, 0.03], atol=1e-10)
    poisson = weights_module._poisson(1.0)
    assert poisson.undecided == 253
    assert len(poisson.tail) == 13


def test_fractional_counts_give_the_same_bits_in_any_company() -> None:
    rng = np.random.default_rng(0)
    ids = [str(index) for index in range(333)]
    f1 = st.ratio_metric("qa_f1", (1, 0), (0, 1))
    cells = [
        st.CellCounts(
            system={"name": name},
            seed=1,
            target="qa",
            language="en",
            domain="qa",
            cluster_ids=ids,
            counts=np.stack([rng.random(333), np.ones(333)], axis=1),
        )
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


def test_the_order_of_the_input_and_the_number_of_threads_change_no_bit(make_cells, make_gain) -> None:
    cells = make_cells()
    tables = [st.build_table(part, METRICS) for part in (cells, cells[::-1], cells[7:] + cells[:7])]
    made = [st.resample(t, [make_gain(t, "xnli"), make_gain(t, "panx")], resamples=400, seed=6) for t in tables]
    for other in made[1:]:
        np.testing.assert_array_equal(made[0].replicates, other.replicates)
    code = (
        "import hashlib, numpy as np; from adapterxfer.statistics.products import CountMatrix;"
        "from adapterxfer.statistics.weights import draw, stream;"
        "counts = np.random.default_rng(0).integers(0, 3, (300, 3000)); drawn = draw('multinomial', stream(1, 'd', 0), "
        "clusters=3000); print(hashlib.sha256(CountMatrix(counts).product(drawn.multiples).tobytes()).hexdigest())"
    )
    hashes = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                       env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}).stdout
        for threads in ("1", "2")
    }  # fmt: skip
    assert len(hashes) == 1
