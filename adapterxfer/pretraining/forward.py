"""The one forward pass of masked language modelling: encode everything, predict only what was hidden."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import XLMRobertaForMaskedLM

from adapterxfer.pretraining.batches import MaskedBatch


def predict_hidden(model: XLMRobertaForMaskedLM, masked: MaskedBatch, *, device: str) -> Tensor:
    """Logits at the hidden positions only, shape ``(predicted, vocabulary)``: the output layer is most of the cost."""
    inputs = torch.from_numpy(masked.inputs).to(device)
    attention = torch.from_numpy(masked.attention).to(device)
    states = model.roberta(input_ids=inputs, attention_mask=attention, return_dict=False)[0]
    picked = states.reshape(-1, states.shape[-1]).index_select(0, torch.from_numpy(masked.positions).to(device))
    logits: Tensor = model.lm_head(picked)
    return logits
