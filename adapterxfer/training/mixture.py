"""Languages inside one task, and how its examples are drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Mixture:
    """Languages inside one task.

    Attributes:
        names: the languages.
        group_of: index into ``names`` of each feature, shape ``(features,)``.
        shares: declared share of each language in the examples drawn, shape ``(names,)``.
        batches: feature indices of every step of this task; empty until the number of steps is known.
    """

    names: tuple[str, ...]
    group_of: NDArray[np.int64]
    shares: NDArray[np.float64]
    batches: Sequence[NDArray[np.int64]] = ()
