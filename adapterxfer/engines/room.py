"""How much memory this machine has for stages, and which of them fit beside those that run.

A stage that does not fit is held back until others have ended. One that is larger than all there is runs alone: the
estimate may be too high, and waiting would not help it.
"""

from __future__ import annotations

from pathlib import Path

from adapterxfer.store.keys import Stage

GIB = 2**30
KEPT_FREE = 0.05
"""Share of the memory that is left to everything else."""

_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")


def estimated_gb(stage: Stage) -> float:
    """Memory of a stage in GiB: declared or estimated by its plan; 0.0 where nobody says."""
    return float(stage.resources.get("memory_gb") or stage.resources.get("estimated_memory_gb") or 0.0)


def available_gb(root: Path = Path("/")) -> float | None:
    """GiB that processes can still take here: of the machine, or of the control group this process runs in.

    Args:
        root: of the file system that is read.

    Returns:
        None where the system does not say (not Linux).
    """
    limits = [limit for limit in (_machine(root / "proc/meminfo"), _group(root)) if limit is not None]
    return min(limits) / GIB if limits else None


def _machine(path: Path) -> int | None:
    for line in _lines(path):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group(root: Path) -> int | None:
    """What is left of the limit of the control group; pages of files count as free, since they can go."""
    for folder, limit, used in (
        (_V2, "memory.max", "memory.current"),
        (_V1, "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        base = root / folder.relative_to("/")
        values = [_number(base / name) for name in (limit, used)]
        if values[0] is None or values[1] is None:
            continue
        files = sum(
            int(line.split()[1])
            for line in _lines(base / "memory.stat")
            if line.split()[0] in ("inactive_file", "total_inactive_file")
        )
        return max(0, values[0] - values[1] + files)
    return None


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].strip().isdecimal() else None  # "max" is no limit


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


class Room:
    """Memory of the machine and what of it is promised to running stages.

    Args:
        total_gb: that stages may take together, in GiB; None for no limit.
    """

    def __init__(self, total_gb: float | None) -> None:
        self.total_gb = None if total_gb is None else total_gb * (1 - KEPT_FREE)
        self._promised: dict[str, float] = {}

    def fits(self, stage: Stage) -> bool:
        """Whether a stage may start beside those that run."""
        if self.total_gb is None or not self._promised:
            return True
        return sum(self._promised.values()) + estimated_gb(stage) <= self.total_gb

    def is_too_large(self, stage: Stage) -> bool:
        """Whether a stage may take more than there is for all of them."""
        return self.total_gb is not None and estimated_gb(stage) > self.total_gb

    def promise(self, stage: Stage) -> None:
        """A stage starts."""
        self._promised[stage.key] = estimated_gb(stage)

    def give_back(self, stage: Stage) -> None:
        """It has ended, however."""
        self._promised.pop(stage.key, None)
