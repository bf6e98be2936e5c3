"""Random streams by seed and purpose: what one part of a model draws never moves what another part draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def derive_seed(seed: int, *purpose: str) -> int:
    """A 63-bit seed that depends on ``seed`` and ``purpose`` only."""
    content = hashlib.sha256(json.dumps([seed, *purpose]).encode()).digest()
    return int.from_bytes(content[:8], "big") >> 1


def torch_generator(seed: int, *purpose: str) -> torch.Generator:
    """For start values, e.g. ``torch_generator(11, "adapter")``; always on the CPU, so devices agree."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


def numpy_generator(seed: int, *purpose: str) -> np.random.Generator:
    """For orders and choices, e.g. ``numpy_generator(11, "order", "nli")``."""
    return np.random.default_rng(derive_seed(seed, *purpose))


class DropoutStream:
    """The random states that dropout draws from: an own stream inside, the caller's untouched outside.

    Args:
        seed: of the stream.
        device: where the model is; its generator belongs to the stream beside the CPU's.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        self._fork = torch.random.fork_rng(devices=[device.index or 0] if self._device else [])
        self._seed = seed

    def __enter__(self) -> DropoutStream:
        self._fork.__enter__()
        torch.manual_seed(self._seed)
        return self

    def __exit__(self, *error: Any) -> None:
        self._fork.__exit__(*error)

    def state(self) -> dict[str, torch.Tensor]:
        """All states, uint8."""
        states = {"cpu": torch.random.get_rng_state()}
        if self._device is not None:
            states["cuda"] = torch.cuda.get_rng_state(self._device)
        return states

    def set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from a state; one of a device that is not here is left out."""
        torch.random.set_rng_state(state["cpu"])
        if self._device is not None and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], self._device)
