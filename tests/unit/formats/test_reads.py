"""Heads read what their batches say and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from adapterxfer.data.examples import ChoiceExample, PairExample, SpanExample, TaggingExample
from adapterxfer.formats.base import Batch, Feature, Initial
from adapterxfer.formats.masked_lm import LanguageModelHead, MaskedLm
from adapterxfer.formats.reads import first_tokens, reads_of
from adapterxfer.formats.registry import get_format

EXAMPLES: dict[str, list[Any]] = {
    "sequence_classification": [PairExample("1", "1", "en", "tom saw anna", "tom saw", "yes")],
    "tagging": [
        TaggingExample("1", "1", "en", ("Tom", "saw", "(", "anna", ")"), ("B", "O", "O", "B", "O")),
        TaggingExample("2", "2", "en", ("the", "dog"), ("O", "O")),
    ],
    "span_qa": [
        SpanExample(
            example_id="1",
            cluster_id="1",
            language="en",
            question="who saw?",
            context="the dog saw Tom.",
            answers=("Tom",),
            answer_starts=(12,),
        ),
        SpanExample(
            example_id="2",
            cluster_id="1",
            language="en",
            question="who saw whom?",
            context="anna",
            answers=(),
            answer_starts=(),
        ),
    ],
    "multiple_choice": [
        ChoiceExample(
            example_id="2",
            cluster_id="2",
            language="en",
            context="",
            question="who?",
            choices=("a", "b", "the big dog"),
            label=2,
        )
    ],
}


def test_reads_of_a_mask_are_its_true_places() -> None:
    read = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 1]], dtype=bool)
    reads = reads_of(read)
    assert reads.most == 3
    assert reads.positions.tolist() == [1, 3, 8, 12, 13, 15]
    # rows of three slots, filled from the left
    assert reads.slots.tolist() == [0, 1, 6, 9, 10, 11]


def test_first_tokens_are_those_of_a_mask() -> None:
    read = np.zeros((5, 4), dtype=bool)
    read[:, 0] = True
    found, expected = first_tokens(5, 4), reads_of(read)
    assert found.most == expected.most == 1
    assert torch.equal(found.positions, expected.positions)
    assert torch.equal(found.slots, expected.slots)


def test_of_an_empty_mask_nothing_is_read() -> None:
    reads = reads_of(np.zeros((2, 3), dtype=bool))
    assert (reads.most, len(reads.positions), len(reads.slots)) == (1, 0, 0)


def changed_elsewhere(batch: Batch, hidden: torch.Tensor, value: float) -> torch.Tensor:
    """Other numbers wherever the batch says that nothing is read."""
    assert batch.reads is not None
    other = torch.full_like(hidden, value).flatten(0, 1)
    other[batch.reads.positions] = hidden.flatten(0, 1)[batch.reads.positions]
    return other.view(hidden.shape)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("null_threshold", [None, 0.0])
def test_nothing_else_changes_loss_or_results(tokenizer: Any, name: str, null_threshold: float | None) -> None:
    fmt: Any = get_format(name)
    if name == "span_qa":
        fmt = type(fmt)(null_threshold=null_threshold)
    labels = {"sequence_classification": ("no", "yes"), "tagging": ("O", "B")}.get(name, ())
    features = fmt.encode(EXAMPLES[name], tokenizer, max_length=32, labels=labels, train=True)
    batch = fmt.collate(features, pad_id=1)
    head = fmt.make_head(8, labels, generator=torch.Generator().manual_seed(1), std=1.0)
    hidden = torch.randn(*batch.input_ids.shape, 8, generator=torch.Generator().manual_seed(2))
    expected, results = fmt.loss(head(hidden, batch), batch), fmt.results(head(hidden, batch), batch)
    assert len(batch.reads.positions) < batch.input_ids.numel()
    for value in (0.0, 50.0, -50.0):
        found = head(changed_elsewhere(batch, hidden, value), batch)
        assert torch.equal(fmt.loss(found, batch).total, expected.total)
        assert all(np.array_equal(a, b) for a, b in zip(fmt.results(found, batch), results, strict=True))
    # and each read counts: without any of them something is another number
    for index in range(len(batch.reads.positions)):
        one = hidden.clone()
        one.flatten(0, 1)[batch.reads.positions[index]] += 3.0
        assert not torch.equal(fmt.loss(head(one, batch), batch).total, expected.total)


def test_masked_texts_are_read_at_hidden_tokens() -> None:
    fmt = MaskedLm(20)
    batch = fmt.collate([Feature([[0, 5, 6, 2]], ([2], [7]), 0), Feature([[0, 8, 2]], ([1], [9]), 1)], pad_id=1)
    head = LanguageModelHead(8, 20, Initial(torch.Generator().manual_seed(1), 1.0), eps=1e-5)
    head.tie(_Tied())
    hidden = torch.randn(2, 4, 8)
    assert batch.reads is not None
    assert batch.reads.positions.tolist() == [2, 5]
    assert torch.equal(head(changed_elsewhere(batch, hidden, 9.0), batch), head(hidden, batch))


class _Tied:
    """An encoder as far as a head asks for it."""

    def __init__(self) -> None:
        self.table = torch.nn.Embedding(20, 8)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.table


def test_a_batch_moves_with_what_is_read() -> None:
    batch = Batch(torch.zeros(2, 3), torch.ones(2, 3), (1, 1), {}, first_tokens(2, 3))
    moved = batch.to("meta").reads
    assert moved is not None
    assert moved.positions.device.type == moved.slots.device.type == "meta"
