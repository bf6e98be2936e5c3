"""Which block of `train` wins, and what a measured token budget does to a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.catalog.methods import names_of
from adapterxfer.errors import RecipeError, StoreError
from adapterxfer.plan import build_plan
from adapterxfer.recipe import (
    load_recipe,
    parse_recipe,
    read_resolved,
    resolve_recipe,
    training_settings,
    write_resolved,
)
from adapterxfer.recipe.budget import token_budget
from adapterxfer.recipe.resolved import resolved_path

RECIPES = Path(__file__).parents[3] / "recipes"

LAYERS = """\
recipe: 1
name: layers
backbones: [xlm-r-base, xlm-r-large]
intermediate_tasks: [none, mnli]
target_tasks: [xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, bottleneck_size: 8}]
seeds: [1]
train:
  default: {learning_rate: 1e-1, steps: 1, batch_size: 8}
  intermediate: {steps: 2}
  target: {epochs: 3, clip: 0.5}
  adapters: {learning_rate: 1e-2}
  xnli: {batch_size: 16, adapters: {learning_rate: 1e-3}}
  xlm-r-large: {batch_size: 4, full-ft: {dtype: bf16}}
"""


def test_particular_blocks_win_and_lengths_replace_each_other() -> None:
    recipe = parse_recipe(LAYERS)
    full = training_settings(recipe, phase="target", mode="full-ft", task="xnli", backbone="xlm-r-large")
    assert full["learning_rate"] == 0.1
    assert full["epochs"] == 3
    assert "steps" not in full
    assert full["batch_size"] == 4
    assert full["dtype"] == "bf16"
    adapter = training_settings(recipe, phase="target", mode="adapters", task="xnli", backbone="xlm-r-base")
    assert adapter["learning_rate"] == 1e-3
    assert adapter["batch_size"] == 16
    assert adapter["dtype"] == "fp32"
    first = training_settings(recipe, phase="intermediate", mode="adapters", task="mnli", backbone="xlm-r-base")
    assert (first["steps"], first["learning_rate"]) == (2, 1e-2)


def test_options_that_change_nothing_are_no_part_of_a_stage() -> None:
    def settings(more: str) -> dict[str, object]:
        text = LAYERS.replace("steps: 1, batch_size: 8", f"steps: 1, batch_size: 8{more}")
        return training_settings(
            parse_recipe(text), phase="intermediate", mode="adapters", task="mnli", backbone="xlm-r-base"
        )

    plain = settings("")
    assert settings(", gradient_checkpointing: false, compile: false, mean_of: 5") == plain
    assert settings(", gradient_checkpointing: true, compile: true") == plain | {
        "gradient_checkpointing": True,
        "compile": True,
    }
    assert settings(", cache_bottom: false") == plain
    assert settings(", selection: mean") == plain | {"selection": "mean", "mean_of": 3}
    assert settings(", selection: mean, mean_of: 5") == plain | {"selection": "mean", "mean_of": 5}
    with pytest.raises(RecipeError, match="mean_of"):
        settings(", selection: mean, mean_of: 11")


FUSED = """\
recipe: 1
name: fused
backbones: [world-nano]
intermediate_tasks: [none, world-nli, world-qa, pool]
target_tasks: [world-pos]
variants: [stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
train:
  default: {learning_rate: 1e-3}
  intermediate: {steps: 5}
  world-pos: {adapters: {steps: 5}}
"""

FUSION_ALONE = "no steps or epochs for fuse on world-pos (fusion phase) of world-nano"
ON_A_NAMED_TASK = "no steps or epochs for fuse on world-xqa (fusion phase) of world-nano"
BEFORE_IT = "no steps or epochs for adapters on world-xqa (target phase) of world-nano"


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ([], [FUSION_ALONE]),
        (["intermediate_tasks=[none, world-nli]"], [FUSION_ALONE]),
        (["intermediate_tasks=[none]"], []),
        (["intermediate_tasks=[none]", "variants=[merge]", "merge={kind: soup, of: fuse, members: 2}"], []),
        (["variants=[merge]", "merge={kind: soup, of: fuse, members: 2}"], [FUSION_ALONE]),
        (["variants=[stack]", "intermediate_tasks=[none, world-nli]"], []),
        # A pool is trained on the named task where the target is not trained, with a target adapter of that task.
        (["target_tasks=[world-retrieval]"], []),
        (["target_tasks=[world-retrieval]", "fusion_task=world-xqa"], [BEFORE_IT, ON_A_NAMED_TASK]),
        (["target_tasks=[world-retrieval]", "fusion_task=world-xqa", "fusion={target: jointly}"], [ON_A_NAMED_TASK]),
        (
            ["target_tasks=[world-retrieval]", "fusion_task=world-qa"],
            ["no steps or epochs for fuse on world-qa (fusion phase) of world-nano"],
        ),
        (
            ["target_tasks=[world-pos, world-retrieval]", "fusion_task=world-xqa"],
            [BEFORE_IT, FUSION_ALONE, ON_A_NAMED_TASK],
        ),
        (["target_tasks=[world-retrieval]", "fusion_task=world-xqa", "intermediate_tasks=[none, world-nli]"], []),
        (["target_tasks=[world-retrieval]", "fusion_task=world-xqa", "intermediate_tasks=[none]"], []),
    ],
)
def test_lengths_are_asked_of_the_fusions_that_are_planned(changes: list[str], lacks: list[str]) -> None:
    """And of no others: a fusion has no form without an intermediate task."""
    try:
        parse_recipe(FUSED, "r", changes)
        said: list[str] = []
    except RecipeError as error:
        said = [problem.message for problem in error.problems]
    assert sorted(said) == sorted(lacks)
    lengths = ["train.fusion={steps: 3}", "train.world-xqa={adapters: {steps: 3}}"]
    plan = build_plan(parse_recipe(FUSED, "r", [*changes, *lengths]))
    fusions = [stage for stage in plan.stages.values() if stage.kind == "train_fusion"]
    assert bool(fusions) == any("fusion" in message for message in lacks)


def test_measured_tokens_are_kept_and_used_again(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / "real-text.yaml")
    assert recipe.needs_measurement
    assert resolve_recipe(recipe, tmp_path) is recipe
    tokens = dict.fromkeys(recipe.series, 1000)
    write_resolved(tmp_path, recipe, tokens, dtype="fp32", probe={"processes": 2})
    write_resolved(tmp_path, recipe, dict.fromkeys(recipe.series, 5), dtype="bf16", probe={})
    found = resolve_recipe(recipe, tmp_path)
    assert found.pretrain is not None
    assert found.pretrain.tokens == tokens
    assert found.pretrain.dtype == "fp32"
    assert not found.needs_measurement
    # Seeds or tasks of the study do not change what was measured.
    assert read_resolved(tmp_path, load_recipe(RECIPES / "real-text.yaml", ["seeds=[1]"])) is not None
    assert read_resolved(tmp_path, load_recipe(RECIPES / "real-text.yaml", ["pretrain.minutes=1"])) is None
    # Nor does its name: another study of the same series finds the backbones that are there.
    renamed = load_recipe(RECIPES / "real-text.yaml", ["name=another-study"])
    assert read_resolved(tmp_path, renamed) == read_resolved(tmp_path, recipe)


def test_damaged_measurement_is_a_store_error(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / "real-text.yaml")
    path = resolved_path(tmp_path, recipe)
    path.parent.mkdir()
    path.write_text('{"tokens": {"small": 1}}', encoding="utf-8")
    with pytest.raises(StoreError, match="damaged record"):
        read_resolved(tmp_path, recipe)


def test_budget_fills_the_time_of_the_slower_process() -> None:
    setup = load_recipe(RECIPES / "real-text.yaml", ["pretrain.minutes=10", "pretrain.minutes_fp32=20"]).pretrain
    assert setup is not None
    speeds = {"small": 10_000.0, "mid": 4_000.0}
    assert token_budget(setup, speeds, jobs=2, dtype="bf16") == {"small": 2_400_000, "mid": 2_400_000}
    assert token_budget(setup, speeds, jobs=2, dtype="fp32")["mid"] == 4_800_000
    one = token_budget(setup, speeds, jobs=1, dtype="bf16")["mid"]
    assert one * (1 / 10_000 + 1 / 4_000) == pytest.approx(600, rel=0.05)


def test_only_generated_tasks_draw_their_test_set() -> None:
    change = ["tasks.udpos.test_seed=1"]
    with pytest.raises(RecipeError, match="the test set of 'udpos' is given"):
        load_recipe(RECIPES / "real-text.yaml", change)
    assert load_recipe(RECIPES / "world-scores.yaml", ["tasks.world-pos.test_seed=1"]).tasks["world-pos"].test_seed == 1


def test_lower_layers_are_kept_only_where_nothing_acts_in_them() -> None:
    """An adapter in every layer leaves nothing to keep; a backbone that trains is left out without a word."""
    kept = LAYERS.replace("steps: 1, batch_size: 8", "steps: 1, batch_size: 8, cache_bottom: true")
    with pytest.raises(RecipeError, match="acts in every layer: give it layers: upper-half"):
        parse_recipe(kept)
    recipe = parse_recipe(kept.replace("bottleneck_size: 8", "bottleneck_size: 8, layers: upper-half"))
    assert recipe.adapters[0].label == "seq_bn/size8/upper-half"
    assert recipe.adapters[0].identity()["layers"] == "upper-half"
    for mode, expected in (("adapters", True), ("full-ft", None)):
        found = training_settings(recipe, phase="target", mode=mode, task="xnli", backbone="xlm-r-base")
        assert found.get("cache_bottom") is expected


def test_only_bottlenecks_leave_layers_out() -> None:
    with pytest.raises(RecipeError, match="'lora' cannot leave layers out"):
        parse_recipe(LAYERS.replace("method: seq_bn, bottleneck_size: 8", "method: lora, rank: 4, layers: upper-half"))
    assert names_of(lambda spec: spec.partial_layers) == ("seq_bn", "double_seq_bn", "par_bn")
