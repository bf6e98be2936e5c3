"""The state of an optimiser by the names of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from adapterxfer.errors import StageError


def optimiser_state(optimiser: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Every tensor the optimiser keeps, as ``<parameter>/<what>``; parameters without gradient so far have none."""
    return {
        f"{name}/{moment}": tensor
        for name, parameter in named.items()
        for moment, tensor in optimiser.state.get(parameter, {}).items()
    }


def _on_its_device(tensor: Tensor, parameter: nn.Parameter) -> Tensor:
    return tensor.to(parameter.device, copy=True)


def restore_optimiser(
    optimiser: torch.optim.Optimizer,
    named: Mapping[str, nn.Parameter],
    state: Mapping[str, Tensor],
    *,
    placed: Callable[[Tensor, nn.Parameter], Tensor] = _on_its_device,
) -> None:
    """Put back what `optimiser_state` gave.

    Args:
        placed: makes of a stored tensor one that lies as its parameter does, with memory of its own: one that was read
            lies wherever the file had it, and alignment may change sums.

    Raises:
        StageError: it belongs to other parameters.
    """
    for full, tensor in state.items():
        name, _, moment = full.rpartition("/")
        parameter = named.get(name)
        if parameter is None or (tensor.ndim and tensor.shape != parameter.shape):
            raise StageError(
                f"checkpoint: optimiser state of '{name}' does not fit the model",
                fix="remove the folder .resume in the store and run again",
            )
        optimiser.state[parameter][moment] = placed(tensor, parameter)
