"""How fast layers of a width train and predict in this process: a probe of seconds on random weights and tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from adapterxfer.catalog.methods import METHODS
from adapterxfer.formats.inference import BATCH_TOKENS
from adapterxfer.training.device import device_for
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.bottleneck import Bottleneck
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.places import places_of

HEAD_WIDTH = 64
"""Width of an attention head in the backbones that were published."""

TRAINING_ROWS = 32
VOCABULARY = 1000
"""Of the probe: tables cost next to nothing beside the layers."""

REDUCTION = 16
METHOD = next(name for name, spec in METHODS.items() if spec.kind is Bottleneck)
WARM_UP = 1
"""Passes that are not counted."""


def layer_speeds(*, hidden: int, layers: int, length: int, seconds: float, device: str = "cpu") -> dict[str, float]:
    """Tokens per second of three ways of working.

    Args:
        hidden: width.
        layers: how many are built.
        length: tokens of a text; nothing is padded.
        seconds: how long each way is measured, at least.
        device: where.
    """
    where = device_for(device)
    backbone = _layers(hidden, layers, length).to(where)
    shape = AdapterShape(METHOD, max(1, hidden // REDUCTION))
    adapter = Adapter(layers, hidden, shape, generator=torch.Generator().manual_seed(0)).to(where)

    def ids(rows: int) -> Tensor:
        return torch.randint(5, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(0)).to(where)

    training, testing = ids(TRAINING_ROWS), ids(max(1, BATCH_TOKENS // length))

    def step(*, frozen: bool) -> None:
        backbone.requires_grad_(not frozen)
        states = encode(backbone, training, None, places_of([adapter]) if frozen else None)
        states.sum().backward()
        for module in (backbone, adapter):
            module.zero_grad(set_to_none=True)

    def predict() -> None:
        with torch.inference_mode():
            encode(backbone, testing, None)

    return {
        "full": _speed(lambda: step(frozen=False), training.numel(), seconds, where),
        "frozen": _speed(lambda: step(frozen=True), training.numel(), seconds, where),
        "predict": _speed(predict, testing.numel(), seconds, where),
    }


def _layers(hidden: int, layers: int, length: int) -> Any:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    config = XLMRobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // HEAD_WIDTH),
        intermediate_size=4 * hidden,
        max_position_embeddings=length + 2,
    )
    config._attn_implementation = "sdpa"
    return XLMRobertaModel(config, add_pooling_layer=False).eval()


def _speed(work: Callable[[], None], tokens: int, seconds: float, device: torch.device) -> float:
    """Tokens per second of one piece of work done again and again."""
    for _ in range(WARM_UP):
        work()
    _wait(device)
    times, began = 0, time.perf_counter()
    while True:
        work()
        times += 1
        _wait(device)
        spent = time.perf_counter() - began
        if spent >= seconds:
            return times * tokens / spent


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
