"""Whether an error says that memory ran out, on any device."""

from __future__ import annotations

import torch

_WORDS = ("out of memory", "can't allocate memory", "not enough memory")
"""What allocators write into a plain RuntimeError."""


def out_of_memory(error: BaseException) -> bool:
    """Whether this error is an allocation that failed, so that the same work in smaller batches may succeed."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)
