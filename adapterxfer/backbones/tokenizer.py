"""The tokenizer of a backbone: a `tokenizer.json` with the special tokens of XLM-R."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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


def load_tokenizer(path: Path, *, max_length: int) -> PreTrainedTokenizerFast:
    """Read `tokenizer.json` as a fast tokenizer, which knows the character offsets of its tokens.

    Args:
        path: the file.
        max_length: longest input of the backbone, in tokens, special tokens included.

    Raises:
        BackboneError: the file is absent or damaged, or lacks a special token.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    if not path.is_file():
        raise BackboneError(f"{path}: not found", fix="put the tokenizer of the backbone beside its weights")
    try:
        stored = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises a bare Exception for damaged files
        raise BackboneError(f"{path}: not a tokenizer ({error})", fix="restore the file from its source") from None
    # A token the file does not know would get an id behind the embedding table.
    if lacking := sorted({token for token in SPECIAL_TOKENS.values() if stored.token_to_id(token) is None}):
        raise BackboneError(f"{path}: lacks {', '.join(lacking)}", fix="train it with the XLM-R special tokens")
    stored.no_truncation()
    stored.no_padding()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=stored, model_max_length=max_length, **SPECIAL_TOKENS
    )
