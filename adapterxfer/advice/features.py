"""Features of labelled English examples, and embeddings of a task's texts, from frozen states.

What a row of features is follows from the format, as close as possible to what the head would read:

| format | row | label |
|---|---|---|
| sequence_classification | the text or pair | its label |
| tagging | first token of a word | its tag |
| multiple_choice | context and question with one choice | right or wrong |
| span_qa | one sentence of the context, read together with the question | whether the answer begins in it |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adapterxfer.advice.records import AdviceSettings
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.examples import Example, SpanExample
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import DataError
from adapterxfer.formats.base import Batch, Feature, Format, pad_sequences
from adapterxfer.formats.inference import BATCH_TOKENS, Forward, token_batches
from adapterxfer.formats.reads import Reads
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.predict.by_language import model_of
from adapterxfer.predict.systems import layer_number
from adapterxfer.training.tasks import SOURCE_LANGUAGE
from adapterxfer.variants.encoder import encode

Array = npt.NDArray[np.float64]

UNITS = {
    "sequence_classification": "texts",
    "tagging": "words",
    "multiple_choice": "choices",
    "span_qa": "sentences of contexts",
}

_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|\Z)")


class Labelled(NamedTuple):
    """Rows of features of shape ``(rows, hidden)``, the label of each, and what they are, in words."""

    features: Array
    labels: npt.NDArray[np.int64]
    described: str


def forward_of(backbone: LoadedBackbone, folder: Path | None, protocol: AdviceSettings, *, device: str) -> Forward:
    """What computes the states of the protocol's layer: of the backbone, or of a trained model with its adapters.

    Raises:
        DataError: the backbone has no such layer.
    """
    layer = layer_number(protocol.layer, backbone.layers)
    if not 0 <= layer <= backbone.layers:
        raise DataError(
            f"layer {layer} of backbone '{backbone.name}'; it has 0 (embeddings) to {backbone.layers}",
            fix="choose another --layer",
        )
    if folder is not None:
        model = model_of(folder, backbone, device).eval()

        def adapted(input_ids: Tensor, attention_mask: Tensor, _: Reads | None = None) -> Tensor:
            return model.hidden_states(input_ids, attention_mask, layer=layer)

        return adapted
    module: Any = backbone.model.to(device)  # type: ignore[arg-type]

    def forward(input_ids: Tensor, attention_mask: Tensor, _: Reads | None = None) -> Tensor:
        return encode(module, input_ids, attention_mask, until=layer)

    return forward


def draw_examples(
    task: StoredTask, *, count: int, seed: int, splits: Sequence[str] = ("train", "dev")
) -> list[Example]:
    """Some English examples, in the order in which they were drawn; of the first split there is.

    Raises:
        DataError: the task has none of the splits in English.
    """
    for split in splits:
        if SOURCE_LANGUAGE in task.languages(split):
            examples = task.split(split, SOURCE_LANGUAGE)
            order = np.random.default_rng(seed).permutation(len(examples))[:count]
            return [examples[index] for index in order]
    raise DataError(
        f"task '{task.task}' has no English {' or '.join(splits)} split", fix="leave the task out of the recipe"
    )


def encode_some(
    fmt: Format, task: StoredTask, examples: Sequence[Example], backbone: LoadedBackbone, *, train: bool = True
) -> list[Feature]:
    """Features of some examples, as long as the backbone can read."""
    return fmt.encode(examples, backbone.tokenizer, max_length=backbone.max_length, labels=task.labels, train=train)


def label_features(
    forward: Forward, backbone: LoadedBackbone, task: StoredTask, protocol: AdviceSettings, *, device: str
) -> Labelled:
    """Rows of features with labels, at most as many as the protocol says.

    Raises:
        DataError: the format has no labels of this kind, or the examples give no row.
    """
    if task.format not in UNITS:
        raise DataError(
            f"task '{task.task}': format {task.format} has no labels that features could explain",
            fix="judge it by its text embeddings",
        )
    fmt = get_format(task.format)
    examples = draw_examples(task, count=protocol.examples, seed=protocol.draw)
    encoded = encode_some(fmt, task, examples, backbone)
    pad = encoder_for(backbone.tokenizer).pad_id
    blocks: list[tuple[int, Tensor, list[int]]] = []
    with torch.inference_mode():
        for indices in token_batches(encoded, BATCH_TOKENS):
            chosen = [encoded[index] for index in indices]
            batch = fmt.collate(chosen, pad_id=pad).to(device)
            states = forward(batch.input_ids, batch.attention_mask, None)
            for index, vectors, targets in _rows(task.format, states, batch, chosen, examples, protocol):
                blocks.append((indices[index], vectors.double().cpu(), targets))
    # Batches are sorted by length: without the old order the limit below would keep the longest examples.
    blocks.sort(key=lambda block: block[0])
    labels = np.asarray([label for _, _, block in blocks for label in block], dtype=np.int64)[: protocol.rows]
    if not len(labels):
        raise DataError(
            f"task '{task.task}': no context of {len(examples)} has several sentences to choose from",
            fix="judge it by its text embeddings",
        )
    features = torch.cat([vectors for _, vectors, _ in blocks]).numpy()[: protocol.rows]
    used = len({encoded[index].example for index, _, _ in blocks})
    return Labelled(features, labels, f"{len(labels)} {UNITS[task.format]} of {used} English examples")


def _rows(
    format_name: str, states: Tensor, batch: Batch, features: Sequence[Feature], examples: Sequence[Example],
    protocol: AdviceSettings,
) -> Iterator[tuple[int, Tensor, list[int]]]:  # fmt: skip
    """(index among the features, vectors, labels) of one batch."""
    if format_name == "tagging":
        words = torch.split(states.flatten(0, 1).index_select(0, batch.fields["positions"]), list(batch.sizes))
        targets = torch.split(batch.fields["target"], list(batch.sizes))
        yield from ((i, words[i], targets[i].tolist()) for i in range(len(features)))
    elif format_name == "span_qa":
        for index, feature in enumerate(features):
            yield from _sentences(index, states[index], feature, cast("SpanExample", examples[feature.example]))
    else:
        vectors = states[:, 0] if protocol.pooling == "first" else mean_pooled(states, batch.attention_mask)
        for index, (feature, rows) in enumerate(zip(features, torch.split(vectors, list(batch.sizes)), strict=True)):
            alone = format_name == "sequence_classification"
            right = [feature.target] if alone else [int(choice == feature.target) for choice in range(feature.rows)]
            yield index, rows, right


def _sentences(
    index: int, states: Tensor, feature: Feature, example: SpanExample
) -> Iterator[tuple[int, Tensor, list[int]]]:
    """Mean states of the context's sentences in one window that holds the answer."""
    target = feature.target
    if not target.end:
        return
    ends = [match.end() for match in _SENTENCE_END.finditer(example.context)]
    numbers = np.searchsorted(ends, [begin for begin, _ in target.spans], side="right")
    real = np.asarray([begin < end for begin, end in target.spans])
    which = [int(number) for number in np.unique(numbers[real])]
    if len(which) < 2:
        return
    tokens = states[target.first : target.first + len(target.spans)]
    vectors = [tokens[torch.from_numpy(real & (numbers == number)).to(tokens.device)].mean(dim=0) for number in which]
    answer = int(numbers[target.start - target.first])
    yield index, torch.stack(vectors), [int(number == answer) for number in which]


