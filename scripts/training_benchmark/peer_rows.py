"""Features and heads as the libraries want them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    XLMRobertaForQuestionAnswering,
    XLMRobertaForSequenceClassification,
    XLMRobertaForTokenClassification,
)

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.formats.base import Batch, Feature
from adapterxfer.training.tasks import TrainTask

_MODELS = {
    "sequence_classification": XLMRobertaForSequenceClassification,
    "tagging": XLMRobertaForTokenClassification,
    "span_qa": XLMRobertaForQuestionAnswering,
}
_HEADS = {
    "sequence_classification": {"dense": "classifier.dense", "out": "classifier.out_proj"},
    "tagging": {"out": "classifier"},
    "span_qa": {"out": "qa_outputs"},
}
"""Format -> module of our head -> module of the library's model."""


def static_model(backbone: LoadedBackbone, task: TrainTask, weights: Mapping[str, Tensor]) -> Any:
    """The library's model with the head of the task's format on a copy of ``weights`` of the encoder."""
    config = copy.deepcopy(backbone.config)
    config.num_labels = max(2, len(task.labels))
    # Our heads have no dropout of their own; without this the library's take that of the hidden states.
    config.classifier_dropout = 0.0
    model_class: Any = _MODELS[task.format.name]
    model = model_class(config)
    model.base_model.load_state_dict(weights, strict=True)
    return model


def copy_head(head: nn.Module, model: Any, format_name: str) -> None:
    """Give the library's head the weights of ours."""
    for own, theirs in _HEADS[format_name].items():
        model.get_submodule(theirs).load_state_dict(head.get_submodule(own).state_dict())


def collator(format_name: str, tokenizer: Any) -> Any:
    """Pads to the longest row of a batch."""
    kind = DataCollatorForTokenClassification if format_name == "tagging" else DataCollatorWithPadding
    return kind(tokenizer)


def train_rows(format_name: str, features: Sequence[Feature]) -> list[dict[str, Any]]:
    """Features with labels."""
    rows = test_rows(features)
    for feature, row in zip(features, rows, strict=True):
        if format_name == "tagging":
            labels = [-100] * len(row["input_ids"])
            for position, tag in zip(feature.target.positions, feature.target.tags, strict=True):
                labels[position] = tag
            row["labels"] = labels
        elif format_name == "span_qa":
            row |= {"start_positions": feature.target.start, "end_positions": feature.target.end}
        else:
            row["labels"] = feature.target
    return rows


def test_rows(features: Sequence[Feature]) -> list[dict[str, Any]]:
    """Features without labels."""
    return [{"input_ids": f.sequences[0], "attention_mask": [1] * len(f.sequences[0])} for f in features]


def outputs_of(format_name: str, values: Any, batch: Batch) -> Tensor:
    """Logits of one feature in the shape of our formats, without padding."""
    width = batch.input_ids.shape[1]
    if format_name == "span_qa":
        start, end = (torch.as_tensor(part)[:width] for part in values)
        return torch.stack([start, end], dim=-1)[None]
    if format_name == "tagging":
        return torch.as_tensor(values)[batch.fields["positions"]]
    return torch.as_tensor(values)[None]
