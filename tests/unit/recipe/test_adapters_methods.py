"""``adapters:CONFIG`` in recipes: strings of the library are read without the library."""

from __future__ import annotations

import pytest

from adapterxfer.catalog.methods.adapters_configs import ADAPTERS, split_string
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


def test_a_string_and_its_keys_apart_are_one_adapter() -> None:
    whole = parsed("{method: \"adapters:double_seq_bn[reduction_factor=8, non_linearity='gelu']\"}")
    apart = parsed('{method: "adapters:double_seq_bn", config: {non_linearity: gelu, reduction_factor: 8}}')
    assert whole.adapters == apart.adapters
    assert whole.adapters[0].label == "adapters:double_seq_bn/non_linearity=gelu/reduction_factor=8"
    keys = [set(build_plan(recipe).stages) for recipe in (whole, apart)]
    assert keys[0] == keys[1]
    plain = parsed('{method: "adapters:compacter++"}')
    assert plain.adapters[0].identity() == {"method": "adapters:compacter++"}
    build_plan(plain, only=["adapter=adapters:compacter++"])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("seq_bn", ("seq_bn", {})),
        ("adapters:seq_bn", ("adapters:seq_bn", {})),
        ("adapters:lora[r=8,attn_matrices=['q','k']]", ("adapters:lora", {"r": 8, "attn_matrices": ["q", "k"]})),
        ("peft:LOHA[r=8]", ("peft:LOHA[r=8]", {})),
    ],
)
def test_strings(method: str, expected: tuple[str, dict[str, object]]) -> None:
    assert split_string(method) == expected


@pytest.mark.parametrize(
    ("adapter", "variant", "says"),
    [
        ('{method: "adapters:nothing"}', "stack", "has no configuration 'nothing'; these run: compacter"),
        ('{method: "adapters:unipelt"}', "stack", "gates average over a text with its padding"),
        ('{method: "adapters:houlsby"}', "stack", "old name of adapters:double_seq_bn"),
        ('{method: "adapters:lora|seq_bn"}', "stack", "has no configuration 'lora|seq_bn'"),
        ('{method: "adapters:par_bn"}', "stack", "cannot run as 'stack'"),
        ('{method: "adapters:par_bn"}', "fuse", "AdapterFusion mixes bottlenecks"),
        ('{method: "adapters:lora[rank=4]"}', "stack", "has no key 'rank' that a recipe can set; it has alpha"),
        ('{method: "adapters:seq_bn[is_parallel=True]"}', "stack", "has no key 'is_parallel'"),
        ("{method: \"adapters:seq_bn[reduction_factor=__import__('os')]\"}", "stack", "expected keys as in"),
        ('{method: "adapters:seq_bn[dropout=0.1]", config: {dropout: 0.2}}', "stack", "keep one"),
        ('{method: "adapters:lora", rank: 4}', "stack", "has no rank"),
        ("{method: unipelt}", "stack", "write adapters:unipelt"),
    ],
)
def test_mistakes(adapter: str, variant: str, says: str) -> None:
    import re

    with pytest.raises(RecipeError, match=re.escape(says)):
        build_plan(parsed(adapter, variant))


def test_merging_says_what_an_average_would_mean() -> None:
    with pytest.raises(RecipeError, match="averaged weights are not an averaged change"):
        build_plan(parsed('{method: "adapters:lora"}', "merge"))
    build_plan(parsed('{method: "adapters:ia3"}, {method: "adapters:seq_bn"}', "merge"))


def test_a_missing_library_is_said_with_the_versions_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="needs the extra 'adapters'") as raised:
        build_plan(parsed('{method: "adapters:seq_bn"}')).require_runnable()
    assert raised.value.fix == "pip install -c constraints-adapters.txt 'adapterxfer[adapters]'"


def test_everything_that_runs_is_described() -> None:
    for name, facts in ADAPTERS.kinds.items():
        assert facts["runs"] or facts["because"]
        if facts["runs"]:
            spec = ADAPTERS.specification(ADAPTERS.prefix + name, facts)
            assert spec.engine == "adapters"
            assert bool(spec.maps) == ("linear" in spec.places)
