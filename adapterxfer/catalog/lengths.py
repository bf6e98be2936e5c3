"""The longest inputs of backbones whose files are not at hand, in tokens with special tokens."""

from __future__ import annotations

from collections.abc import Mapping

from adapterxfer.catalog.architectures.spec import TRUSTED
from adapterxfer.world.recipe import POSITION_LIMIT

OWN_SERIES = 256
"""What every backbone of a recipe's own series can read, also where its corpus is shorter: tasks have longer inputs."""

SERIES_LIMITS: Mapping[str, int] = {
    "world": POSITION_LIMIT,
    "xlm-r": 512,
    "mdeberta": 512,
    "rembert": 512,
    "mmbert": 8192,
    "mt5": TRUSTED,
}
"""Series -> limit of all its members, as the published ``config.json`` has it. XLM-R: 514 positions, counted from the
third. mDeBERTa and RemBERT: 512 positions. mmBERT: 8192 (Marone et al. 2025, *mmBERT*, section 2). mT5 has relative
positions."""
