"""How well sentences find their English translation in a layer of an untouched backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor

from adapterxfer.data.examples import RetrievalExample
from adapterxfer.world.corpus import SPECIAL
from adapterxfer.world.task_list import task_of
from adapterxfer.world.tasks import load_task

if TYPE_CHECKING:
    from transformers import XLMRobertaForMaskedLM


def layer_retrieval(model: XLMRobertaForMaskedLM, tokenizer: Tokenizer, layer: int) -> dict[str, float]:
    """Nearest-neighbour accuracy in points by language, centred per language; chance is 0.5.

    Args:
        model: in evaluation mode.
        tokenizer: of the world.
        layer: 0 is the output of the embeddings (the control), then the layers.
    """
    scores = {}
    for (_, language), examples in load_task(task_of("retrieval", "target")).splits.items():
        pairs = cast("list[RetrievalExample]", examples)
        queries = _embed(model, tokenizer, [pair.text for pair in pairs], layer)
        translations = _embed(model, tokenizer, [pair.translation for pair in pairs], layer)
        nearest = (queries @ translations.T).argmax(dim=1)
        scores[language] = round(100 * float((nearest == torch.arange(len(pairs))).float().mean()), 1)
    return scores


def _embed(model: XLMRobertaForMaskedLM, tokenizer: Tokenizer, texts: list[str], layer: int) -> Tensor:
    """Mean over a sentence's own tokens, minus the mean sentence, of length 1; shape ``(texts, hidden)``."""
    rows = [tokenizer.encode(text).ids for text in texts]
    width = max(map(len, rows))
    inputs = torch.tensor([row + [SPECIAL.pad] * (width - len(row)) for row in rows])
    with torch.inference_mode():
        mask = (inputs != SPECIAL.pad).long()
        states = model.roberta(input_ids=inputs, attention_mask=mask, output_hidden_states=True).hidden_states[layer]
        ordinary = (inputs >= SPECIAL.first_ordinary).float().unsqueeze(-1)
        means = (states * ordinary).sum(dim=1) / ordinary.sum(dim=1)
        centred = means - means.mean(dim=0)
        result: Tensor = centred / centred.norm(dim=1, keepdim=True)
    return result
