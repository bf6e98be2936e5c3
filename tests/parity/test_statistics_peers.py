"""The equality cases that need other tools: statsmodels, seqeval, sacrebleu, deepsig, and stored values of rliable."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from adapterxfer import statistics as st
from adapterxfer.statistics import stochastic_order
from adapterxfer.statistics.columns import DomainColumns
from adapterxfer.statistics.design import build_design
from adapterxfer.statistics.engine import ReplicateValues, block_scores
from adapterxfer.statistics.exact import extreme_swaps
from adapterxfer.statistics.intervals import interval, shift_p, t_p
from adapterxfer.statistics.weights import Weights

MEAN = st.ratio_metric("mean", (1, 0), (0, 1), points=1.0)
F1 = st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1), points=1.0)


def single(counts: np.ndarray, metric: st.SumScore, clusters: list[str] | None = None) -> st.ScoreTable:
    ids = clusters or [f"{index:04d}" for index in range(len(counts))]
    return st.build_table([st.CellCounts({"name": "a"}, 1, "t", "en", "t", ids, counts)], {"t": metric})


def given(table: st.ScoreTable, drawn: np.ndarray) -> np.ndarray:
    """ReplicateValues of the only cell under somebody else's draws, shape ``(resamples, examples)``."""
    multiples = np.stack([np.bincount(row, minlength=drawn.shape[1]) for row in drawn])
    return block_scores(table, table.domains[0], Weights(multiples, 0.0, 1.0))[:, 0]


def test_case_1_corpus_f1_with_the_draws_of_scipy() -> None:
    rng = np.random.default_rng(11)
    gold = rng.integers(0, 4, 300)
    tp = rng.binomial(gold, 0.7)
    predicted = tp + rng.integers(0, 2, 300)
    table = single(np.stack([tp, predicted, gold], axis=1), F1)
    ours = given(table, np.random.default_rng(11).integers(0, 300, (4000, 300)))

    def f1(a: np.ndarray, b: np.ndarray, c: np.ndarray, axis: int = -1) -> np.ndarray:
        return 2.0 * a.sum(axis=axis) / (b.sum(axis=axis) + c.sum(axis=axis))

    common = {"paired": True, "vectorized": True, "n_resamples": 4000, "batch": 4000}
    question = st.score(table.systems[0], "t", "en")
    for kind in ("percentile", "basic", "BCa"):
        theirs = stats.bootstrap((tp, predicted, gold), f1, method=kind, rng=np.random.default_rng(11), **common)
        np.testing.assert_array_equal(ours, theirs.bootstrap_distribution)
        assert ours.std(ddof=1) == theirs.standard_error
        if kind == "BCa":
            made = ReplicateValues((question,), table.scores, ours[:, None], None, 4000, 11, "multinomial")
            low, high = st.bca_interval(table, made, 0)
        else:
            low, high = interval(ours, float(table.scores[0]), kind=kind)
        expected = theirs.confidence_interval
        assert (low, high) == (pytest.approx(expected.low, abs=2e-15), pytest.approx(expected.high, abs=2e-15))


