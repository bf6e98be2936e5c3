"""Tuner types of the `peft` library as adapter methods: ``peft:TYPE`` with configuration keys of its own. Torch-free.

Which types run, and why the others do not, stands in ``peft_types.json``, written by ``scripts/table_peft.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapterxfer.catalog.methods.engine import Engine

ROLES = ("query", "key", "value", "qkv", "ffn_in", "ffn_out")
"""Linear maps that ``target_modules`` can name, by role; the default of the engine is query and value."""

OURS = ("target_modules", "feedforward_modules")
"""Keys that name linear maps, by role."""

FIXED = frozenset(
    {"auto_mapping", "base_model_name_or_path", "inference_mode", "modules_to_save", "peft_type", "peft_version",
     "revision", "runtime_config", "task_type"}
)  # fmt: skip
"""Keys that the engine sets, or that name parts outside of an adapter."""

NEUTRAL_KEYS: Mapping[str, Mapping[str, Any]] = {"C3A": {"init_weights": True}, "FOURIERFT": {"init_weights": True}}
"""Keys without which a fresh adapter changes what the backbone says; the library's defaults do."""

USUAL_MAPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "IA3": {"target_modules": ("key", "value", "ffn_out"), "feedforward_modules": ("ffn_out",)}
}
"""Maps of types that have others than query and value by default."""

START_VALUES = (True, "gaussian", "orthogonal")
"""Of a LoRA that change nothing. Others are made from the backbone's weights, or from data in a step of their own."""

OUTSIDE: Mapping[str, str] = {
    "alora_invocation_tokens": "it acts after certain words, which linear maps do not see",
    "arrow_config": "it mixes several adapters by what each would say",
    "corda_config": "it makes start values out of the backbone's weights",
    "eva_config": "it makes start values out of data in a step of their own",
    "kasa_config": "it takes a part out of the backbone's weights",
    "layer_replication": "it changes the layers of the backbone",
    "layers_pattern": "layers are those of the encoder here",
    "layers_to_transform": "layers are those of the encoder here",
    "loftq_config": "it makes start values out of the backbone's weights",
    "lora_ga_config": "it makes start values out of gradients in a step of their own",
    "megatron_config": "it is for maps of another library",
    "monteclora_config": "it has a loss of its own, which trainings here do not add",
    "target_parameters": "it changes what is no linear map",
    "trainable_token_indices": "it trains rows of the word matrix",
    "use_dora": "dora of this project is the same function, and two of them in a stack are another one in the library",
    "use_qalora": "it is for quantised maps, and does nothing to others",
    "velora_config": "it replaces gradients by others that nobody has compared here",
}
"""Keys that the library takes, and that would do nothing or something else here; by default they say nothing.

Tried one by one around a tiny encoder with peft 0.21.2: some raise, some change the backbone, some are ignored."""


def _values_problem(config: Mapping[str, Any]) -> str:
    for key in sorted(OUTSIDE.keys() & config.keys()):
        if config[key] not in (None, False):
            return f"cannot have {key} here: {OUTSIDE[key]}"
    start = config.get("init_lora_weights", True)
    if start is not True and start not in START_VALUES:
        return f"cannot start with {start!r}: {', '.join(map(repr, START_VALUES))} change nothing at the start"
    return _roles_problem(config)


def _roles_problem(config: Mapping[str, Any]) -> str:
    for key in OURS:
        named = config.get(key, ())
        for role in (named,) if isinstance(named, str) else named:
            if role not in ROLES:
                return f"acts on linear maps by role, {', '.join(ROLES)}; {key} names '{role}'"
    return ""


PEFT = Engine(
    library="peft",
    kind="type",
    builder="adapterxfer.variants.peft_engine:PeftMaps",
    file="peft_types.json",
    maps=ROLES,
    values_problem=_values_problem,
)
"""The library `peft`."""

PREFIX = PEFT.prefix


def peft_types() -> Mapping[str, Mapping[str, Any]]:
    """Type -> its row of the table."""
    return PEFT.kinds
