"""The mark by which a tokenizer tells the beginning of a word, and whether words that are given one by one get it.

In a sentence every word after a space begins with a piece that carries a mark (``▁`` of SentencePiece, ``Ġ`` of
byte-level vocabularies). XLM-R's tokenizer gives the mark to words that are given one by one, too. Those of Gemma 2
(mmBERT) and of byte-level vocabularies without a prefix space (ModernBERT) give none, so that a tagger would see every
word as the middle of another one. WordPiece marks the middles of words (``##``) and needs nothing.

Torch-free: a plan asks this to know which results the mark changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapterxfer.data.files import HashCache

WORD_START_MARKS = ("\u2581", "\u0120")
"""Of SentencePiece and byte-level vocabularies."""

NEEDED_SHARE = 0.99
"""Words that must begin with the mark, as a share of all."""

MARKED_VOCABULARY = 0.1
"""From this share of pieces with a mark on, a vocabulary is one that marks words: vocabularies of SentencePiece and
byte-level ones have a third or more, those of WordPiece only pieces of the letter Ġ."""

_PROBES = (
    *("a", "the", "market", "opened", "1987", "Straße", "naïve", "дом", "город", "και", "σπίτι", "घर", "नगर", "بيت"),
    *("مدينة", "בית", "თბილისი", "ఇల్లు", "வீடு", "công", "家", "城市", "집", "บ้าน", "ọjọ́", "(", ",", ".", "«", "%"),
)
"""Words of many scripts, numbers and signs: one script alone could be missing from a vocabulary."""


def begins_word(piece: str | None) -> bool:
    """Whether a piece carries the mark."""
    return piece is not None and piece.startswith(WORD_START_MARKS)


def lacks_word_starts(tokenizer: Any) -> bool:
    """Whether words that are given one by one get no mark that they have after a space.

    Args:
        tokenizer: a `tokenizers.Tokenizer`.
    """
    # Pair by pair: a small vocabulary has no piece at all for words of other scripts, with a space or without.
    pairs = zip(_one_by_one(tokenizer, _PROBES), _after_space(tokenizer, _PROBES), strict=True)
    losing = sum(begins_word(spaced) and not begins_word(alone) for alone, spaced in pairs)
    return losing > (1 - NEEDED_SHARE) * len(_PROBES)


def marks_words(tokenizer: Any) -> bool:
    """Whether a tokenizer marks beginnings of words, or its vocabulary was made by one that did.

    A pipeline that lost the mark on the way (another pre-tokenizer than the vocabulary was trained with) splits every
    word into pieces that stand for middles of words: then no word of a tagger carries the mark, which reports must say.
    """
    if any(map(begins_word, _after_space(tokenizer, _PROBES))):
        return True
    vocabulary = tokenizer.get_vocab()
    return sum(map(begins_word, vocabulary)) > MARKED_VOCABULARY * len(vocabulary)


def _one_by_one(tokenizer: Any, words: Sequence[str]) -> list[str | None]:
    """First piece of each word of a list of words."""
    encoding = tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False)
    first: dict[int, str] = {}
    for token, word in zip(encoding.tokens, encoding.word_ids, strict=True):
        first.setdefault(word, token)
    return [first.get(number) for number in range(len(words))]


def _after_space(tokenizer: Any, words: Sequence[str]) -> list[str | None]:
    """First piece of each word behind a space."""
    encodings = [tokenizer.encode(f" {word}", add_special_tokens=False) for word in words]
    return [encoding.tokens[0] if encoding.tokens else None for encoding in encodings]


def file_lacks_word_starts(path: Path, hashes: HashCache) -> bool:
    """`lacks_word_starts` of a ``tokenizer.json``; False where it cannot be read, which loading it will say.

    Reading a large vocabulary takes a second, so the answer is remembered beside the hash of the file.
    """
    return bool(hashes.fact(path, "#lacks-word-starts", _read_and_ask))


def _read_and_ask(path: Path) -> bool:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception:  # the tokenizers library raises a bare Exception for damaged files
        return False
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lacks_word_starts(tokenizer)
