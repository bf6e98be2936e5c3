from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adapterxfer import statistics as st
from adapterxfer.errors import StatisticsError
from adapterxfer.statistics.families import WITHHELD
from adapterxfer.statistics.multiplicity import Adjustment


@pytest.fixture(scope="module")
def study(make_table, make_gain):
    def make(seeds: tuple[int, ...]):
        table = make_table(("none", "nli", "qa", "mc"), seeds=seeds, lift=0.03)
        questions = [make_gain(table, t, treated=name) for t in ("xnli", "panx") for name in ("nli", "qa", "mc")]
        return table, st.resample(table, questions, resamples=1999, seed=3)

    return make


def test_over_items_step_down_lies_between_raw_and_holm(study) -> None:
    table, replicates = study((1, 2))
    rows = st.estimates(table, replicates)
    adjusted = st.adjust_family(rows, replicates)
    assert {row.adjustment for row in adjusted} == {"romano-wolf"}
    raw = np.array([row.p for row in rows])
    found = np.array([row.p_adjusted for row in adjusted])
    assert (found >= raw).all()
    assert found.sum() < st.adjust(raw, "holm").sum() + 0.05
    order = np.argsort([-abs(row.value / row.standard_error) for row in rows])
    assert (np.diff(found[order]) >= 0).all()


@pytest.mark.parametrize(("seeds", "adjustment"), [
    ((1, 2), WITHHELD), ((1, 2, 3), "Holm, t with the fewest degrees of freedom"), ((1, 2, 3, 4, 5), "Holm"),
])  # fmt: skip
def test_over_runs_the_rule_follows_the_number_of_seeds(study, seeds: tuple[int, ...], adjustment: str) -> None:
    table, replicates = study(seeds)
    rows = st.estimates(table, replicates, scope="items+runs")
    adjusted = st.adjust_family(rows, replicates)
    assert {row.adjustment for row in adjusted} == {adjustment}
    for before, after in zip(rows, adjusted, strict=True):
        assert (after.p_adjusted is None) == (adjustment == WITHHELD)
        assert after.p_adjusted is None or after.p_adjusted >= before.p


def test_few_runs_are_read_with_the_fewest_degrees_of_freedom_and_one_test_is_not_adjusted(study) -> None:
    table, replicates = study((1, 2, 3))
    rows = st.estimates(table, replicates, scope="items+runs")
    fewest = min(row.df for row in rows)
    read = [st.t_p(row.value, row.standard_error, fewest) for row in rows]
    adjusted = [row.p_adjusted for row in st.adjust_family(rows, replicates)]
    np.testing.assert_allclose(adjusted, st.adjust(read, "holm"))
    (alone,) = st.adjust_family(rows[4:5], replicates, [4])
    assert (alone.p_adjusted, alone.adjustment) == (rows[4].p, "one test")


def member(
    p: float | None, df: float, *, runs: int = 2, moderated: bool = True, over_runs: bool = True
) -> st.FamilyMember:
    reading = st.Reading(2.0, 1.0, df)
    return st.FamilyMember(p=p, readings=(reading,), runs=runs, over_runs=over_runs, moderated=moderated)


def test_two_runs_are_withheld_unless_their_variance_is_moderated() -> None:
    mixed = st.adjust_tests([member(0.01, 3.0), member(0.01, 9.0), member(0.01, 1.0, moderated=False)])
    assert mixed[2] == (None, WITHHELD)
    by_three = st.Reading(2.0, 1.0, 3.0).p()
    assert [p for p, _ in mixed[:2]] == pytest.approx([2 * by_three, 2 * by_three])
    own = st.Reading(2.0, 1.0, 4.0).p(), st.Reading(2.0, 1.0, 90.0).p()
    five = [member(p, df, runs=5, moderated=False) for p, df in zip(own, (4.0, 90.0), strict=True)]
    assert [p for p, _ in st.adjust_tests(five)] == pytest.approx([max(own), 2 * own[1]])


