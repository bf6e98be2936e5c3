"""The stored fingerprint of the generator: what a plan puts into keys, without generating anything."""

from __future__ import annotations

import json
from importlib import resources


def stored_fingerprint() -> str:
    """sha256 of what the generator made when the package data were written (`sample.fingerprint` makes it again)."""
    text = resources.files("adapterxfer.world").joinpath("generator.json").read_text(encoding="utf-8")
    return str(json.loads(text)["fingerprint"])
