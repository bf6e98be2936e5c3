"""The state of an optimiser by the names of its parameters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adapterxfer.errors import StageError


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
