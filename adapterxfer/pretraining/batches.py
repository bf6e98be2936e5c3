"""Which sequences form a batch, and which of their tokens are hidden.

The whole order is planned before training: it is a list of row indices, small even for a million sequences, and it
fixes the number of optimiser steps that the learning-rate schedule needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapterxfer.errors import DataError
from adapterxfer.pretraining.corpus import Corpus, IntArray, SpecialTokens, Stream

WINDOW_BATCHES = 50
"""Sequences are sorted by length inside a window of this many batches, so padding is small and order stays random."""

_ORDER, _MASK = 1, 2


class StreamBatch(NamedTuple):
    """Rows of one optimiser step: ``(stream, row)`` pairs, shape ``(sequences,)`` each."""

    streams: NDArray[np.int16]
    rows: IntArray


@dataclass(frozen=True, slots=True)
class Masking:
    """How tokens are hidden: 80 % become `<mask>`, 10 % a random token, 10 % stay, as in BERT.

    Attributes:
        share: probability that an ordinary token is predicted.
        boosted: token ids with their own probability and loss weight (discourse markers in the embedded world).
        boosted_share: their probability.
        boosted_weight: the weight of their loss; ordinary tokens weigh 1.

    Source: Devlin et al. 2019, section 3.1 (80/10/10); the boost is ours.
    """

    share: float = 0.15
    boosted: tuple[int, ...] = ()
    boosted_share: float = 0.9
    boosted_weight: float = 4.0


class MaskedBatch(NamedTuple):
    """What the model reads and must predict.

    Attributes:
        inputs: token ids after masking, shape ``(sequences, longest)``.
        attention: 1 for tokens, 0 for padding, same shape.
        positions: flat indices of the predicted tokens, shape ``(predicted,)``.
        targets: their true ids, same shape.
        weights: their loss weights, same shape, float32.
        tokens: tokens in the batch, padding excluded.
    """

    inputs: IntArray
    attention: IntArray
    positions: IntArray
    targets: IntArray
    weights: NDArray[np.float32]
    tokens: int

    def with_even_count(self, multiple: int) -> MaskedBatch:
        """Predict the first position again with weight 0 until the count is a multiple: few shapes, few kernels."""
        missing = -len(self.positions) % multiple
        fill = [(0, missing)]
        return self._replace(
            positions=np.pad(self.positions, fill),
            targets=np.pad(self.targets, fill),
            weights=np.pad(self.weights, fill),
        )


def plan_batches(corpus: Corpus, *, tokens: int, batch_sequences: int, seed: int) -> list[StreamBatch]:
    """Draw every batch of a training of about ``tokens`` tokens.

    Streams are interleaved evenly in proportion to their weights, each repeated in a new order when it is exhausted.
    Batches of `WINDOW_BATCHES` are formed from sequences sorted by length and then shuffled.

    Args:
        corpus: only lengths and weights are used, so backbones of every size get the same batches.
        tokens: budget, padding excluded.
        batch_sequences: sequences in a batch; the last incomplete batch is left out.
        seed: fixes the order.

    Raises:
        DataError: the budget does not fill one batch.
    """
    rng = np.random.default_rng([seed, _ORDER])
    total = sum(stream.weight for stream in corpus.streams if len(stream.sequences))
    picks: list[IntArray] = []
    marks: list[NDArray[np.int16]] = []
    when: list[NDArray[np.float64]] = []
    for index, stream in enumerate(corpus.streams):
        if stream.weight <= 0 or not len(stream.sequences):
            continue
        rows = _draw_rows(stream, tokens * stream.weight / total, rng)
        picks.append(rows)
        marks.append(np.full(len(rows), index, dtype=np.int16))
        when.append((np.arange(len(rows)) + rng.random(len(rows))) / len(rows))
    order = np.argsort(np.concatenate(when), kind="stable")
    rows, streams = np.concatenate(picks)[order], np.concatenate(marks)[order]
    if len(rows) < batch_sequences:
        raise DataError(
            f"pretraining: {tokens} tokens give {len(rows)} sequences; a batch needs {batch_sequences}",
            fix="raise tokens or lower batch_sequences",
        )
    lengths = np.empty(len(rows), dtype=np.int64)
    for index, stream in enumerate(corpus.streams):
        mine = streams == index
        lengths[mine] = stream.sequences.lengths[rows[mine]]
    batches: list[StreamBatch] = []
    window = WINDOW_BATCHES * batch_sequences
    for start in range(0, len(rows), window):
        inside = start + np.argsort(lengths[start : start + window], kind="stable")
        groups = [inside[at : at + batch_sequences] for at in range(0, len(inside), batch_sequences)]
        groups = [group for group in groups if len(group) == batch_sequences]
        batches.extend(StreamBatch(streams[groups[at]], rows[groups[at]]) for at in rng.permutation(len(groups)))
    return batches


def _draw_rows(stream: Stream, tokens: float, rng: np.random.Generator) -> IntArray:
    """Row indices whose lengths add up to ``tokens`` (rounded up to whole sequences)."""
    lengths = stream.sequences.lengths
    if stream.row_weights is not None:
        share = stream.row_weights / stream.row_weights.sum()
        count = int(np.ceil(tokens / float(share @ lengths) * 1.1)) + 64
        rows = rng.choice(len(lengths), size=count, p=share).astype(np.int64)
    else:
        passes = int(np.ceil(tokens / float(lengths.sum()))) or 1
        rows = np.concatenate([rng.permutation(len(lengths)) for _ in range(passes)])
    reached = np.cumsum(lengths[rows])
    return rows[: int(np.searchsorted(reached, tokens)) + 1]


def gather(corpus: Corpus, batch: StreamBatch) -> IntArray:
    """Token ids of a batch, padded, shape ``(sequences, longest)``."""
    parts = [
        (np.flatnonzero(batch.streams == index), stream.sequences)
        for index, stream in enumerate(corpus.streams)
        if (batch.streams == index).any()
    ]
    blocks = [sequences.padded(batch.rows[at], corpus.special.pad) for at, sequences in parts]
    tokens = np.full((len(batch.rows), max(block.shape[1] for block in blocks)), corpus.special.pad, dtype=np.int64)
    for (at, _), block in zip(parts, blocks, strict=True):
        tokens[at, : block.shape[1]] = block
    return tokens


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The source of the masks of one step; every step has its own, so a step can be replayed alone."""
    return np.random.default_rng([seed, _MASK, step])


