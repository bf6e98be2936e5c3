"""Methods of libraries, ``peft:TYPE`` and ``adapters:CONFIG``, by name. Torch-free.

They are looked up and not listed: a study that names none of them needs no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from adapterxfer.catalog.methods.adapters_configs import ADAPTERS
from adapterxfer.catalog.methods.engine import Engine
from adapterxfer.catalog.methods.peft_types import PEFT
from adapterxfer.catalog.methods.spec import MethodSpec

ENGINES = (PEFT, ADAPTERS)
"""Libraries whose modules run here."""


def engine_of(method: str) -> Engine | None:
    """The library that a name points to, whether or not it has such a method; None for methods of this project."""
    return next((engine for engine in ENGINES if method.startswith(engine.prefix)), None)


def is_engine_method(method: str) -> bool:
    """Whether a name is that of a runnable method of a library."""
    engine = engine_of(method)
    return engine is not None and bool(engine.facts(method).get("runs"))


@cache
def engine_method(method: str) -> MethodSpec:
    """The specification of a library's method.

    Raises:
        KeyError: no such method, or it cannot run.
    """
    engine = engine_of(method)
    if engine is None or not is_engine_method(method):
        raise KeyError(method)
    return engine.specification(method, engine.facts(method))


def config_problem(method: str, config: Mapping[str, Any]) -> str:
    """What is wrong with the configuration of a library's method; empty for nothing, or for methods of ours."""
    engine = engine_of(method)
    return engine.config_problem(method, config) if engine else ""


def why_not(method: str) -> str:
    """Why a library's method cannot run; empty where it can, or is none."""
    engine = engine_of(method)
    return engine.why_not(method) if engine else ""


def why_unstacked(method: str) -> str:
    """Why a runnable method of a library cannot lie above another adapter; empty where it can."""
    engine = engine_of(method)
    facts = engine.facts(method) if engine else {}
    return "" if facts.get("stacks", True) else str(facts["because"])


def bundled_by(method: str) -> Literal["adapters", "peft", ""]:
    """The library whose own calls read a bundle of its method to the same numbers; empty where none does."""
    engine = engine_of(method)
    return engine.library if engine and is_engine_method(method) and engine.facts(method)["bundles"] else ""


def by_library_type(name: str) -> str:
    """How to write what a library knows by this name, e.g. ``peft:LOHA`` for ``loha``; empty where none does."""
    for engine in ENGINES:
        for known in (name, name.upper()):
            if known in engine.kinds:
                return engine.prefix + known
    return ""
