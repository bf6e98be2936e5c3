"""Turn schema errors into one-line messages with positions and suggestions."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from adapterxfer.errors import Problem
from adapterxfer.recipe.brought import key_hint
from adapterxfer.recipe.yaml_core import Document, Path

_BLOCK = "should be a block of keys"
_PLAIN = {
    "Input should be a valid tuple": "should be a list, e.g. [a, b]",
    "Input should be a valid dictionary": _BLOCK,
}


def suggestion(word: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"`` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word[:64], list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def one_of(value: object, known: Sequence[str], *, hint: str = "") -> str:
    """The tail of a message about an unknown name: the first known names, and the closest one or a better hint."""
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"is not one of: {shown}{hint or suggestion(str(value), known)}"


def short(value: object) -> str:
    """A value as it appears in a message, cut to a readable length."""
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def problems_of(errors: Sequence[ErrorDetails], document: Document, model: type[BaseModel]) -> list[Problem]:
    """One problem per schema error, at the position of the value (or of the key, where the key is wrong)."""
    return [_problem(error, document, model) for error in errors if not _follows(error)]


def _follows(error: ErrorDetails) -> bool:
    """Whether a list is only too short because its invalid items, reported by themselves, were not counted."""
    context = error.get("ctx", {})
    return error["type"] == "too_short" and len(error["input"]) >= int(context.get("min_length", 0))


def _problem(error: ErrorDetails, document: Document, model: type[BaseModel]) -> Problem:
    # Steps in brackets are pydantic's, or tags of the schema: the key itself, and which form of a value was meant.
    path: Path = tuple(step for step in error["loc"] if not (isinstance(step, str) and step[:1] == "["))
    name = ".".join(map(str, path))
    kind = error["type"]
    if kind == "extra_forbidden":
        return Problem(*_position(document, path, key=True), f"unknown key '{name}'{_close_key(model, path)}")
    if kind == "missing":
        return Problem(*_position(document, path[:-1], key=True), f"key '{name}' is missing")
    message = error["msg"]
    message = _BLOCK if kind == "model_type" else _PLAIN.get(message, message[:1].lower() + message[1:])
    about_key = bool(error.get("ctx", {}).get("key")) or "[key]" in error["loc"]
    position = _position(document, path, key=about_key)
    if "[key]" in error["loc"]:
        return Problem(*position, f"key '{name}' {message}")
    if about_key or not path:
        return Problem(*position, f"{name}: {message}" if name else message)
    joint = " " if message.startswith(("is ", "cannot ", "should ", "needs ")) else ": "
    return Problem(*position, f"{name} = {short(error['input'])}{joint}{message}")


def _position(document: Document, path: Path, *, key: bool) -> tuple[int, int]:
    """The position of a path, or of the nearest enclosing part that has one."""
    places = (document.keys, document.values) if key else (document.values, document.keys)
    while True:
        for table in places:
            if path in table:
                return table[path]
        if not path:
            return (1, 1)
        path = path[:-1]


def _close_key(model: type[BaseModel], path: Path) -> str:
    names = _keys_at(model, path[:-1])
    return key_hint(path[-1], names) or (suggestion(str(path[-1]), names) if names else "")


def _keys_at(annotation: Any, path: Path) -> list[str]:
    """The keys allowed at a path, found by walking the annotations of the schema."""
    for step in path:
        annotation = _descend(_strip(annotation), step)
        if annotation is None:
            return []
    annotation = _strip(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [info.alias or name for name, info in annotation.model_fields.items()]
    return []


def _descend(annotation: Any, step: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, info in annotation.model_fields.items():
            if step in (name, info.alias):
                return info.annotation
        return None
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return arguments[0]
    if origin in (dict, Mapping):
        return arguments[1]
    return None


def _strip(annotation: Any) -> Any:
    """Remove Annotated and an optional None."""
    while True:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            annotation = arguments[0]
        elif origin in (typing.Union, types.UnionType):
            rest = [_strip(argument) for argument in arguments if argument is not type(None)]
            if len(rest) > 1:  # a value or a block of keys: only a block has keys, and of several the first has most
                rest = [argument for argument in rest if isinstance(argument, type) and issubclass(argument, BaseModel)]
                rest = rest[:1]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation
