"""What a process measures of itself; the last line it prints is its JSON result."""

from __future__ import annotations

import json
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Measured:
    """CPU seconds by name, memory and written bytes of this process with its children."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._began = time.perf_counter()
        self._facts: dict[str, Any] = {}

    @contextmanager
    def cpu(self, name: str) -> Iterator[None]:
        """Adds the CPU time of the block."""
        began = cpu_seconds()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + cpu_seconds() - began

    def fact(self, **facts: Any) -> None:
        """Anything else to report."""
        self._facts |= facts

    def report(self) -> None:
        """Print everything as one line of JSON."""
        whole = cpu_seconds()
        result = {
            "cpu_s": whole,
            "wall_s": time.perf_counter() - self._began,
            **{f"{name}_cpu_s": seconds for name, seconds in self._seconds.items()},
            "peak_mib": _kib_of("/proc/self/status", r"^VmHWM:\s+(\d+) kB") // 1024,
            "written_mib": _kib_of("/proc/self/io", r"^wchar: (\d+)") // 2**20,
            **self._facts,
        }
        print(json.dumps(result), flush=True)


def cpu_seconds() -> float:
    """Of this process and its ended children, user and kernel."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def folder_mib(folder: Path) -> float:
    """Bytes of all files below a folder, in MiB."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20, 1)


def _kib_of(path: str, pattern: str) -> int:
    """A number of a file of the kernel; 0 where there is no such file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return 0
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) if match else 0
