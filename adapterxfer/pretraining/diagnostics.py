"""Does a pretrained backbone use context? Held-out loss beside two losses that context cannot lower.

A falling training loss hides a model that only learned word frequencies. Its held-out loss then equals the
cross-entropy of the unigram distribution of each language, and it does not rise when the context is replaced by
tokens of other sequences of the same language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import XLMRobertaForMaskedLM

from adapterxfer.pretraining.batches import MaskedBatch, Masking, mask_tokens
from adapterxfer.pretraining.corpus import Corpus
from adapterxfer.pretraining.forward import predict_hidden

HELDOUT_SEED = 20_200
"""Seed of the masks and shuffles: the same hidden positions for every backbone of a corpus."""

CONTEXT_GAP = 0.1
"""Nats below which a gain from context counts as none."""

_BATCH = 64


@dataclass(frozen=True, slots=True)
class HeldoutBatch:
    """Held-out sequences of one length range with the true and with a foreign context."""

    masked: MaskedBatch
    shuffled: MaskedBatch
    languages: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Heldout:
    """Held-out batches with fixed masks.

    Attributes:
        languages: codes.
        batches: sequences sorted by length, with the true and the foreign context.
    """

    languages: tuple[str, ...]
    batches: tuple[HeldoutBatch, ...]

    @classmethod
    def build(cls, corpus: Corpus, *, share: float) -> Heldout:
        """Mask the held-out part once; in the shuffled copy visible tokens change places within their language.

        Args:
            corpus: its held-out sequences are used, all of them.
            share: probability that an ordinary token is hidden.
        """
        rng = np.random.default_rng(HELDOUT_SEED)
        heldout, special = corpus.heldout, corpus.special
        order = np.argsort(heldout.lengths, kind="stable")
        masking = Masking(share=share)
        masked: list[MaskedBatch] = []
        languages: list[NDArray[np.int16]] = []
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            masked.append(mask_tokens(heldout.padded(rows, special.pad), masking, special, corpus.vocabulary, rng))
            languages.append(heldout.languages[rows])
        shuffled = _shuffle_context(masked, languages, special.first_ordinary, rng)
        batches = zip(masked, shuffled, languages, strict=True)
        return cls(corpus.languages, tuple(HeldoutBatch(*batch) for batch in batches))


def _shuffle_context(
    masked: list[MaskedBatch], languages: list[NDArray[np.int16]], first_ordinary: int, rng: np.random.Generator
) -> list[MaskedBatch]:
    """Permute the visible ordinary tokens of each language over all its held-out sequences."""
    copies = [batch.inputs.copy() for batch in masked]
    movable: list[NDArray[np.bool_]] = []
    for batch in masked:
        mask = batch.inputs >= first_ordinary
        mask.reshape(-1)[batch.positions] = False
        movable.append(mask)
    for language in np.unique(np.concatenate(languages)):
        places = [mask & (marks == language)[:, None] for mask, marks in zip(movable, languages, strict=True)]
        pool = np.concatenate([copy[positions] for copy, positions in zip(copies, places, strict=True)])
        rng.shuffle(pool)
        used = 0
        for copy, positions in zip(copies, places, strict=True):
            count = int(positions.sum())
            copy[positions] = pool[used : used + count]
            used += count
    return [batch._replace(inputs=copy) for batch, copy in zip(masked, copies, strict=True)]


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Mean losses in nats per hidden token, all on the same positions.

    Attributes:
        mlm: with the true context.
        unigram: cross-entropy of the training unigram distribution of the sequence's language.
        shuffled: with visible tokens from other sequences of the language.
        accuracy: share of hidden tokens predicted exactly.
        positions: hidden tokens.
        by_language: the three losses and the positions by language.
    """

    mlm: float
    unigram: float
    shuffled: float
    accuracy: float
    positions: int
    by_language: dict[str, dict[str, float]]

    @property
    def uses_context(self) -> bool:
        """Whether the loss is below the unigram level and rises when the context is foreign."""
        return self.mlm < self.unigram - CONTEXT_GAP and self.shuffled > self.mlm + CONTEXT_GAP

    def warning(self) -> str:
        """A sentence for the log when no context is used, else the empty string."""
        if self.uses_context:
            return ""
        return (
            f"this backbone uses no context: held-out loss {self.mlm:.3f}, unigram {self.unigram:.3f}, "
            f"shuffled context {self.shuffled:.3f}; train longer, or start with initialisation relative-offset"
        )

    def summary(self) -> dict[str, float]:
        """The numbers of one point of the curve."""
        values = {"mlm": self.mlm, "unigram": self.unigram, "shuffled": self.shuffled, "accuracy": self.accuracy}
        return {name: round(value, 4) for name, value in values.items()}

    def as_json(self) -> dict[str, Any]:
        """All values, for ``pretraining.json``."""
        heldout = {**self.summary(), "positions": self.positions, "uses_context": self.uses_context}
        return {"heldout": heldout, "heldout_by_language": self.by_language}


def diagnose(
    model: XLMRobertaForMaskedLM, heldout: Heldout, unigrams: NDArray[np.float64], *, device: str = "cpu"
) -> Diagnostics:
    """Measure a backbone; the model is left in the mode it was in.

    Args:
        model: any XLM-R masked language model over the corpus's vocabulary.
        heldout: see `Heldout.build`.
        unigrams: log probabilities, shape ``(languages, vocabulary)``.
        device: where the model is.
    """
    training = model.training
    model.eval()
    losses: list[NDArray[np.float64]] = []
    for batch in heldout.batches:
        rows = batch.masked.positions // batch.masked.inputs.shape[1]
        languages = batch.languages[rows].astype(np.int64)
        true, hits = _losses(model, batch.masked, device)
        foreign, _ = _losses(model, batch.shuffled, device)
        unigram = -unigrams[languages, batch.masked.targets]
        losses.append(np.stack([languages.astype(np.float64), true, unigram, foreign, hits]))
    model.train(training)
    values = np.concatenate(losses, axis=1)
    by_language: dict[str, dict[str, float]] = {}
    for index, name in enumerate(heldout.languages):
        mine = values[:, values[0] == index]
        if mine.shape[1]:
            means = [round(float(row.mean()), 4) for row in mine[1:]]
            by_language[name] = dict(zip(("mlm", "unigram", "shuffled", "accuracy"), means, strict=True))
            by_language[name]["positions"] = mine.shape[1]
    mlm, unigram_mean, shuffled, accuracy = (float(row.mean()) for row in values[1:])
    return Diagnostics(mlm, unigram_mean, shuffled, accuracy, values.shape[1], by_language)


def _losses(
    model: XLMRobertaForMaskedLM, masked: MaskedBatch, device: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loss in nats and exact hits of every hidden token, shape ``(predicted,)`` each."""
    with torch.inference_mode():
        logits = predict_hidden(model, masked, device=device).float()
        targets = torch.from_numpy(masked.targets).to(device)
        losses = functional.cross_entropy(logits, targets, reduction="none")
        hits = logits.argmax(dim=-1) == targets
    return losses.double().cpu().numpy(), hits.double().cpu().numpy()
