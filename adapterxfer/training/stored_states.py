"""States of frozen layers on the disk, for every seed, variant and process that trains above them.

One file of fp32 numbers per data set, backbone and number of layers, mapped and not read whole; beside it a sum for
each batch that was computed. Both are named by everything that decides the bits, so what is read is what would have
been computed, and a file may go at any time: it is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adapterxfer.durable.files import flush_folder
from adapterxfer.formats.base import Feature

SCHEMA = 2
ABSENT = 0
"""In place of a sum where a batch has not been computed; sums are shifted by one."""


def name_of(features: Sequence[Feature], facts: Mapping[str, Any]) -> str:
    """The name of the states of these inputs.

    Args:
        features: in their order, which decides the batches.
        facts: JSON values that decide the bits: backbone, layers, number format, size of a batch, device.
    """
    inputs = hashlib.sha256()
    for feature in features:
        inputs.update(json.dumps([list(sequence) for sequence in feature.sequences]).encode())
    kernels = {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}
    content = {"schema": SCHEMA, "inputs": inputs.hexdigest(), **kernels, **facts}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


class StoredStates:
    """States of a data set in batches, read and added.

    Args:
        folder: made where it is missing.
        name: see `name_of`.
        tokens: of each batch, without padding.
        width: numbers of a state.
    """

    def __init__(self, folder: Path, name: str, tokens: Sequence[int], width: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._width = folder, width
        self._path, self._sums_path = folder / f"{name}.states", folder / f"{name}.sums"
        ends = np.cumsum(tokens, dtype=np.int64)
        self._bounds = [(int(end) - count, int(end)) for end, count in zip(ends, tokens, strict=True)]
        self._shape = (int(ends[-1]) if len(ends) else 0, width)
        self._sums = self._read_sums()
        self._added: dict[int, int] = {}
        self._states: np.memmap[Any, np.dtype[np.float32]] | None = None

    def read(self, batch: int) -> Tensor | None:
        """States of a batch, shape ``(tokens, width)``; None where nobody has computed them, or they are damaged."""
        known = self._added.get(batch, int(self._sums[batch]))
        if known == ABSENT:
            return None
        begin, end = self._bounds[batch]
        rows = np.array(self._mapped()[begin:end])
        return torch.from_numpy(rows) if _sum(rows) == known else None

    def add(self, batch: int, states: Tensor) -> None:
        """Write the states of a batch; others see them after `save`."""
        begin, end = self._bounds[batch]
        rows = states.detach().to("cpu", torch.float32).numpy()
        self._mapped()[begin:end] = rows
        self._added[batch] = _sum(np.ascontiguousarray(rows))

    def save(self) -> None:
        """Force what was added to the disk, and then the sums that vouch for it.

        Processes that add at the same time write the same numbers; of their sums those of the last one may be all that
        is kept, and the rest is computed again.
        """
        if not self._added or self._states is None:
            return
        self._states.flush()
        sums = self._read_sums()
        for batch, value in self._added.items():
            sums[batch] = value
        beside = self._sums_path.with_suffix(f".{os.getpid()}")
        with beside.open("wb") as file:
            file.write(sums.tobytes())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._sums_path)
        flush_folder(self._folder)
        self._sums, self._added = sums, {}

    def _mapped(self) -> np.memmap[Any, np.dtype[np.float32]]:
        if self._states is None:
            with self._path.open("ab") as file:
                file.truncate(self._shape[0] * self._width * 4)  # without data: it takes no space yet
            self._states = np.memmap(self._path, dtype=np.float32, mode="r+", shape=self._shape)
        return self._states

    def _read_sums(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        try:
            sums = np.frombuffer(self._sums_path.read_bytes(), dtype=np.uint64).copy()
        except (OSError, ValueError):
            sums = np.empty(0, np.uint64)
        whole = len(sums) == len(self._bounds) and self._path.is_file()
        return sums if whole else np.zeros(len(self._bounds), np.uint64)


def _sum(rows: np.ndarray[Any, np.dtype[np.float32]]) -> int:
    return zlib.crc32(rows.data) + 1
