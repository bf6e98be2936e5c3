"""Plain text to a pretraining corpus: tokenizer, blocks, translation pairs, held-out part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from adapterxfer.data.files import open_text
from adapterxfer.data.pairs import Aligned, Pair, align_language
from adapterxfer.data.tokenizer_training import SPECIAL_TOKENS, train_tokenizer
from adapterxfer.errors import DataError
from adapterxfer.pretraining.corpus import NO_LANGUAGE, Corpus, Sequences, SpecialTokens, Stream

LONGEST_PAIR = 124
"""Tokens of a translation pair; longer ones are left out."""

HELDOUT_TOKENS = 6000
"""Most held-out tokens kept per language: enough for a loss good to 0.05 nat, few enough to measure often."""

_SPECIAL = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """What determines a corpus beside its text.

    Attributes:
        vocabulary: token ids, special tokens included.
        alphabet: characters kept.
        holdout: share of the lines that is never trained on.
        sequence_length: tokens of a block, special tokens included.
        pairs: whether translation pairs are recovered.
        seed: of the tokenizer's sample, the held-out lines and the direction of pairs.
    """

    vocabulary: int
    alphabet: int
    holdout: float
    sequence_length: int
    pairs: bool
    seed: int


@dataclass(frozen=True, slots=True)
class BuiltCorpus:
    """A corpus, its tokenizer, and counts for the record (``corpus-notes.json``)."""

    corpus: Corpus
    tokenizer: Tokenizer
    notes: dict[str, Any]


def read_lines(path: Path) -> list[str]:
    """Lines of a text file, spaces trimmed; empty lines stay, because pairs go by position.

    Names of special tokens in the text (some corpora spell unknown words ``<unk>``) become spaces.
    """
    with open_text(path) as file:
        return [_SPECIAL.sub(" ", line).strip() for line in file]


def build_text_corpus(
    texts: Mapping[str, Sequence[str]],
    settings: CorpusSettings,
    *,
    parts: Mapping[str, Mapping[str, range]] | None = None,
) -> BuiltCorpus:
    """Make streams ``mono`` and ``parallel`` and a held-out part.

    Lines of a language are joined, with ``</s>`` between them, and cut into blocks of ``sequence_length``. A pair is
    ``<s> x </s></s> y </s>`` in a random direction. Lines that are held out occur in no block and no pair.

    Args:
        texts: language -> lines; English first when pairs are wanted.
        settings: see `CorpusSettings`.
        parts: where parallel sets lie, see `read_parts`; without it there are no pairs.

    Raises:
        DataError: a language has too little text to train on and hold out.
    """
    tokenizer = train_tokenizer(texts, vocabulary=settings.vocabulary, alphabet=settings.alphabet, seed=settings.seed)
    special = SpecialTokens()
    rng = np.random.default_rng([settings.seed, 1])
    languages = tuple(texts)
    held = {code: rng.random(len(lines)) < settings.holdout for code, lines in texts.items()}
    pieces = {code: _encode(tokenizer, lines) for code, lines in texts.items()}
    notes: dict[str, Any] = {"languages": {}, "pairs": {}}

    mono: list[NDArray[np.int32]] = []
    heldout: list[NDArray[np.int32]] = []
    mono_marks: list[int] = []
    heldout_marks: list[int] = []
    for index, code in enumerate(languages):
        trained = blocks([p for p, out in zip(pieces[code], held[code], strict=True) if not out], settings, special)
        unseen = blocks([p for p, out in zip(pieces[code], held[code], strict=True) if out], settings, special)
        unseen = unseen[: max(1, HELDOUT_TOKENS // settings.sequence_length)]
        if not trained or not unseen:
            raise DataError(
                f"corpus: {len(texts[code])} lines of '{code}' are too few to hold out {settings.holdout:g} of them",
                fix="give more text, a larger holdout, or leave the language out",
            )
        mono += trained
        mono_marks += [index] * len(trained)
        heldout += unseen
        heldout_marks += [index] * len(unseen)
        tokens = np.concatenate(pieces[code])
        notes["languages"][code] = {
            "lines": len(texts[code]),
            "characters": sum(map(len, texts[code])),
            "tokens": len(tokens),
            "unknown": round(float((tokens == special.unk).mean()), 5),
        }
    parallel: list[NDArray[np.int32]] = []
    if settings.pairs and parts:
        for code in languages[1:]:
            aligned = align_language(texts[languages[0]], texts[code], parts.get(languages[0], {}), parts.get(code, {}))
            kept = [p for p in aligned.pairs if not held[languages[0]][p.english] and not held[code][p.other]]
            encoded = _encode_pairs(kept, pieces[languages[0]], pieces[code], special, rng)
            parallel += encoded
            notes["pairs"][code] = _pair_notes(aligned, len(encoded))
    streams = [Stream("mono", 1.0, Sequences.build(mono, mono_marks))]
    if parallel:
        streams.append(Stream("parallel", 0.0, Sequences.build(parallel, [NO_LANGUAGE] * len(parallel))))
    corpus = Corpus(
        languages, tokenizer.get_vocab_size(), special, tuple(streams), Sequences.build(heldout, heldout_marks)
    )
    notes["settings"] = asdict(settings)
    return BuiltCorpus(corpus, tokenizer, notes)


def blocks(
    pieces: Sequence[NDArray[np.int32]], settings: CorpusSettings, special: SpecialTokens
) -> list[NDArray[np.int32]]:
    """Join encoded lines with ``</s>`` and cut them; an incomplete last block is left out unless it is alone."""
    stream = [ids for line in pieces if len(line) for ids in (line, np.array([special.eos], dtype=np.int32))]
    if not stream:
        return []
    joined = np.concatenate(stream)[:-1]
    inner = settings.sequence_length - 2
    cuts = [joined[at : at + inner] for at in range(0, len(joined), inner)]
    if len(cuts) > 1 and len(cuts[-1]) < inner:
        cuts.pop()
    first, last = np.array([special.bos], dtype=np.int32), np.array([special.eos], dtype=np.int32)
    return [np.concatenate([first, cut, last]) for cut in cuts]


def _encode(tokenizer: Tokenizer, lines: Sequence[str]) -> list[NDArray[np.int32]]:
    encoded = tokenizer.encode_batch_fast(list(lines), add_special_tokens=False)
    return [np.array(encoding.ids, dtype=np.int32) for encoding in encoded]


def _encode_pairs(
    pairs: Sequence[Pair],
    english: Sequence[NDArray[np.int32]],
    other: Sequence[NDArray[np.int32]],
    special: SpecialTokens,
    rng: np.random.Generator,
) -> list[NDArray[np.int32]]:
    first, last = np.array([special.bos], dtype=np.int32), np.array([special.eos], dtype=np.int32)
    encoded: list[NDArray[np.int32]] = []
    for pair in pairs:
        sides = [english[pair.english], other[pair.other]]
        if rng.random() < 0.5:
            sides.reverse()
        length = len(sides[0]) + len(sides[1]) + 4
        if len(sides[0]) and len(sides[1]) and length <= LONGEST_PAIR:
            encoded.append(np.concatenate([first, sides[0], last, last, sides[1], last]))
    return encoded


def _pair_notes(aligned: Aligned, kept: int) -> dict[str, Any]:
    return {
        "aligned": len(aligned.pairs),
        "kept": kept,
        "numbers_agree": round(aligned.agreement, 4),
        "sets": list(aligned.sets),
        "left_out": list(aligned.left_out),
    }
