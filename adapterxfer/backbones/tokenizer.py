"""The tokenizer of a backbone: a `tokenizer.json` with its special tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "cls_token": "<s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
"""Of XLM-R; they hold where the folder says nothing else."""

SIDECAR = "tokenizer_config.json"


def load_tokenizer(path: Path, *, max_length: int, default: bool = True) -> PreTrainedTokenizerFast:
    """Read `tokenizer.json` as a fast tokenizer, which knows the character offsets of its tokens.

    Code and classes that files name are never looked at.

    Args:
        path: the file; special tokens are those of the `tokenizer_config.json` beside it.
        max_length: longest input of the backbone, in tokens, special tokens included.
        default: take the special tokens of XLM-R where the folder names none.

    Raises:
        BackboneError: the file is absent or damaged, names no special tokens, or lacks one of them.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    if not path.is_file():
        raise BackboneError(f"{path}: not found", fix="put the tokenizer of the backbone beside its weights")
    try:
        stored = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises a bare Exception for damaged files
        raise BackboneError(f"{path}: not a tokenizer ({error})", fix="restore the file from its source") from None
    special = _named_tokens(path.with_name(SIDECAR)) or (SPECIAL_TOKENS if default else {})
    if "pad_token" not in special:
        raise BackboneError(f"{path}: no padding token is named", fix=f"put its {SIDECAR} beside it")
    # A token the file does not know would get an id behind the embedding table.
    if lacking := sorted({token for token in special.values() if stored.token_to_id(token) is None}):
        raise BackboneError(f"{path}: lacks {', '.join(lacking)}", fix="give it the special tokens of the backbone")
    stored.no_truncation()
    stored.no_padding()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=stored, model_max_length=max_length, **special
    )


def _named_tokens(path: Path) -> dict[str, str]:
    """Special tokens of a `tokenizer_config.json`; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BackboneError(f"{path}: not valid JSON ({error})", fix="restore the file from its source") from None
    found = {}
    for name in SPECIAL_TOKENS:
        value: Any = content.get(name) if isinstance(content, dict) else None
        text = value.get("content") if isinstance(value, Mapping) else value
        if isinstance(text, str):
            found[name] = text
    return found
