"""The tokenizer of a backbone: a `tokenizer.json`, or one made from a SentencePiece model, with its special tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.backbones.describing import TOKENIZER_FACTS
from adapterxfer.backbones.pieces import tokenizer_of_pieces
from adapterxfer.backbones.special_tokens import (
    lacks,
    named_tokens,
    no_padding,
    sidecar,
    special_tokens,
)
from adapterxfer.catalog.architectures import Architecture
from adapterxfer.errors import BackboneError

BARE = "adapterxfer_bare"
"""Attribute of tokenizers whose texts may begin without a special token, because no head reads the first one."""

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast


def load_tokenizer(path: Path, *, max_length: int, architecture: Architecture) -> PreTrainedTokenizerFast:
    """Read a fast tokenizer, which knows the character offsets of its tokens.

    Code and classes that files name are never looked at.

    Args:
        path: a `tokenizer.json`, or the SentencePiece model of the architecture; special tokens are those of the
            `tokenizer_config.json` beside it.
        max_length: longest input of the backbone, in tokens, special tokens included.
        architecture: whose tokenizer it is.

    Raises:
        BackboneError: the file is absent or damaged, names no special tokens, or lacks one of them.
    """
    from transformers import PreTrainedTokenizerFast

    if not path.is_file():
        raise BackboneError(f"{path}: not found", fix="put the tokenizer of the backbone beside its weights")
    facts = sidecar(path.with_name(TOKENIZER_FACTS))
    if path.name == architecture.sentencepiece and architecture.pieces is not None:
        stored, special = tokenizer_of_pieces(path, architecture.pieces, facts, named_tokens(facts))
    else:
        stored, special = _read(path), special_tokens(facts, architecture)
    if "pad_token" not in special:
        raise no_padding(path)
    if lacking := sorted({token for token in special.values() if stored.token_to_id(token) is None}):
        raise lacks(path, lacking)
    stored.no_truncation()
    stored.no_padding()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=_NotCopied(stored), model_max_length=max_length, **special)
    setattr(tokenizer, BARE, architecture.pooling != "first")
    return tokenizer


class _NotCopied:
    """A tokenizer that comes out of `copy.deepcopy` as it went in.

    The library copies what it is given by way of its JSON: with 250,000 tokens, a third of a gigabyte and of what
    loading a small backbone takes.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def __deepcopy__(self, memo: dict[int, object]) -> Tokenizer:
        return self._tokenizer


def _read(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises a bare Exception for damaged files
        raise BackboneError(f"{path}: not a tokenizer ({error})", fix="restore the file from its source") from None
