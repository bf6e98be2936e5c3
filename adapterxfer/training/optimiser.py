"""One optimiser step on summed gradients, and the optimiser's state by the names of the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from adapterxfer.errors import StageError
from adapterxfer.training.settings import TrainSettings


def new_optimiser(parameters: Sequence[nn.Parameter], settings: TrainSettings) -> torch.optim.AdamW:
    """Fused AdamW that decays matrices and leaves biases and norms alone."""
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
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


def optimiser_state(optimiser: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Every tensor the optimiser keeps, as ``<parameter>/<what>``; parameters without gradient so far have none."""
    return {
        f"{name}/{what}": tensor
        for name, parameter in named.items()
        for what, tensor in optimiser.state.get(parameter, {}).items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, named: Mapping[str, nn.Parameter], state: Mapping[str, Tensor]
) -> None:
    """Put back what `optimiser_state` gave.

    Raises:
        StageError: it belongs to other parameters.
    """
    for full, tensor in state.items():
        name, _, what = full.rpartition("/")
        parameter = named.get(name)
        if parameter is None or (tensor.ndim and tensor.shape != parameter.shape):
            raise StageError(
                f"checkpoint: optimiser state of '{name}' does not fit the model",
                fix="remove the folder .resume in the store and run again",
            )
        # A tensor of its own: one that was read lies wherever the file had it, and alignment may change sums.
        optimiser.state[parameter][what] = tensor.to(parameter.device, copy=True)
