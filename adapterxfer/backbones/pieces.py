"""A fast tokenizer from a SentencePiece model: XLM-R, mDeBERTa, RemBERT and mT5 are published with one.

The converters of `transformers` do the work, and are told here what the published tokenizer would tell them. Its own
classes are not asked: those of version 5 ignore the file, and their mDeBERTa has another normalisation.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from adapterxfer.catalog.architectures.piece_tokens import PieceTokens
from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer

UNIGRAM = 1
"""Kind of model in the file's own numbering; the published models of all architectures here are of this kind."""


ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""In the order in which `transformers` appends those that a model lacks."""


def tokenizer_of_pieces(
    path: Path, rules: PieceTokens, facts: Mapping[str, Any], named: Mapping[str, str]
) -> tuple[Tokenizer, dict[str, str]]:
    """Convert a SentencePiece model.

    A model that falls back to bytes loses that: its unknown characters become the unknown token, as they do for
    everybody who uses the fast tokenizer of these models.

    Args:
        path: the model.
        rules: of its architecture.
        facts: the ``tokenizer_config.json`` beside it.
        named: special tokens which that names, by role.

    Returns:
        The tokenizer, and its special tokens by role.

    Raises:
        BackboneError: the file is damaged or no unigram model, or a special token would not get its published id.
    """
    texts = {**rules.tokens, **named}
    tokens = {role: texts[role] for role in ROLES if role in texts}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*byte fallback option.*", category=UserWarning)
        try:
            stored, ids, added = _convert(path, rules, facts, tokens)
        except Exception as error:  # protobuf and the tokenizers library raise their own kinds for damaged files
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackboneError(
                f"{path}: not a SentencePiece model ({problem})", fix="restore the file from its source"
            ) from None
    moved = [token.content for token in added if stored.token_to_id(token.content) != ids[token.content]]
    if moved:
        raise BackboneError(
            f"{path}: {', '.join(moved)} would get another id than published",
            fix="put the tokenizer.json of its publisher beside the weights",
        )
    return stored, tokens


def _convert(
    path: Path, rules: PieceTokens, facts: Mapping[str, Any], tokens: Mapping[str, str]
) -> tuple[Tokenizer, dict[str, int], list[AddedToken]]:
    """The tokenizer, the published ids of its special tokens, and these tokens in the order of their ids."""
    from tokenizers import AddedToken

    ids: dict[str, int] = {}
    count = int(facts.get("extra_ids", rules.sentinels)) if rules.sentinels else 0
    # What a converter asks of the tokenizer that it converts.
    published = SimpleNamespace(
        vocab_file=str(path),
        convert_tokens_to_ids=ids.__getitem__,
        _extra_ids=count,
        **{name: bool(facts.get(name, default)) for name, default in rules.options.items()},
    )
    # The package has a function of this name too, which hides the module once it was used.
    converters = import_module("transformers.convert_slow_tokenizer")
    converter: Any = getattr(converters, rules.converter)(published)
    if converter.proto.trainer_spec.model_type != UNIGRAM:
        raise ValueError("its pieces are not those of a unigram model")
    pieces = [piece for piece, _ in converter.vocab(converter.proto)]
    # Of two pieces with the same text the first counts, as it does for the library of SentencePiece.
    known = {piece: number for number, piece in reversed(list(enumerate(pieces)))}
    sentinels = [f"<extra_id_{number}>" for number in range(count - 1, -1, -1)]
    special = list(dict.fromkeys([*tokens.values(), *sentinels]))
    lacking = (text for text in special if text not in known)
    known |= {text: len(pieces) + number for number, text in enumerate(lacking)}
    ids |= {text: known[text] for text in special}
    stored: Tokenizer = converter.converted()
    sentinel = set(sentinels)
    added = [
        AddedToken(
            text,
            lstrip=text in rules.takes_space or text in sentinel,
            rstrip=text in sentinel,
            normalized=text in rules.normalized,
            special=True,
        )
        for text in sorted(ids, key=ids.__getitem__)
    ]
    # Tokens that the model lacks follow its pieces, in the order of the ids they are published with.
    stored.add_special_tokens(added)
    return stored, ids, added
