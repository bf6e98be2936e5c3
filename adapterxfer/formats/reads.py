"""Which hidden states a head reads, so that the last layer computes no others.

Above the keys and values of its attention, a layer treats every position on its own. A head that reads the first token
alone leaves nearly the whole last layer without use, one that reads words or a context a third to a half of it: at two
to four layers, that is a good part of all work, forward and backward.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Reads(NamedTuple):
    """Positions of a batch ``(rows, width)`` whose last hidden states are read; the others come out as zeros.

    Attributes:
        most: reads of the row that has most of them.
        positions: index of each read in the flattened batch, shape ``(reads,)``.
        slots: index of each read in flattened ``(rows, most)``, rows one after the other, shape ``(reads,)``.
    """

    most: int
    positions: Tensor
    slots: Tensor

    def to(self, device: torch.device | str) -> Reads:
        """The same on another device."""
        return Reads(self.most, self.positions.to(device), self.slots.to(device))


def reads_of(read: NDArray[np.bool_]) -> Reads:
    """The true positions of a mask of shape ``(rows, width)``."""
    rows = len(read)
    positions = np.flatnonzero(read)
    counts = read.sum(axis=1)
    most = max(1, int(counts.max(initial=0)))
    before = counts.cumsum() - counts
    slots = np.arange(len(positions)) + np.repeat(np.arange(rows) * most - before, counts)
    return Reads(most, torch.from_numpy(positions), torch.from_numpy(slots))


def first_tokens(rows: int, width: int) -> Reads:
    """The first position of every row."""
    every = torch.arange(rows)
    return Reads(1, every * width, every)