def task_embedding(
    forward: Forward, backbone: LoadedBackbone, task: StoredTask, protocol: AdviceSettings, *, device: str
) -> Array:
    """Mean over examples of the mean state of all tokens of their inputs, shape ``(hidden,)``.

    Source: the text embeddings of Vu et al. 2020, *Exploring and Predicting Transferability across NLP Tasks*.
    """
    # Only a retrieval's protocol decides how texts are encoded.
    protocol_text = str(task.extra.get("protocol", "")) if task.format == "retrieval" else ""
    fmt = get_format(task.format, protocol_text)
    examples = draw_examples(task, count=protocol.examples, seed=protocol.draw)
    encoded = encode_some(fmt, task, examples, backbone)
    pad = encoder_for(backbone.tokenizer).pad_id
    total = torch.zeros(backbone.hidden_size, dtype=torch.float64)
    count = 0
    with torch.inference_mode():
        for indices in token_batches(encoded, BATCH_TOKENS):
            ids, mask = (
                torch.from_numpy(a).to(device) for a in pad_sequences([encoded[i] for i in indices], pad_id=pad)
            )
            pooled = mean_pooled(forward(ids, mask, None), mask)
            total += pooled.double().sum(dim=0).cpu()
            count += len(pooled)
    return cast("Array", (total / count).numpy())


def mean_pooled(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over real tokens, special ones included: ``(rows, width, hidden)`` to ``(rows, hidden)``."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def cosine(first: Array, second: Array) -> float:
    """Cosine of the angle between two vectors."""
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
