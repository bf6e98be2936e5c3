"""Special tokens that the files of a tokenizer name, and what a folder lacks of them. Torch-free.

A run reads the same files with the tokenizers library; here they are looked at before anything is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.backbones.describing import CONFIG, TOKENIZER, TOKENIZER_FACTS
from adapterxfer.catalog.architectures import ARCHITECTURES, Architecture
from adapterxfer.errors import BackboneError

SPECIAL_TOKENS = ("bos_token", "eos_token", "sep_token", "cls_token", "unk_token", "pad_token", "mask_token")
"""What a ``tokenizer_config.json`` calls them."""


def sidecar(path: Path) -> dict[str, Any]:
    """Content of a ``tokenizer_config.json``; empty where there is none.

    Raises:
        BackboneError: it is no JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BackboneError(f"{path}: not valid JSON ({error})", fix="restore the file from its source") from None
    return content if isinstance(content, dict) else {}


def named_tokens(facts: Mapping[str, Any]) -> dict[str, str]:
    """Special tokens that a ``tokenizer_config.json`` names."""
    named = {}
    for name in SPECIAL_TOKENS:
        value = facts.get(name)
        text = value.get("content") if isinstance(value, Mapping) else value
        if isinstance(text, str):
            named[name] = text
    return named


def special_tokens(facts: Mapping[str, Any], architecture: Architecture | None) -> dict[str, str]:
    """Special tokens of a ``tokenizer.json`` of this architecture, with these facts beside it."""
    named = named_tokens(facts)
    return dict(architecture.usual_tokens) if not named and architecture is not None else named


def tokenizer_problems(folder: Path) -> list[BackboneError]:
    """Why no text can be encoded with the tokenizer of a folder; empty where nothing is known against it.

    SentencePiece models bring their special tokens themselves.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        return []
    try:
        tokens = special_tokens(sidecar(folder / TOKENIZER_FACTS), ARCHITECTURES.get(_model_type(folder)))
    except BackboneError as error:
        return [error]
    if "pad_token" not in tokens:
        return [no_padding(path)]
    text = path.read_text(encoding="utf-8", errors="replace")
    # Whether the text occurs at all: parsing a vocabulary of a quarter of a million pieces takes a second.
    lacking = sorted({token for token in tokens.values() if not any(form in text for form in _written(token))})
    return [lacks(path, lacking)] if lacking else []


def no_padding(path: Path) -> BackboneError:
    """A tokenizer that names no padding token."""
    return BackboneError(f"{path}: no padding token is named", fix=f"put its {TOKENIZER_FACTS} beside it")


def lacks(path: Path, tokens: list[str]) -> BackboneError:
    """A tokenizer without tokens that it names: they would get ids behind the embedding table."""
    return BackboneError(f"{path}: lacks {', '.join(tokens)}", fix="give it the special tokens of the backbone")


def _written(token: str) -> set[str]:
    return {json.dumps(token), json.dumps(token, ensure_ascii=False)}


def _model_type(folder: Path) -> str:
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(content.get("model_type")) if isinstance(content, dict) else ""
