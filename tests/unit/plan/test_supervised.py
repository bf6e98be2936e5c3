"""Stages of supervised targets: nothing else moves, runs have draws of their own, few-shot goes on from zero-shot."""

from __future__ import annotations

from collections import Counter

from adapterxfer.plan import build_plan
from adapterxfer.recipe import parse_recipe

PLAIN = """\
recipe: 1
name: taught
backbones: [world-nano, world-micro]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
train:
  default: {learning_rate: 1e-3, steps: 10, seeds_together: true}
  full-ft: {seeds_together: false}
  fuse: {seeds_together: false}
tasks:
  world-xnli: {languages: [en, a1, b1], train_examples: 100}
"""

SECTION = """\
supervision:
  few-shot: {examples: [4, 16], draws: 2, from: dev, train: {steps: 3, adapters: {learning_rate: 2e-3}}}
  translate-train: {folder: world, train_examples: [50]}
  in-language: {variants: [stack]}
  sources: [en, a1]
"""


def test_nothing_else_moves() -> None:
    plain, taught = build_plan(parse_recipe(PLAIN)), build_plan(parse_recipe(PLAIN + SECTION))
    keys = [key for key, stage in plain.stages.items() if stage.kind != "report"]
    assert set(keys) <= set(taught.stages)
    assert [cell for cell in taught.cells if "@" not in cell.target] == list(plain.cells)
    assert all("draw" not in cell.labels() for cell in plain.cells)


def test_cells_stand_under_their_supervision() -> None:
    cells = Counter(cell.target for cell in build_plan(parse_recipe(PLAIN + SECTION)).cells if "@" in cell.target)
    systems = 2 * 2 * 3 * 2  # backbones, seeds, variants, with and without an intermediate task
    assert cells == {
        "world-xnli@few-shot-4": 2 * systems,
        "world-xnli@few-shot-16": 2 * systems,
        "world-xnli@translate-train-50": systems,
        "world-xnli@in-language": systems // 3,
        "world-xnli@sources-en+a1": systems,
    }


def test_few_shot_goes_on_from_the_model_of_the_cell() -> None:
    plan = build_plan(parse_recipe(PLAIN + SECTION), only=["backbone=world-nano", "seed=1"])
    cells = {(c.variant, c.intermediate, c.target, c.draw): c for c in plan.cells}
    for variant, kind in (("full-ft", "train_target"), ("stack", "train_target"), ("fuse", "train_fusion")):
        zero_shot = plan.stages[cells[variant, "world-nli", "world-xnli", 0].predict].inputs["model"]
        predict = plan.stages[cells[variant, "world-nli", "world-xnli@few-shot-4", 1].predict]
        assert predict.identity["languages"] == ["a1", "b1"]
        assert predict.identity["supervision"] == {"kind": "few-shot", "label": "few-shot-4", "examples": 4, "draw": 1}
        models = {role: plan.stages[key] for role, key in predict.inputs.items() if role.startswith("model")}
        assert list(models) == ["model.a1", "model.b1"]
        for role, model in models.items():
            assert plan.stages[model.inputs["start"]].kind == kind
            assert model.inputs["start"] == zero_shot
            assert model.identity["composition"] == "further"
            assert model.identity["supervision"]["languages"] == [role.removeprefix("model.")]
            assert model.identity["settings"]["steps"] == 3
            assert "seeds_together" not in model.identity["settings"], "each seed has other examples"
            assert plan.stages[model.inputs["supervision"]].identity["what"] == "target-dev"


def test_settings_of_the_arm_win_for_their_mode() -> None:
    plan = build_plan(parse_recipe(PLAIN + SECTION))
    rates = {
        (stage.identity["mode"], stage.identity["settings"]["learning_rate"])
        for stage in plan.stages.values()
        if stage.identity.get("composition") == "further"
    }
    assert rates == {("full", 1e-3), ("adapter", 2e-3), ("fuse", 1e-3)}


def test_arms_from_the_start_read_other_data_with_the_same_intermediate() -> None:
    plan = build_plan(parse_recipe(PLAIN + SECTION), only=["backbone=world-nano", "seed=1", "variant=stack"])
    cells = {(c.intermediate, c.target): c for c in plan.cells}
    zero_shot = plan.stages[plan.stages[cells["world-nli", "world-xnli"].predict].inputs["model"]]
    for label, what, languages in (
        ("translate-train-50", "translated", ["a1"]),
        ("in-language", "target-train", ["a1"]),
    ):
        predict = plan.stages[cells["world-nli", f"world-xnli@{label}"].predict]
        model = plan.stages[predict.inputs["model.a1"]]
        assert model.inputs["intermediate"] == zero_shot.inputs["intermediate"]
        assert model.identity["supervision"]["languages"] == languages
        assert plan.stages[model.inputs["supervision"]].identity["what"] == what
    assert model.identity["supervision"]["limit"] == 100, "as many as in English"
    joint = plan.stages[cells["world-nli", "world-xnli@sources-en+a1"].predict]
    assert joint.identity["languages"] == ["b1"], "what it was trained in is not tested"
    assert plan.stages[joint.inputs["model"]].identity["supervision"]["languages"] == ["en", "a1"]


def test_a_fusion_has_a_target_adapter_of_the_same_data() -> None:
    plan = build_plan(parse_recipe(PLAIN + SECTION), only=["backbone=world-nano", "seed=1", "variant=fuse"])
    cell = next(c for c in plan.cells if (c.intermediate, c.target) == ("world-nli", "world-xnli@translate-train-50"))
    fusion = plan.stages[plan.stages[cell.predict].inputs["model.a1"]]
    member = plan.stages[fusion.inputs["target"]]
    assert fusion.kind == "train_fusion"
    assert fusion.identity["supervision"] == member.identity["supervision"]
    assert fusion.inputs["supervision"] == member.inputs["supervision"]
