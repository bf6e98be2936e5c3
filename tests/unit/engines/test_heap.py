"""What a stage frees goes back to the system, measured in a process with a worker's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapterxfer.engines import heap
from adapterxfer.engines.pool import ONE_THREAD

PROGRAM = """
from adapterxfer.engines.heap import give_back
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
assert not give_back(), "nothing to give"
many = [bytearray(2**20) for _ in range(300)]
for piece in many: piece[::4096] = b"x" * len(piece[::4096])
last = bytearray(2**20)  # the heap ends behind this one
full = resident()
del many, piece
free = resident()
done = give_back()
print(full, free, resident(), done)
"""


@pytest.mark.skipif(heap._glibc() is None or not Path("/proc/self/statm").exists(), reason="needs glibc and /proc")
def test_free_memory_goes_back() -> None:
    environment = {**os.environ, **ONE_THREAD}
    shown = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    full, free, after = map(int, shown[:3])
    assert shown[3] == "True"
    assert free > full - 50, "without the call it stays with the process"
    assert after < full - 250


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_glibc", lambda: None)
    assert not heap.give_back(0)
