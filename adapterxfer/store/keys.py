"""What a stage is, and the key under which its result is stored.

A stage is pure data. Its key is the sha256 of a canonical JSON text of kind, version, identity and the keys of its
inputs by role, so anything that changes the numbers changes the key, and nothing else does. `slug`, `labels` and
`resources` are for people and engines and stay out of the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHORT_KEY = 16
"""Hexadecimal digits of a key that appear in folder names (64 bits)."""

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; refuses NaN and infinities, which have no JSON form."""
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of ``value``, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One content-addressed unit of work.

    Attributes:
        kind: `prepare`, `pretrain`, `train_language`, `train_intermediate`, `reuse_intermediate`, `train_target`,
            `train_together`, `train_fusion`, `train_candidate`, `choose`, `merge`, `predict` or `report`.
        version: raised when the code of this kind changes what the same identity computes.
        identity: what changes the numbers, as JSON values.
        inputs: role -> key of the stage whose folder fills it.
        slug: a readable folder name.
        labels: axes of the study this stage belongs to, for `--only` and progress lines.
        resources: what an engine must provide, e.g. ``{"gpus": 0}``.
    """

    kind: str
    version: int
    identity: Mapping[str, Any]
    inputs: Mapping[str, str]
    slug: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    def __post_init__(self) -> None:
        if not self.key:
            identity = {"kind": self.kind, "version": self.version, "identity": self.identity, "inputs": self.inputs}
            object.__setattr__(self, "key", digest(identity))

    @property
    def short_key(self) -> str:
        """The part of the key used in folder names and messages."""
        return self.key[:SHORT_KEY]

    @property
    def folder_name(self) -> str:
        """``<slug>-<key16>``, the name of the result folder inside ``store/<kind>/``."""
        return f"{self.slug}-{self.short_key}" if self.slug else self.short_key

    def as_json(self) -> dict[str, Any]:
        """Everything an executor or an explanation needs, as JSON values."""
        return {
            "kind": self.kind,
            "version": self.version,
            "identity": dict(self.identity),
            "inputs": dict(self.inputs),
            "slug": self.slug,
            "labels": dict(self.labels),
            "resources": dict(self.resources),
            "key": self.key,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Stage:
        """Rebuild a stage and check that its stored key is the key of its content."""
        stage = cls(
            kind=value["kind"],
            version=value["version"],
            identity=value["identity"],
            inputs=value["inputs"],
            slug=value.get("slug", ""),
            labels=value.get("labels", {}),
            resources=value.get("resources", {}),
        )
        if value.get("key", stage.key) != stage.key:
            raise ValueError(f"stage {value['key'][:SHORT_KEY]} does not match its content ({stage.short_key})")
        return stage
