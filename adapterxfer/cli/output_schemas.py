"""JSON Schema of every command's output, made from the table in `outputs.py` and the classes that it names."""

from __future__ import annotations

import types
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from adapterxfer.cli.outputs import ITEMS, OUTPUTS

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_PLAIN: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "any": {},
}


def schema_of(command: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what ``adapterxfer COMMAND --json`` prints.

    Raises:
        KeyError: no such command, or it has no ``--json``.
    """
    output = OUTPUTS[command]
    properties: dict[str, Any] = {
        "command": {"const": command},
        "output_version": {"const": output.version},
    }
    properties |= {key.rstrip("?"): _expression(kind) for key, kind in output.keys.items() if key != "*"}
    return {
        "$schema": DRAFT,
        "title": f"adapterxfer {command} --json",
        "description": output.about,
        "type": "object",
        "required": ["command", "output_version", *(key for key in output.keys if key != "*" and key[-1] != "?")],
        "properties": properties,
        "additionalProperties": "*" in output.keys,
    }


def _expression(text: str) -> dict[str, Any]:
    """A type of `outputs.Output` as a schema."""
    if text.startswith("["):
        return {"type": "array", "items": _expression(text[1:-1])}
    if text.startswith("{"):
        return {"type": "object", "additionalProperties": _expression(text[1:-1])}
    if text.startswith("@"):
        module, name = ITEMS[text[1:]].split(":")
        return _record(getattr(import_module(module), name))
    if text.endswith("?"):
        return {"anyOf": [_expression(text[:-1]), {"type": "null"}]}
    return _PLAIN[text]


def _record(kind: type) -> dict[str, Any]:
    """The object that `report.content.plain` makes of a record."""
    from adapterxfer.report.content import columns

    hints = get_type_hints(kind)
    properties = {name: _hint(hints[name]) for name in columns(kind)}
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _hint(hint: Any) -> dict[str, Any]:
    """A type of a field; numbers that are not finite are written as null."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_hint(choice) for choice in inner]}
    if hint is type(None):
        return {"type": "null"}
    if hint is float:
        return {"type": ["number", "null"]}
    if hint in (str, int, bool):
        return {str: _PLAIN["text"], int: _PLAIN["integer"], bool: _PLAIN["boolean"]}[hint]
    if origin is tuple:
        return {"type": "array", "items": _hint(inner[0]) if inner[1:] == (...,) else {}}
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    return {}
