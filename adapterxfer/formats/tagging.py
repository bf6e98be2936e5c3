"""One tag per word: named entities, parts of speech, supertags.

The first sub-token of a word carries its tag. A bare word-start mark is skipped, because many vocabularies put the same
mark before every punctuation sign and every Chinese word: tagging the mark tags all of them alike. Sentences that do
not fit are split at word borders, so every word gets exactly one prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from adapterxfer.data.examples import Example, TaggingExample
from adapterxfer.formats.base import Batch, Encoding, Feature, Format, Initial, label_ids
from adapterxfer.formats.reads import Reads, reads_of
from adapterxfer.formats.tokenization import Encoder


class WordTargets(NamedTuple):
    """Words of one window: index in the sentence, position of the labelled token, index of the tag."""

    words: list[int]
    positions: list[int]
    tags: list[int]


@dataclass(frozen=True, slots=True)
class Tagging(Format):
    """Tags from the first real sub-token of each word."""

    name: ClassVar[str] = "tagging"

    def features(self, examples: Sequence[TaggingExample], encoding: Encoding) -> Iterator[Feature]:
        """One feature per window of a sentence; almost always one."""
        encoder, ids = encoding.encoder, label_ids(encoding.labels)
        sentences = encoder.words([e.words for e in examples])
        for index, (example, words) in enumerate(zip(examples, sentences, strict=True)):
            tags = [ids[tag] for tag in example.tags]
            for sequence, target in _windows(encoder, words, tags, encoding.max_length):
                yield Feature([sequence], target, index)

    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], Reads]:
        """Fields ``positions`` (into the flattened rows x width) and ``target``, each of shape ``(words,)``."""
        targets: list[WordTargets] = [f.target for f in features]
        positions = [row * shape[1] + p for row, target in enumerate(targets) for p in target.positions]
        read = np.zeros(shape, dtype=bool)
        read.reshape(-1)[positions] = True
        fields = {
            "positions": torch.tensor(positions, dtype=torch.int64),
            "target": torch.tensor([tag for target in targets for tag in target.tags], dtype=torch.int64),
        }
        return fields, reads_of(read)

    def sizes(self, features: Sequence[Feature]) -> tuple[int, ...]:
        """Words of each feature."""
        return tuple(len(feature.target.positions) for feature in features)

    def head(self, hidden_size: int, labels: int, initial: Initial) -> WordHead:
        """Logits of shape ``(words, labels)``."""
        return WordHead(hidden_size, labels, initial)

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """Indices of the best tags, one array per feature."""
        best = outputs.argmax(dim=-1).cpu().numpy()
        return np.split(best, np.cumsum(batch.sizes)[:-1])

    def decode(
        self,
        results: Sequence[Any],
        features: Sequence[Feature],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> list[str]:
        """Tags of all words, joined by spaces; words without any token get `fallback_tag`."""
        fallback = fallback_tag(labels)
        tags = [[fallback] * len(example.words) for example in cast("Sequence[TaggingExample]", examples)]
        for feature, best in zip(features, results, strict=True):
            sentence = tags[feature.example]
            for word, tag in zip(feature.target.words, best.tolist(), strict=True):
                sentence[word] = labels[tag]
        return [" ".join(sentence) for sentence in tags]


class WordHead(nn.Module):
    """A linear layer on the labelled tokens only: padding and continuation tokens cost nothing."""

    def __init__(self, hidden_size: int, outputs: int, initial: Initial) -> None:
        super().__init__()
        self.out = initial.linear(hidden_size, outputs)

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """Logits of shape ``(words, outputs)``."""
        words = hidden_states.flatten(0, 1).index_select(0, batch.fields["positions"])
        logits: Tensor = self.out(words)
        return logits


def fallback_tag(labels: Sequence[str]) -> str:
    """The tag of a word that has no token at all: outside any span, else the class of unanalysable words."""
    return next((tag for tag in ("O", "X") if tag in labels), labels[0])


def untokenized_words(examples: Sequence[Example], features: Sequence[Feature]) -> int:
    """Words that got no token and hence the fallback tag; stored with the predictions."""
    words = sum(len(example.words) for example in cast("Sequence[TaggingExample]", examples))
    return words - sum(len(feature.target.words) for feature in features)


def _windows(
    encoder: Encoder, words: list[list[int]], tags: list[int], max_length: int
) -> list[tuple[list[int], WordTargets]]:
    """Split the words into as few sequences of at most ``max_length`` tokens as a greedy pass gives."""
    room = encoder.room(max_length, pair=False)
    before, after = encoder.single
    windows: list[tuple[list[int], WordTargets]] = []
    tokens: list[int] = []
    target = WordTargets([], [], [])
    for word, pieces in enumerate(words):
        if not pieces:
            continue
        kept = pieces[:room]
        if len(tokens) + len(kept) > room:
            windows.append(([*before, *tokens, *after], target))
            tokens, target = [], WordTargets([], [], [])
        # The mark stays in the input: the backbone was pretrained with it. Only the label moves to the next token.
        skip = 1 if len(kept) > 1 and kept[0] in encoder.marks else 0
        target.words.append(word)
        target.positions.append(len(before) + len(tokens) + skip)
        target.tags.append(tags[word])
        tokens += kept
    if tokens:
        windows.append(([*before, *tokens, *after], target))
    return windows
