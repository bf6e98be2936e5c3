"""Intervals end where a number does: nearer for a score, farther for a trend, a gain beside a gain, mcc."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from adapterxfer import statistics as st
from adapterxfer.metrics import count_predictions, get_metric, gold_columns
from adapterxfer.statistics.design import transform
from adapterxfer.statistics.intervals import Bounds
from adapterxfer.statistics.reach import reach_of, within
from adapterxfer.statistics.table import ScoreCell

ACCURACY = st.ratio_metric("accuracy", (1, 0), (0, 1))
MCC = get_metric("mcc", format_name="sequence_classification", labels=("no", "yes"))
METRICS = {"t": ACCURACY, "r": st.SumScore("r", MCC.score, gold_columns=gold_columns(MCC), lowest=MCC.lowest)}
SIZES = (1e5, 3e5, 1e6)


def cell(name: str, target: str = "t", language: str = "a") -> st.Contrast:
    return st.score(st.System.of({"name": name}), target, language)


def gain(variant: str, backbone: int = 0, target: str = "t") -> st.Contrast:
    return cell(f"{variant}-nli-{backbone}", target) - cell(f"{variant}-none-{backbone}", target)


def test_how_far_each_kind_of_number_goes() -> None:
    trend = st.slope([gain("stack", number) for number in range(3)], SIZES)
    steepest = 100.0 * math.fsum(map(abs, st.slope_weights(SIZES)))
    expected = {
        "score": (cell("a"), (0.0, 100.0)),
        "mcc": (cell("a", "r"), (-100.0, 100.0)),
        "difference": (gain("stack"), (-100.0, 100.0)),
        "mean difference": (st.macro([gain("stack"), gain("stack", 1), gain("stack", 2)]), (-100.0, 100.0)),
        "difference of mcc": (gain("stack", target="r"), (-200.0, 200.0)),
        "gain beside another": (gain("stack") - gain("full-ft"), (-200.0, 200.0)),
        "gains with one baseline": ((cell("a") - cell("none")) - (cell("b") - cell("none")), (-100.0, 100.0)),
        "gain beside another, mcc": (gain("stack", target="r") - gain("full-ft", target="r"), (-400.0, 400.0)),
        "mean over both metrics": (st.macro([gain("stack"), gain("stack", target="r")]), (-150.0, 150.0)),
        "trend": (trend, (-steepest, steepest)),
    }
    for name, (contrast, ends) in expected.items():
        assert reach_of(contrast, METRICS) == pytest.approx(ends), name
    assert steepest > 100.0


def test_other_scales_end_where_their_transform_does() -> None:
    logit = float(transform(np.array([100.0]), "logit")[0])
    assert reach_of(cell("a").on("logit"), METRICS) == pytest.approx((-logit, logit))
    assert reach_of(gain("stack").on("logit"), METRICS) == pytest.approx((-2 * logit, 2 * logit))
    worst, best = transform(np.array([0.0, 100.0]), "log-error").tolist()
    assert best < worst, "a log error falls as the score rises"
    assert reach_of(cell("a").on("log-error"), METRICS) == pytest.approx((best, worst))


WEIGHTS = some.dictionaries(
    some.tuples(some.sampled_from("abc"), some.sampled_from("tr"), some.sampled_from("xy")),
    some.floats(-3.0, 3.0).filter(bool),
    min_size=1,
)


@given(weights=WEIGHTS, shares=some.lists(some.floats(0.0, 1.0), min_size=12, max_size=12), scale=some.sampled_from(
    ["points", "logit", "log-error"]), low=some.floats(-1e4, 1e4), width=some.floats(0.0, 2e4))  # fmt: skip
def test_no_value_that_can_occur_is_cut_off_and_both_ends_occur(
    weights: dict[tuple[str, str, str], float], shares: list[float], scale: st.Scale, low: float, width: float
) -> None:
    terms = {ScoreCell(st.System.of({"name": n}), t, code): weight for (n, t, code), weight in weights.items()}
    contrast = st.Contrast(terms, scale=scale)

    def value(scores: list[float]) -> float:
        scaled = transform(np.array(scores), scale).tolist()
        return math.fsum(weight * points for weight, points in zip(terms.values(), scaled, strict=True))

    lowest = [METRICS[cell.target].lowest for cell in terms]
    scores = [worst + share * (100.0 - worst) for worst, share in zip(lowest, shares, strict=False)]
    reach = reach_of(contrast, METRICS)
    slack = 1e-9 * max(1.0, *map(abs, reach))
    assert reach.low - slack <= value(scores) <= reach.high + slack
    rising = [(weight > 0.0) == (scale != "log-error") for weight in terms.values()]
    furthest = [
        value([100.0 if up == above else worst for up, worst in zip(rising, lowest, strict=True)])
        for above in (True, False)
    ]
    assert (max(furthest), min(furthest)) == pytest.approx((reach.high, reach.low), abs=slack)
    cut = within(low, low + width, reach)
    inside = low <= value(scores) <= low + width
    assert not inside or cut.low - slack <= value(scores) <= cut.high + slack


def wide_table(target: str, contrast: st.Contrast) -> st.ScoreTable:
    """Systems whose first run speaks for the contrast and whose second against it, so that everything is left open."""
    rng = np.random.default_rng(3)
    ids = [f"{number:03d}" for number in range(60)]
    cells = []
    for asked, weight in contrast.terms.items():
        name = str(asked.system["name"])
        for seed in (1, 2):
            right = (rng.random(60) < (0.9 if (seed == 1) == (weight > 0.0) else 0.2)).astype(int)
            golds = [("no", "yes")[number % 2] for number in range(60)]
            answers = [("no", "yes")[(number + 1 - is_right) % 2] for number, is_right in enumerate(right.tolist())]
            counts = np.stack([right, np.ones(60, dtype=int)], axis=1)
            counts = counts if target == "t" else count_predictions(MCC, answers, golds)
            cells.append(
                st.CellCounts(
                    system={"name": name},
                    seed=seed,
                    target=target,
                    language="a",
                    domain=target,
                    cluster_ids=ids,
                    counts=counts,
                    run_group=name.rpartition("-")[2],
                )
            )
    return st.build_table(cells, {target: METRICS[target]})


QUESTIONS = {
    "difference": (gain("stack"), "t", 100.0),
    "gain beside another": (gain("stack") - gain("full-ft"), "t", 200.0),
    "difference of mcc": (gain("stack", target="r"), "r", 200.0),
    "trend": (
        st.slope([gain("stack", number) for number in range(3)], SIZES),
        "t",
        100.0 * math.fsum(map(abs, st.slope_weights(SIZES))),
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_interval_is_cut_at_its_own_reach_and_nowhere_else(name: str) -> None:
    contrast, target, farthest = QUESTIONS[name]
    table = wide_table(target, contrast)
    row = st.estimates(table, st.resample(table, [contrast], resamples=99, seed=0), scope="items+runs")[0]
    assert row.reach == pytest.approx((-farthest, farthest))
    uncut = st.t_interval(row.value, row.standard_error, row.df)
    assert (row.low, row.high) == pytest.approx((max(uncut.low, -farthest), min(uncut.high, farthest)))
    assert min(uncut.low, -uncut.high) < -100.0, "wide enough to tell"
    assert row.p == pytest.approx(st.t_p(row.value, row.standard_error, row.df)), "no test depends on where one cuts"


def test_rungs_end_where_their_question_ends() -> None:
    sizes = [gain("stack", number) for number in range(3)]
    question = st.slope(sizes, SIZES)
    ladder = st.ladder(wide_table("t", question), question, sizes=sizes, parameters=SIZES, resamples=99, seed=0)
    farthest = 100.0 * math.fsum(map(abs, st.slope_weights(SIZES)))
    for rung in (ladder[1], ladder[3]):
        bounds = st.t_interval(rung.value, rung.standard_error, rung.df)
        assert rung.low <= max(bounds.low, -farthest) + 1e-9
        assert -farthest - 1e-9 <= rung.low < -100.0
        assert 100.0 < rung.high <= farthest + 1e-9


def test_bounds_that_are_not_known_stay_unknown() -> None:
    assert all(map(math.isnan, within(math.nan, math.nan, Bounds(-100.0, 100.0))))
