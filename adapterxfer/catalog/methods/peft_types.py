"""Tuner types of the `peft` library as adapter methods: ``peft:TYPE`` with configuration keys of its own. Torch-free.

Which types run, and why the others do not, stands in ``peft_types.json``, written by ``scripts/table_peft.py`` from
trying every type of the installed library on tiny encoders. The methods are looked up and not listed: a study that
names none of them needs no `peft`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from adapterxfer.catalog.methods.spec import MethodSpec

PREFIX = "peft:"

ROLES = ("query", "key", "value", "qkv", "ffn_out")
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


@cache
def peft_table() -> dict[str, Any]:
    """Content of ``peft_types.json``: ``version`` of the library it was made with, and ``types``."""
    text = (resources.files("adapterxfer.catalog.methods") / "peft_types.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def peft_types() -> Mapping[str, Mapping[str, Any]]:
    """Type -> ``runs``, ``because`` where it does not, ``stacks``, ``keys`` of its configuration, ``needs``."""
    types: dict[str, dict[str, Any]] = peft_table()["types"]
    return types


def is_peft(method: str) -> bool:
    """Whether a name is that of a runnable tuner type."""
    return method.startswith(PREFIX) and bool(peft_types().get(method.removeprefix(PREFIX), {}).get("runs"))


@cache
def peft_method(method: str) -> MethodSpec:
    """The specification of ``peft:TYPE``.

    Raises:
        KeyError: no such type, or it cannot run.
    """
    if not is_peft(method):
        raise KeyError(method)
    return specification(method)


def specification(method: str) -> MethodSpec:
    """The specification of a type, runnable or not."""
    return MethodSpec(
        name=method,
        description=f"{method.removeprefix(PREFIX)} of the peft library",
        library="peft",
        builder="adapterxfer.variants.peft_engine:PeftMaps",
        sizes=(),
        examples=({},),
        places=("linear",),
        maps=ROLES,
        start="neutral",
        neutral="start",
        merges="",
        why_unmerged="the library has a weighted form for some of its types only, which this engine does not use",
        why_unfused="AdapterFusion mixes bottlenecks after the feed-forward block; this method has none",
        citation="",
        engine="peft",
    )


def config_problem(method: str, config: Mapping[str, Any]) -> str:
    """What is wrong with the keys of a configuration, without the library; empty for nothing."""
    keys = peft_types()[method.removeprefix(PREFIX)]["keys"]
    for key in config:
        if key not in keys:
            return f"has no key '{key}' that a recipe can set; it has {', '.join(keys)}"
    for key in OURS:
        named = config.get(key, ())
        for role in (named,) if isinstance(named, str) else named:
            if role not in ROLES:
                return f"acts on linear maps by role, {', '.join(ROLES)}; {key} names '{role}'"
    return ""


def bundled_by_peft(method: str) -> bool:
    """Whether the library's own calls read a bundle of a type to the same numbers."""
    return is_peft(method) and bool(peft_types()[method.removeprefix(PREFIX)]["bundles"])


def why_not(method: str) -> str:
    """Why a ``peft:TYPE`` cannot run; empty where it can, or is no such name."""
    if not method.startswith(PREFIX) or is_peft(method):
        return ""
    known = peft_types().get(method.removeprefix(PREFIX))
    if known is None:
        running = ", ".join(name for name, facts in peft_types().items() if facts["runs"])
        return f"peft {peft_table()['version']} has no type '{method.removeprefix(PREFIX)}'; these run: {running}"
    return f"'{method}' cannot run: {known['because']}"


def why_unstacked(method: str) -> str:
    """Why a runnable type cannot lie above another adapter; empty where it can."""
    facts = peft_types().get(method.removeprefix(PREFIX), {}) if is_peft(method) else {"stacks": True}
    return "" if facts["stacks"] else str(facts["because"])
