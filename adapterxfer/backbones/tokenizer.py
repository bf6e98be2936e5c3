"""The tokenizer of a backbone: a `tokenizer.json`, or one made from a SentencePiece model, with its special tokens."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.backbones.describing import TOKENIZER_FACTS
from adapterxfer.backbones.reading import library_class
from adapterxfer.backbones.special_tokens import (
    SPECIAL_TOKENS,
    lacks,
    named_tokens,
    no_padding,
    sidecar,
    special_tokens,
)
from adapterxfer.catalog.architectures import Architecture
from adapterxfer.errors import BackboneError

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
    if path.name == architecture.sentencepiece:
        stored, special = _made_from_sentencepiece(path, architecture, facts, named_tokens(facts))
    else:
        stored, special = _read(path), special_tokens(facts, architecture)
    if "pad_token" not in special:
        raise no_padding(path)
    if lacking := sorted({token for token in special.values() if stored.token_to_id(token) is None}):
        raise lacks(path, lacking)
    stored.no_truncation()
    stored.no_padding()
    return PreTrainedTokenizerFast(tokenizer_object=_NotCopied(stored), model_max_length=max_length, **special)


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


def _made_from_sentencepiece(
    path: Path, architecture: Architecture, facts: Mapping[str, Any], special: Mapping[str, str]
) -> tuple[Tokenizer, dict[str, str]]:
    """Convert as `transformers` does: mDeBERTa and mT5 are published without a `tokenizer.json`.

    A model that falls back to bytes loses that: its unknown characters become the unknown token, as they do for
    everybody who uses the fast tokenizer of these models.
    """
    from transformers.convert_slow_tokenizer import convert_slow_tokenizer

    # Not through the fast class: T5's would drop the space before the first word, RemBERT's would lower-case.
    options = {name: facts[name] for name in ("do_lower_case", "keep_accents", "extra_ids") if name in facts}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*byte fallback option.*", category=UserWarning)
        try:
            published = library_class(str(architecture.tokenizer))(vocab_file=str(path), **options, **special)
            stored = convert_slow_tokenizer(published)
            # Tokens that the model lacks follow its pieces, in the order of the ids they are published with.
            added = sorted(published.added_tokens_decoder.items())
            stored.add_special_tokens([token for _, token in added])
        except Exception as error:  # protobuf and the tokenizers library raise their own kinds for damaged files
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackboneError(
                f"{path}: not a SentencePiece model ({problem})", fix="restore the file from its source"
            ) from None
    moved = [str(token) for token_id, token in added if stored.token_to_id(str(token)) != token_id]
    if moved:
        raise BackboneError(
            f"{path}: {', '.join(moved)} would get another id than published", fix="save the fast tokenizer instead"
        )
    named = {name: str(token) for name, token in published.special_tokens_map.items() if name in SPECIAL_TOKENS}
    return stored, named
