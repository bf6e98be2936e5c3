"""Safetensors files written tensor by tensor.

The library's own writers first make one piece of bytes of everything, and a checkpoint is written when memory is
fullest: in the middle of a training. The files are the same, byte for byte (a test compares them).

Source: https://huggingface.co/docs/safetensors, section on the format.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""As the format calls the numbers of checkpoints and models."""

_RANK = {name: rank for rank, name in enumerate(("BOOL", "U8", "I8", "I16", "F16", "BF16", "I32", "F32", "F64", "I64"))}
"""The library writes the kinds of numbers from the last to the first, so that each tensor begins where it may."""

ALIGNED = 8
"""The header ends at a multiple of this."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str] | None = None) -> str:
    """Write a new safetensors file and force it to the disk; returns the sha256 of its bytes.

    Args:
        tensors: on any device, of the kinds in `NAMES`.
        metadata: kept in the header.

    Raises:
        FileExistsError: there is a file of that name.
        OSError: it could not be written.
    """
    kinds = {name: NAMES[tensor.dtype] for name, tensor in tensors.items()}
    order = sorted(tensors, key=lambda name: (-_RANK[kinds[name]], name))
    header: dict[str, object] = {} if metadata is None else {"__metadata__": dict(metadata)}
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].nbytes
        header[name] = {"dtype": kinds[name], "shape": list(tensors[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNED)
    digest = hashlib.sha256()
    with path.open("xb") as file:
        for piece in (len(text).to_bytes(8, "little"), text):
            digest.update(piece)
            file.write(piece)
        for name in order:
            # One after the other: a tensor of a device is on the CPU only while it is written.
            numbers = tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            digest.update(numbers)
            file.write(numbers)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
