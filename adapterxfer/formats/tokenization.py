"""Text to token ids with full control over special tokens, truncation and windows.

A fast tokenizer is called once per list of texts, without special tokens; the template around them (``<s> a </s></s> b
</s>`` for XLM-R) is learnt from the tokenizer by encoding a probe, so every backbone gets its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from adapterxfer.errors import BackboneError

WORD_START_MARKS = ("\u2581", "\u0120")
"""Pieces that only say "a word starts here" (SentencePiece and byte-level vocabularies)."""

SEPARATOR = "\n"
"""Between two texts, for tokenizers that put no special token there."""

_ENCODERS: WeakKeyDictionary[Any, Encoder] = WeakKeyDictionary()


class Pieces(NamedTuple):
    """Token ids of one text and the characters (code points, end excluded) each of them covers in the raw text."""

    ids: list[int]
    spans: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Encoder:
    """A tokenizer's pieces and its template of special tokens.

    Attributes:
        tokenizer: a `tokenizers.Tokenizer`.
        single: special ids before and after one text.
        pair: special ids before, between and after two texts.
        pad_id: id that fills batches.
        marks: ids of bare word-start marks.
        fingerprint: sha256 of the whole tokenizer.
    """

    tokenizer: Any = field(repr=False)
    single: tuple[list[int], list[int]]
    pair: tuple[list[int], list[int], list[int]]
    pad_id: int
    marks: frozenset[int]
    fingerprint: str

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens and untruncated; each different text is encoded once."""
        unique = list(dict.fromkeys(texts))
        encodings = self.tokenizer.encode_batch_fast(unique, add_special_tokens=False)
        ids = {text: encoding.ids for text, encoding in zip(unique, encodings, strict=True)}
        return [ids[text] for text in texts]

    def texts_with_spans(self, texts: Sequence[str]) -> list[Pieces]:
        """Like `texts`, with character spans in the raw text.

        Spaces at the start of a piece are left out of its span; the span of a bare word-start mark is empty.
        """
        unique = list(dict.fromkeys(texts))
        pieces = {}
        for text, encoding in zip(unique, self.tokenizer.encode_batch(unique, add_special_tokens=False), strict=True):
            spans = []
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
                if token in self.marks:
                    end = start  # some tokenizers give the mark the first character of the word that follows it
                while start < end and text[start].isspace():
                    start += 1
                spans.append((start, end))
            pieces[text] = Pieces(encoding.ids, spans)
        return [pieces[text] for text in texts]

    def words(self, sentences: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Token ids of each word of each sentence; some words (e.g. a lone zero-width space) have none."""
        inputs = [list(words) for words in sentences]
        encodings = self.tokenizer.encode_batch(inputs, is_pretokenized=True, add_special_tokens=False)
        result = []
        for words, encoding in zip(sentences, encodings, strict=True):
            pieces: list[list[int]] = [[] for _ in words]
            for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
                pieces[word].append(token)
            result.append(pieces)
        return result

    def room(self, max_length: int, *, pair: bool) -> int:
        """Tokens left for the text (or both texts) in a sequence of ``max_length``.

        Raises:
            BackboneError: less than two per text.
        """
        left = max_length - sum(map(len, self.pair if pair else self.single))
        if left < 4:
            raise BackboneError(
                f"max_length {max_length} leaves {left} tokens beside special tokens", fix="raise max_length"
            )
        return left

    def build_single(self, ids: list[int], max_length: int) -> list[int]:
        """One text with special tokens, cut at the end to ``max_length``."""
        before, after = self.single
        return [*before, *ids[: self.room(max_length, pair=False)], *after]

    def build_pair(self, first: list[int], second: list[int], max_length: int) -> list[int]:
        """Two texts with special tokens; the longer one loses tokens at its end until both fit."""
        room = self.room(max_length, pair=True)
        if len(first) + len(second) > room:
            # An odd token goes to the longer text (to the second of equals), as in the tokenizers library.
            half = (room + 1) // 2 if len(first) > len(second) else room // 2
            keep = max(room - len(second), half)
            first = first[:keep]
            second = second[: room - len(first)]
        before, between, after = self.pair
        return [*before, *first, *between, *second, *after]


def encoder_for(tokenizer: Any) -> Encoder:
    """The encoder of a `transformers` fast tokenizer or a `tokenizers.Tokenizer`, made once per tokenizer object.

    Raises:
        BackboneError: it is a slow tokenizer, adds no token in front of a text, or has no padding token.
    """
    try:
        return _ENCODERS[tokenizer]
    except (KeyError, TypeError):
        pass
    encoder = _make_encoder(tokenizer)
    try:
        _ENCODERS[tokenizer] = encoder
    except TypeError:  # a tokenizer that cannot be weakly referenced is looked at anew each time
        return encoder
    return encoder


def _make_encoder(tokenizer: Any) -> Encoder:
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "encode_batch_fast"):
        raise BackboneError(f"{type(tokenizer).__name__} is not a fast tokenizer", fix="load it with use_fast=True")
    backend.no_truncation()
    backend.no_padding()
    single = _split_specials(backend.encode("a"), 1)
    pair = _split_specials(backend.encode("a", "a"), 2)
    if not single[0] and not getattr(tokenizer, "adapterxfer_bare", False):
        raise BackboneError("the tokenizer puts no special token before a text", fix="add a post-processor to it")
    if not pair[1]:  # byte-level tokenizers of decoders: nothing would part the two texts
        pair[1] = backend.encode(SEPARATOR, add_special_tokens=False).ids
    pad_id = getattr(tokenizer, "pad_token_id", None)
    if pad_id is None:
        pad_id = next((i for t in ("<pad>", "[PAD]") if (i := backend.token_to_id(t)) is not None), None)
    if pad_id is None:
        raise BackboneError("the tokenizer has no padding token", fix="add <pad> to its vocabulary")
    marks = frozenset(i for mark in WORD_START_MARKS if (i := backend.token_to_id(mark)) is not None)
    fingerprint = hashlib.sha256(backend.to_str().encode()).hexdigest()
    return Encoder(backend, (single[0], single[1]), (pair[0], pair[1], pair[2]), pad_id, marks, fingerprint)


def _split_specials(encoding: Any, texts: int) -> list[list[int]]:
    """Special ids before, between and after the texts of a probe; always ``texts + 1`` groups."""
    groups: list[list[int]] = [[] for _ in range(texts + 1)]
    seen = 0
    for token, special, sequence in zip(encoding.ids, encoding.special_tokens_mask, encoding.sequence_ids, strict=True):
        if special:
            groups[seen].append(token)
        else:
            seen = (sequence or 0) + 1
    return groups
