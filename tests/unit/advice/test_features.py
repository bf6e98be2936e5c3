"""Features are what the docstring says, row by row, whatever the batches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapterxfer.advice.features import draw_examples, encode_some, forward_of, label_features, task_embedding
from adapterxfer.advice.records import AdviceSettings
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.examples import SpanExample, TaskData
from adapterxfer.data.storage import StoredTask, read_task, write_task
from adapterxfer.errors import DataError
from adapterxfer.formats.registry import get_format

Stored = Callable[[str], StoredTask]
PROTOCOL = AdviceSettings(examples=30)


def states_alone(backbone: LoadedBackbone, sequence: list[int], layer: int | None = None) -> Any:
    """States of one sequence by itself, through the library's own forward pass."""
    with torch.inference_mode():
        out = backbone.model(torch.tensor([sequence]), output_hidden_states=True)
    return out.hidden_states[-1 if layer is None else layer][0].double().numpy()


def measured(backbone: LoadedBackbone, task: StoredTask, protocol: AdviceSettings = PROTOCOL) -> Any:
    return label_features(forward_of(backbone, None, protocol, device="cpu"), backbone, task, protocol, device="cpu")


def encoded(backbone: LoadedBackbone, task: StoredTask) -> tuple[list[Any], list[Any]]:
    examples = draw_examples(task, count=PROTOCOL.examples, seed=PROTOCOL.draw)
    return examples, encode_some(get_format(task.format), task, examples, backbone)


def test_texts(nano: LoadedBackbone, stored: Stored) -> None:
    task = stored("world-xnli")
    examples, features = encoded(nano, task)
    rows = measured(nano, task)
    assert rows.described == "30 texts of 30 English examples"
    assert [task.labels[label] for label in rows.labels] == [example.label for example in examples]
    expected = [states_alone(nano, feature.sequences[0]).mean(axis=0) for feature in features]
    np.testing.assert_allclose(rows.features, expected, atol=1e-5)
    first = measured(nano, task, AdviceSettings(examples=30, pooling="first", layer="1"))
    expected = [states_alone(nano, feature.sequences[0], layer=1)[0] for feature in features]
    np.testing.assert_allclose(first.features, expected, atol=1e-5)


def test_words(nano: LoadedBackbone, stored: Stored) -> None:
    task = stored("world-pos")
    examples, features = encoded(nano, task)
    rows = measured(nano, task)
    tags = [tag for example in examples for tag in example.tags]
    assert [task.labels[label] for label in rows.labels] == tags
    expected = [states_alone(nano, feature.sequences[0])[feature.target.positions] for feature in features]
    np.testing.assert_allclose(rows.features, np.concatenate(expected), atol=1e-5)


def test_choices(nano: LoadedBackbone, stored: Stored) -> None:
    task = stored("world-xmc")
    examples, features = encoded(nano, task)
    rows = measured(nano, task)
    right = [int(index == example.label) for example in examples for index in range(len(example.choices))]
    assert rows.labels.tolist() == right
    expected = [states_alone(nano, sequence).mean(axis=0) for f in features for sequence in f.sequences]
    np.testing.assert_allclose(rows.features, expected, atol=1e-5)


def test_sentences_of_contexts(nano: LoadedBackbone, stored: Stored) -> None:
    task = stored("world-xqa")
    examples, features = encoded(nano, task)
    rows = measured(nano, task)
    labels, vectors = [], []
    for feature, example in zip(features, examples, strict=True):
        states = states_alone(nano, feature.sequences[0])
        sentences = example.context.split(" .")[:-1]
        begins = np.cumsum([0] + [len(sentence) + 2 for sentence in sentences])
        for begin, end in pairwise(begins):
            labels.append(int(begin <= example.answer_starts[0] < end))
            inside = [
                feature.target.first + token
                for token, (start, stop) in enumerate(feature.target.spans)
                if start < stop and begin <= start < end
            ]
            vectors.append(states[inside].mean(axis=0))
    assert rows.labels.tolist() == labels
    assert sum(labels) == len(examples)
    np.testing.assert_allclose(rows.features, vectors, atol=1e-5)


def test_a_limit_on_rows_keeps_the_first_examples(nano: LoadedBackbone, stored: Stored) -> None:
    whole = measured(nano, stored("world-pos"))
    cut = measured(nano, stored("world-pos"), AdviceSettings(examples=30, rows=25))
    assert len(cut.labels) == 25
    np.testing.assert_array_equal(cut.features, whole.features[:25])


def test_the_mean_state_of_all_texts(nano: LoadedBackbone, stored: Stored) -> None:
    task = stored("world-xmc")
    _, features = encoded(nano, task)
    expected = np.mean([states_alone(nano, s).mean(axis=0) for f in features for s in f.sequences], axis=0)
    forward = forward_of(nano, None, PROTOCOL, device="cpu")
    np.testing.assert_allclose(task_embedding(forward, nano, task, PROTOCOL, device="cpu"), expected, atol=1e-5)


def test_refusals(nano: LoadedBackbone, stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no labels that features could explain"):
        measured(nano, stored("world-retrieval"))
    with pytest.raises(DataError, match="no English validation or dev2 split"):
        draw_examples(stored("world-nli"), count=5, seed=0, splits=("validation", "dev2"))
    with pytest.raises(DataError, match="it has 0"):
        measured(nano, stored("world-xnli"), AdviceSettings(layer="9"))
    short = [
        SpanExample(
            example_id=str(i),
            cluster_id=str(i),
            language="en",
            question="who ran ?",
            context="Tom ran .",
            answers=("Tom",),
            answer_starts=(0,),
        )
        for i in range(12)
    ]
    write_task(tmp_path / "short", TaskData("short", "span_qa", (), {("train", "en"): list(short)}))
    with pytest.raises(DataError, match="no context of 12 has several sentences"):
        measured(nano, read_task(tmp_path / "short"))
