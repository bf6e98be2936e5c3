"""Does a backbone relate two sentences before any fine-tuning? It fills in the discourse marker between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from tokenizers import Tokenizer

from adapterxfer.world.corpus import SPECIAL, marker_ids
from adapterxfer.world.documents import inference, texts
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.languages import LANGUAGES
from adapterxfer.world.nli import LABELS

if TYPE_CHECKING:
    from transformers import XLMRobertaForMaskedLM

CLOZES = 300
"""Pairs of each language: the standard error of a share near one half is below 3 points."""


def marker_cloze(model: XLMRobertaForMaskedLM, tokenizer: Tokenizer, *, clozes: int = CLOZES) -> dict[str, float]:
    """Share of hidden discourse markers restored among the three of the language, in points; chance is 33.3.

    Args:
        model: in evaluation mode.
        tokenizer: of the world.
        clozes: pairs of sentences for each language; they are in no training stream.
    """
    markers = marker_ids(tokenizer)
    scores = {}
    for language in LANGUAGES:
        rng = Draws(generator("corpus", "cloze", language))
        choices = [markers[language][label] for label in LABELS]
        rows, places, gold = [], [], []
        for _ in range(clozes):
            premise, hypothesis = texts(inference(rng), language)
            ids = tokenizer.encode(premise, hypothesis).ids
            position = len(ids) - len(tokenizer.encode(hypothesis).ids) + 1
            gold.append(choices.index(ids[position]))
            rows.append([*ids[:position], SPECIAL.mask, *ids[position + 1 :]])
            places.append(position)
        width = max(map(len, rows))
        inputs = torch.tensor([row + [SPECIAL.pad] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            states = model.roberta(input_ids=inputs, attention_mask=(inputs != SPECIAL.pad).long())[0]
            logits = model.lm_head(states[torch.arange(len(rows)), torch.tensor(places)])
        guessed = logits[:, choices].argmax(dim=1).numpy()
        scores[language] = round(float(100 * np.mean(guessed == np.array(gold))), 1)
    return scores
