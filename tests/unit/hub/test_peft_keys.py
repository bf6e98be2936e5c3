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