def test_moderated_variances_of_three_runs_keep_their_degrees_of_freedom() -> None:
    own = [st.Reading(2.0, 1.0, df).p() for df in (4.0, 9.0)]
    rows = st.adjust_tests([member(p, df, runs=3) for p, df in zip(own, (4.0, 9.0), strict=True)])
    assert [row.p for row in rows] == pytest.approx([max(own[0], 2 * own[1]), 2 * own[1]])
    mixed = st.adjust_tests([member(own[0], 4.0, runs=3), member(own[1], 9.0, runs=3, moderated=False)])
    assert mixed[1].p == pytest.approx(2 * own[1]), "the fewest degrees of freedom are those of tests with few runs"


def test_moderated_tests_over_several_backbones_keep_their_degrees_of_freedom_with_two_runs() -> None:
    own = [st.Reading(2.0, 1.0, df).p() for df in (3.0, 9.0)]
    one, several = (
        [replace(member(p, df), backbones=n) for p, df in zip(own, (3.0, 9.0), strict=True)] for n in (1, 3)
    )
    assert [row.p for row in st.adjust_tests(one)] == pytest.approx([2 * own[0], 2 * own[0]])
    assert [row.p for row in st.adjust_tests(several)] == pytest.approx([max(own[0], 2 * own[1]), 2 * own[1]])
    mixed = st.adjust_tests([one[0], several[1]])
    assert mixed[1].p == pytest.approx(2 * own[1]), "only tests on one backbone are read with the fewest"


def test_tests_without_a_p_value_do_not_count() -> None:
    rows = st.adjust_tests([member(None, 3.0), member(0.2, 5.0)])
    assert rows[0] == (None, "")
    assert rows[1].p == pytest.approx(max(0.2, st.Reading(2.0, 1.0, 5.0).p()))


def test_rows_without_a_p_value_are_left_out(study) -> None:
    table, replicates = study((1,))
    rows = st.estimates(table, replicates)
    gap = replace(rows[0], p=None)
    adjusted = st.with_adjusted([gap, *rows[1:3]])
    assert adjusted[0].p_adjusted is None
    assert [row.p_adjusted for row in adjusted[1:]] == st.adjust([rows[1].p, rows[2].p], "holm").tolist()


def test_mixed_and_mismatched_families_are_refused(study) -> None:
    table, replicates = study((1, 2, 3))
    items, both = st.estimates(table, replicates), st.estimates(table, replicates, scope="items+runs")
    with pytest.raises(StatisticsError, match="mixes scopes"):
        st.adjust_family([items[0], both[1]], replicates)
    with pytest.raises(StatisticsError, match="is not contrast"):
        st.adjust_family([items[1]], replicates)
    with pytest.raises(StatisticsError, match="without tests"):
        st.adjust_family([], replicates)
    with pytest.raises(StatisticsError, match="outside"):
        st.adjust([0.5, 1.5], "holm")


def test_ranks_of_clear_and_of_tied_systems(make_table) -> None:
    table = make_table(("none", "nli", "qa", "mc"), targets=("xnli",), lift=0.2, items=600)
    names = ("mc", "nli", "none", "qa")
    scores = [st.macro([st.score(table.find(name=n)[0], "xnli", lang) for lang in table.languages("xnli")], n)
              for n in names]  # fmt: skip
    ranks = {row.name: row for row in st.rank_intervals(st.resample(table, scores, resamples=999, seed=0))}
    assert (ranks["none"].low, ranks["none"].high) == (4, 4)
    assert all((ranks[name].low, ranks[name].high) == (1, 3) for name in ("mc", "nli", "qa"))
    same = st.rank_intervals(st.resample(table, [scores[0], scores[0]], resamples=99, seed=0))
    assert [(row.rank, row.low, row.high) for row in same] == [(1, 1, 2), (1, 1, 2)]
    with pytest.raises(StatisticsError, match="fewer than 2"):
        st.rank_intervals(st.resample(table, scores[:1], resamples=99, seed=0))