def test_case_2_bca_of_a_paired_difference_with_the_draws_of_scipy() -> None:
    """The document's data are not given, so its numbers are replaced by scipy's own on fresh data of its size."""
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 2**20, (2, 120)) / 2.0**20
    ids = [f"{index:04d}" for index in range(120)]
    ones = np.ones(120, dtype=int)
    cells = [
        st.CellCounts({"name": name}, 1, "t", "en", "t", ids, np.stack([v, ones], axis=1))
        for name, v in (("a", x), ("b", y))
    ]
    table = st.build_table(cells, {"t": MEAN})
    a, b = (st.score(system, "t", "en") for system in table.systems)
    drawn = np.random.default_rng(2).integers(0, 120, (3000, 120))
    multiples = np.stack([np.bincount(row, minlength=120) for row in drawn])
    columns = DomainColumns(table, table.domains[0], build_design(table, [a - b]))
    draws = np.zeros((1, 3000))
    columns.add_contrasts(columns.matrix.by_column(multiples), draws)
    made = ReplicateValues((a - b,), np.array([x.mean() - y.mean()]), draws.T, None, 3000, 2, "multinomial")
    low, high = st.bca_interval(table, made, 0)

    def gap(u: np.ndarray, v: np.ndarray, axis: int = -1) -> np.ndarray:
        return u.mean(axis=axis) - v.mean(axis=axis)

    theirs = stats.bootstrap((x, y), gap, paired=True, vectorized=True, n_resamples=3000, batch=3000, method="BCa",
                             rng=np.random.default_rng(2))  # fmt: skip
    np.testing.assert_allclose(draws[0], theirs.bootstrap_distribution, atol=1e-13)
    assert low == pytest.approx(theirs.confidence_interval.low, abs=1e-13)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=1e-13)


def test_case_6_the_whole_law_of_a_difference_without_drawing() -> None:
    """30 wins, 20 losses, 50 ties: quantiles -.04 and .24, shift p .17456956987251257."""
    law = st.exact_resampling(np.repeat([1, -1, 0], [30, 20, 50]))
    assert math.fsum(law.probabilities) == pytest.approx(1.0, abs=1e-12)
    assert (law.quantile(0.025), law.quantile(0.975)) == (pytest.approx(-0.04), pytest.approx(0.24))
    assert law.shift_p() == pytest.approx(0.17456956987251257, rel=1e-12)
    table = single(np.stack([np.repeat([2, 0, 1], [30, 20, 50]), np.ones(100, int)], axis=1), MEAN)
    drawn = st.resample(table, [st.score(table.systems[0], "t", "en")], resamples=20_000, seed=0).replicates[:, 0] - 1
    error = math.sqrt(0.1746 * 0.8254 / 20_000)
    assert abs(shift_p(drawn, 0.1) - law.shift_p()) < 4 * error
    enumerated = st.exact_resampling(np.array([2, -1, 0, 3]))
    assert enumerated.shift_p() == pytest.approx(72 / 256, rel=1e-14)
    spread = np.sqrt((enumerated.probabilities * (enumerated.values - 1.0) ** 2).sum())
    assert spread == pytest.approx(0.7905694150420949, rel=1e-14)


def bleu(sums: np.ndarray) -> np.ndarray:
    """Corpus BLEU in points from summed statistics (hypothesis length, reference length, matches, totals)."""
    with np.errstate(divide="ignore"):
        logs = np.log(sums[..., 2:6] / sums[..., 6:10]).mean(axis=-1)
        brevity = np.minimum(0.0, 1.0 - sums[..., 1] / sums[..., 0])
    return 100.0 * np.exp(logs + brevity)


def sacrebleu_study() -> tuple[list[str], list[str], list[str]]:
    rng = random.Random(5)
    words = [f"w{number}" for number in range(20)]
    references = [" ".join(rng.choice(words) for _ in range(12)) for _ in range(200)]

    def damage(share: float) -> list[str]:
        return [" ".join(w if rng.random() > share else rng.choice(words) for w in r.split()) for r in references]

    return references, damage(0.30), damage(0.345)


