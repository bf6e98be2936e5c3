"""Random streams by seed and purpose: what one part of a model draws never moves what another part draws."""

from __future__ import annotations

import hashlib
import json

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
