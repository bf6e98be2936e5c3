"""Special tokens that the files of a tokenizer name, and what a folder lacks of them. Torch-free.

A run reads the same files with the tokenizers library; here they are looked at before anything is trained.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapterxfer.backbones.describing import CONFIG, TOKENIZER, TOKENIZER_FACTS
from adapterxfer.catalog.architectures import ARCHITECTURES, Architecture, encoder_part
from adapterxfer.errors import BackboneError

SPECIAL_TOKENS = ("bos_token", "eos_token", "sep_token", "cls_token", "unk_token", "pad_token", "mask_token")
"""What a ``tokenizer_config.json`` calls them."""

Fact = Callable[[Path, str, Callable[[Path], object]], object]
"""Gives what a function says of a file, perhaps from an earlier look at the same bytes, remembered under a name."""


def look(path: Path, _name: str, compute: Callable[[Path], object]) -> object:
    """A `Fact` that remembers nothing."""
    return compute(path)


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
    if architecture is None:
        return named
    special = named or dict(architecture.usual_tokens)
    if architecture.causal and "eos_token" in special:
        # What stands behind a text is never seen, so any token may fill it up; decoders are published without one.
        special.setdefault("pad_token", special["eos_token"])
    return special


def tokenizer_problems(folder: Path, fact: Fact = look) -> list[BackboneError]:
    """Why no text can be encoded with the tokenizer of a folder; empty where nothing is known against it.

    SentencePiece models bring their special tokens themselves.

    Args:
        fact: remembers what the vocabulary says of the tokens asked for: 250,000 pieces take a quarter of a second to
            read.
    """
    path, config = folder / TOKENIZER, encoder_part(_content(folder / CONFIG))
    if not path.is_file():
        return []
    architecture = ARCHITECTURES.get(str(config.get("model_type")))
    try:
        tokens = special_tokens(sidecar(folder / TOKENIZER_FACTS), architecture)
    except BackboneError as error:
        return [error]
    asked = sorted(set(tokens.values()))
    told = fact(path, f"#tokenizer {json.dumps(asked)}", lambda file: _told(file, asked))
    if not isinstance(told, Mapping):
        return [BackboneError(f"{path}: not a tokenizer", fix="restore the file from its source")]
    problems = [] if "pad_token" in tokens else [no_padding(path)]
    if told["lacking"]:
        problems.append(lacks(path, told["lacking"]))
    room = config.get("vocab_size")
    if isinstance(room, int) and told["tokens"] > room:
        problems.append(too_many(path, told["tokens"], folder / CONFIG, room))
    if architecture is not None and architecture.pooling == "first" and not told["post_processor"]:
        problems.append(no_first_token(path))
    return problems


def _told(path: Path, asked: list[str]) -> dict[str, Any] | None:
    """How many tokens a ``tokenizer.json`` has, which of those asked for it lacks, and whether it adds any to texts."""
    content = _content(path)
    known = _known(content)
    if known is None:
        return None
    lacking = [token for token in asked if token not in known]
    return {"tokens": len(known), "lacking": lacking, "post_processor": content.get("post_processor") is not None}


def tokenizer_cautions(folder: Path, fact: Fact = look) -> list[str]:
    """What moves the ids of a tokenizer without being an error: the map of compatibility forms that mDeBERTa lost.

    transformers 5 writes its ``tokenizer.json`` without the normalisation of the SentencePiece model, so full-width
    letters, ligatures and some Thai and Chinese characters get other ids than in pretraining.
    """
    path = folder / TOKENIZER
    architecture = ARCHITECTURES.get(str(_content(folder / CONFIG).get("model_type")))
    if not path.is_file() or architecture is None or not architecture.maps_compatibility:
        return []
    if not fact(path, "#lacks-precompiled-map", _lacks_map):
        return []
    return [
        f"{path}: normalises with NFC and lacks the map that mDeBERTa was pretrained with, as files written by "
        "transformers 5 do: compatibility forms get other ids; put the publisher's tokenizer.json, or its spm.model "
        "alone, in its place"
    ]


def _lacks_map(path: Path) -> bool:
    written = json.dumps(_content(path).get("normalizer"))
    return '"Precompiled"' not in written and '"NFC"' in written


def no_padding(path: Path) -> BackboneError:
    """A tokenizer that names no padding token."""
    return BackboneError(f"{path}: no padding token is named", fix=f"put its {TOKENIZER_FACTS} beside it")


def lacks(path: Path, tokens: list[str]) -> BackboneError:
    """A tokenizer without tokens that it names: they would get ids behind the embedding table."""
    return BackboneError(f"{path}: lacks {', '.join(tokens)}", fix="give it the special tokens of the backbone")


def too_many(path: Path, tokens: int, config: Path, room: int) -> BackboneError:
    """A tokenizer with ids behind the embedding table."""
    return BackboneError(
        f"{path}: {tokens} tokens, but {config} has room for {room}", fix="put the backbone's own tokenizer beside it"
    )


def no_first_token(path: Path) -> BackboneError:
    """A tokenizer that puts nothing before a text, for an encoder whose first token stands for the text."""
    return BackboneError(f"{path}: puts no special token before a text", fix="add a post-processor to it")


def _known(content: Mapping[str, Any]) -> set[str] | None:
    """All tokens of a ``tokenizer.json``; None where it is none."""
    model, added = content.get("model"), content.get("added_tokens")
    vocabulary = model.get("vocab") if isinstance(model, Mapping) else None
    try:
        # A list is one of SentencePiece: pieces with their scores.
        pieces = set(vocabulary) if isinstance(vocabulary, Mapping) else {str(piece) for piece, _ in vocabulary or ()}
        pieces |= {str(token["content"]) for token in added or ()}
    except (TypeError, ValueError, KeyError):
        return None
    return pieces or None


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
