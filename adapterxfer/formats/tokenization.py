"""Text to token ids with full control over special tokens, truncation and windows.

A fast tokenizer is called once per list of texts, without special tokens; the template around them (``<s> a </s></s> b
</s>`` for XLM-R) is learnt from the tokenizer by encoding a probe, so every backbone gets its own.

Whatever is tokenized is composed first (`data.composing`); spans point into the text as it was given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from adapterxfer.data.composing import compose, compose_with_way_back
from adapterxfer.data.word_starts import WORD_START_MARKS, begins_word, lacks_word_starts, marks_words
from adapterxfer.errors import BackboneError

SEPARATOR = "\n"
"""Between two texts, for tokenizers that put no special token there."""

_ENCODERS: WeakKeyDictionary[Any, Encoder] = WeakKeyDictionary()


class Pieces(NamedTuple):
    """Token ids of one text and the characters (code points, end excluded) each of them covers in the raw text."""

    ids: list[int]
    spans: list[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A tokenizer's pieces and its template of special tokens.

    Attributes:
        tokenizer: a `tokenizers.Tokenizer`.
        single: special ids before and after one text.
        pair: special ids before, between and after two texts.
        pad_id: id that fills batches.
        marks: ids of bare word-start marks: pieces that only say "a word starts here".
        fingerprint: sha256 of the whole tokenizer.
        marks_words: whether the vocabulary marks beginnings of words.
        spaced: whether words get their mark only behind a space, so that each is given with one.
        unknown: id of the piece for characters that the vocabulary lacks; -1 where it lacks none.
        memory: ids of the texts that were encoded so far, where somebody will ask for them again.
    """

    tokenizer: Any = field(repr=False)
    single: tuple[list[int], list[int]]
    pair: tuple[list[int], list[int], list[int]]
    pad_id: int
    marks: frozenset[int]
    fingerprint: str
    marks_words: bool = True
    spaced: bool = False
    unknown: int = -1
    memory: dict[str, list[int]] | None = field(default=None, repr=False, compare=False)

    def remembering(self) -> Encoder:
        """The same encoder, which keeps what it encodes for as long as it lives."""
        return replace(self, memory={})

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens and untruncated; each different text is encoded once."""
        ids = {} if self.memory is None else self.memory
        unique = [text for text in dict.fromkeys(texts) if text not in ids]
        encodings = self.tokenizer.encode_batch_fast([compose(text) for text in unique], add_special_tokens=False)
        ids |= {text: encoding.ids for text, encoding in zip(unique, encodings, strict=True)}
        return [ids[text] for text in texts]

    def texts_with_spans(self, texts: Sequence[str]) -> list[Pieces]:
        """Like `texts`, with character spans in the raw text.

        Spaces at the start of a piece are left out of its span; the span of a bare word-start mark is empty. The span
        of a piece that holds a part of a letter that was composed covers all of this letter.
        """
        unique = list(dict.fromkeys(texts))
        composed = [compose_with_way_back(text) for text in unique]
        encodings = self.tokenizer.encode_batch(
            [composition.text for composition in composed], add_special_tokens=False
        )
        pieces = {}
        for text, composition, encoding in zip(unique, composed, encodings, strict=True):
            spans = []
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
                if token in self.marks:
                    end = start  # some tokenizers give the mark the first character of the word that follows it
                while start < end and composition.text[start].isspace():
                    start += 1
                spans.append(composition.original(start, end))
            pieces[text] = Pieces(encoding.ids, spans)
            if self.memory is not None:
                self.memory[text] = encoding.ids
        return [pieces[text] for text in texts]

    def words(self, sentences: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Token ids of each word of each sentence; some words (e.g. a lone zero-width space) have none.

        Every word is tokenized for itself, with the mark that the tokenizer gives to a word behind a space, the first
        one of a sentence too. No piece reaches from one word into the next, as some would in the sentence as text.
        """
        if self.spaced:
            return self._words_behind_spaces(sentences)
        inputs = [[compose(word) for word in words] for words in sentences]
        encodings = self.tokenizer.encode_batch(inputs, is_pretokenized=True, add_special_tokens=False)
        result = []
        for words, encoding in zip(sentences, encodings, strict=True):
            pieces: list[list[int]] = [[] for _ in words]
            for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
                pieces[word].append(token)
            result.append(pieces)
        return result

    def _words_behind_spaces(self, sentences: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """`words` of a tokenizer that gives the mark to words behind a space only."""
        unique = list(dict.fromkeys(word for words in sentences for word in words))
        spaced = [f" {compose(word)}" for word in unique]
        encodings = self.tokenizer.encode_batch_fast(spaced, add_special_tokens=False)
        # The space itself is no word: where nothing but its mark is left, the tokenizer has dropped the word.
        ids = {
            word: [] if self.marks.issuperset(encoding.ids) else encoding.ids
            for word, encoding in zip(unique, encodings, strict=True)
        }
        return [[list(ids[word]) for word in words] for words in sentences]

    def begins_word(self, token: int) -> bool:
        """Whether a piece carries the mark of the beginning of a word."""
        return begins_word(self.tokenizer.id_to_token(token))

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
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is None:
        unknown = next((i for t in ("<unk>", "[UNK]") if (i := backend.token_to_id(t)) is not None), None)
    marks = frozenset(i for mark in WORD_START_MARKS if (i := backend.token_to_id(mark)) is not None)
    fingerprint = hashlib.sha256(backend.to_str().encode()).hexdigest()
    return Encoder(
        tokenizer=backend,
        single=(single[0], single[1]),
        pair=(pair[0], pair[1], pair[2]),
        pad_id=pad_id,
        marks=marks,
        fingerprint=fingerprint,
        marks_words=marks_words(backend),
        spaced=lacks_word_starts(backend),
        unknown=-1 if unknown is None else int(unknown),
    )


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
