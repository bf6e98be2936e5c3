"""Device and precision of this process, through accelerate."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

_accelerators: dict[tuple[str, str], Accelerator] = {}


def accelerator_for(dtype: str, device: str = "cpu") -> Accelerator:
    """The accelerator for a precision (``fp32`` or ``bf16``) on ``cpu`` or on whatever accelerate finds (``auto``).

    A process that trains models in both precisions needs two, which accelerate only allows after forgetting its state.
    """
    key = (dtype, device)
    if key not in _accelerators:
        AcceleratorState._reset_state(reset_partial_state=True)
        _accelerators.clear()
        precision = "bf16" if dtype == "bf16" else "no"
        _accelerators[key] = Accelerator(cpu=device == "cpu", mixed_precision=precision)
    return _accelerators[key]


def use_one_thread() -> None:
    """One torch thread in this process: the number of threads changes sums, and workers share the cores."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
