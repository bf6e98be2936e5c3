"""`from: hub:...` in a recipe: what it may say, and what it moves in the plan."""

from __future__ import annotations

import json

import pytest
from reuse_tools import PLACE, SHA, SMALL, reusing

from adapterxfer.errors import RecipeError
from adapterxfer.plan import build_plan
from adapterxfer.recipe.loading import parse_recipe


def problems(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "r.yaml")
    return [f"{p.line}: {p.message}" for p in caught.value.problems]


def test_identity_holds_the_commit_and_nothing_else_moves() -> None:
    plans = [build_plan(parse_recipe(reusing(place))) for place in (PLACE, PLACE[:-1] + "0")]
    plain = build_plan(parse_recipe(SMALL.replace("VARIANTS", "stack").replace("TARGETS", "world-xnli")))
    one, other = (next(s for s in plan.stages.values() if s.kind == "reuse_intermediate") for plan in plans)
    assert one.key != other.key
    assert one.identity["from"] == {"repository": "org/name", "commit": SHA}
    assert "licence" not in one.identity
    shared = {key for key, stage in plain.stages.items() if stage.labels.get("intermediate") == "none"}
    assert shared
    assert shared < plans[0].stages.keys(), "what does not rest on the adapter keeps its key"
    assert not any("world-nli" in stage.inputs.values() for stage in plans[0].stages.values())
    assert "data.world-nli" not in {role for stage in plans[0].stages.values() for role in stage.inputs}


def test_the_recipe_is_written_back_whole() -> None:
    recipe = parse_recipe(reusing(PLACE, more=", licence: mit"))
    assert recipe.resolved()["reuse"] == {"world-nli": {"from": PLACE, "licence": "mit"}}
    again = parse_recipe(json.dumps(recipe.resolved()))
    assert again.digest == recipe.digest
    plain = parse_recipe(SMALL.replace("VARIANTS", "stack").replace("TARGETS", "world-xnli"))
    assert "reuse" not in plain.resolved()


@pytest.mark.parametrize(
    "place", ["hub:org/name", "hub:org/name@main", "org/name@" + SHA, "hub:org/name@" + SHA[:12], "hub:o/../n@" + SHA]
)
def test_a_place_that_is_not_pinned(place: str) -> None:
    (message,) = problems(reusing(place))
    assert message.startswith("6: reuse.world-nli.from = ")
    assert "with all 40 digits of the commit" in message


def test_contradictions_are_named() -> None:
    two = reusing(PLACE).replace("series: {tiny:", "series: {big: {hidden: 48, layers: 2, heads: 2}, tiny:")
    two = two.replace("backbones: [tiny]", "backbones: [tiny, big]")
    assert any("an adapter fits one backbone" in line for line in problems(two))
    assert any("unknown key" in line for line in problems(reusing(PLACE, more=", revison: x")))
    assert any("is not one of" in line for line in problems(reusing(PLACE).replace("name: world-nli", "name: wnli")))
    several = reusing(PLACE).replace("reduction_factor: 4}", "reduction_factor: 4}, {method: lora, rank: 2}")
    assert any("one method and size" in line for line in problems(several))
    assert any("variants with adapters only" in line for line in problems(reusing(PLACE, variants="full-ft")))
    elsewhere = two.replace(PLACE, f"{{medium: '{PLACE}'}}")
    assert any("backbone 'medium' is not one of: tiny, big" in line for line in problems(elsewhere))


def test_one_place_for_each_backbone_and_the_others_train() -> None:
    text = reusing(f"{{tiny: '{PLACE}'}}").replace(
        "series: {tiny:", "series: {big: {hidden: 48, layers: 2, heads: 2}, tiny:"
    )
    plan = build_plan(parse_recipe(text.replace("backbones: [tiny]", "backbones: [tiny, big]")))
    kinds = {(stage.kind, stage.labels["backbone"]) for stage in plan.stages.values() if "intermediate" in stage.kind}
    assert kinds == {("reuse_intermediate", "tiny"), ("train_intermediate", "big")}


def test_full_fine_tuning_cannot_start_from_an_adapter() -> None:
    plan = build_plan(parse_recipe(reusing(PLACE, variants="full-ft, stack")))
    assert [(r.variant, r.intermediate) for r in plan.refused] == [("full-ft", "world-nli")]
    assert "published adapter" in plan.refused[0].reason
    assert {(c.variant, c.intermediate) for c in plan.cells} == {
        ("full-ft", "none"), ("stack", "none"), ("stack", "world-nli")
    }  # fmt: skip


def test_data_of_a_reused_task_are_not_needed() -> None:
    recipe = parse_recipe(reusing(PLACE))
    assert list(recipe.used_tasks()) == ["world-xnli"]
