"""Trained models as a store has them, to be compared with what their bundles give."""

from __future__ import annotations

import torch
from hub_study import StudyFiles

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.formats.registry import format_of_head
from adapterxfer.hub.making import backbone_place
from adapterxfer.store.store import Store
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import load_model


def stored_model(study: StudyFiles, key: str) -> TransferModel:
    """The model of a training stage."""
    plan, store = study.plan(), Store(study.store)
    stage = plan.stages[key]
    backbone = load_backbone(stage.identity["backbone"], backbone_place(plan, store, stage))
    return load_model(
        store.folder(stage),
        backbone,
        make_head=lambda part: format_of_head(part.format).make_head(
            backbone.hidden_size, part.labels, generator=torch.Generator()
        ),
    )
