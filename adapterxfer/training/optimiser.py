"""One optimiser step on summed gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adapterxfer.backbones.lean import keep_compiler_out, plain_step
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.sharding import is_shard, local_parts, total_norm
from adapterxfer.variants.fusion import NEAR_IDENTITY


def new_optimiser(parameters: Sequence[nn.Parameter], settings: TrainSettings) -> torch.optim.AdamW:
    """Fused AdamW that decays matrices and leaves alone biases, norms, and matrices that start as the identity."""
    # Whole parameters and shards cannot be in one fused step.
    groups = [
        {"params": [p for p in some if decays(p) == decayed], "weight_decay": settings.weight_decay * decayed}
        for some in _by_kind(parameters)
        for decayed in (True, False)
    ]
    keep_compiler_out(torch.optim.AdamW)
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate, fused=True)


def apply(
    optimiser: torch.optim.Optimizer,
    parameters: Sequence[nn.Parameter],
    *,
    rate: float,
    count: int,
    clip: float,
    words: nn.Parameter | None = None,
) -> Tensor:
    """Divide the summed gradients by ``count``, clip, step; returns the norm before clipping.

    Args:
        count: units of the batch; 0 where none has a label: then nothing is learnt from it.
        words: the word matrix, where it is among the parameters; see `touched_rows`.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    summed = [touched_rows(p.grad) if p is words else p.grad for p in parameters if p.grad is not None]
    norm = total_norm(summed) / max(1, count)
    scale = torch.clamp(clip / (norm + 1e-6), max=1.0) / max(1, count) if clip else norm.new_tensor(1 / max(1, count))
    torch._foreach_mul_(local_parts(gradients), scale)
    for group in optimiser.param_groups:
        group["lr"] = rate
    with torch.no_grad():
        plain_step(optimiser)
    for parameter in parameters:
        parameter.grad = None
    return norm


def touched_rows(gradient: Tensor) -> Tensor:
    """Rows of the word matrix's gradient that are not zero, shape ``(rows, width)``.

    The norm is summed over them alone, so that it does not depend on how many other rows a training carries: a sum of
    the same numbers with zeros between them may be rounded otherwise. On accelerators, which would have to be waited
    for, and in shards, the gradient is left as it is.
    """
    if gradient.device.type != "cpu" or is_shard(gradient):
        return gradient
    touched = gradient.any(dim=1)
    return gradient if bool(touched.all()) else gradient[touched]


def _by_kind(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    kinds: dict[type, list[nn.Parameter]] = {}
    for parameter in parameters:
        kinds.setdefault(type(parameter.data), []).append(parameter)
    return list(kinds.values())


def decays(parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: to matrices that do not start as the identity."""
    return parameter.ndim >= 2 and not getattr(parameter, NEAR_IDENTITY, False)
