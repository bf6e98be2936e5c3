"""Stages that differ in a seed and in the keys of some inputs: what they share is written as canonical JSON once.

A large plan is rows of such stages. Encoding every identity anew would be half of the time that planning takes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapterxfer.store.keys import Stage, canonical_json

SEED = "seed"
_HOLE = "\0"
"""Begins the stand-in of a value that is filled in later; no name, text or path in an identity has this character."""
_ENCODED = re.compile(r'"\\u0000(seed|role)"')


class Template:
    """Makes stages of one kind whose keys are those that `Stage` computes of the same content.

    Args:
        identity: what all stages share; with ``seeded`` their seed is added, or takes the place of the one there.
        inputs: role -> key of the inputs that all share.
        roles: inputs that differ.
    """

    def __init__(
        self, kind: str, version: int, identity: Mapping[str, Any], inputs: Mapping[str, str], *,
        roles: Sequence[str] = (), seeded: bool = False,
    ) -> None:  # fmt: skip
        self.kind, self.version = kind, version
        self._seeded, self._roles = seeded, tuple(roles)
        self._identity = {**identity, SEED: 0} if seeded else dict(identity)
        self._inputs: dict[str, str] = {**inputs, **dict.fromkeys(self._roles, "")}
        # In the sorted text the seed comes before all inputs, and those by their names.
        self._order = [self._roles.index(role) for role in sorted(self._roles)]
        self._sorted = self._order == list(range(len(self._order)))
        shown = {**self._identity, SEED: f"{_HOLE}seed"} if seeded else self._identity
        content = {
            "kind": kind,
            "version": version,
            "identity": shown,
            "inputs": {**self._inputs, **dict.fromkeys(self._roles, f"{_HOLE}role")},
        }
        text = canonical_json(content).replace("%", "%%")
        self._text, holes = _ENCODED.subn(lambda hole: "%d" if hole.group(1) == SEED else '"%s"', text)
        if holes != seeded + len(self._roles):
            raise ValueError(f"an identity of kind {kind} has a character that stands for a value to be filled in")

    def stage(
        self, seed: int, keys: Sequence[str], *, slug: str, labels: Mapping[str, Any], resources: Mapping[str, Any]
    ) -> Stage:
        """One stage.

        Args:
            seed: of this stage; not looked at without ``seeded``.
            keys: of the inputs that differ, in the order of ``roles``.
        """
        values = keys if self._sorted else [keys[number] for number in self._order]
        identity, inputs = self._identity, self._inputs
        if self._seeded:
            identity = {**identity, SEED: seed}
            text = self._text % (seed, *values)
        else:
            text = self._text % tuple(values)
        if keys:
            inputs = dict(inputs)
            inputs.update(zip(self._roles, keys, strict=True))
        return Stage(
            kind=self.kind,
            version=self.version,
            identity=identity,
            inputs=inputs,
            slug=slug,
            labels=labels,
            resources=resources,
            key=hashlib.sha256(text.encode()).hexdigest(),
        )
