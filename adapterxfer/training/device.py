"""Device and precision of this process, through accelerate."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from adapterxfer.errors import StageError

_accelerators: dict[tuple[str, str], Accelerator] = {}


def accelerator_for(dtype: str, device: str = "cpu") -> Accelerator:
    """The accelerator for a precision (``fp32`` or ``bf16``) on a device.

    A process that trains models in both precisions needs two, which accelerate only allows after forgetting its state.

    Args:
        device: ``cpu``, ``auto`` (whatever accelerate finds), ``cuda`` (its choice among the GPUs), or one by number.

    Raises:
        StageError: no device has that name, or this machine has no such GPU.
    """
    key = (dtype, device)
    if key not in _accelerators:
        if device not in ("cpu", "auto"):
            _choose(device)
        AcceleratorState._reset_state(reset_partial_state=True)
        _accelerators.clear()
        precision = "bf16" if dtype == "bf16" else "no"
        _accelerators[key] = Accelerator(cpu=device == "cpu", mixed_precision=precision)
    return _accelerators[key]


def device_for(device: str) -> torch.device:
    """Where a training with this setting computes, for whatever else does in its place.

    Raises:
        StageError: as in `accelerator_for`.
    """
    return torch.device("cpu") if device == "cpu" else accelerator_for("fp32", device).device


def _choose(device: str) -> None:
    """Make one of several GPUs the current one, which accelerate then takes."""
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise StageError(f"device '{device}' is not known", fix="--device cpu, auto, cuda or cuda:1") from None
    there = torch.cuda.device_count()
    if wanted.type == "cuda" and (wanted.index or 0) >= there:
        raise StageError(f"device '{device}': this machine has {there} GPUs", fix="--device cpu, or auto")
    if wanted.type == "cuda" and wanted.index is not None:
        torch.cuda.set_device(wanted)


def use_one_thread() -> None:
    """One torch thread in this process: the number of threads changes sums, and workers share the cores."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
