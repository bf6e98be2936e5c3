"""A question whose answer is a span of a context.

Everything is kept in characters (code points) of the raw context, so a prediction is always a substring of it: no
detokenisation, no re-alignment. Long contexts become overlapping windows; the best span of all of them wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.data.examples import Example, SpanExample
from adapterxfer.formats.base import Batch, Encoding, Feature, Format, Initial, Loss
from adapterxfer.formats.reads import Reads, reads_of
from adapterxfer.formats.tokenization import Encoder, Pieces


class SpanTarget(NamedTuple):
    """A window of the context inside one sequence.

    Attributes:
        start: position of the answer's first token in the sequence; 0 where this window holds no answer.
        end: position of its last token.
        first: position of the window's first context token.
        spans: character span in the raw context of each context token; empty spans cannot start or end an answer.
    """

    start: int
    end: int
    first: int
    spans: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class SpanQa(Format):
    """Start and end of the answer, chosen jointly.

    Attributes:
        max_answer_tokens: longest span considered when predicting.
        overlap: tokens shared by neighbouring windows of a long context (at most half a window).
        null_threshold: the empty answer is predicted where its score exceeds that of the best span by more than this
            (SQuAD 2.0); None where every question has an answer.
    """

    max_answer_tokens: int = 30
    overlap: int = 128
    null_threshold: float | None = None
    name: ClassVar[str] = "span_qa"

    def features(self, examples: Sequence[SpanExample], encoding: Encoding) -> Iterator[Feature]:
        """One feature per window. Training uses the first answer; windows without it point at the first token."""
        encoder = encoding.encoder
        questions = encoder.texts([e.question for e in examples])
        contexts = encoder.texts_with_spans([e.context for e in examples])
        for index, (example, question, context) in enumerate(zip(examples, questions, contexts, strict=True)):
            answer = None
            if encoding.train and example.answers:
                answer = answer_tokens(context.spans, example.answer_starts[0], len(example.answers[0]))
            for sequence, target in self._windows(encoder, question, context, answer, encoding.max_length):
                yield Feature([sequence], target, index)

    def _windows(
        self,
        encoder: Encoder,
        question: list[int],
        context: Pieces,
        answer: tuple[int, int] | None,
        max_length: int,
    ) -> list[tuple[list[int], SpanTarget]]:
        before, between, after = encoder.pair
        room = encoder.room(max_length, pair=True)
        question = question[: room // 2]
        room -= len(question)
        step = room - min(self.overlap, room // 2)
        first = len(before) + len(question) + len(between)
        windows = []
        for begin in range(0, max(len(context.ids) - room + step, 1), step):
            end = begin + room
            start_position = end_position = 0
            if answer is not None and begin <= answer[0] and answer[1] < end:
                start_position, end_position = first + answer[0] - begin, first + answer[1] - begin
            sequence = [*before, *question, *between, *context.ids[begin:end], *after]
            windows.append((sequence, SpanTarget(start_position, end_position, first, context.spans[begin:end])))
        return windows

    def fields(self, features: Sequence[Feature], shape: tuple[int, int]) -> tuple[dict[str, Tensor], Reads]:
        """Fields ``start``, ``end`` ``(rows,)`` and ``allowed`` ``(rows, width)``: where a span may start or end."""
        targets: list[SpanTarget] = [f.target for f in features]
        allowed = np.zeros(shape, dtype=bool)
        for row, target in enumerate(targets):
            allowed[row, target.first : target.first + len(target.spans)] = [start < end for start, end in target.spans]
        fields = {
            "start": torch.tensor([t.start for t in targets], dtype=torch.int64),
            "end": torch.tensor([t.end for t in targets], dtype=torch.int64),
            "allowed": torch.from_numpy(allowed),
        }
        read = allowed.copy()
        read[:, 0] = True  # what windows without an answer point at
        return fields, reads_of(read)

    def head(self, hidden_size: int, labels: int, initial: Initial) -> SpanHead:  # noqa: ARG002 - spans have no labels
        """Start and end logits, shape ``(rows, width, 2)``."""
        return SpanHead(hidden_size, initial)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Mean of the start and end cross-entropies, over context and first token only, summed over windows."""
        possible = batch.fields["allowed"].clone()
        possible[:, 0] = True
        logits = outputs.float().masked_fill(~possible.unsqueeze(-1), -torch.inf)
        start = functional.cross_entropy(logits[..., 0], batch.fields["start"], reduction="sum")
        end = functional.cross_entropy(logits[..., 1], batch.fields["end"], reduction="sum")
        return Loss((start + end) / 2, len(batch.sizes))

    def results(self, outputs: Tensor, batch: Batch) -> list[Any]:
        """``(score, start, end)`` of the best span of each window; the score is -inf where no span is possible.

        With a null threshold, the score of the empty answer (start and end at the first token) is a fourth value.
        """
        best = best_spans(outputs, batch.fields["allowed"], self.max_answer_tokens)
        if self.null_threshold is None:
            return best
        empty = outputs.float()[:, 0].sum(dim=-1).tolist()
        return [(*span, null) for span, null in zip(best, empty, strict=True)]

    def decode(
        self,
        results: Sequence[Any],
        features: Sequence[Feature],
        examples: Sequence[Example],
        labels: Sequence[str],  # noqa: ARG002
    ) -> list[str]:
        """Answer texts: the substring of the context under the best span of all windows (the first, if equal).

        The empty answer counts with its lowest score over the windows: one window that surely has an answer is enough.
        """
        best: list[tuple[float, str]] = [(-float("inf"), "")] * len(examples)
        nulls = [float("inf")] * len(examples)
        for feature, (score, start, end, *empty) in zip(features, results, strict=True):
            if empty:
                nulls[feature.example] = min(nulls[feature.example], empty[0])
            if score > best[feature.example][0]:
                target = cast("SpanTarget", feature.target)
                begin, stop = target.spans[start - target.first][0], target.spans[end - target.first][1]
                best[feature.example] = (score, cast("SpanExample", examples[feature.example]).context[begin:stop])
        if self.null_threshold is None:
            return [text for _, text in best]
        return [
            "" if null - score > self.null_threshold else text for (score, text), null in zip(best, nulls, strict=True)
        ]


