"""Every field of the installed peft is known: honoured, harmless, or refused where it changes the function."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.hub.foreign import describe
from adapterxfer.hub.peft_keys import HARMLESS, HONOURED, KEPT_BASE, NEUTRAL, differences

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import peft

CONFIGURATIONS = {"LORA": peft.LoraConfig, "VERA": peft.VeraConfig, "IA3": peft.IA3Config}
METHODS = {"LORA": "lora", "VERA": "vera", "IA3": "ia3"}
FIELDS = [(kind, field.name) for kind, cls in CONFIGURATIONS.items() for field in dataclasses.fields(cls)]


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_field_of_the_library_is_known(kind: str, name: str) -> None:
    lists = [name in HARMLESS, name in HONOURED[kind], name in NEUTRAL]
    assert sum(lists) == 1, f"{name} of {kind} is in {sum(lists)} lists: say what it does to the function"


@pytest.mark.parametrize("kind", sorted(CONFIGURATIONS))
def test_the_library_s_own_defaults_do_nothing(kind: str) -> None:
    content = {key: value for key, value in CONFIGURATIONS[kind]().to_dict().items() if key != "peft_type"}
    assert differences(content, kind) == []


VALUES = st.one_of(
    st.booleans(), st.none(), st.integers(-3, 9), st.text("abc", max_size=3), st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from(["query", "value"]), st.integers(1, 4), max_size=2),
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(sorted({name for _, name in FIELDS})), st.text("xyz_", min_size=1, max_size=6))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(CONFIGURATIONS)), NAMES, VALUES)
def test_only_known_or_empty_values_pass(kind: str, name: str, value: Any) -> None:
    refused = bool(differences({name: value}, kind))
    if name == "init_lora_weights" and kind == "LORA":
        assert refused == (value not in KEPT_BASE or (not isinstance(value, bool | str)))
    elif name in HARMLESS or name in HONOURED[kind]:
        assert not refused
    elif name in NEUTRAL:
        assert refused == (value is not None and value != NEUTRAL[name])
    else:
        assert refused == (value is not None and value is not False and value not in ("", [], {}))
    if refused:  # what one room refuses, the description of the adapter carries
        found = describe({"peft_type": kind, "r": 4, name: value}, METHODS[kind])
        assert any(name in reason for reason in found.differences)


NEWER = {
    "kasa_config": {"beta": 1e-4}, "velora_config": {"num_groups": 4}, "monteclora_config": {"num_samples": 4},
    "use_bdlora": {"nblocks": 2}, "use_qalora": True, "arrow_config": {"top_k": 2}, "layer_replication": [[0, 2]],
    "alora_invocation_tokens": [5, 6], "target_parameters": ["query.weight"], "loftq_config": {"loftq_bits": 4},
    "corda_config": {"corda_method": "kpm"}, "lora_ga_config": {"direction": "ArB2r"}, "lora_bias": True,
    "trainable_token_indices": [1], "rank_pattern": {"query": 2}, "alpha_pattern": {"query": 2},
    "layers_to_transform": [1], "megatron_config": {"a": 1}, "fan_in_fan_out": True, "bias": "all",
}  # fmt: skip
"""Keys of an adapter made elsewhere that change its function, with values that do."""


@pytest.mark.parametrize("key", sorted(NEWER))
def test_an_adapter_that_another_function_was_trained_in_is_refused_by_that_key(key: str) -> None:
    assert any(reason.startswith(key) for reason in differences({"r": 4, key: NEWER[key]}, "LORA"))


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga", "mica"])
def test_an_adapter_whose_start_changed_the_backbone_is_refused(start: str) -> None:
    (reason,) = differences({"r": 4, "init_lora_weights": start}, "LORA")
    assert "changes the base weights" in reason


def test_start_values_out_of_data_are_part_of_what_was_trained() -> None:
    assert differences({"r": 4, "init_lora_weights": "eva", "eva_config": {"rho": 2.0}}, "LORA") == []
