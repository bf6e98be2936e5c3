"""Device, precision and fellow processes of this process; the processes are those that accelerate has found."""

from __future__ import annotations

import ctypes
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

import torch
from accelerate import PartialState
from accelerate.utils import gather, reduce
from torch import Tensor

from adapterxfer.errors import StageError


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """Where and how this process computes.

    Attributes:
        device: of models and batches.
        dtype: ``fp32``, or ``bf16`` for products in bf16 above weights in fp32.
        process_index: number of this process among those that share a training, from 0.
        num_processes: how many share it.
    """

    device: torch.device
    dtype: str
    process_index: int
    num_processes: int

    def autocast(self) -> AbstractContextManager[object]:
        """Forward passes and losses run inside of it."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.dtype == "bf16" else nullcontext()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes; all have to call it."""
        total: Tensor = reduce(tensor, "sum")
        return total

    def gather(self, tensor: Tensor) -> Tensor:
        """Tensors of all processes, joined along the first axis; all have to call it."""
        joined: Tensor = gather(tensor)
        return joined

    def wait(self) -> None:
        """Return when every process has called this."""
        PartialState().wait_for_everyone()


def device_context(dtype: str, device: str = "cpu") -> DeviceContext:
    """The context of a precision (``fp32`` or ``bf16``) on a device.

    Args:
        device: ``cpu``, ``auto`` (whatever accelerate finds), ``cuda`` (its choice among the GPUs), or one by number.

    Raises:
        StageError: no device has that name, this machine has no such GPU, or it does not compute in bf16.
    """
    if device not in ("cpu", "auto"):
        _choose(device)
    state = PartialState(cpu=device == "cpu")
    # accelerate keeps one state for the whole process, made for the device of the first call. A process without others
    # may train on another device next, so it does not take the device from there.
    alone = torch.device("cpu") if device == "cpu" else state.default_device
    chosen = state.device if state.num_processes > 1 else alone
    if dtype == "bf16" and chosen.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise StageError("this GPU does not compute in bf16", fix="set dtype: fp32")
    if chosen.type == "cuda":
        # It plans anew for every width of a batch: with sentences of many lengths that took two thirds of a training.
        torch.backends.cuda.enable_cudnn_sdp(False)
    return DeviceContext(chosen, dtype, state.process_index, state.num_processes)


def device_for(device: str) -> torch.device:
    """Where a training with this setting computes, for whatever else does in its place.

    Raises:
        StageError: as in `device_context`.
    """
    return torch.device("cpu") if device == "cpu" else device_context("fp32", device).device


def _choose(device: str) -> None:
    """Make one of several GPUs the current one, which accelerate then takes."""
    try:
        named = torch.device(device)
    except RuntimeError:
        raise StageError(f"device '{device}' is not known", fix="--device cpu, auto, cuda or cuda:1") from None
    there = torch.cuda.device_count()
    if named.type == "cuda" and (named.index or 0) >= there:
        raise StageError(f"device '{device}': this machine has {there} GPUs", fix="--device cpu, or auto")
    if named.type == "cuda" and named.index is not None:
        torch.cuda.set_device(named)


def use_one_thread() -> None:
    """One torch thread in this process: the number of threads changes sums, and workers share the cores."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def give_back_memory() -> None:
    """Hand memory that nothing uses any more to the operating system, where its C library can (glibc).

    What a training needed for its activations otherwise stays with the process, and whatever comes next is added to it.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