class SpanHead(nn.Module):
    """A linear layer with one output for starts and one for ends."""

    def __init__(self, hidden_size: int, initial: Initial) -> None:
        super().__init__()
        self.out = initial.linear(hidden_size, 2)

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:  # noqa: ARG002 - all heads are called alike
        """Logits of shape ``(rows, width, 2)``."""
        logits: Tensor = self.out(hidden_states)
        return logits


def answer_tokens(spans: Sequence[tuple[int, int]], start: int, length: int) -> tuple[int, int] | None:
    """First and last token that share a character with the answer; None if no token does."""
    touched = [i for i, (begin, end) in enumerate(spans) if begin < start + length and end > start and begin < end]
    return (touched[0], touched[-1]) if touched else None


def best_spans(outputs: Tensor, allowed: Tensor, max_tokens: int) -> list[tuple[float, int, int]]:
    """Exact search for ``argmax start[i] + end[j]`` with ``i <= j < i + max_tokens``, both allowed.

    Args:
        outputs: logits, shape ``(rows, width, 2)``.
        allowed: shape ``(rows, width)``.
        max_tokens: longest span.

    Returns:
        ``(score, i, j)`` per row. Unlike the usual list of the n best starts and ends, no span is missed.
    """
    logits = outputs.float().masked_fill(~allowed.unsqueeze(-1), -torch.inf)
    span = min(max_tokens, logits.shape[1])
    # ends[r, i, k] is the end logit of a span of k + 1 tokens that starts at i
    ends = functional.pad(logits[..., 1], (0, span - 1), value=-torch.inf).unfold(1, span, 1)
    scores, flat = (logits[..., 0].unsqueeze(-1) + ends).flatten(1).max(dim=1)
    starts = flat // span
    return list(zip(scores.tolist(), starts.tolist(), (starts + flat % span).tolist(), strict=True))
