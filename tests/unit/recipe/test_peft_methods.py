"""``peft:TYPE`` in recipes: keys of the library's configuration are checked without the library."""

from __future__ import annotations

import pytest

from adapterxfer.catalog.methods.peft_types import OUTSIDE
from adapterxfer.errors import MissingDependency, RecipeError
from adapterxfer.plan import build_plan, limits
from adapterxfer.recipe.loading import parse_recipe

TEXT = """
recipe: 1
name: engine
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [VARIANT]
adapters: [ADAPTER]
seeds: [1]
train: {default: {batch_size: 8, steps: 2, learning_rate: 1e-3}}
"""


def parsed(adapter: str, variant: str = "stack"):  # type: ignore[no-untyped-def]
    return parse_recipe(TEXT.replace("ADAPTER", adapter).replace("VARIANT", variant), "r")


def test_the_configuration_is_part_of_what_is_trained() -> None:
    recipe = parsed('{method: "peft:LOHA", config: {r: 4, target_modules: [query, key]}}, {method: "peft:LOHA"}')
    assert [spec.label for spec in recipe.adapters] == ["peft:LOHA/r=4/target_modules=query+key", "peft:LOHA"]
    plan = build_plan(recipe)
    adapters = [s.identity["adapter"] for s in plan.stages.values() if s.kind == "train_target"]
    assert {"method": "peft:LOHA"} in adapters
    assert any(adapter.get("config") == {"r": 4, "target_modules": ("query", "key")} for adapter in adapters)
    narrowed = build_plan(recipe, only=["adapter=peft:LOHA/r=4/target_modules=query+key"])
    assert {cell.adapter for cell in narrowed.cells if not cell.control} == {recipe.adapters[0].label}
    empty = parsed('{method: "peft:LOHA", config: {}}')
    assert empty.adapters[0].identity() == {"method": "peft:LOHA"}


@pytest.mark.parametrize(
    ("adapter", "variant", "says"),
    [
        ('{method: "peft:NOTHING"}', "stack", "has no type 'NOTHING'; these run: ADAMSS"),
        ('{method: "peft:ADALORA"}', "stack", "takes ranks away step by step"),
        ('{method: "peft:OFT"}', "stack", "cannot run as 'stack'"),
        ('{method: "peft:LOHA"}', "fuse", "AdapterFusion mixes bottlenecks"),
        ('{method: "peft:LOHA", config: {rank: 4}}', "stack", "has no key 'rank' that a recipe can set; it has alpha"),
        ('{method: "peft:LOHA", config: {target_modules: [dense]}}', "stack", "target_modules names 'dense'"),
        ('{method: "peft:LOHA", rank: 4}', "stack", "has no rank"),
        ("{method: lora, rank: 4, config: {r: 4}}", "stack", "'lora' has no setting 'r'; it has: lora_alpha"),
        ("{method: loha}", "stack", "write peft:LOHA"),
    ],
)
def test_mistakes(adapter: str, variant: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        build_plan(parsed(adapter, variant))


def test_a_missing_library_is_said_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="needs the extra 'peft'"):
        build_plan(parsed('{method: "peft:LOHA"}')).require_runnable()
    build_plan(parsed("{method: lora, rank: 4}")).require_runnable()


OUTSIDE_VALUES = {
    "alora_invocation_tokens": "[5, 6]", "arrow_config": "{top_k: 2}", "corda_config": "{corda_method: kpm}",
    "eva_config": "{rho: 2.0}", "kasa_config": "{beta: 0.1}", "layer_replication": "[[0, 2]]",
    "layers_to_transform": "[1]", "loftq_config": "{loftq_bits: 4}", "lora_ga_config": "{direction: ArB2r}",
    "layers_pattern": "layer", "megatron_config": "{a: 1}", "monteclora_config": "{num_samples: 4}",
    "target_parameters": "[query.weight]", "trainable_token_indices": "[1]", "use_dora": "true", "use_qalora": "true",
    "velora_config": "{num_groups: 4}",
}  # fmt: skip
"""Keys of newer versions of the library that change the function, with values that do."""


@pytest.mark.parametrize("key", sorted(OUTSIDE))
def test_keys_that_would_do_nothing_or_something_else_are_refused(key: str) -> None:
    with pytest.raises(RecipeError, match=f"cannot have {key} here: "):
        parsed(f'{{method: "peft:LORA", config: {{{key}: {OUTSIDE_VALUES[key]}}}}}')
    parsed(f'{{method: "peft:LORA", config: {{{key}: null}}}}')


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "corda", "eva", "loftq", "lora_ga", "mica"])
def test_start_values_out_of_weights_or_data_are_refused(start: str) -> None:
    with pytest.raises(RecipeError, match=f"cannot start with '{start}'"):
        parsed(f'{{method: "peft:LORA", config: {{init_lora_weights: {start}}}}}')
    parsed('{method: "peft:LORA", config: {init_lora_weights: orthogonal, use_rslora: true}}')


def test_merging_where_an_average_of_weights_is_one_of_changes() -> None:
    build_plan(parsed('{method: "peft:SHIRA"}, {method: "peft:IA3"}', "merge"))
    with pytest.raises(RecipeError, match="averaged weights are not an averaged change") as raised:
        build_plan(parsed('{method: "peft:LORA"}', "merge"))
    assert "merge/lora" in str(raised.value)
