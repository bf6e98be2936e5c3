"""One order of the modules and parameters of an XLM-R with its output head, whatever order the library registers.

Start values are drawn one module after the other, and the norm of a gradient is summed one parameter after the other:
both give other numbers in another order, and the order of registration changed with version 5 of `transformers`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from transformers import XLMRobertaForMaskedLM

LAYER = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
"""Modules of a layer that have parameters."""

HEAD = ("lm_head.dense", "lm_head.layer_norm")


def drawn_modules(model: XLMRobertaForMaskedLM) -> list[nn.Module]:
    """Modules that draw start values; the output matrix is the embedding table."""
    return [model.get_submodule(path) for path in (*_encoder(model), *HEAD)]


def named_parameters(model: XLMRobertaForMaskedLM) -> dict[str, nn.Parameter]:
    """All parameters in one order, tied ones once: those of the encoder, the bias of the output, those of the head."""
    named = _named(model, _encoder(model))
    named["lm_head.bias"] = model.lm_head.bias
    named |= _named(model, HEAD)
    if {id(parameter) for parameter in named.values()} != {id(parameter) for parameter in model.parameters()}:
        raise AssertionError("this version of transformers gives XLM-R parameters that have no place in the order")
    return named


def _encoder(model: XLMRobertaForMaskedLM) -> list[str]:
    tables = ("word_embeddings", "position_embeddings", "token_type_embeddings", "LayerNorm")
    layers = range(model.config.num_hidden_layers)
    return [
        *(f"roberta.embeddings.{name}" for name in tables),
        *(f"roberta.encoder.layer.{index}.{path}" for index in layers for path in LAYER),
    ]


def _named(model: nn.Module, paths: Sequence[str]) -> dict[str, nn.Parameter]:
    modules = {path: model.get_submodule(path) for path in paths}
    return {f"{path}.{name}": p for path, module in modules.items() for name, p in module.named_parameters()}
