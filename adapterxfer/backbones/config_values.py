"""What a `config.json` says about the function of an encoder, under every version of `transformers`. Torch-free.

Keys move between versions, and a version ignores keys that it does not know. mmBERT saved by transformers 5 would lose
the base of its local rotary positions on 4.57 that way, without a word.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from adapterxfer.catalog.architectures import Architecture
from adapterxfer.errors import BackboneError

ROPE = "rope_parameters"
FULL, SLIDING = "full_attention", "sliding_attention"

_BASES: Mapping[str, Mapping[str, str]] = {
    "modernbert": {FULL: "global_rope_theta", SLIDING: "local_rope_theta"},
    "gemma3_text": {FULL: "rope_theta", SLIDING: "rope_local_base_freq"},
}
"""Where transformers 4 has the bases of models with two kinds of layers; all others have ``rope_theta``."""

_ONLY: Mapping[str, tuple[Any, ...]] = {"position_embedding_type": ("absolute",), "pruned_heads": ({}, None)}
"""Keys with the values under which both versions compute the same function."""

_HARMLESS = frozenset(
    {"_name_or_path", "architectures", "auto_map", "dtype", "model_type", "torch_dtype", "transformers_version"}
)


def version_of(text: str) -> tuple[int, ...]:
    """``5.24.0.dev0`` as numbers that compare."""
    return tuple(int(digits) for digits in re.findall(r"\d+", text)[:3])


def installed_version() -> tuple[int, ...]:
    """Of `transformers`, which is not imported."""
    return version_of(version("transformers"))


def translated(content: Mapping[str, Any], *, where: str, installed: tuple[int, ...] | None = None) -> dict[str, Any]:
    """The content of a ``config.json`` in the words of the installed `transformers`.

    Args:
        content: as in the file.
        where: named in errors.
        installed: version of `transformers`, here other than in tests that ask about another one.

    Raises:
        BackboneError: it asks for something that the installed version would leave out or do in another way.
    """
    for name, values in _ONLY.items():
        if name in content and content[name] not in values:
            raise BackboneError(
                f"{where}: {name} is {content[name]!r}, which not every version of transformers computes",
                fix="use a backbone with absolute positions and all its heads",
            )
    if (installed or installed_version()) >= (5,):
        return dict(content)
    kept = {name: value for name, value in content.items() if name != ROPE}
    if content.get(ROPE) is not None:
        kept |= _bases(str(content.get("model_type")), content[ROPE], where)
    if content.get("model_type") == "modernbert" and content.get("layer_types") is not None:
        del kept["layer_types"]
        kept["global_attn_every_n_layers"] = _every(content["layer_types"], where)
    if content.get("model_type") == "modernbert" and content.get("rope_scaling"):
        raise _refused(where, "rope_scaling")
    return kept


def check_known(content: Mapping[str, Any], known: Collection[str], *, where: str) -> None:
    """Refuse keys that only a newer version of `transformers` knows.

    Files are full of keys that nothing reads, so those of the same or an older version are let through.

    Args:
        content: as in the file.
        known: what the installed class knows.

    Raises:
        BackboneError: the file is newer and has other keys.
    """
    writer = str(content.get("transformers_version") or "0")
    if version_of(writer) <= installed_version():
        return
    usual = {*_HARMLESS, *_ONLY, ROPE, "layer_types", "rope_scaling", *known}
    if unknown := sorted(content.keys() - usual):
        raise BackboneError(
            f"{where}: written by transformers {writer}, and {version('transformers')} does not know "
            f"{', '.join(unknown)}",
            fix=f"install transformers {writer} or newer, which may give these keys a meaning",
        )


def function_values(config: Any, architecture: Architecture) -> dict[str, Any]:
    """The values of a loaded configuration that move the function, in the same words under every version."""
    values = {name: getattr(config, name, None) for name in architecture.function}
    rope = _rope(config, architecture.model_type)
    if architecture.model_type == "modernbert":
        kinds = getattr(config, "layer_types", None)
        values["full_attention_every"] = _every(kinds, "config") if kinds else config.global_attn_every_n_layers
    return values | ({ROPE: rope} if rope else {})


def function_digest(config: Any, architecture: Architecture) -> str:
    """sha256 of `function_values`: encoders with equal weights compute the same if this is equal too."""
    content = {"model_type": architecture.model_type, **function_values(config, architecture)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def config_problems(folder: Path) -> list[BackboneError]:
    """Why the installed `transformers` would not compute what a ``config.json`` says, as far as the file shows it."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        translated(content if isinstance(content, dict) else {}, where=str(path))
    except BackboneError as error:
        return [error]
    except (OSError, ValueError):
        return []  # whoever loads it says so
    return []


def _bases(model_type: str, rope: Any, where: str) -> dict[str, Any]:
    """Keys of transformers 4 for the rotary positions of a file of transformers 5."""
    if not isinstance(rope, Mapping):
        raise _refused(where, ROPE)
    kinds = rope if FULL in rope or SLIDING in rope else {FULL: rope}
    names = _BASES.get(model_type, {FULL: "rope_theta"})
    if not kinds.keys() <= names.keys():
        raise _refused(where, ROPE)
    keys: dict[str, Any] = {}
    for kind, facts in kinds.items():
        facts = dict(facts or {})
        base = facts.pop("rope_theta", None)
        if base is not None:
            keys[names[kind]] = base
        if facts.get("rope_type", "default") == "default" and len(facts) <= 1:
            continue
        # One further rule for all layers is all that transformers 4 knows.
        if model_type == "modernbert" or kind == SLIDING:
            raise _refused(where, ROPE)
        keys["rope_scaling"] = facts
    return keys


def _every(kinds: Any, where: str) -> int:
    """``n`` where every n-th layer, from the first, attends to all tokens."""
    full = [index for index, kind in enumerate(kinds) if kind == FULL]
    step = full[1] if len(full) > 1 else len(kinds)
    if not full or any((kind == FULL) != (index % step == 0) for index, kind in enumerate(kinds)):
        raise _refused(where, "layer_types")
    return step


def _rope(config: Any, model_type: str) -> dict[str, Any]:
    """Rotary positions by kind of layer; empty for models without."""
    rope = getattr(config, ROPE, None)
    if rope:
        kinds = rope if FULL in rope or SLIDING in rope else {FULL: rope}
        return {kind: {"rope_type": "default", **(facts or {})} for kind, facts in sorted(kinds.items())}
    names = _BASES.get(model_type, {FULL: "rope_theta"})
    bases = {kind: getattr(config, name, None) for kind, name in names.items()}
    scaling = {
        "rope_type" if key == "type" else key: v for key, v in (getattr(config, "rope_scaling", None) or {}).items()
    }
    return {
        kind: {"rope_type": "default", **(scaling if kind == FULL else {}), "rope_theta": base}
        for kind, base in sorted(bases.items())
        if base is not None
    }


def _refused(where: str, key: str) -> BackboneError:
    return BackboneError(
        f"{where}: transformers {version('transformers')} cannot compute its {key}",
        fix="install transformers 5 (pip install -c constraints.txt), which reads this file as it was written",
    )
