"""What one hooked copy of an encoder shares between its hooks while it runs."""

from __future__ import annotations

from torch import Tensor

from adapterxfer.variants.places import Places


class Slot:
    """What acts at the moment, the residuals seen on the way, and whether layers recompute (`recompute`)."""

    def __init__(self) -> None:
        self.places: Places | None = None
        self.residuals: dict[tuple[int, str], Tensor] = {}
        self.recompute = False
