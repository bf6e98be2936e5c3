"""JSON files that notice their own damage: each carries the sha256 of everything else in it.

A flipped bit often leaves valid JSON behind, with another number in it. Files of the first versions carry no sum and
are read as they are. What the sum covers is the same in every schema, so it is looked at before the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from adapterxfer.store.keys import digest

SEAL = "sha256"
_SUM = re.compile(r"[0-9a-f]{64}")


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value with its own sum under ``sha256``."""
    # As it will be read: tuples become lists, and keys texts.
    content = json.loads(json.dumps({key: inner for key, inner in value.items() if key != SEAL}, allow_nan=False))
    return {**content, SEAL: digest(content)}


def seal_broken(value: Any) -> str:
    """What is wrong with a value that was read, or an empty text; what carries no sum is taken as it is."""
    if not isinstance(value, dict):
        return ""
    if SEAL not in value:  # a sum under another name: the bit was flipped in the name itself
        renamed = any(isinstance(inner, str) and _SUM.fullmatch(inner) for inner in value.values())
        return "its sha256 has lost its name" if renamed else ""
    content = {key: inner for key, inner in value.items() if key != SEAL}
    return "" if digest(content) == value[SEAL] else "its sha256 does not match its content"
