"""Where the pretrained backbones of the world lie, and what is known about them; nothing heavy is imported."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from adapterxfer.errors import BackboneError

_PACKAGE = "adapterxfer.world"


def backbones_folder() -> Path:
    """Folder with one folder per backbone and ``index.json``."""
    return Path(str(resources.files(_PACKAGE).joinpath("backbones")))


@cache
def _index() -> dict[str, dict[str, Any]]:
    text = (backbones_folder() / "index.json").read_text(encoding="utf-8")
    return {str(backbone["name"]): backbone for backbone in json.loads(text)["backbones"]}


def backbone_index() -> dict[str, dict[str, Any]]:
    """Name -> shape, parameters, fingerprint (sha256 of the weights), pretraining facts and health checks."""
    return dict(_index())


def backbone_folder(name: str) -> Path:
    """Folder of an embedded backbone: ``config.json`` and ``model.safetensors``.

    Raises:
        BackboneError: the world has no backbone of this name.
    """
    if name not in _index():
        raise BackboneError(f"world: no backbone {name!r}; backbones: {', '.join(_index())}", fix="use one of these")
    return backbones_folder() / name