def mask_tokens(
    tokens: IntArray, masking: Masking, special: SpecialTokens, vocabulary: int, rng: np.random.Generator
) -> MaskedBatch:
    """Hide tokens of a padded batch; at least one token is always predicted.

    Args:
        tokens: shape ``(sequences, longest)``.
        masking: probabilities and boosts.
        special: these ids are never hidden.
        vocabulary: random replacements are drawn from the ordinary ids below it.
        rng: three draws of the batch's shape.
    """
    ordinary = tokens >= special.first_ordinary
    chance = np.full(tokens.shape, masking.share)
    if masking.boosted:
        boosted = np.isin(tokens, masking.boosted)
        chance[boosted] = masking.boosted_share
    draw = rng.random(tokens.shape)
    hidden = (draw < chance) & ordinary
    if not hidden.any():
        hidden.flat[np.where(ordinary, draw, 2.0).argmin()] = True
    fate = rng.random(tokens.shape)
    random_tokens = rng.integers(special.first_ordinary, vocabulary, size=tokens.shape)
    inputs = np.where(hidden & (fate < 0.8), special.mask, tokens)
    inputs = np.where(hidden & (fate >= 0.9), random_tokens, inputs)
    positions = np.flatnonzero(hidden)
    targets = tokens.reshape(-1)[positions]
    weights = np.ones(len(positions), dtype=np.float32)
    if masking.boosted:
        weights[boosted.reshape(-1)[positions]] = masking.boosted_weight
    attention = (tokens != special.pad).astype(np.int64)
    return MaskedBatch(inputs, attention, positions, targets, weights, int(attention.sum()))
