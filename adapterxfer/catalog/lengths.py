"""The longest inputs of small backbones, in tokens with special tokens; those of public ones are in `backbones`."""

from __future__ import annotations

from adapterxfer.world.recipe import POSITION_LIMIT

OWN_SERIES = 256
"""What every backbone of a recipe's own series can read, also where its corpus is shorter: tasks have longer inputs."""

WORLD_SERIES = POSITION_LIMIT
"""What every backbone of the embedded world can read."""
