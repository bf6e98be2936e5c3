"""What stands beside a verdict: the interval and the smallest effect of the test as its family decides it."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_hypotheses import GAINS, XNLI, asking, judged, results_of
from planted_study import plant

from adapterxfer.report.results import Results
from adapterxfer.report.score_files import read_scores
from adapterxfer.report.study import build_study
from adapterxfer.report.verdicts import judge
from adapterxfer.report.words import estimate_text
from adapterxfer.statistics import minimum_detectable_effect, smallest_mcnemar_difference


def test_a_verdict_is_worded_as_its_family_decides(falling: Results) -> None:
    """The smallest effect of an undecided test, and the interval of one that is found, are those after adjustment."""
    nothing = {"contrast": "gain", "scope": "items", "over": {"variant": "stack", "target": "panx"}}
    asked = [{**nothing, "over": {**nothing["over"], "backbone": name}} for name in GAINS]  # type: ignore[dict-item]
    alone = judged(falling, *({**one, "family": str(number)} for number, one in enumerate(asked)))
    together = judged(falling, *asked)
    for one, member in zip(alone, together, strict=True):
        assert one.outcome == member.outcome == "inconclusive"
        assert one.detectable is not None
        assert member.detectable is not None
        assert (one.estimate, one.low, one.high) == (member.estimate, member.low, member.high)
        assert 1.1 * one.detectable < member.detectable < 1.3 * one.detectable
        assert f"minimum detectable effect {member.detectable:.2f} points" in member.verdict
    first, *_ = judged(falling, {"contrast": "gain", "over": {**XNLI, "backbone": "tiny-1"}}, *asked)
    assert first.low is not None
    assert first.adjusted_low is not None
    assert first.adjusted_low < first.low
    assert f"[{first.adjusted_low:.2f}, {first.adjusted_high:.2f}]" in first.verdict


def test_a_one_sided_verdict_has_an_interval_with_one_end(falling: Results) -> None:
    claim = {"contrast": "gain", "over": {**XNLI, "backbone": "tiny-3"}}
    (two,) = judged(falling, claim)
    (greater,) = judged(falling, {**claim, "alternative": "greater"})
    (less,) = judged(falling, {**claim, "alternative": "less"})
    for test in (greater, less):
        assert test.detectable is not None
        assert two.detectable is not None
        assert test.detectable < two.detectable, "the whole level lies on one side"
        assert test.ends is not None
        outside = test.ends[0] > 0.0 if test.alternative == "greater" else test.ends[1] < 0.0
        assert outside == (test.outcome == "difference found")
    assert greater.ends is not None
    assert two.ends is not None
    assert two.ends[0] < greater.ends[0]
    assert greater.ends[1] == 100.0
    assert f"({greater.ends[0]:+.2f} or more; one-sided)" in estimate_text(greater)
    assert "or less; one-sided)" in estimate_text(less)


def test_nothing_would_be_found_where_the_verdict_is_withheld(tmp_path: Path) -> None:
    once = results_of(plant(tmp_path, lambda *_: 30.0, examples=400, seeds=(1,), targets=("xnli",)))
    (row,) = judged(once, {"contrast": "gain", "over": {"target": "xnli"}})
    assert row.outcome == "inconclusive"
    assert (row.detectable, row.p_adjusted, row.adjusted_low) == (None, None, None)
    assert row.verdict == "inconclusive (minimum detectable effect unbounded)"


def test_too_few_resamples_for_a_family_find_nothing_and_say_so(falling: Results) -> None:
    each = ["backbone", "language", "target"]
    claim = {"contrast": "gain", "scope": "items", "over": {"variant": "full-ft"}, "each": each}
    few = judged(falling, claim, multiplicity={"primary": "holm"})
    assert len(few) == 24
    assert all(row.outcome == "inconclusive" and row.detectable is None for row in few)
    assert all("no p-value is below 0.0033, and in this family one of at most 0.0021" in row.remark for row in few)
    enough = judged(falling, claim)
    assert {row.adjustment for row in enough} == {"romano-wolf"}
    assert not any("resamples" in row.remark for row in enough)


def test_scales_are_moderated_alike(falling: Results) -> None:
    """A slope in points whose variance is that of many gains is not held against one with its own."""
    (row, *_) = judged(falling, {"contrast": "slope", "over": XNLI}, {"contrast": "gain", "over": XNLI})
    assert "moderated" in row.resampled
    points, *others = row.scales
    own = [abs(scale.estimate) / (scale.high - scale.low) for scale in (points, *others)]
    assert max(own) < 1.6 * min(own)


def test_of_at_least_each_part_has_to_pass_in_the_family(falling: Results) -> None:
    claim = {"contrast": "at_least", "across": "language", "k": 4, "over": {"variant": "stack", "target": "panx"}}
    (alone,) = judged(falling, {**claim, "family": "own"})
    member, *_ = judged(falling, claim, {"contrast": "gain", "over": {"variant": "stack", "target": "panx"}})
    assert alone.detectable is not None
    assert member.detectable is not None
    assert alone.detectable < member.detectable
    assert alone.verdict.endswith(" points in each of 4 parts)")
    assert alone.ends is None, "an interval of the mean is none of the count"
    assert estimate_text(alone).endswith(" points in the mean of the parts")


def test_all_of_the_parts_are_found_together_as_often_as_promised(falling: Results) -> None:
    """Four independent parts, each found with .8, would all be found in .41 of the studies."""
    claim = {"contrast": "at_least", "across": "language", "k": 4, "over": {"variant": "stack", "target": "panx"}}
    settings = asking({**claim, "scope": "items"})
    (item,) = judge(build_study(falling), settings.hypotheses, settings).evidence
    assert item is not None
    assert item.hurdles is not None
    of_each = [
        minimum_detectable_effect(reading.standard_error, reading.df, alpha=0.1, power=0.8**0.25)
        for reading in item.hurdles.readings
    ]
    assert len(of_each) == 4
    assert item.detectable() == pytest.approx(max(of_each))


def test_few_discordant_items_promise_what_their_exact_test_finds(tmp_path: Path) -> None:
    right = {"a": 200, "b": 196}
    rows = ["target,language,example,system,correct,total"]
    rows += [
        f"t,de,e{number:03d},{name},{int(number < count)},1" for name, count in right.items() for number in range(200)
    ]
    (tmp_path / "scores.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    claim = {"contrast": "difference", "of": "score", "a": "a", "b": "b", "scope": "items"}
    (test,) = judged(read_scores(tmp_path / "scores.csv"), {**claim, "over": {"intermediate": "none"}})
    assert test.outcome == "inconclusive"
    assert test.detectable == smallest_mcnemar_difference(200, 4, 0)
