"""Low-resource by four definitions: what a recipe may declare, what is refused, and what the report is told."""

from __future__ import annotations

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.plan import Sources, build_plan
from adapterxfer.recipe import Recipe, parse_recipe
from adapterxfer.recipe.decidable import languages_of
from adapterxfer.report.findings import _method
from adapterxfer.report.settings import ReportSettings

TEXT = """\
recipe: 1
name: study
backbones: [BACKBONES]
intermediate_tasks: [none]
target_tasks: [sib200]
variants: [full-ft]
seeds: [1]
controls: false
train: {default: {learning_rate: 1e-3, steps: 10}}
"""


def load(option: str = "", backbones: str = "xlm-r-base", *set_: str) -> Recipe:
    chosen = (f"low_resource={option}",) if option else ()
    return parse_recipe(TEXT.replace("BACKBONES", backbones), "r", (*chosen, *set_))


@pytest.mark.parametrize(
    ("option", "low", "high"),
    [
        ("{by: gib}", {"eu", "yo", "hau"}, {"az", "et"}),
        ("{by: gib, gib: 6.2}", {"eu", "et", "hau"}, {"az"}),
        ("{by: unseen}", {"yo", "ibo", "ht"}, {"eu", "hau", "az"}),
        ("{by: tokens, series: mt5}", {"yo", "ibo", "gu"}, {"sw", "eu", "en"}),
        ("{by: tokens, tokens: 1e8, series: mmbert}", {"wo", "lug"}, {"yo", "sw"}),
        ("{by: unseen, series: mt5}", {"qu", "wo"}, {"yo", "ibo", "ht"}),
        ("{by: joshi}", {"az", "yo"}, {"eu"}),
        ("", {"az", "yo"}, {"eu"}),
    ],
)
def test_tiers_follow_the_definition(option, low, high):
    table = languages_of(load(option))
    assert {code for code in low | high if table[code].resource == "low"} == low
    assert {table[code].resource for code in high} == {"high"}


def test_the_report_is_told_and_no_training_changes():
    recipes = [load(), load("{by: joshi}"), load("{by: gib}"), load("{by: unseen}")]
    plans = [build_plan(recipe, sources=Sources(recipe)) for recipe in recipes]
    keys = [{key for key, stage in plan.stages.items() if stage.kind != "report"} for plan in plans]
    assert keys[0] == keys[1] == keys[2] == keys[3]
    told = [plan.report.identity.get("languages") for plan in plans if plan.report]
    assert told[0] is None
    assert [entry["az"]["resource"] for entry in told[1:] if entry] == ["low", "high", "high"]
    assert [entry["eu"]["resource"] for entry in told[1:] if entry] == ["high", "low", "high"]
    assert told[2] is not None
    assert told[2]["eu"] == {"name": "Basque", "family": "Basque (isolate)", "resource": "low"}


@pytest.mark.parametrize(
    ("option", "backbones", "message"),
    [
        ("{by: gib}", "mmbert-base", "in tokens, not in GiB"),
        ("{by: gib}", "rembert", "no table of sizes by language"),
        ("{by: tokens}", "xlm-r-base", "in GiB, not in tokens"),
        ("{by: tokens, tokens: 0}", "mmbert-base", "low_resource.tokens"),
        ("{by: gib}", "mt5-base-encoder", "in tokens, not in GiB"),
        ("{by: unseen}", "rembert", "no table of sizes by language"),
        ("{by: gib}", "xlm-r-base, mmbert-base", "series 'mmbert'"),
        ("{by: unseen}", "xlm-r-base, mt5-base-encoder", "different pretraining text"),
        ("{by: size}", "xlm-r-base", "low_resource.by"),
        ("{by: gib, series: gpt}", "xlm-r-base", "low_resource.series"),
        ("{by: gib, gib: 0}", "xlm-r-base", "low_resource.gib"),
    ],
)
def test_what_cannot_be_decided_is_refused(option, backbones, message):
    with pytest.raises(RecipeError) as caught:
        load(option, backbones)
    assert message in str(caught.value)


def test_the_report_says_what_low_resource_means_and_whose_figures_they_are():
    texts = {}
    for option in ("", "{by: joshi}", "{by: gib}", "{by: tokens, series: mmbert}"):
        recipe = load(option)
        report = build_plan(recipe, sources=Sources(recipe)).report
        assert report is not None
        texts[option] = ReportSettings.from_identity(report.identity, report.labels).tiers
    assert texts[""] == ""
    assert "Joshi et al. 2020" in texts["{by: joshi}"]
    assert texts["{by: gib}"].startswith(
        "Low-resource are languages with less than 5 GiB in the pretraining text CC-100"
    )
    tokens = texts["{by: tokens, series: mmbert}"]
    assert "fewer than 1,000,000,000 tokens" in tokens
    assert "language_counts.csv of Marone et al. 2025" in tokens
    assert tokens in _method(ReportSettings(tiers=tokens))


def test_a_named_series_decides_for_all_backbones():
    assert languages_of(load("{by: gib, series: xlm-r}", "mmbert-base"))["eu"].resource == "low"
    assert languages_of(load("{by: gib}", "xlm-r-base, mdeberta-v3-base"))["eu"].resource == "low"


def test_the_world_has_tiers_of_its_own():
    recipe = load("{by: gib}", "mmbert-base", "world=true")
    plan = build_plan(recipe, sources=Sources(recipe, world=lambda: "w"))
    assert plan.report is not None
    assert "languages" not in plan.report.identity
    assert {entry.resource for entry in languages_of(recipe).values()} == {"low", "mid", "high"}
    native = TEXT.replace("BACKBONES", "world-nano").replace("sib200", "world-xnli")
    with pytest.raises(RecipeError, match="tiers of their own"):
        parse_recipe(native, "r", ("low_resource={by: gib}",))
