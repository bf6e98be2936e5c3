"""What one process of a training on several does, whatever it trains: ``SCRIPT WORLD OUT [stop | "go on"]``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import StageStopped
from adapterxfer.training.device import device_context, use_one_thread

State = dict[str, torch.Tensor]


class Process:
    """This process, and what its command line and environment say.

    Attributes:
        rank, count: of this process, and how many there are.
        world: folder of the data.
        folder: where results go.
        small: the backbone.
        noisy: the same with dropout.
    """

    def __init__(self) -> None:
        use_one_thread()
        world, out, *self._more = sys.argv[1:]
        self.world, self.folder = Path(world), Path(out)
        self.folder.mkdir(exist_ok=True)
        self.small: LoadedBackbone = load_backbone({"name": "backbone", "kind": "folder"}, self.world / "backbone")
        context = device_context("fp32")
        self.rank, self.count = context.process_index, context.num_processes
        self.noisy = with_own_weights(self.small)
        self.noisy.model.config.hidden_dropout_prob = 0.2
        self._asked = 0

    def resumed(self, train: Callable[[Checkpoints], State], *, stop_at: int) -> int | None:
        """Exit code of a training with checkpoints, if the command line asks for one.

        Args:
            stop_at: how often the second process, and it alone, is asked before it says that it was told to stop.
        """
        if not self._more:
            return None

        def stop() -> bool:
            self._asked += 1
            return self._more == ["stop"] and self.rank == 1 and self._asked == stop_at

        try:
            state = train(Checkpoints(self.folder / "saved", stage="k", stop=stop))
        except StageStopped:
            return 75
        self.save("resumed", state)
        return 0

    def save(self, name: str, state: State) -> None:
        """Weights, by the first process."""
        if self.rank == 0:
            save_file(state, self.folder / f"{name}.safetensors")

    def save_results(self, results: Mapping[str, Any]) -> None:
        """Facts as JSON, by the first process."""
        if self.rank == 0:
            (self.folder / "result.json").write_text(json.dumps(results))
