"""Settings of adapter methods in recipes: the defaults leave no trace, mistakes have a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.catalog.methods import METHODS
from adapterxfer.catalog.methods.configured import SETTINGS, effective, settings_problem
from adapterxfer.errors import RecipeError
from adapterxfer.plan import build_plan
from adapterxfer.recipe import Recipe
from adapterxfer.recipe.loading import parse_recipe

TEXT = """
recipe: 1
name: settings
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [VARIANT]
adapters:
  - ADAPTER
seeds: [1, 2]
train: {default: {batch_size: 8, steps: 2, learning_rate: 1e-3TRAIN}}
"""


def parsed(adapter: str, variant: str = "stack", train: str = "") -> Recipe:
    return parse_recipe(TEXT.replace("ADAPTER", adapter).replace("VARIANT", variant).replace("TRAIN", train), "r")


def keys(adapter: str) -> list[str]:
    return list(build_plan(parsed(adapter)).stages)


@pytest.mark.parametrize(
    ("plain", "same"),
    [
        ("{method: seq_bn, reduction_factor: 2}", "{non_linearity: relu, original_ln_before: true, scaling: 1}"),
        ("{method: seq_bn, reduction_factor: 2}", "{init_std: 0.02, residual_before_ln: true}"),
        ("{method: lora, rank: 4}", "{lora_alpha: 8, lora_dropout: 0, rank_pattern: {}}"),
        ("{method: par_bn, reduction_factor: 2}", "{scaling: 4.0}"),
    ],
)
def test_defaults_that_are_written_out_change_no_key(plain: str, same: str) -> None:
    assert keys(plain[:-1] + f", config: {same}}}") == keys(plain)


def test_other_values_are_part_of_what_is_trained() -> None:
    recipe = parsed("{method: lora, rank: 4, config: {target_modules: [value, query, key], lora_alpha: 16}}")
    (spec,) = recipe.adapters
    assert spec.label == "lora/4/lora_alpha=16.0/target_modules=query+key+value"
    assert spec.identity()["config"] == {"lora_alpha": 16.0, "target_modules": ["query", "key", "value"]}
    assert not set(keys("{method: lora, rank: 4}")) & {
        key for key, stage in build_plan(recipe).stages.items() if stage.kind == "train_target"
    }


def test_every_setting_has_a_default_a_source_and_a_line() -> None:
    for method, settings in SETTINGS.items():
        assert method in METHODS
        assert effective(method) == {name: setting.default for name, setting in settings.items()}
        assert all(setting.about and setting.source for setting in settings.values())
        alpha = settings.get("lora_alpha")
        assert alpha is None or alpha.default == METHODS[method].alpha
        targets = settings.get("target_modules")
        assert targets is None or targets.default == METHODS[method].maps
        plain = {name: s.default for name, s in settings.items()}
        assert settings_problem(method, plain) == ""


def table() -> list[str]:
    """Rows of the table of docs/adapter-settings.md."""

    def shown(value: object) -> str:
        if isinstance(value, tuple):
            return ", ".join(f"`{role}`" for role in value)
        return "none" if value == {} else f"`{str(value).lower() if isinstance(value, bool) else value}`"

    return [
        f"| `{method}` | `{name}` | {shown(setting.default)} | {setting.about} | {setting.source} |"
        for method, settings in SETTINGS.items()
        for name, setting in settings.items()
    ]


def test_the_page_has_the_table() -> None:
    page = (Path(__file__).parents[3] / "docs" / "adapter-settings.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("| `")] == table()


@pytest.mark.parametrize(
    ("adapter", "variant", "says"),
    [
        ("{method: seq_bn, reduction_factor: 2, config: {nonlinearity: gelu}}", "stack", "no setting 'nonlinearity'"),
        ("{method: seq_bn, reduction_factor: 2, config: {non_linearity: cubic}}", "stack", "one of relu, swish"),
        ("{method: seq_bn, reduction_factor: 2, config: {scaling: 0}}", "stack", "scaling: expected a number above 0"),
        ("{method: seq_bn, reduction_factor: 2, config: {init_std: 11}}", "stack", "below 10"),
        ("{method: seq_bn, reduction_factor: 2, config: {original_ln_before: 1}}", "stack", "true or false"),
        ("{method: par_bn, reduction_factor: 2, config: {residual_before_ln: false}}", "stack", "no setting 'residual"),
        ("{method: lora, rank: 4, config: {lora_alpha: true}}", "stack", "lora_alpha: expected a number"),
        ("{method: lora, rank: 4, config: {lora_dropout: 1.0}}", "stack", "from 0, below 1"),
        ("{method: lora, rank: 4, config: {target_modules: []}}", "stack", "list of query, key, value"),
        ("{method: lora, rank: 4, config: {target_modules: [query, query]}}", "stack", "each once"),
        ("{method: lora, rank: 4, config: {target_modules: [dense]}}", "stack", "list of query, key, value"),
        ("{method: lora, rank: 4, config: {target_modules: [qkv]}}", "stack", "'world-nano' has no map 'qkv'"),
        ("{method: lora, rank: 4, config: {rank_pattern: {query: 0}}}", "stack", "ranks from 1 to 4096"),
        ("{method: lora, rank: 4, config: {rank_pattern: {key: 2}}}", "stack", "'key' is none of target_modules"),
        ("{method: dora, rank: 4, config: {lora_dropout: 0.1}}", "stack", "no setting 'lora_dropout'"),
        ("{method: ia3, config: {lora_alpha: 2}}", "stack", "has no config; these of ours have one: seq_bn"),
        ("{method: seq_bn, reduction_factor: 2, config: {residual_before_ln: false}}", "fuse", "at its default"),
        ("{method: seq_bn, reduction_factor: 2, config: {scaling: 2}}", "merge", "default settings only"),
    ],
)
def test_mistakes_have_a_line(adapter: str, variant: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as caught:
        build_plan(parsed(adapter, variant))
    assert caught.value.problems[0].line == 9


def test_seeds_are_trained_together_with_defaults_alone() -> None:
    with pytest.raises(RecipeError, match="has settings of its own"):
        parsed("{method: seq_bn, reduction_factor: 2, config: {scaling: 2}}", train=", seeds_together: true")
    assert parsed("{method: seq_bn, reduction_factor: 2, config: {scaling: 1}}", train=", seeds_together: true")


def test_a_fusion_mixes_bottlenecks_with_another_non_linearity() -> None:
    recipe = parsed("{method: seq_bn, reduction_factor: 2, config: {non_linearity: gelu, scaling: 2}}", "fuse")
    assert any(stage.kind == "train_fusion" for stage in build_plan(recipe).stages.values())
