"""What the folder of a backbone holds, before anything is loaded: files, shape, parameter counts. Torch-free.

Counts come from the headers of the safetensors files, which name every tensor with its shape.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.backbones.headers import read_header
from adapterxfer.catalog.architectures import ARCHITECTURES, Architecture, architecture_of, encoder_part
from adapterxfer.errors import BackboneError

CONFIG = "config.json"
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
TOKENIZER, TOKENIZER_FACTS = "tokenizer.json", "tokenizer_config.json"
SENTENCEPIECE = tuple(sorted({known.sentencepiece for known in ARCHITECTURES.values() if known.sentencepiece}))

_TABLES = re.compile(
    r"(?:word_embeddings|position_embeddings|token_type_embeddings|rel_embeddings|tok_embeddings|embed_tokens"
    r"|relative_attention_bias|(?:^|\.)shared)\.weight\Z"
    r"|embed_tokens\.eoi_embedding\Z"  # one more row of T5Gemma 2's table, where an image ends
)
_WORDS = re.compile(r"(?:word_embeddings|tok_embeddings|embed_tokens|(?:^|\.)shared)\.weight\Z")
_SAME_TABLE = re.compile(r"(?:encoder\.embed_tokens|(?:^|\.)shared)\.weight\Z")


@dataclass(frozen=True, slots=True)
class Description:
    """One backbone on disk.

    Attributes:
        files: relative path -> sha256 of everything that will be read.
        architecture: ``model_type``.
        parameters, non_embedding_parameters: of the encoder, heads and poolers left out.
        hidden, layers: its shape.
    """

    files: Mapping[str, str]
    architecture: str
    parameters: int
    non_embedding_parameters: int
    hidden: int
    layers: int


def describe_folder(folder: Path, sha256: Callable[[Path], str]) -> Description:
    """Read names and headers in a folder.

    Args:
        sha256: hashes one file; a cache saves time with large ones.

    Raises:
        BackboneError: a file is missing or damaged, weights are pickles only, or the architecture is unknown.
    """
    config = encoder_part(_json(folder / CONFIG))
    architecture = architecture_of(str(config.get("model_type")), where=str(folder / CONFIG))
    names = [CONFIG, *weight_names(folder), tokenizer_name(folder, architecture)]
    names += [TOKENIZER_FACTS] if (folder / TOKENIZER_FACTS).is_file() else []
    total, tables, rows = _count(folder, architecture.prefixes, architecture.dropped)
    vocabulary = config.get("vocab_size")
    if rows and isinstance(vocabulary, int) and rows != vocabulary:
        raise BackboneError(
            f"{folder}: embeddings of {rows} tokens, but {CONFIG} says {vocabulary}", fix="restore the folder"
        )
    hidden, layers = config.get(architecture.width), config.get(architecture.depth)
    if not isinstance(hidden, int) or not isinstance(layers, int):
        raise BackboneError(f"{folder / CONFIG}: names no width or no number of layers", fix="restore the file")
    return Description(
        {name: sha256(folder / name) for name in names}, architecture.model_type, total, total - tables, hidden, layers
    )


def weight_names(folder: Path) -> list[str]:
    """Relative paths of the weight files, with the index of parted ones.

    Raises:
        BackboneError: there are none in safetensors.
    """
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if not (folder / WEIGHTS_INDEX).is_file():
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        hint = f"; {pickles[0]} is a pickle, which is never read" if pickles else ""
        raise BackboneError(
            f"{folder}: no {WEIGHTS}{hint}",
            fix="save the weights as safetensors (save_pretrained with safe_serialization=True)",
        )
    parts = _json(folder / WEIGHTS_INDEX).get("weight_map")
    if not isinstance(parts, dict) or any(Path(str(name)).name != name for name in parts.values()):
        raise BackboneError(f"{folder / WEIGHTS_INDEX}: names no files of this folder", fix="do not use this folder")
    return [WEIGHTS_INDEX, *sorted(set(parts.values()))]


def tokenizer_name(folder: Path, architecture: Architecture) -> str:
    """The file that holds the tokenizer: a fast one, or else the SentencePiece model that one is made from.

    Raises:
        BackboneError: there is neither.
    """
    names = [TOKENIZER, *([architecture.sentencepiece] if architecture.sentencepiece else [])]
    for name in names:
        if (folder / name).is_file():
            return name
    raise BackboneError(
        f"{folder}: no {' and no '.join(names)}",
        fix="save the fast tokenizer of the backbone beside its weights (save_pretrained)",
    )


def check_files(folder: Path, files: Mapping[str, str], sha256: Callable[[Path], str]) -> None:
    """Compare a folder with what a plan pinned.

    Raises:
        BackboneError: a file is missing or another one.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise BackboneError(f"{path}: not found, but the plan pins it", fix="restore the folder, or plan again")
        if (digest := sha256(path)) != expected:
            raise BackboneError(
                f"{path}: sha256 {digest[:16]}, but the plan pins {expected[:16]}",
                fix="restore the file, or plan the recipe again to use the new one",
            )


def _count(folder: Path, prefixes: tuple[str, ...], dropped: tuple[str, ...]) -> tuple[int, int, int]:
    """Numbers in all tensors of the encoder and in its tables; rows of the table of words, 0 where none is seen."""
    sizes: dict[str, int] = {}
    rows = 0
    for name in weight_names(folder):
        if not name.endswith(".safetensors"):
            continue
        for full_name, facts in _header(folder / name).items():
            tensor = full_name
            for prefix in prefixes:
                tensor = tensor.removeprefix(prefix)
            if tensor.startswith(dropped) or tensor.endswith("embeddings.position_ids"):
                continue
            # One table under two names is stored under either or both.
            tensor = "shared.weight" if _SAME_TABLE.search(tensor) else tensor
            sizes[tensor] = math.prod(facts["shape"])
            rows = facts["shape"][0] if _WORDS.search(tensor) else rows
    tables = sum(size for name, size in sizes.items() if _TABLES.search(name))
    return sum(sizes.values()), tables, rows


def _header(path: Path) -> dict[str, Any]:
    try:
        return read_header(path)[0]
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path}: cannot be read ({error})", fix="restore the file from its source") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"{path}: cannot be read ({error})", fix="give a folder that holds a whole backbone"
        ) from None
    if not isinstance(value, dict):
        raise BackboneError(f"{path}: not a JSON object", fix="restore the file from its source")
    return value
