"""Declared hypotheses on planted studies: verdicts, margins, families, scopes, ladders, and what is never claimed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_hypotheses import XNLI, judged, results_of
from planted_study import plant

from adapterxfer.recipe.hypotheses import Hypothesis, read_hypotheses
from adapterxfer.report.results import Results
from adapterxfer.report.study import build_study
from adapterxfer.report.words import held_words, rows_text
from adapterxfer.statistics import ScoreCell, estimates, gain, resample

WORDS = ("difference found", "equivalent", "inconclusive")


def test_planted_slope_is_found_with_its_ladder_and_scales(falling: Results) -> None:
    found, wrong = judged(
        falling,
        {"contrast": "slope", "over": XNLI, "expect": "negative", "family": "a"},
        {"contrast": "slope", "over": XNLI, "expect": "positive", "family": "b"},
    )
    # 16 points over log10(450 / 60) = 0.875 decades
    assert found.estimate == pytest.approx(-18.0, abs=5.0)
    assert found.outcome == "difference found"
    assert found.verdict.startswith("difference found: -")
    assert (found.held, wrong.held) == ("holds", "does not hold")
    assert (held_words(found), held_words(wrong)) == ("holds", "does not hold")
    assert [rung.scope for rung in found.rungs] == ["items", "items+runs", "languages", "backbones"]
    assert all(rung.estimate == pytest.approx(found.estimate) for rung in found.rungs)
    assert [row.scale for row in found.scales] == ["points", "logit", "relative error"]
    assert found.scales[1].estimate < 0
    assert not found.scale_dependent


def test_gain_equals_the_engine_and_each_asks_once_per_value(falling: Results) -> None:
    rows = judged(falling, {"contrast": "gain", "over": XNLI, "each": "backbone", "scope": "items"})
    assert [row.subject for row in rows] == ["tiny-1", "tiny-2", "tiny-3"]
    study = build_study(falling)
    system = study.systems["tiny-1", "full-ft", "nli", "xnli"]
    baseline = study.systems["tiny-1", "full-ft", "none", "xnli"]
    contrast = gain(system, baseline, "xnli", ["a1", "a3", "c1", "c3"])
    alone = estimates(study.table, resample(study.table, [contrast], resamples=300, seed=0), scope="items")[0]
    assert (rows[0].estimate, rows[0].low, rows[0].high, rows[0].p) == (alone.value, alone.low, alone.high, alone.p)
    assert {row.adjustment for row in rows} == {"romano-wolf"}
    assert all(row.p_adjusted is not None and row.p is not None and row.p_adjusted >= row.p for row in rows)


def test_null_is_equivalent_only_within_a_wide_enough_margin(falling: Results) -> None:
    over = {"variant": "stack"}
    wide, narrow, none = judged(
        falling,
        {"contrast": "equivalent", "over": over, "margin": 6.0, "family": "wide"},
        {"contrast": "equivalent", "over": over, "margin": 0.05, "family": "narrow"},
        {"contrast": "gain", "over": over, "family": "none"},
    )
    assert wide.verdict == "equivalent within 6 points"
    assert wide.held == "holds"
    assert narrow.outcome == "inconclusive"
    assert (narrow.held, held_words(narrow)) == ("does not hold", "not shown"), "undecided says nothing against it"
    assert held_words(none) == ""
    assert none.outcome == "inconclusive"
    assert none.detectable is not None
    assert f"minimum detectable effect {none.detectable:.2f} points" in none.verdict
    assert wide.margin_low is not None
    assert wide.low is not None
    assert wide.low < wide.margin_low


def test_adapter_that_loses_the_gain_is_inferior_and_one_that_keeps_it_is_not(falling: Results) -> None:
    lost, kept = judged(
        falling,
        {"contrast": "noninferior", "of": "gain", "a": "stack", "b": "full-ft", "margin": 2.0, "family": "lost"},
        {"contrast": "noninferior", "of": "gain", "a": "full-ft", "b": "stack", "margin": 2.0, "family": "kept"},
    )
    assert lost.outcome == "difference found"
    assert lost.not_inferior is False
    assert lost.held == "does not hold"
    assert kept.not_inferior is True
    assert kept.held == "holds"
    assert kept.estimate == pytest.approx(-(lost.estimate or 0.0))


def test_swapped_sides_negate_the_estimate_and_keep_p(falling: Results) -> None:
    a, b = {"resource": ["low"]}, {"resource": ["high"]}
    one, other = judged(
        falling,
        {"contrast": "difference", "a": a, "b": b, "family": "one"},
        {"contrast": "difference", "a": b, "b": a, "family": "other"},
    )
    assert one.estimate == pytest.approx(-(other.estimate or 0.0))
    assert one.p == pytest.approx(other.p)


def test_at_least_counts_and_needs_enough_values(falling: Results) -> None:
    spread, both = judged(
        falling,
        {"contrast": "at_least", "across": "language", "k": 4, "over": XNLI, "family": "spread"},
        {"contrast": "at_least", "across": "target", "k": 2, "over": {"variant": "stack"}, "family": "both"},
    )
    assert spread.outcome == "difference found"
    assert "Positive in 4 of 4 (language); shown in at least 4" in spread.remark
    assert both.outcome == "inconclusive"
    assert "shown in at least 0 of them" in both.remark
    assert both.p_adjusted is not None
    assert both.p_adjusted > 0.05


def test_one_sided_tests_only_where_declared(falling: Results) -> None:
    two, right, left = judged(
        falling,
        {"contrast": "gain", "over": XNLI, "alternative": "two-sided", "family": "two-sided"},
        {"contrast": "gain", "over": XNLI, "alternative": "greater", "family": "greater"},
        {"contrast": "gain", "over": XNLI, "alternative": "less", "family": "less"},
    )
    assert two.p is not None
    assert right.p == pytest.approx(two.p / 2)
    assert left.p == pytest.approx(1 - two.p / 2)
    assert left.outcome == "inconclusive"


def test_three_seeds_moderate_gains_of_one_variant_and_read_others_with_the_fewest_df(falling: Results) -> None:
    plain = judged(falling, {"contrast": "gain", "over": {"variant": "full-ft"}, "each": "target"})
    assert {row.adjustment for row in plain} == {"Holm"}
    assert all("run variance moderated" in row.resampled for row in plain)
    margins = judged(
        falling,
        {"contrast": "noninferior", "of": "score", "a": "stack", "b": "full-ft", "margin": 1.0, "each": "backbone"},
        multiplicity={"primary": "holm"},
    )
    assert all(row.p_not_inferior is not None for row in margins)
    assert {row.adjustment for row in margins} == {"Holm, t with the fewest degrees of freedom"}
    exploratory = judged(falling, {"family": "exploratory", "contrast": "gain", "each": "target"})
    assert {row.adjustment for row in exploratory} == {"Benjamini-Hochberg, t with the fewest degrees of freedom"}


def test_two_seeds_withhold_families_but_not_single_tests(tmp_path: Path) -> None:
    study = results_of(plant(tmp_path, lambda *_: 25.0, examples=200, variants=("full-ft",)))
    rows = judged(study, {"contrast": "gain", "each": "target"}, {"contrast": "gain", "family": "alone"})
    assert [row.outcome for row in rows] == ["inconclusive", "inconclusive", "difference found"]
    assert rows[0].p_adjusted is None
    assert "withheld" in rows[0].remark
    assert rows[2].adjustment == "one test"


def test_one_seed_never_gives_a_verdict_about_retraining(tmp_path: Path) -> None:
    study = results_of(plant(tmp_path, lambda *_: 25.0, seeds=(1,), variants=("full-ft",)))
    runs, items = judged(
        study, {"contrast": "gain", "family": "a"}, {"contrast": "gain", "family": "b", "scope": "items"}
    )
    assert runs.outcome == "inconclusive"
    assert "One training run per system" in runs.remark
    assert items.outcome == "difference found"
    assert runs.rungs[1].missing


def test_a_row_is_one_row() -> None:
    assert [rows_text(number) for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def test_what_is_not_finished_is_inconclusive_and_said(falling: Results) -> None:
    missing, partly, languages = judged(
        falling,
        {"contrast": "gain", "over": {"variant": "merge"}, "expect": "positive", "family": "a"},
        {"contrast": "gain", "over": {"variant": "full-ft", "target": ["xnli", "xquad"]}, "family": "b"},
        {"contrast": "gain", "over": {"family": "C", "resource": "low"}, "scope": "languages", "family": "c"},
    )
    assert missing.verdict == "inconclusive (minimum detectable effect unbounded)"
    assert (missing.held, held_words(missing)) == ("does not hold", "not evaluated")
    assert "no finished cell of: variant merge" in missing.remark
    assert "left out of the mean: target xquad" in partly.remark
    assert partly.pairs == 1
    assert languages.outcome == "inconclusive"
    assert "a single language" in languages.remark


def test_reference_values_change_no_verdict(falling: Results) -> None:
    claim = {"contrast": "gain", "over": XNLI}
    without, beside = (
        judged(falling, {**claim, **more})[0] for more in ({}, {"reference": {"value": -99.0, "label": "not verified"}})
    )
    assert replace(beside, reference=None, reference_label="") == without
    assert (beside.reference, beside.reference_label) == (-99.0, "not verified")


def test_overlapping_pairs_never_count_as_gain(falling: Results) -> None:
    cells = tuple(replace(cell, overlap=cell.intermediate == "nli" and cell.target == "xnli") for cell in falling.cells)
    shared = replace(falling, cells=cells, _targets={})
    rows = judged(shared, {"contrast": "gain", "over": {"variant": "full-ft"}, "each": "target"})
    assert [row.subject for row in rows] == ["panx"]


def test_chosen_task_is_the_best_in_the_source_language(tmp_path: Path) -> None:
    def planted(_b: str, _v: str, task: str, _t: str, code: str) -> float:
        return {"nli": 25.0 if code == "en" else 5.0, "qa": 0.0 if code == "en" else 20.0}[task]

    study = plant(
        tmp_path, planted, examples=300, seeds=(1, 2, 3), variants=("full-ft",), targets=("xnli",),
        intermediates=("none", "nli", "qa"), sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip
    row = judged(results_of(study), {"contrast": "chosen", "across": "intermediate"})[0]
    assert "nli for xnli" in row.remark
    assert row.estimate == pytest.approx(5.0, abs=3.0)


def test_choice_and_judgement_share_no_seed_unless_the_models_are_the_subject(tmp_path: Path) -> None:
    """qa is lucky with seed 1, which chooses it; what it is worth is read from the other seeds."""
    study = plant(
        tmp_path, lambda *_: 0.0, examples=200, seeds=(1, 2, 3, 4), variants=("full-ft",), targets=("xnli",),
        intermediates=("none", "nli", "qa"), sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip
    asked = {"contrast": "chosen", "across": "intermediate"}
    judgement, models = judged(results_of(study), asked, {**asked, "scope": "items", "family": "models"})
    assert "with seeds 1, 2, judged with seeds 3, 4" in judgement.remark
    assert judgement.runs == 2
    built = build_study(results_of(study))
    name = judgement.remark.split(": ")[1].split(" for ")[0]
    (treated,), (baseline,) = (built.table.find(intermediate=task) for task in (name, "none"))
    scores = [built.table.scores[list(built.table.cells[ScoreCell(s, "xnli", c)])] for s in (treated, baseline)
              for c in ("a1", "a3", "c1", "c3")]  # fmt: skip
    by_seed = np.array(scores).reshape(2, 4, 4)[:, :, 2:].mean(axis=(1, 2))
    assert judgement.estimate == pytest.approx(by_seed[0] - by_seed[1])
    assert "judged with" not in models.remark
    assert models.runs == 4
    two = replace(results_of(study), cells=tuple(c for c in study.cells if c.seed < 3), _targets={})
    (short,) = judged(two, asked)
    assert (short.outcome, short.estimate) == ("inconclusive", None)
    assert "judged on at least two others; 2 are finished" in short.remark


def test_task_is_chosen_on_development_data_and_judged_on_the_test_set(tmp_path: Path) -> None:
    """On development data qa is better, on the English test set nli: the declared choice decides."""

    def planted(_b: str, _v: str, task: str, target: str, code: str) -> float:
        if target == "xnli@dev":
            return {"nli": 0.0, "qa": 25.0}[task]
        return {"nli": 25.0 if code == "en" else 5.0, "qa": 0.0 if code == "en" else 20.0}[task]

    study = plant(
        tmp_path, planted, examples=300, seeds=(1, 2, 3), variants=("full-ft",), targets=("xnli", "xnli@dev"),
        intermediates=("none", "nli", "qa"), sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip
    asked = {"contrast": "chosen", "across": "intermediate", "choose_by": "dev", "over": {"target": ["xnli"]}}
    by_dev, by_test = judged(results_of(study), asked, {**asked, "choose_by": None, "family": "b"})
    assert "qa for xnli" in by_dev.remark
    assert "on development data" in by_dev.remark
    assert by_dev.estimate == pytest.approx(20.0, abs=3.0)
    assert "nli for xnli" in by_test.remark
    only_test = [cell for cell in study.cells if cell.target == "xnli"]
    absent = judged(Results.from_folders(only_test, study.folders, languages=study.languages), asked)[0]
    assert (absent.outcome, absent.estimate) == ("inconclusive", None)
    assert "no scores on development data" in absent.remark


def test_other_evaluations_are_named_or_left_out(tmp_path: Path) -> None:
    """Another layer of a retrieval enters no mean by itself, and is one test more where it is named."""

    def planted(_b: str, _v: str, _task: str, target: str, _code: str) -> float:
        return 20.0 if "@" in target else 5.0

    study = plant(
        tmp_path, planted, examples=300, seeds=(1, 2, 3), variants=("full-ft",), targets=("xnli", "xnli@top-layer"),
        sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip
    results = results_of(study)
    whole, each, other = judged(
        results,
        {"contrast": "gain"},
        {"contrast": "gain", "family": "b", "each": "target"},
        {"contrast": "gain", "family": "c", "each": "target", "over": {"target": ["xnli@top-layer"]}},
    )
    assert (each.subject, other.subject) == ("xnli", "xnli@top-layer")
    assert whole.estimate == each.estimate == pytest.approx(5.0, abs=3.0)
    assert other.estimate == pytest.approx(20.0, abs=3.0)
    built = build_study(results)
    assert built.targets == ("xnli",)
    assert "xnli@top-layer" in built.secondary
    assert {row.domain.split("/")[0] for row in built.table.rows} == {"xnli"}, "the same test items, drawn together"


def test_every_outcome_is_one_of_three_words(falling: Results) -> None:
    kinds: list[dict[str, object]] = [
        {"contrast": "gain", "each": ["variant", "target"]},
        {"contrast": "score", "of": "score", "family": "b"},
        {"contrast": "slope_difference", "a": "full-ft", "b": "stack", "family": "c"},
        {"contrast": "equivalent", "margin": 3.0, "each": "language", "family": "d"},
    ]
    for row in judged(falling, *kinds):
        assert row.outcome in WORDS
        assert row.verdict.startswith(row.outcome)
        if row.outcome == "inconclusive":
            assert "minimum detectable effect" in row.verdict


def test_languages_narrow_a_hypothesis_to_what_a_target_has(falling: Results) -> None:
    rows = judged(falling, {"contrast": "gain", "over": XNLI, "each": "resource"})
    assert [row.subject for row in rows] == ["high", "low"]
    source = judged(falling, {"contrast": "gain", "over": {**XNLI, "language": "en"}})[0]
    assert source.estimate is not None


def test_side_that_names_an_axis_keeps_it_in_each(tmp_path: Path) -> None:
    planted = {"nli": 5.0, "qa": 6.0, "multi": 20.0}
    study = plant(
        tmp_path, lambda _b, _v, task, _t, _c: planted[task], examples=300, seeds=(1, 2, 3), variants=("full-ft",),
        targets=("xnli",), intermediates=("none", "nli", "qa", "multi"), sizes={"tiny-1": (200_000, 60_000)},
    )  # fmt: skip
    claim = {"contrast": "difference", "a": {"intermediate": "multi"}, "b": {"intermediate": ["nli", "qa"]}}
    rows = judged(results_of(study), {**claim, "each": "intermediate"})
    assert [row.subject for row in rows] == ["nli", "qa"]
    assert all(row.estimate == pytest.approx(14.5, abs=5.0) for row in rows)


def test_hypothesis_is_frozen() -> None:
    entry = read_hypotheses([{"id": "A", "contrast": "gain"}])[0]
    assert isinstance(entry, Hypothesis)
    with pytest.raises(ValueError, match="frozen"):
        entry.id = "B"  # type: ignore[misc]
