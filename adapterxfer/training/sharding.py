"""Full fine-tuning of models that do not fit on one device: weights, gradients and optimiser in shards (FSDP2).

A *sharded model* has modules of its own whose backbone parameters are shards, one unit per layer and one for the rest;
it is trained in place of the model, whose parameters get the result. So the model is never changed in kind: what is
asserted, stored and loaded is the same with and without shards. Heads are small and stay whole in every process.

Differs from accelerate's own preparation in that gradients are summed and not averaged over processes (they are divided
by the units of the whole batch), and in that it runs on processors, too; the processes are accelerate's.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn

from adapterxfer.errors import StageError
from adapterxfer.training.device import DeviceContext
from adapterxfer.training.settings import TrainSettings
from adapterxfer.variants.encoder import run_as_units
from adapterxfer.variants.model import TransferModel

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

FSDP = "fsdp"


def is_shard(tensor: Tensor) -> TypeGuard[DTensor]:
    """Whether a tensor is a part of one that several processes share; asked without importing what makes these.

    That import takes a second, which a process that trains alone would spend for nothing.
    """
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def check_shardable(model: TransferModel, settings: TrainSettings) -> None:
    """Refuse what gains nothing from shards, or was never tried with them.

    Raises:
        StageError: the backbone is frozen, or the encoder would be compiled.
    """
    if not model.composition.trains_backbone:
        raise StageError(
            f"sharding: fsdp with variant '{model.composition.variant}': its backbone is frozen, so gradients and "
            "optimiser are small and there is little to share out",
            fix="use sharding: ddp, or leave it out; fsdp is for full-ft",
        )
    if settings.compile:
        raise StageError("sharding: fsdp with compile: true is not supported", fix="leave one of them out")


def sharded(model: TransferModel, context: DeviceContext) -> TransferModel:
    """A model that computes what ``model`` computes, on shards of its weights; ``model`` keeps whole copies.

    Args:
        model: on the CPU; all processes have the same weights.
        context: its processes hold the shards, on its device.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    parameters: dict[int, nn.Parameter] = {id(p): nn.Parameter(p.detach(), p.requires_grad) for p in model.parameters()}
    backbone = copy.deepcopy(model.loaded.model, {**parameters, **{id(b): b for b in model.loaded.model.buffers()}})
    shards = TransferModel(
        replace(model.loaded, model=backbone),
        model.composition,
        adapters={},
        fusion=None,
        heads={name: copy.deepcopy(head).to(context.device) for name, head in model.heads.items()},
    )
    if model.loaded.architecture.own_encoder:
        run_as_units(shards.backbone)
    mesh = init_device_mesh(context.device.type, (context.num_processes,))
    for layer in shards.backbone.get_submodule(model.loaded.architecture.layers):
        fully_shard(layer, mesh=mesh)
    fully_shard(shards, mesh=mesh, ignored_params=set(shards.heads.parameters()))
    for module in shards.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no scaled sum
    return shards


def collect(shards: TransferModel, model: TransferModel) -> None:
    """Put the weights of a sharded model into the whole one, in every process."""
    whole = dict(model.named_parameters())
    with torch.no_grad():
        for name, parameter in shards.named_parameters():
            whole[name].copy_(gathered(parameter))


def gathered(tensor: Tensor) -> Tensor:
    """The whole of a shard; all processes must ask for it. Any other tensor as it is."""
    return tensor.full_tensor() if is_shard(tensor) else tensor


def gathered_state(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Whole tensors on the CPU where ``keep``, one after the other, so that a device never holds more than one.

    Nothing is done where nothing is in shards.
    """
    if not any(is_shard(tensor) for tensor in tensors.values()):
        return dict(tensors)
    state = {}
    for name, tensor in tensors.items():
        whole = gathered(tensor.detach())
        if keep:
            state[name] = whole.cpu()
    return state


def placed_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """An own copy of a whole tensor: on the device of ``parameter``, and in shards where that is and the shape fits."""
    if is_shard(parameter) and tensor.shape == parameter.shape:
        from torch.distributed.tensor import distribute_tensor

        # Every process has read the whole: each takes its part, in whatever order the file gave them.
        here = tensor.to(parameter.device, copy=True)
        return distribute_tensor(here, parameter.device_mesh, parameter.placements, src_data_rank=None)
    return tensor.to(parameter.device, copy=True)


def local_parts(tensors: Sequence[Tensor]) -> list[Tensor]:
    """What this process holds of each, sharing memory."""
    return [tensor.to_local() if is_shard(tensor) else tensor for tensor in tensors]


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Norm of all gradients together, whole and in shards."""
    shards = [gradient for gradient in gradients if is_shard(gradient)]
    if not shards:
        plain: Tensor = torch.nn.utils.get_total_norm(gradients)
        return plain
    rest = [gradient for gradient in gradients if not is_shard(gradient)]
    norms = [gathered(torch.nn.utils.get_total_norm(shards))]
    norms += [torch.nn.utils.get_total_norm(rest)] if rest else []
    together: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return together
