"""Token sequences for masked language modelling: ragged arrays in weighted, named streams, and a held-out part.

A corpus knows nothing about text. The embedded world and the plain-text reader both build one, and `pretrain` consumes
it. Everything random about the order of the data is drawn from the seed and the lengths alone, never from the shape of
a model, so backbones of different sizes see the same sequences in the same batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapterxfer.errors import DataError, wrong_schema

IntArray = NDArray[np.int64]
SCHEMA = 1
NO_LANGUAGE = -1
"""Language index of a sequence that mixes languages (translation pairs)."""


class SpecialTokens(NamedTuple):
    """Ids of the special tokens; the defaults are those of XLM-R with `<mask>` placed right after them."""

    bos: int = 0
    pad: int = 1
    eos: int = 2
    unk: int = 3
    mask: int = 4

    @property
    def first_ordinary(self) -> int:
        """Smallest id that may replace a masked token at random."""
        return max(self) + 1


@dataclass(frozen=True, slots=True)
class Sequences:
    """Many token sequences of different lengths in one flat array.

    Attributes:
        tokens: all token ids one after the other, shape ``(tokens,)``, special tokens included.
        offsets: start of every sequence and the end of the last, shape ``(sequences + 1,)``.
        languages: index into `Corpus.languages` of every sequence or `NO_LANGUAGE`, shape ``(sequences,)``.
    """

    tokens: NDArray[np.int32]
    offsets: IntArray
    languages: NDArray[np.int16]

    @classmethod
    def build(cls, sequences: Iterable[Sequence[int] | NDArray[Any]], languages: Iterable[int]) -> Sequences:
        """Pack lists of token ids with one language index each."""
        rows = [np.asarray(row, dtype=np.int32) for row in sequences]
        marks = np.fromiter(languages, dtype=np.int16)
        if len(rows) != len(marks):
            raise DataError(f"corpus: {len(rows)} sequences but {len(marks)} languages", fix="give one language each")
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return cls(np.concatenate(rows) if rows else np.zeros(0, dtype=np.int32), offsets, marks)

    def __len__(self) -> int:
        return len(self.languages)

    @property
    def lengths(self) -> IntArray:
        """Tokens of every sequence, shape ``(sequences,)``."""
        return np.diff(self.offsets)

    def select(self, rows: NDArray[Any]) -> Sequences:
        """The given rows, in the given order."""
        lengths = self.lengths[rows]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        source = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Sequences(self.tokens[source], offsets, self.languages[rows])

    def padded(self, rows: NDArray[Any], pad: int) -> IntArray:
        """The given rows as one rectangle, shape ``(rows, longest)``."""
        lengths = self.lengths[rows]
        steps = np.arange(lengths.max())
        inside = steps[None, :] < lengths[:, None]
        source = np.where(inside, self.offsets[:-1][rows][:, None] + steps[None, :], 0)
        return np.where(inside, self.tokens[source], pad).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Stream:
    """Sequences of one kind and the share of the training tokens drawn from them.

    Attributes:
        name: ``mono``, ``parallel``, ``mixed``, ...
        weight: share of the token budget, relative to the other streams; 0 leaves the stream out.
        sequences: the data; repeated in a new order when the budget is larger.
        row_weights: how often a row is drawn relative to the others, shape ``(sequences,)``; ``None`` draws every row
            once before any row is repeated.
    """

    name: str
    weight: float
    sequences: Sequences
    row_weights: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """Training streams and held-out sequences of a known vocabulary.

    Attributes:
        languages: language codes; the index is what `Sequences.languages` holds.
        vocabulary: number of token ids.
        special: ids of the special tokens.
        streams: what training draws from.
        heldout: monolingual sequences that are never trained on; each has a language.
    """

    languages: tuple[str, ...]
    vocabulary: int
    special: SpecialTokens
    streams: tuple[Stream, ...]
    heldout: Sequences

    def __post_init__(self) -> None:
        if not self.streams or all(stream.weight <= 0 or not len(stream.sequences) for stream in self.streams):
            raise DataError(
                "corpus: no stream with a positive weight and at least one sequence", fix="check the text files"
            )
        if not len(self.heldout) or (self.heldout.languages < 0).any():
            raise DataError("corpus: every held-out sequence needs a language", fix="hold out monolingual sequences")
        top = max(
            int(sequences.tokens.max(initial=0)) for sequences in [self.heldout, *(s.sequences for s in self.streams)]
        )
        if top >= self.vocabulary:
            raise DataError(
                f"corpus: token id {top} but a vocabulary of {self.vocabulary}", fix="encode with the same tokenizer"
            )

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence; the position table must cover it."""
        parts = [self.heldout, *(stream.sequences for stream in self.streams)]
        return max(int(sequences.lengths.max(initial=0)) for sequences in parts)

    def with_shares(self, shares: Mapping[str, float]) -> Corpus:
        """The same corpus with other stream weights; streams that are not named keep theirs."""
        filled = {stream.name for stream in self.streams if len(stream.sequences)}
        missing = sorted(name for name, share in shares.items() if share > 0 and name not in filled)
        if missing:
            raise DataError(
                f"corpus: no sequences in stream {', '.join(missing)}; streams: {', '.join(sorted(filled))}",
                fix="set its share to 0, or prepare the corpus with pairs",
            )
        streams = tuple(
            Stream(s.name, float(shares.get(s.name, s.weight)), s.sequences, s.row_weights) for s in self.streams
        )
        return Corpus(self.languages, self.vocabulary, self.special, streams, self.heldout)

    def unigrams(self) -> NDArray[np.float64]:
        """Log probability of every ordinary token by language, add-one smoothed, shape ``(languages, vocabulary)``.

        Counted on the training sequences that have a language; special tokens get probability 0 because they are never
        predicted.
        """
        counts = np.zeros((len(self.languages), self.vocabulary))
        for stream in self.streams:
            rows = np.repeat(stream.sequences.languages, stream.sequences.lengths)
            known = rows >= 0
            np.add.at(counts, (rows[known], stream.sequences.tokens[known]), 1.0)
        return log_shares(counts, self.special)

    def mixture_unigram(self) -> NDArray[np.float64]:
        """Log share of every ordinary token in what training draws, shape ``(vocabulary,)``."""
        total = np.zeros(self.vocabulary)
        for stream in self.streams:
            if stream.weight > 0 and len(stream.sequences):
                counts = np.bincount(stream.sequences.tokens, minlength=self.vocabulary).astype(float)
                total += stream.weight * counts / counts.sum() * 1e6
        return log_shares(total[None, :], self.special).reshape(-1)

    def save(self, folder: Path) -> None:
        """Write ``corpus.json`` and the token arrays (``.npy``)."""
        for name, sequences in self._parts():
            np.save(
                folder / f"{name}.tokens.npy",
                sequences.tokens.astype(np.uint16 if self.vocabulary < 65536 else np.int32),
            )
            np.save(folder / f"{name}.lengths.npy", sequences.lengths.astype(np.int32))
            np.save(folder / f"{name}.languages.npy", sequences.languages)
        for stream in self.streams:
            if stream.row_weights is not None:
                np.save(folder / f"stream-{stream.name}.weights.npy", stream.row_weights)
        description = {
            "schema": SCHEMA,
            "languages": list(self.languages),
            "vocabulary": self.vocabulary,
            "special": self.special._asdict(),
            "streams": [{"name": stream.name, "weight": stream.weight} for stream in self.streams],
            "tokens": {name: len(sequences.tokens) for name, sequences in self._parts()},
            "sequences": {name: len(sequences) for name, sequences in self._parts()},
        }
        (folder / "corpus.json").write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read what `save` wrote.

        Raises:
            DataError: the folder holds no corpus of this schema.
        """
        path = folder / "corpus.json"
        if not path.exists():
            raise DataError(f"{folder}: no corpus.json", fix="run the prepare stage of the corpus")
        description = json.loads(path.read_text())
        schema = description.get("schema") if isinstance(description, dict) else None
        if schema != SCHEMA:
            cause, fix = wrong_schema(path, schema, SCHEMA)
            raise DataError(cause, fix=fix)
        streams = tuple(
            Stream(
                stream["name"],
                stream["weight"],
                _read(folder, f"stream-{stream['name']}"),
                _read_weights(folder / f"stream-{stream['name']}.weights.npy"),
            )
            for stream in description["streams"]
        )
        special = SpecialTokens(**description["special"])
        languages = tuple(description["languages"])
        return cls(languages, description["vocabulary"], special, streams, _read(folder, "heldout"))

    def _parts(self) -> list[tuple[str, Sequences]]:
        return [("heldout", self.heldout), *((f"stream-{stream.name}", stream.sequences) for stream in self.streams)]


def log_shares(counts: NDArray[np.float64], special: SpecialTokens) -> NDArray[np.float64]:
    """Add-one smoothed log shares of rows of counts, shape ``(rows, vocabulary)``; special tokens get -inf."""
    smoothed = counts + 1.0
    smoothed[:, list(special)] = 0.0
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(smoothed / smoothed.sum(axis=1, keepdims=True)))


def _read(folder: Path, name: str) -> Sequences:
    lengths = np.load(folder / f"{name}.lengths.npy", allow_pickle=False)
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    tokens = np.load(folder / f"{name}.tokens.npy", allow_pickle=False).astype(np.int32)
    return Sequences(tokens, offsets, np.load(folder / f"{name}.languages.npy", allow_pickle=False))


def _read_weights(path: Path) -> NDArray[np.float64] | None:
    return np.load(path, allow_pickle=False) if path.exists() else None
