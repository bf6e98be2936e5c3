"""What can be asked for predictions beside controls: a trained model, or a backbone as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from adapterxfer.backbones.loading import LoadedBackbone
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import VariantError
from adapterxfer.formats.base import Format
from adapterxfer.formats.encoded import Encoded, encode_split
from adapterxfer.formats.inference import BATCH_TOKENS, Forward, predict_encoded
from adapterxfer.formats.registry import get_format
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import load_model

Layer = int | Literal["middle"]


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
    batch_tokens: int = BATCH_TOKENS,
    device: str = "cpu",
) -> list[str]:
    """Predictions of a model folder; for retrieval, of its middle layer with all adapters in place.

    Raises:
        VariantError: the model has no head for the task, or knows its labels in another order.
    """
    model = load_model(
        folder,
        backbone,
        make_head=lambda part: get_format(part.format).make_head(
            backbone.hidden_size, part.labels, generator=torch.Generator()
        ),
    ).to(device)
    if not fmt.trainable:
        return _retrieve(_layer_of(model, "middle"), fmt, encoded, batch_tokens=batch_tokens, device=device)
    part = model.composition.head(task.task)
    if part.labels != task.labels:
        raise VariantError(
            f"{folder}: head of task '{task.task}' has the labels {list(part.labels)}; the data {list(task.labels)}",
            fix="train the model again on these data",
        )
    return predict_encoded(
        model, model.head(task.task), fmt, encoded, task.labels, batch_tokens=batch_tokens, device=device
    )


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
    until = middle_layer(backbone.layers) if layer == "middle" else layer
    if not 0 <= until <= backbone.layers:
        raise VariantError(
            f"layer {layer} of backbone '{backbone.name}'; it has 0 (embeddings) to {backbone.layers}",
            fix="choose another layer",
        )
    module: Any = backbone.model
    module.to(device)

    def forward(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return encode(module, input_ids, attention_mask, until=until)

    return _retrieve(forward, fmt, encoded, batch_tokens=batch_tokens, device=device)


def middle_layer(layers: int) -> int:
    """The layer whose output embeds sentences, counted from 1: half of the layers, at least the first."""
    return max(layers // 2, 1)


def _layer_of(model: TransferModel, layer: Layer) -> Forward:
    until = middle_layer(model.loaded.layers) if layer == "middle" else layer

    def forward(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return model.hidden_states(input_ids, attention_mask, layer=until)

    return forward


def _retrieve(forward: Forward, fmt: Format, encoded: Encoded, *, batch_tokens: int, device: str) -> list[str]:
    pooling = fmt.make_head(0, (), generator=torch.Generator())
    return predict_encoded(forward, pooling, fmt, encoded, (), batch_tokens=batch_tokens, device=device)
