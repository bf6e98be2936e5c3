"""The longest inputs of backbones whose files are not at hand, in tokens with special tokens."""

from __future__ import annotations

from collections.abc import Mapping

from adapterxfer.world.recipe import POSITION_LIMIT

OWN_SERIES = 256
"""What every backbone of a recipe's own series can read, also where its corpus is shorter: tasks have longer inputs."""

SERIES_LIMITS: Mapping[str, int] = {"world": POSITION_LIMIT, "xlm-r": 512}
"""Series -> limit of all its members. XLM-R: 514 positions in the published ``config.json``, counted from the third."""
