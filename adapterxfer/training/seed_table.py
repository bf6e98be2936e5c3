"""The weights that train in several models of one shape, as one table that one optimiser step changes.

A step on the table is a step on every model, in as many calls as for one of them: AdamW treats numbers one by one, and
what belongs to a model as a whole (its units, its gradient's norm) is computed for each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adapterxfer.training.optimiser import decays
from adapterxfer.training.settings import TrainSettings
from adapterxfer.variants.model import TransferModel

DECAYED, PLAIN = "decayed", "plain"


class SeedTable:
    """Weights and gradients of all models side by side; the models' own parameters are views of it.

    Args:
        models: with the same trainable parameters, on the device where they train; `release` makes them whole again.
        settings: of the optimiser.

    Attributes:
        leaves: name -> the weights of all models, shape ``(models, *shape)``, to compute with; gradients of these and
            of the models' own parameters add up in the same table.
        optimiser: AdamW of the table.
    """

    def __init__(self, models: Sequence[TransferModel], settings: TrainSettings) -> None:
        named = [model.trainable() for model in models]
        self._own = [parameter for parameters in named for parameter in parameters.values()]
        self._parts: dict[str, nn.Parameter] = {}
        self._slopes: list[Tensor] = []
        self.leaves: dict[str, nn.Parameter] = {}
        for group, decayed in ((DECAYED, True), (PLAIN, False)):
            names = [name for name, parameter in named[0].items() if decays(parameter) == decayed]
            if names:
                self._lay_out(group, names, named)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [table], "weight_decay": settings.weight_decay if group == DECAYED else 0.0}
                for group, table in self._parts.items()
            ],
            lr=settings.learning_rate,
            fused=True,
        )

    def _lay_out(self, group: str, names: Sequence[str], named: Sequence[dict[str, nn.Parameter]]) -> None:
        stacked = [torch.stack([parameters[name].detach() for parameters in named]) for name in names]
        table = self._parts[group] = nn.Parameter(torch.cat([weights.flatten() for weights in stacked]))
        table.grad = torch.zeros_like(table)
        sizes = [weights.numel() for weights in stacked]
        places = zip(torch.split(table.data, sizes), torch.split(table.grad, sizes), strict=True)
        for name, before, (weights, slopes) in zip(names, stacked, places, strict=True):
            weights, slopes = weights.view_as(before), slopes.view_as(before)
            self.leaves[name] = nn.Parameter(weights)
            self.leaves[name].grad = slopes
            self._slopes.append(slopes.view(len(named), -1))
            for row, parameters in enumerate(named):
                parameters[name].data, parameters[name].grad = weights[row], slopes[row]

    def trainable(self) -> dict[str, nn.Parameter]:
        """The table in two parts by whether they decay: all models' weights of one name after those of another."""
        return dict(self._parts)

    def apply(self, *, rate: float, counts: Sequence[int], clip: float) -> Tensor:
        """Divide each model's summed gradients by its count, clip them by their own norm, step.

        Args:
            counts: units of each model's batch; 0 where none has a label: then nothing is learnt from it.

        Returns:
            Norms before clipping, shape ``(models,)``.
        """
        units = self._slopes[0].new_tensor([max(1, count) for count in counts])
        norms = torch.stack([torch.linalg.vector_norm(slopes, dim=1) for slopes in self._slopes])
        norm: Tensor = torch.linalg.vector_norm(norms, dim=0) / units
        scale = ((torch.clamp(clip / (norm + 1e-6), max=1.0) if clip else 1.0) / units).unsqueeze(1)
        for slopes in self._slopes:
            slopes.mul_(scale)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.clear()
        return norm

    def clear(self) -> None:
        """Forget all gradients."""
        for table in self._parts.values():
            assert table.grad is not None
            table.grad.zero_()

    def release(self) -> None:
        """Give every model weights of its own again; the table is of no use afterwards."""
        for parameter in self._own:
            parameter.data, parameter.grad = parameter.data.clone(), None