@pytest.mark.parametrize("method", ["holm", "bh", "by"])
def test_a_test_is_found_exactly_up_to_its_own_level(method: Adjustment) -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        values = rng.uniform(size=rng.integers(1, 8)) ** rng.choice([1, 3, 8])
        for number, level in enumerate(st.own_levels(values, method).tolist()):
            assert 0.05 / len(values) / 3 < level <= 0.05
            for p, found in ((level * (1 - 1e-9), True), (level * (1 + 1e-9), False)):
                changed = values.copy()
                changed[number] = p
                assert (st.adjust(changed, method)[number] <= 0.05) == found


def test_levels_of_known_families() -> None:
    assert st.own_levels([0.2, 0.5, 0.9], "holm").tolist() == pytest.approx([0.05 / 3] * 3)
    assert st.own_levels([1e-9, 0.5, 0.9], "holm").tolist() == pytest.approx([0.05 / 3, 0.025, 0.025])
    assert st.own_levels([1e-9, 1e-9, 0.9], "bh").tolist() == pytest.approx([0.05 * 2 / 3, 0.05 * 2 / 3, 0.05])
    assert st.own_levels([0.3], "holm").tolist() == [0.05]
    assert st.own_levels([], "holm").tolist() == []


def test_no_level_where_nothing_can_be_found() -> None:
    pair = replace(member(0.01, 9.0, moderated=False), runs=2)
    assert st.levels_in_family([pair, pair], alpha=0.05) == [0.0, 0.0]
    assert st.levels_in_family([member(None, 3.0), member(0.2, 5.0), member(0.3, 5.0)], alpha=0.05) == pytest.approx(
        [0.0, 0.025, 0.025]
    )


def test_the_smallest_effect_of_a_family_is_found_after_adjustment_as_often_as_promised() -> None:
    """Three tests, one true effect of the size that is printed: found in 80 % of 4,000 studies."""
    rng, df, studies = np.random.default_rng(8), 6.0, 4_000
    level = st.own_levels([0.4, 0.5, 0.6], "holm")[0]
    effect = st.minimum_detectable_effect(1.0, df, alpha=level)
    errors = np.sqrt(rng.chisquare(df, size=(studies, 3)) / df)
    values = rng.normal(loc=(effect, 0.0, 0.0), size=(studies, 3)) / errors
    p = np.array([[st.t_p(float(value), 1.0, df) for value in row] for row in values])
    found = [st.adjust(row, "holm")[0] <= 0.05 for row in p]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_a_verdict_names_the_effect_that_its_family_would_find(study) -> None:
    table, replicates = study((1, 2, 3))
    rows = st.estimates(table, replicates, scope="items+runs")
    fewest = min(row.df for row in rows)
    adjusted = st.adjust_family(rows, replicates)
    levels = st.own_levels([st.t_p(row.value, row.standard_error, fewest) for row in rows], "holm")
    for row, level in zip(adjusted, levels.tolist(), strict=True):
        expected = st.minimum_detectable_effect(row.standard_error, fewest, alpha=level)
        assert st.verdict(row).minimum_detectable == pytest.approx(expected)
    pairs = study((1, 2))
    (withheld, *_) = st.adjust_family(st.estimates(*pairs, scope="items+runs"), pairs[1])
    assert st.verdict(withheld).sentence == "inconclusive (minimum detectable effect unbounded)"


def test_one_adjustment_of_estimates_has_its_levels_too(study) -> None:
    table, replicates = study((1, 2, 3))
    rows = st.estimates(table, replicates)
    adjusted = st.with_adjusted(rows, "bh")
    levels = st.own_levels([row.p for row in rows], "bh")
    assert [row.alpha_in_family for row in adjusted] == pytest.approx(levels.tolist())
