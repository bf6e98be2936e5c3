"""Settings of this project's own adapter methods, with the names, defaults and meaning of the library they come from.

A recipe gives them as ``config`` of an adapter; those that keep their defaults leave no trace in an identity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapterxfer.catalog.methods import METHODS
from adapterxfer.catalog.methods.setting import LINEAR_ROLES, Setting
from adapterxfer.catalog.methods.spec import CONFIG, MethodSpec

SETTINGS: Mapping[str, Mapping[str, Setting]] = {spec.name: spec.settings for spec in METHODS.values() if spec.settings}
"""Method -> its settings. A method that is not here has none."""


def settings_problem(method: str, config: Mapping[str, Any]) -> str:
    """What is wrong with the settings of a method, or an empty text."""
    known = SETTINGS.get(method, {})
    for name, value in config.items():
        if name not in known:
            return f"has no setting '{name}'; it has: {', '.join(known) or 'none'}"
        if wrong := known[name].problem(value):
            return f"{name}: {wrong}, not {value!r}"
    pattern, targets = config.get("rank_pattern") or {}, effective(method, config).get("target_modules", ())
    if left := [role for role in pattern if role not in targets]:
        return f"rank_pattern: '{left[0]}' is none of target_modules ({', '.join(targets)})"
    return ""


def differing(method: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not the defaults, as JSON values: maps in the order of `LINEAR_ROLES`."""
    known = SETTINGS.get(method, {})
    result: dict[str, Any] = {}
    for name, value in sorted(config.items()):
        if known[name].kind == "roles":
            if set(value) != set(known[name].default):
                result[name] = [role for role in LINEAR_ROLES if role in value]
        elif known[name].kind == "ranks":
            if value:
                result[name] = {role: value[role] for role in LINEAR_ROLES if role in value}
        elif value != known[name].default:
            result[name] = float(value) if known[name].kind == "number" else value
    return result


def effective(method: str, config: Mapping[str, Any] | str = "") -> dict[str, Any]:
    """All settings of a method, those of a configuration (or its JSON) in the place of the defaults."""
    values = json.loads(config) if isinstance(config, str) and config else config or {}
    return {name: setting.default for name, setting in SETTINGS.get(method, {}).items()} | dict(values)


def changed_roles(spec: MethodSpec, config: Mapping[str, Any] | str = "") -> tuple[str, ...]:
    """Roles of the linear maps that an adapter changes, in the order in which start values are drawn."""
    if spec.name not in SETTINGS or not spec.maps:
        return spec.maps
    return tuple(effective(spec.name, config)["target_modules"])


def spec_with(spec: MethodSpec, config: str) -> MethodSpec:
    """The specification of a method with settings: without the block's output no weights change nothing."""
    if not config or spec.name not in SETTINGS:
        return spec
    values = effective(spec.name, config)
    kept = values.get("residual_before_ln", True) or not values.get("original_ln_before")
    return spec if kept else replace(spec, neutral="moved")


def settings_of(adapter: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings that an adapter of a recipe or an identity gives to a method of ours; none for others."""
    return (adapter.get(CONFIG) or {}) if str(adapter.get("method")) in SETTINGS else {}
