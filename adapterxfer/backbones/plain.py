"""The modules of encoders with BERT's layers, named and shaped as in `transformers`, without anything that runs them.

The own forward pass (`variants.encoder`) reads weights and never calls the library's model. So a process that runs
stages does without its code, which takes two seconds to import and as long again to draw start values that nobody
uses. A test compares names, shapes and what they compute with the library's models.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from adapterxfer.catalog.architectures import Architecture


class PlainEncoder(nn.Module):
    """Modules of an encoder, with weights that are to be filled in.

    Args:
        config: of the library.
        architecture: one that the own forward pass runs.
        words: rows of the word matrix.
    """

    def __init__(self, config: Any, architecture: Architecture, *, words: int) -> None:
        super().__init__()
        self.config = config
        width = int(getattr(config, "embedding_size", config.hidden_size))
        self.embeddings = _embeddings(config, width, words, from_pad=architecture.positions == "from-pad")
        if architecture.projection and width != config.hidden_size:
            setattr(self, architecture.projection, _Linear(width, config.hidden_size))
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(_layer(config) for _ in range(config.num_hidden_layers))

    def get_input_embeddings(self) -> nn.Module:
        """The lookup of words, under the name that the library gives it."""
        lookup: nn.Module = self.embeddings.get_submodule("word_embeddings")
        return lookup


def _embeddings(config: Any, width: int, words: int, *, from_pad: bool) -> nn.Module:
    parts = nn.Module()
    parts.word_embeddings = _lookup(words, width, config.pad_token_id)
    parts.position_embeddings = _lookup(
        config.max_position_embeddings, width, config.pad_token_id if from_pad else None
    )
    parts.token_type_embeddings = _lookup(config.type_vocab_size, width, None)
    parts.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
    return parts


def _layer(config: Any) -> nn.Module:
    hidden, inner = config.hidden_size, config.intermediate_size
    attention = nn.Module()
    attention.num_attention_heads = config.num_attention_heads
    attention.attention_head_size = hidden // config.num_attention_heads
    for role in ("query", "key", "value"):
        setattr(attention, role, _Linear(hidden, hidden))
    layer = nn.Module()
    layer.attention = nn.Module()
    layer.attention.self = attention
    layer.attention.output = _output(hidden, config)
    layer.intermediate = nn.Module()
    layer.intermediate.dense = _Linear(hidden, inner)
    layer.intermediate.intermediate_act_fn = _activation(str(config.hidden_act))
    layer.output = _output(inner, config)
    return layer


def _activation(name: str) -> nn.Module:
    if name == "gelu":
        return nn.GELU()
    from transformers.activations import ACT2FN

    activation: nn.Module = ACT2FN[name]
    return activation


def _output(inputs: int, config: Any) -> nn.Module:
    output = nn.Module()
    output.dense = _Linear(inputs, config.hidden_size)
    output.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
    return output


def _lookup(rows: int, width: int, padding_id: int | None) -> nn.Embedding:
    return nn.Embedding(rows, width, padding_idx=padding_id, _weight=torch.empty(rows, width))


class _Linear(nn.Linear):
    """Without start values."""

    def reset_parameters(self) -> None:
        pass
