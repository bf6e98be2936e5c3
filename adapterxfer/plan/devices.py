"""Devices on which a plan can be estimated without having them: nominal speed and memory, and an assumed share.

The numbers are makers' nominal ones, not measured by this project; what comes of them is an estimate and says so.
"""

from __future__ import annotations

from typing import NamedTuple

ASSUMED_SHARE = 0.3
"""Of the nominal speed that a training or prediction reaches; small backbones and short texts reach less."""


class Device(NamedTuple):
    """One accelerator.

    Attributes:
        tflops: nominal bf16 matrix products without sparsity, in TFLOP/s.
        memory_gb: of its own, in GB as its maker counts.
    """

    tflops: float
    memory_gb: float

    @property
    def gflops(self) -> float:
        """GFLOP/s that are assumed."""
        return 1000 * self.tflops * ASSUMED_SHARE


DEVICES = {
    "l4": Device(121, 24),
    "rtx-4090": Device(165, 24),
    "a100-40gb": Device(312, 40),
    "a100-80gb": Device(312, 80),
    "h100-80gb": Device(989, 80),
    "h200": Device(989, 141),
}
