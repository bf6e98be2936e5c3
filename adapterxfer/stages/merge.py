"""Executor of `merge` stages: the weights of trained models joined into one model folder.

Artefacts: ``model.json`` and ``model.safetensors``, as of a training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights, with_words
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.backbones.measure import untied_state
from adapterxfer.backbones.rows import TokenIds
from adapterxfer.errors import VariantError
from adapterxfer.formats.base import Batch
from adapterxfer.formats.registry import get_format
from adapterxfer.stages.context import StageContext
from adapterxfer.training.device import use_one_thread
from adapterxfer.training.starts import new_adapter
from adapterxfer.variants.assertions import as_json, check
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.measures import AssertionInput
from adapterxfer.variants.merging import MergeMember, merge
from adapterxfer.variants.storage import (
    WEIGHTS,
    StoredModel,
    assemble,
    check_backbone,
    read_description,
    read_weights,
    write_description,
    write_weights,
)
from adapterxfer.variants.word_rows import as_carried, stored_ids

ROLE = "model."

PROBE_ROWS, PROBE_WIDTH = 4, 12
"""Shape of the inputs on which the assertions are measured."""


def execute(context: StageContext) -> dict[str, Any]:
    """Run one merge.

    Raises:
        VariantError: the models do not fit together, the merged one is a mere copy of a member, or an assertion on it
            does not hold.
    """
    use_one_thread()
    identity = context.stage.identity
    backbone = load_backbone(identity["backbone"], context.backbone_folder, words=False)
    folders = [folder for role, folder in sorted(context.inputs.items()) if role.startswith(ROLE)]
    stored = [read_description(folder) for folder in folders]
    for member in stored:
        check_backbone(member, backbone)
    batch = _inputs(backbone)
    backbone = with_words(backbone, _words(stored, batch))
    members = [
        MergeMember(member.composition, as_carried(read_weights(member.folder), backbone), float(weight))
        for member, weight in zip(stored, identity["weights"], strict=True)
    ]
    origin = (
        _start(backbone, members[0].composition, int(identity["seed"])) if identity["kind"] == "arithmetic" else None
    )
    composition, state = merge(members, origin)
    _require_a_mixture(members, state)

    def make_head(head: HeadPart) -> torch.nn.Module:
        return get_format(head.format).make_head(backbone.hidden_size, head.labels, generator=torch.Generator())

    target = with_own_weights(backbone) if composition.trains_backbone else backbone
    model = assemble(composition, target, state, make_head=make_head, where=f"merge {context.stage.short_key}")
    write_weights(context.scratch, model)
    evidence = AssertionInput(
        model=model,
        batch=batch,
        task=composition.heads[0].task if composition.heads else "",
        start_backbone=backbone.carried,
        stored=lambda: as_carried(read_weights(context.scratch), backbone),
        pristine=backbone.model,
        members=members,
        origin=origin,
    )
    verdicts = check("merged", evidence)
    record = {"kind": identity["kind"], "weights": list(identity["weights"]), "members": len(members)}
    write_description(
        context.scratch, model, merge={"stage": context.stage.key, **record}, assertions=as_json(verdicts)
    )
    context.log({"note": "merged", **record})
    return {"variant": composition.variant, **record}


def _words(members: Sequence[StoredModel], batch: Batch) -> TokenIds | None:
    """Rows of words that a merge needs: those that a member changed, and those of the inputs; None for all."""
    ids: list[TokenIds] = [np.unique(batch.input_ids.numpy())]
    for member in members:
        changed = stored_ids(member.folder / WEIGHTS, trains_backbone=member.composition.trains_backbone)
        if changed is None:
            return None
        ids.append(changed)
    return np.unique(np.concatenate(ids))


def _inputs(backbone: LoadedBackbone) -> Batch:
    """Random token ids, some rows padded: what is asserted of a merge needs no sentences."""
    pad = int(backbone.config.pad_token_id or 0)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, int(backbone.config.vocab_size), (PROBE_ROWS, PROBE_WIDTH), generator=generator)
    ids[ids == pad] = pad + 1
    mask = torch.ones_like(ids)
    ids[1::2, PROBE_WIDTH // 2 :], mask[1::2, PROBE_WIDTH // 2 :] = pad, 0
    return Batch(ids, mask, (1,) * PROBE_ROWS, {})


def _start(backbone: LoadedBackbone, composition: Composition, seed: int) -> dict[str, torch.Tensor]:
    """Start values of everything that task arithmetic counts differences from; equal seeds start equally."""
    if composition.trains_backbone:
        return {f"backbone.{name}": tensor for name, tensor in untied_state(backbone.model).items()}
    return {
        f"adapters.{adapter.id}.{name}": tensor
        for adapter in composition.task_adapters
        for name, tensor in new_adapter(backbone, adapter.shape, seed=seed).state_dict().items()
    }


def _require_a_mixture(members: list[MergeMember], state: dict[str, torch.Tensor]) -> None:
    """A merge that gives back one of its members would be reported as a system of its own."""
    if any(weight in (0.0, 1.0) for weight in (member.weight for member in members)):
        return
    for number, member in enumerate(members):
        if all(n in member.state and torch.equal(t, member.state[n]) for n, t in state.items() if "heads." not in n):
            raise VariantError(
                f"the merged model equals member {number + 1} of {len(members)}",
                fix="merge models that were trained differently; these may be the same training",
            )
