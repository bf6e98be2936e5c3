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
    values_problem=_roles_problem,
)
"""The library `peft`."""

PREFIX = PEFT.prefix


def peft_types() -> Mapping[str, Mapping[str, Any]]:
    """Type -> its row of the table."""
    return PEFT.kinds
