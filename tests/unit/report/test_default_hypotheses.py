"""Default questions are declarations: what they expand to, and that a recipe can ask the same in its own words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from planted_study import LANGUAGES, PlantedStudy, plant, write_accuracy

from adapterxfer.plan.cells import Cell
from adapterxfer.recipe.hypotheses import read_hypotheses
from adapterxfer.report.claims import claims
from adapterxfer.report.default_hypotheses import FAMILIES, default_hypotheses
from adapterxfer.report.effects import family_texts, rows_of
from adapterxfer.report.findings import find, verdicts
from adapterxfer.report.results import Results
from adapterxfer.report.rulings import Numbers
from adapterxfer.report.selection import Selector
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import Study, build_study
from adapterxfer.statistics import Contrast

SIZES = {"tiny-1": (200_000, 60_000), "tiny-2": (330_000, 150_000)}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two sizes, two variants, two intermediate tasks, a trained target and retrieval, and a control."""
    root = tmp_path_factory.mktemp("defaults")
    study = plant(
        root,
        lambda *_: 5.0,
        sizes=SIZES,
        variants=("full-ft", "stack"),
        intermediates=("none", "world-nli", "world-qa"),
        targets=("world-xnli", "world-retrieval"),
        examples=40,
        seeds=(1, 2, 3),
    )
    rng = np.random.default_rng(1)
    write_accuracy(root / "majority", {code: rng.random(40) < 0.3 for code in LANGUAGES}, target="world-xnli")
    control = Cell(
        variant="control", intermediate="none", target="world-xnli", parameters=0, non_embedding_parameters=0,
        predict="majority", control="majority",
    )  # fmt: skip
    whole = PlantedStudy([*study.cells, control], {**study.folders, "majority": root / "majority"}, study.languages)
    return Results.from_folders(whole.cells, whole.folders, languages=whole.languages)


@pytest.fixture(scope="module")
def study(results: Results) -> Study:
    return build_study(results)


def test_what_a_small_study_is_asked(study: Study) -> None:
    rows = rows_of(Selector(study), default_hypotheses(study, None))
    counts = Counter((row.default.kind, row.default.family_text) for row in rows)
    variants, sizes, pairs, families, tiers, languages = 2, 2, 4, 2, 2, 4
    for ending, groups in (("", 1), (", source language", 1), (", by language family", families),
                           (", by resource tier", tiers)):  # fmt: skip
        assert counts["gain", f"mean gain{ending}"] == variants * groups
        assert counts["gain", f"gain at each size{ending}"] == variants * sizes * groups
        assert counts["trend", f"trend of the gain with size{ending}"] == variants * groups
        assert counts["gain", f"gain of each cell{ending}"] == variants * sizes * pairs * groups
    assert counts["gain", "gain by language"] == variants * languages
    kinds = 3
    assert counts["gain", "gain by kind of pair"] == counts["trend", "trend by kind of pair"] == variants * kinds
    assert counts["gain", "gain by kind of pair at each size"] == variants * sizes * kinds
    assert counts["gain kept", "gain of adapters against full fine-tuning, mean over sizes"] == 1
    assert counts["gain kept", "gain of adapters against full fine-tuning"] == sizes
    assert counts["variant difference", "variants, mean over sizes"] == 1
    assert counts["variant difference", "variants at each size"] == sizes
    assert counts["variant difference", "variants on each cell"] == sizes * (pairs + 2)
    assert counts["trend", "trend of each cell's gain"] == variants * pairs
    assert counts["tier difference", "resource tiers"] == variants * sizes * 2
    assert counts["above control", "scores against controls"] == variants * sizes
    assert counts["intermediate gain", "gain of each intermediate task"] == variants * sizes * 2 * 2
    assert set(counts) <= {(kind, text) for kind, _ in counts for text in family_texts().values()}


def test_means_are_over_trained_targets_that_all_sizes_have(study: Study) -> None:
    rows = rows_of(Selector(study), default_hypotheses(study, None))
    means = [row for row in rows if row.default.family_text == "gain at each size"]
    assert {row.claim.pairs for row in means} == {2}
    assert {cell.target for row in means for cell in row.contrast.terms} == {"world-xnli"}


