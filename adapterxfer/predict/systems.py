"""What can be asked for predictions beside controls: a trained model, or a backbone as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog import layer_in
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import VariantError
from adapterxfer.formats.base import Batch, Format
from adapterxfer.formats.encoded import Encoded, encode_split
from adapterxfer.formats.inference import BATCH_TOKENS, Forward, predict_encoded
from adapterxfer.formats.reads import Reads
from adapterxfer.formats.retrieval import Retrieval
from adapterxfer.predict.by_language import head_for, model_of, only, predict_by_language, refuse_two_languages
from adapterxfer.predict.pools import Embedder, pooling_format
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.model import TransferModel

Layer = int | str
"""A number (0 is the embeddings), ``middle`` or ``top``."""


def encode_test(
    task: StoredTask, fmt: Format, split: str, languages: Sequence[str], backbone: LoadedBackbone
) -> Encoded:
    """Features of a split for prediction, as long as the backbone can read; see `encode_split`."""
    return encode_split(fmt, task, split, languages, backbone.tokenizer, max_length=backbone.max_length, train=False)


def predict_trained(
    folder: Path,
    backbone: LoadedBackbone,
    task: StoredTask,
    fmt: Format,
    encoded: Encoded,
    *,
    protocol: str = "",
    languages: Mapping[str, Path] | None = None,
    batch_tokens: int = BATCH_TOKENS,
    device: str = "cpu",
) -> list[str]:
    """Predictions of a model folder; for untrained retrieval, of the protocol's layer with all adapters in place.

    Args:
        languages: language -> model folder of its adapter, for a model trained above the adapter of its language;
            each language of the examples is predicted above its own.

    Raises:
        VariantError: the model has no head for the task, or knows its labels in another order; or the adapter of a
            language is missing, or lies under a model that has none.
    """
    model = model_of(folder, backbone, device)
    if model.composition.language is not None or languages:
        return predict_by_language(
            model, languages or {}, task, fmt, encoded, where=folder, batch_tokens=batch_tokens, device=device
        )
    if not fmt.trainable:
        forward, head = _pooling_of(model, fmt, protocol)
        return predict_encoded(forward, head, fmt, encoded, (), batch_tokens=batch_tokens, device=device)
    head = head_for(model, task, folder)
    return predict_encoded(model, head, fmt, encoded, task.labels, batch_tokens=batch_tokens, device=device)


def predict_each(
    folders: Mapping[str, Path],
    backbone: LoadedBackbone,
    task: StoredTask,
    fmt: Format,
    encoded: Encoded,
    *,
    protocol: str = "",
    batch_tokens: int = BATCH_TOKENS,
    device: str = "cpu",
) -> list[str]:
    """Predictions in the order of the examples, of every language by its own model.

    Args:
        folders: language -> model folder.

    Raises:
        VariantError: a language has no model; or as of `predict_trained`.
    """
    if missing := sorted({example.language for example in encoded.examples} - set(folders)):
        raise VariantError(f"no model for the examples in {', '.join(missing)}", fix="plan the recipe again")
    predictions = [""] * len(encoded.examples)
    for language, folder in folders.items():
        chosen, subset = only(encoded, language)
        answers = predict_trained(
            folder, backbone, task, fmt, subset, protocol=protocol, batch_tokens=batch_tokens, device=device
        )
        for index, answer in zip(chosen, answers, strict=True):
            predictions[index] = answer
    return predictions


def predict_backbone(
    backbone: LoadedBackbone,
    layer: Layer,
    fmt: Format,
    encoded: Encoded,
    *,
    batch_tokens: int = BATCH_TOKENS,
    device: str = "cpu",
) -> list[str]:
    """Retrieval with one layer of an untouched backbone; layer 0 is the embedding layer.

    Raises:
        VariantError: the task needs a trained head, or there is no such layer.
    """
    if fmt.trainable:
        raise VariantError(
            f"an untouched backbone cannot answer format {fmt.name}", fix="predict with a trained model, or a control"
        )
    return _retrieve(_forward_of(backbone, layer, device), fmt, encoded, batch_tokens=batch_tokens, device=device)


def _forward_of(backbone: LoadedBackbone, layer: Layer, device: str) -> Forward:
    until = layer_number(layer, backbone.layers)
    if not 0 <= until <= backbone.layers:
        raise VariantError(
            f"layer {layer} of backbone '{backbone.name}'; it has 0 (embeddings) to {backbone.layers}",
            fix="choose another layer",
        )
    module: Any = backbone.model
    module.to(device)

    def forward(input_ids: Tensor, attention_mask: Tensor, _: Reads | None = None) -> Tensor:
        return encode(module, input_ids, attention_mask, until=until)

    return forward


def layer_number(layer: Layer, layers: int) -> int:
    """The number of a layer of a backbone with so many layers."""
    if layer == "middle":
        return middle_layer(layers)
    return layers if layer == "top" else int(layer)


def middle_layer(layers: int) -> int:
    """The layer whose output embeds sentences, counted from 1: half of the layers, at least the first."""
    return max(layers // 2, 1)


def embedder_of_model(
    folder: Path,
    backbone: LoadedBackbone,
    task: StoredTask,
    fmt: Format,
    protocol: str,
    *,
    batch_tokens: int,
    device: str,
) -> Embedder:
    """What embeds texts in a model folder: its head for the task, or one layer of it, as the protocol says."""
    model = model_of(folder, backbone, device)
    refuse_two_languages(model, fmt, folder)
    forward: Forward
    if fmt.trainable:
        forward, head = model, model.head(task.task)
    else:
        forward, head = _pooling_of(model, fmt, protocol)
    return _embedder(forward, head, fmt, backbone, batch_tokens, device)


def embedder_of_backbone(
    backbone: LoadedBackbone, layer: Layer, fmt: Format, *, batch_tokens: int, device: str
) -> Embedder:
    """Mean pooling over one layer of an untouched backbone; where the protocol has a trained head, without it."""
    if fmt.trainable:
        fmt = Retrieval(special_tokens=True, centred=False, lengths=pooling_format(fmt).lengths)
    head = fmt.make_head(0, (), generator=torch.Generator())
    return _embedder(_forward_of(backbone, layer, device), head, fmt, backbone, batch_tokens, device)


def _embedder(
    forward: Forward, head: nn.Module, fmt: Format, backbone: LoadedBackbone, batch_tokens: int, device: str
) -> Embedder:
    return Embedder(
        forward, head, pooling_format(fmt), backbone.tokenizer, max_length=backbone.max_length,
        batch_tokens=batch_tokens, device=device,
    )  # fmt: skip


def _pooling_of(model: TransferModel, fmt: Format, protocol: str) -> tuple[Forward, nn.Module]:
    """Layer and pooling of a retrieval that trains nothing: the model's own trained pooling where the protocol asks."""
    trained = [head for head in model.composition.heads if head.format == "retrieval"]
    if trained and any(word.startswith("trained-pooling") for word in protocol.split("/")):
        head = model.head(trained[0].task)
        return model, _Plain(head)
    return _layer_of(model, layer_in(protocol)), fmt.make_head(0, (), generator=torch.Generator())


class _Plain(nn.Module):
    """A dual encoder's head for texts that are neither query nor candidate: without the scale of queries."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, hidden_states: Tensor, batch: Batch) -> Tensor:
        """Embeddings of shape ``(rows, hidden)``."""
        rows = torch.zeros(len(hidden_states), dtype=torch.bool, device=hidden_states.device)
        embeddings: Tensor = self.head(hidden_states, replace(batch, fields={**batch.fields, "query": rows}))
        return embeddings


def _layer_of(model: TransferModel, layer: Layer) -> Forward:
    until = layer_number(layer, model.loaded.layers)

    def forward(input_ids: Tensor, attention_mask: Tensor, _: Reads | None = None) -> Tensor:
        return model.hidden_states(input_ids, attention_mask, layer=until)

    return forward


def _retrieve(forward: Forward, fmt: Format, encoded: Encoded, *, batch_tokens: int, device: str) -> list[str]:
    pooling = fmt.make_head(0, (), generator=torch.Generator())
    return predict_encoded(forward, pooling, fmt, encoded, (), batch_tokens=batch_tokens, device=device)
