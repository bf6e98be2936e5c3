"""Memory that the C library keeps after a stage, given back to the system.

A worker's pieces of memory come from one heap (see `pool.ONE_THREAD`), which ends behind the highest piece in use:
what is free below it stays with the process. After some trainings of three layers 384 wide that was 240 MiB.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

LEAST = 64 * 2**20
"""Bytes that are worth the call; small backbones leave less and would only ask for the same pages again."""


class _Info(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33: counts of pieces and bytes."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def give_back(least: int = LEAST) -> bool:
    """Give pages back that hold nothing.

    Args:
        least: do nothing while fewer bytes are free.

    Returns:
        Whether it was done; never where the C library is not glibc.
    """
    library = _glibc()
    if library is None or library.mallinfo2().fordblks < least:
        return False
    library.malloc_trim(0)
    return True


@cache
def _glibc() -> Any:
    try:
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = _Info
        library.malloc_trim.argtypes = [ctypes.c_size_t]
    except (OSError, TypeError, AttributeError):
        return None
    return library
