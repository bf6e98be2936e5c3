"""One optimiser step on summed gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.sharding import local_parts, total_norm
from adapterxfer.variants.fusion import NEAR_IDENTITY


def new_optimiser(parameters: Sequence[nn.Parameter], settings: TrainSettings) -> torch.optim.AdamW:
    """Fused AdamW that decays matrices and leaves alone biases, norms, and matrices that start as the identity."""
    # Whole parameters and shards cannot be in one fused step.
    groups = [
        {"params": [p for p in some if decays(p) == decayed], "weight_decay": settings.weight_decay * decayed}
        for some in _by_kind(parameters)
        for decayed in (True, False)
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate, fused=True)


def apply(
    optimiser: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], *, rate: float, count: int, clip: float
) -> Tensor:
    """Divide the summed gradients by ``count``, clip, step; returns the norm before clipping.

    ``count`` is 0 where no unit of the batch has a label: then nothing is learnt from it.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = total_norm(gradients) / max(1, count)
    scale = torch.clamp(clip / (norm + 1e-6), max=1.0) / max(1, count) if clip else norm.new_tensor(1 / max(1, count))
    torch._foreach_mul_(local_parts(gradients), scale)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return norm


def _by_kind(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    kinds: dict[type, list[nn.Parameter]] = {}
    for parameter in parameters:
        kinds.setdefault(type(parameter.data), []).append(parameter)
    return list(kinds.values())


def decays(parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: to matrices that do not start as the identity."""
    return parameter.ndim >= 2 and not getattr(parameter, NEAR_IDENTITY, False)