def test_case_7_sacrebleu_randomisation_and_what_its_bootstrap_p_really_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same swaps, same p; its bootstrap p takes |differences| before centring, so it is not ours."""
    pytest.importorskip("sacrebleu")
    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest

    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    references, first, second = sacrebleu_study()
    metric = BLEU(references=[references], tokenize="none")
    parts = [np.array(metric._extract_corpus_statistics(side, None), dtype=float) for side in (first, second)]
    ours = np.stack(parts)[:, :, [0, 1, *range(2, 10)]]
    named = [("first", first), ("second", second)]
    runs = 1000
    test = PairedTest(named, {"BLEU": metric}, None, test_type="ar", n_samples=runs)
    _, scores = test()
    theirs = scores["BLEU"][1].p_value
    flips = np.random.default_rng(12345).integers(2, size=(runs, 200), dtype=bool)
    total = ours.sum(axis=1)
    assert bleu(total[0]) == pytest.approx(scores["BLEU"][0].score, rel=1e-9)
    extreme, strict = extreme_swaps(ours[0], ours[1], st.SumScore("bleu", bleu), flips)
    assert theirs == pytest.approx((1 + strict) / (runs + 1), rel=1e-12), "it counts > where ties are evidence too"
    assert extreme >= strict
    _, scores = PairedTest(named, {"BLEU": metric}, None, test_type="bs", n_samples=runs)()
    samples = np.random.default_rng(12345).choice(200, size=(runs, 200), replace=True)
    drawn = [bleu(side[samples].sum(axis=1)) for side in ours]
    gap, differences = float(bleu(total[0]) - bleu(total[1])), drawn[0] - drawn[1]
    folded = np.abs(differences) - np.abs(differences).mean()
    compatible = (1 + np.count_nonzero(folded > abs(gap))) / (runs + 1)
    assert scores["BLEU"][1].p_value == pytest.approx(compatible, abs=2 / runs)
    assert shift_p(differences, gap) > 1.5 * compatible


def test_case_8_seqeval_is_f1_of_summed_counts() -> None:
    pytest.importorskip("seqeval")
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2, Entities

    rng = np.random.default_rng(8)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    gold = [[tags[i] for i in rng.integers(0, 5, rng.integers(3, 15))] for _ in range(150)]
    guess = [[t if rng.random() < 0.8 else tags[rng.integers(0, 5)] for t in row] for row in gold]
    spans = [[{e.to_tuple()[1:] for e in Entities([row], IOB2).entities[0]} for row in side] for side in (gold, guess)]
    counts = np.array([[len(g & p), len(p), len(g)] for g, p in zip(*spans, strict=True)])
    table = single(counts, F1)
    assert table.scores[0] == pytest.approx(f1_score(gold, guess, mode="strict", scheme=IOB2), rel=1e-12)


def test_case_9_adjustments_equal_statsmodels() -> None:
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    values = np.random.default_rng(9).random(40) ** 3
    for ours, theirs in (("holm", "holm"), ("bh", "fdr_bh"), ("by", "fdr_by")):
        np.testing.assert_allclose(st.adjust(values, ours), multipletests(values, method=theirs)[1], rtol=1e-12)
        small = [0.01, 0.04, 0.03, 0.005]
        np.testing.assert_allclose(st.adjust(small, ours), multipletests(small, method=theirs)[1], rtol=1e-12)


def test_case_4_mcnemar_equals_statsmodels() -> None:
    mcnemar = pytest.importorskip("statsmodels.stats.contingency_tables").mcnemar
    for first, second in ((37, 19), (8, 2), (60, 60)):
        assert st.mcnemar(first, second).p == pytest.approx(mcnemar([[50, first], [second, 9]]).pvalue, rel=1e-10)


def test_case_11_clustered_error_equals_statsmodels() -> None:
    linear_model = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    level = rng.normal(0, 1, 40)
    correct = (rng.normal(0, 1, (40, 5)) + level[:, None] > 0).astype(int).ravel()
    table = single(np.stack([correct, np.ones(200, int)], axis=1), MEAN, [f"{i // 5:03d}" for i in range(200)])
    ours = st.resample(table, [st.score(table.systems[0], "t", "en")], resamples=2, seed=0).components.items[0]
    theirs = linear_model.OLS(correct.astype(float), np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(200) // 5, "use_correction": True}
    )
    # Theirs also multiplies by (n - 1) / (n - 1) = 1 for a single coefficient.
    assert np.sqrt(ours) == pytest.approx(theirs.bse[0], rel=1e-10)


def test_case_12_two_one_sided_tests_equal_statsmodels() -> None:
    ttost_paired = pytest.importorskip("statsmodels.stats.weightstats").ttost_paired
    rng = np.random.default_rng(6)
    x = rng.normal(0.1, 1.0, 50)
    gap = x - (x + rng.normal(0.05, 0.5, 50))
    error = gap.std(ddof=1) / math.sqrt(50)
    p = max(
        t_p(gap.mean(), error, 49, null=-0.3, alternative="greater"),
        t_p(gap.mean(), error, 49, null=0.3, alternative="less"),
    )
    assert p == pytest.approx(ttost_paired(gap, np.zeros(50), -0.3, 0.3)[0], rel=1e-10)


def test_case_13_probability_of_improvement_is_that_of_rliable() -> None:
    """rliable 1.2.0 cannot be installed beside these versions (it pins an arch that fails under pandas 3).

    Its values below come from an environment of its own: rliable 1.2.0 and arch 7.2.0 installed without dependencies,
    numpy 2.4.6, scipy 1.17.1, pandas 2.3.3; `metrics.probability_of_improvement` on the arrays as they stand here.
    """
    first, second = [0.71, 0.74, 0.69, 0.77, 0.73], [0.70, 0.68, 0.72, 0.66, 0.75, 0.74]
    found = st.probability_of_improvement(first, second)
    assert found.probability == pytest.approx(stats.mannwhitneyu(first, second).statistic / 30, rel=1e-15)
    quoted = st.probability_of_improvement([5, 4, 3, 2, 1], [0.5, 1.5, 2.5, 2.5, 2.5, 0])
    assert quoted.probability == pytest.approx(0.7666666666666667, abs=1e-15)
    ties = st.probability_of_improvement([1.0, 2.0, 2.0, 3.0, 5.0], [2.0, 1.0, 2.0, 4.0])
    assert ties.probability == pytest.approx(0.575, abs=1e-15)
    x = np.array(
        [[0.625, 0.897, 0.776, 0.225], [0.3, 0.874, 0.005, 0.821], [0.797, 0.468, 0.303, 0.278],
         [0.255, 0.445, 0.505, 0.553], [0.996, 0.793, 0.622, 0.989]]
    )  # fmt: skip
    y = np.array(
        [[0.194, 0.144, 0.551, 0.04], [0.032, 0.463, 0.42, 0.825], [0.566, 0.463, 0.447, 0.223],
         [0.011, 0.173, 0.623, 0.181], [0.333, 0.003, 0.747, 0.139]]
    )  # fmt: skip
    by_task = [st.probability_of_improvement(a, b).probability for a, b in zip(x.T, y.T, strict=True)]
    assert by_task[0] == pytest.approx(0.84, abs=1e-15)
    assert np.mean(by_task) == pytest.approx(0.75, abs=1e-15), "rliable averages over tasks"


def test_case_17_almost_stochastic_order_equals_deepsig() -> None:
    aso = pytest.importorskip("deepsig.aso")
    rng = np.random.default_rng(17)
    x, y = rng.normal(0.2, 1.0, 20), rng.normal(0.0, 1.0, 25)
    ours = stochastic_order.violation_ratio(x[None], y[None])[0]
    assert ours == pytest.approx(aso.compute_violation_ratio(x, y), rel=1e-12)
    samples, replicates = [[], []], []
    for number in range(1, 9):
        state = np.random.RandomState(3 + number)
        for side, values in zip(samples, (x, y), strict=True):
            places = np.ceil(len(values) * state.uniform(0, 1, len(values))).astype(int) - 1
            side.append(np.sort(values)[np.clip(places, 0, len(values) - 1)])
    replicates = stochastic_order.violation_ratio(np.array(samples[0]), np.array(samples[1]))
    upper = stochastic_order.upper_bound(float(ours), replicates, level=0.95)
    theirs = aso.aso(x, y, num_bootstrap_iterations=8, dt=0.001, seed=3, num_jobs=1, show_progress=False)
    assert upper == pytest.approx(theirs, rel=1e-10)
