"""One optimiser step on summed gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adapterxfer.training.settings import TrainSettings
from adapterxfer.variants.fusion import NEAR_IDENTITY


def new_optimiser(parameters: Sequence[nn.Parameter], settings: TrainSettings) -> torch.optim.AdamW:
    """Fused AdamW that decays matrices and leaves alone biases, norms, and matrices that start as the identity."""
    groups = [
        {"params": [p for p in parameters if _decays(p)], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if not _decays(p)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate, fused=True)


def apply(
    optimiser: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], *, rate: float, count: int, clip: float
) -> Tensor:
    """Divide the summed gradients by ``count``, clip, step; returns the norm before clipping.

    ``count`` is 0 where no unit of the batch has a label: then nothing is learnt from it.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients) / max(1, count)
    scale = torch.clamp(clip / (norm + 1e-6), max=1.0) / max(1, count) if clip else norm.new_tensor(1 / max(1, count))
    torch._foreach_mul_(gradients, scale)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return norm


def _decays(parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2 and not getattr(parameter, NEAR_IDENTITY, False)
