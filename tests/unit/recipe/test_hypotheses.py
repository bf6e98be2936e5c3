"""Declared hypotheses: what the schema refuses, how files are included, and what `check` says before a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.plan import build_plan
from adapterxfer.recipe import Recipe, load_recipe, parse_recipe
from adapterxfer.recipe.decidable import count_tests, undecidable
from adapterxfer.recipe.hypotheses import read_hypotheses

ROOT = Path(__file__).parents[3]
QUICKSTART = ROOT / "recipes" / "quickstart.yaml"
PHANG = ROOT / "recipes" / "hypotheses" / "phang2020.yaml"


def quickstart(*hypotheses: str, changes: tuple[str, ...] = ()) -> Recipe:
    listed = ", ".join(f"{{id: H{number}, {text}}}" for number, text in enumerate(hypotheses, start=1))
    return load_recipe(QUICKSTART, ["seeds=[1, 2]", f"statistics.hypotheses=[{listed}]", *changes])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("contrast: gian", "contrast"),
        ("contrast: noninferior, a: stack, b: full-ft", "needs a margin"),
        ("contrast: equivalent, over: {target: world-xnli}", "needs a margin"),
        ("contrast: difference, a: stack", "a and b belong together"),
        ("contrast: difference", "compares two sides"),
        ("contrast: slope, a: stack, b: full-ft", "has one side"),
        ("contrast: at_least, across: language", "'k' belong together"),
        ("contrast: at_least, k: 2", "needs 'across'"),
        ("contrast: slope, each: backbone", "cannot be asked for each backbone"),
        ("contrast: gain, scope: backbones", "slope over three sizes"),
        ("contrast: gain, margin: 0", "greater than 0"),
        ("contrast: gain, expect: noninferior", "a margin is needed"),
        ("contrast: gain, over: {vairant: stack}", "did you mean 'variant'"),
        ("contrast: noninferior, a: stack, b: full-ft, margin: 1.0, alternative: less", "has its own side"),
        ("contrast: gain, reference: {value: 8.2}", "label"),
        ("contrast: score", "of: score"),
        ("contrast: chosen, across: language", "chooses among intermediate tasks"),
        ("contrast: gain, each: [target, target]", "names an axis twice"),
    ],
)
def test_contradictions_are_refused_with_their_place(text: str, part: str) -> None:
    with pytest.raises(RecipeError) as caught:
        quickstart(text)
    assert part in str(caught.value)


def test_ids_are_unique_and_families_known() -> None:
    with pytest.raises(RecipeError, match="its own id"):
        load_recipe(QUICKSTART, ["statistics.hypotheses=[{id: A, contrast: gain}, {id: A, contrast: gain}]"])
    with pytest.raises(RecipeError, match="no hypothesis has the family 'other'"):
        quickstart("contrast: gain", changes=("statistics.multiplicity={other: holm}",))
    with pytest.raises(RecipeError, match="multiplicity"):
        quickstart("contrast: gain", changes=("statistics.multiplicity={primary: bonferoni}",))


def test_identity_holds_what_was_declared_and_reads_back() -> None:
    recipe = quickstart("contrast: noninferior, of: score, a: stack, b: full-ft, margin: 1.0, each: backbone")
    declared = recipe.statistics.identity()["hypotheses"]
    assert declared == [
        {
            "id": "H1",
            "contrast": "noninferior",
            "of": "score",
            "a": {"variant": ["stack"]},
            "b": {"variant": ["full-ft"]},
            "each": ["backbone"],
            "margin": 1.0,
        }
    ]
    assert read_hypotheses(declared) == recipe.statistics.hypotheses
    plain = quickstart().statistics.identity()
    assert plain == {"resamples": 1000, "confidence": 0.95, "seed": 0, "hypotheses": [], "multiplicity": {}}


def test_included_file_counts_by_its_content_only(tmp_path: Path) -> None:
    text = "hypotheses_file: 1\nhypotheses:\n  - {id: X, family: x, contrast: gain}\nmultiplicity: {x: holm}\n"
    for place in (tmp_path / "a.yaml", tmp_path / "deep" / "b.yaml"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")
    inline = "statistics.hypotheses=[{id: X, family: x, contrast: gain}]"
    recipes = [
        quickstart(changes=(f"statistics.include={tmp_path / 'a.yaml'}",)),
        quickstart(changes=(f"statistics.include=[{tmp_path / 'deep' / 'b.yaml'}]",)),
        quickstart(changes=(inline, "statistics.multiplicity={x: holm}")),
    ]
    keys = {plan.report.key for plan in map(build_plan, recipes) if plan.report is not None}
    assert len(keys) == 1
    copied = tmp_path / "recipe.yaml"
    grid, _, _ = QUICKSTART.read_text(encoding="utf-8").partition("statistics:")
    copied.write_text(f"{grid}statistics: {{include: deep/b.yaml}}\n", encoding="utf-8")
    assert [entry.id for entry in load_recipe(copied).statistics.hypotheses] == ["X"]


def test_mistakes_in_an_included_file_are_placed_in_that_file(tmp_path: Path) -> None:
    file = tmp_path / "claims.yaml"
    file.write_text("hypotheses_file: 1\nhypotheses:\n  - {id: X, contrast: gian}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(QUICKSTART, [f"statistics.include={file}"])
    assert f"{file}:3:23" in str(caught.value)
    for change, part in (
        ("statistics.include=nowhere.yaml", "no file 'nowhere.yaml'"),
        ("statistics.include=[1]", "path of a file"),
    ):
        with pytest.raises(RecipeError, match=part):
            load_recipe(QUICKSTART, [change])
    file.write_text(
        "hypotheses_file: 1\nhypotheses:\n  - {id: X, contrast: gain}\nmultiplicity: {primary: bh}\n", encoding="utf-8"
    )
    with pytest.raises(RecipeError, match="adjusts family 'primary' by bh"):
        load_recipe(QUICKSTART, [f"statistics.include={file}", "statistics.multiplicity={primary: holm}"])


@pytest.mark.parametrize(
    ("text", "changes", "part"),
    [
        ("contrast: gain", ("seeds=[1]",), "one seed says nothing about retraining"),
        ("contrast: difference, a: stack, b: full-ft, each: backbone", (), "two seeds and 3 tests"),
        ("contrast: gain, scope: languages", ("seeds=[1]",), "one seed says nothing about retraining"),
        ("contrast: slope, scope: backbones", ("seeds=[1]",), "one seed says nothing about retraining"),
        ("contrast: slope, scope: backbones", (), "three sizes cannot decide"),
        ("contrast: chosen, across: intermediate", (), "it needs 3 seeds"),
        ("contrast: gain, each: backbone", ("variants=[stack]",), "two seeds and 3 tests"),
        ("contrast: slope", ("backbones=[world-nano]",), "two sizes or more"),
        ("contrast: slope", ("backbones=[world-nano, world-mini]",), "a difference, not a trend"),
        ("contrast: slope, scope: backbones", ("backbones=[world-nano, world-mini]",), "three sizes"),
        ("contrast: slope, series: wrld", (), "did you mean 'world'"),
        ("contrast: gain, over: {variant: merge}", (), "no variant merge"),
        ("contrast: gain, over: {resource: lwo}", (), "did you mean 'low'"),
        ("contrast: gain, over: {family: A, resource: low}, scope: languages", (), "needs two languages"),
        ("contrast: at_least, across: language, k: 13", (), "at_least 13 of 12"),
        ("contrast: equivalent, over: {target: world-xnli}, margin: 0.1", (), "out of reach"),
        ("contrast: gain", ("intermediate_tasks=[none]",), "needs intermediate task 'none' and another"),
    ],
)
def test_check_warns_where_nothing_can_be_decided(text: str, changes: tuple[str, ...], part: str) -> None:
    found = undecidable(quickstart(text, changes=changes))
    assert any(part in line for line in found), found
    assert all(line.startswith("hypothesis H1: ") for line in found)


def test_decidable_hypotheses_bring_no_warning() -> None:
    recipe = quickstart(
        "contrast: slope, over: {resource: low}",
        "family: adapters, contrast: noninferior, of: score, a: stack, b: full-ft, margin: 3.0, each: backbone",
        "family: tiers, contrast: difference, a: {resource: low}, b: {resource: high}, scope: items",
        changes=("seeds=[1, 2, 3]",),
    )
    assert undecidable(recipe) == []
    assert [count_tests(recipe, entry) for entry in recipe.statistics.hypotheses] == [1, 3, 1]


def test_a_slope_over_several_series_is_named() -> None:
    text = (ROOT / "recipes" / "low-resource-families.yaml").read_text(encoding="utf-8")
    mixed = parse_recipe(text.replace("series: xlm-r, ", ""))
    assert any("mixes series (mmbert, xlm-r)" in line for line in undecidable(mixed))
    assert not any("mixes" in line for line in undecidable(parse_recipe(text)))


def test_a_slope_over_backbones_in_folders_is_checked_as_one_series() -> None:
    recipe = load_recipe(ROOT / "recipes" / "real-backbone.yaml")
    assert any(hypothesis.contrast == "slope" for hypothesis in recipe.statistics.hypotheses)
    assert undecidable(recipe) == []


def test_claims_of_the_paper_are_all_there_and_labelled() -> None:
    recipe = load_recipe(ROOT / "recipes" / "phang2020.yaml")
    declared = recipe.statistics.hypotheses
    assert {entry.id.partition("-")[0] for entry in declared} == {"C1", "C2", "C3", "C4", "C5", "C6", "N1", "N2"}
    references = {entry.id: entry.reference.value for entry in declared if entry.reference}
    assert references == {"C1-squad-v1": 8.2, "C1-mnli": 7.5, "C1-hellaswag": 7.0, "C2": 8.7, "C5": 5.4}
    labels = {entry.reference.label for entry in declared if entry.reference}
    assert labels == {"as stated in the project's description, not verified"}
    by_id = {entry.id: entry for entry in declared}
    retrieval = by_id["C3"].over.target or ()
    known = {*recipe.target_tasks, *recipe.other_evaluations()}
    assert set(retrieval) <= known
    assert {name.partition("@")[0] for name in retrieval} == {"bucc2018", "tatoeba"}
    assert {"layer-0", "middle-layer", "top-layer", "default"} <= {name.partition("@")[2] for name in retrieval}
    assert by_id["C3"].each == ("target",)
    assert by_id["C5"].choose_by == "dev"
    assert {f"{name}@dev" for name in by_id["C5"].over.target or ()} <= known
    assert not [line for line in undecidable(recipe) if line.startswith("hypothesis C")]
    attached = quickstart(changes=(f"statistics.include={PHANG}",))
    assert attached.statistics.hypotheses == declared


def test_check_and_the_report_ask_for_as_many_lenders() -> None:
    """`check` starts too fast to load the statistics, so the number stands in both."""
    from adapterxfer.recipe import decidable
    from adapterxfer.statistics import moderation

    assert decidable.FEWEST_LENDERS == moderation.FEWEST_LENDERS
