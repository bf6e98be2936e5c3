"""Executor of `merge` stages: the weights of trained models joined into one model folder.

Artefacts: ``model.json`` and ``model.safetensors``, as of a training.
"""

from __future__ import annotations

from typing import Any

import torch

from adapterxfer.backbones.loading import LoadedBackbone, load_backbone, with_own_weights
from adapterxfer.backbones.measure import untied_state
from adapterxfer.errors import VariantError
from adapterxfer.formats.registry import get_format
from adapterxfer.stages.context import StageContext
from adapterxfer.training.building import new_adapter
from adapterxfer.training.device import use_one_thread
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.merging import Member, merge
from adapterxfer.variants.storage import (
    assemble,
    check_backbone,
    read_description,
    read_weights,
    write_description,
    write_weights,
)

ROLE = "model."


def execute(context: StageContext) -> dict[str, Any]:
    """Run one merge.

    Raises:
        VariantError: the models do not fit together, or the merged one is a mere copy of a member.
    """
    use_one_thread()
    identity = context.stage.identity
    backbone = load_backbone(identity["backbone"], context.backbone_folder)
    folders = [folder for role, folder in sorted(context.inputs.items()) if role.startswith(ROLE)]
    stored = [read_description(folder) for folder in folders]
    for one in stored:
        check_backbone(one, backbone)
    members = [
        Member(one.composition, read_weights(one.folder), float(weight))
        for one, weight in zip(stored, identity["weights"], strict=True)
    ]
    start = (
        _start(backbone, members[0].composition, int(identity["seed"])) if identity["kind"] == "arithmetic" else None
    )
    composition, state = merge(members, start)
    _require_a_mixture(members, state)

    def make_head(part: HeadPart) -> torch.nn.Module:
        return get_format(part.format).make_head(backbone.hidden_size, part.labels, generator=torch.Generator())

    own = with_own_weights(backbone) if composition.trains_backbone else backbone
    model = assemble(composition, own, state, make_head=make_head, where=f"merge {context.stage.short_key}")
    write_weights(context.scratch, model)
    record = {"kind": identity["kind"], "weights": list(identity["weights"]), "members": len(members)}
    write_description(context.scratch, model, merge={"stage": context.stage.key, **record})
    context.log({"note": "merged", **record})
    return {"variant": composition.variant, **record}


def _start(backbone: LoadedBackbone, composition: Composition, seed: int) -> dict[str, torch.Tensor]:
    """Start values of everything that task arithmetic counts differences from; equal seeds start equally."""
    if composition.trains_backbone:
        return {f"backbone.{name}": tensor for name, tensor in untied_state(backbone.model).items()}
    return {
        f"adapters.{part.id}.{name}": tensor
        for part in composition.task_adapters
        for name, tensor in new_adapter(
            backbone, AdapterShape(part.method, part.bottleneck_size, part.first_layer), seed=seed
        )
        .state_dict()
        .items()
    }


def _require_a_mixture(members: list[Member], state: dict[str, torch.Tensor]) -> None:
    """A merge that gives back one of its members would be reported as a system of its own."""
    if any(weight in (0.0, 1.0) for weight in (member.weight for member in members)):
        return
    for number, member in enumerate(members):
        if all(n in member.state and torch.equal(t, member.state[n]) for n, t in state.items() if "heads." not in n):
            raise VariantError(
                f"the merged model equals member {number + 1} of {len(members)}",
                fix="merge models that were trained differently; these may be the same training",
            )
