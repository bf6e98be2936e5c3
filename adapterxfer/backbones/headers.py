"""Headers of safetensors files, read without the tensors: 8 bytes of length, then JSON. Torch-free.

Source: https://huggingface.co/docs/safetensors, section on the format.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LARGEST = 100_000_000
"""Bytes of the largest header that the safetensors library itself accepts."""


def read_header(path: Path, *, limit: int = LARGEST) -> tuple[dict[str, Any], int]:
    """Tensor name -> ``dtype``, ``shape`` and ``data_offsets`` as they stand there, and where the tensors begin.

    Args:
        limit: bytes of the longest header that is read.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no safetensors file, or its header is longer; the message says which.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= size - 8:
            raise ValueError("not a safetensors file")
        if length > limit:
            raise ValueError(f"header of {length:,} bytes; at most {limit:,} are read")
        raw = file.read(length)
    try:
        content = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a safetensors file ({error})") from None
    if not isinstance(content, dict):
        raise ValueError("not a safetensors file")
    content.pop("__metadata__", None)
    return content, 8 + length