def test_a_margin_is_tested_by_all_questions_in_points(study: Study) -> None:
    defaults = default_hypotheses(study, 1.5)
    margins = {default.hypothesis.contrast: default.hypothesis.margin for default in defaults}
    assert margins == {"gain": 1.5, "difference": 1.5, "slope": None}


def test_a_recipe_can_ask_what_the_report_asks(results: Results, study: Study) -> None:
    """The same number by a declaration of one's own, found in the default table with the declared verdict."""
    declared = read_hypotheses(
        [
            {"id": "kind", "family": "a", "contrast": "gain", "over": {"pair": "same kind", "variant": "stack"}},
            {
                "id": "control", "family": "b", "contrast": "difference", "of": "score", "each": "backbone",
                "over": {"variant": "stack", "intermediate": "none"}, "a": {}, "b": {"control": "majority"},
            },
            {"id": "pairs", "family": "c", "contrast": "gain", "over": {"variant": "stack"}, "each": "pair"},
        ]
    )  # fmt: skip
    settings = ReportSettings(resamples=200, hypotheses=declared)
    findings = find(results, settings)
    judged = {(test.hypothesis, test.subject): test for test in verdicts(results, settings)}
    assert ("pairs", "other kind") in judged
    by_kind = {e.pair_kind: e for e in findings.effects if (e.kind, e.variant, e.backbone) == ("gain", "stack", "")}
    same = judged["kind", ""]
    assert by_kind["same kind"].estimate == pytest.approx(same.estimate)
    assert by_kind["same kind"].judged_in.startswith("hypothesis kind of the recipe")
    for effect in findings.effects:
        if effect.kind == "above control" and effect.variant.startswith("adapter baseline"):
            test = judged["control", effect.backbone]
            assert (effect.estimate, effect.p_adjusted) == (pytest.approx(test.estimate), test.p_adjusted)
            assert effect.verdict == test.outcome
    assert len([e for e in findings.effects if e.kind == "above control"]) == 4


def test_the_same_models_are_no_comparison(study: Study) -> None:
    (claim,) = claims(
        study,
        read_hypotheses(
            [{"id": "x", "contrast": "difference", "of": "score", "over": {"intermediate": "none"}, "a": "stack",
              "b": "stack"}]
        ),
    )  # fmt: skip
    assert claim.contrast is None
    assert claim.missing == "both sides are the same models"


def test_a_number_is_recognised_with_its_sides_exchanged(study: Study) -> None:
    rows = rows_of(Selector(study), default_hypotheses(study, None))
    first, other = rows[0].contrast, rows[1].contrast
    numbers: Numbers[str] = Numbers()
    numbers.add(first, "first")
    assert numbers.find(first) == ("first", 1.0)
    assert numbers.find(first * -1.0) == ("first", -1.0)
    assert numbers.find(first * 2.0) is None
    assert numbers.find(other) is None
    nearly = Contrast({cell: weight + 1e-13 for cell, weight in first.terms.items()})
    assert numbers.find(nearly) == ("first", 1.0)


def test_every_family_has_a_name_of_its_own() -> None:
    assert len(set(FAMILIES.values())) == len(FAMILIES)
    assert all(name.startswith("default.") for name in FAMILIES)


def test_the_untouched_backbone_is_called_so_whatever_is_selected(results: Results) -> None:
    alone = build_study(results.select(variant="stack", target="world-retrieval", seed=1))
    shown = {name for (system, _), name in alone.shown.items() if dict(system.labels)["intermediate"] == "none"}
    assert shown == {"untouched backbone"}


def test_an_unfinished_study_is_answered_as_far_as_it_goes(tmp_path: Path) -> None:
    study = plant(tmp_path, lambda *_: 0.0, intermediates=("none",), sizes=SIZES, examples=40, seeds=(1,))
    built = build_study(Results.from_folders(study.cells, study.folders, languages=study.languages))
    kinds = {row.default.kind for row in rows_of(Selector(built), default_hypotheses(built, None))}
    assert kinds == {"variant difference", "tier difference"}
