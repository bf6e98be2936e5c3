"""Stages that differ in a seed and in the keys of some inputs: what they share is written and hashed once.

A large plan is rows of such stages. Encoding every identity anew would be most of the time that planning takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from adapterxfer.store.keys import Stage, canonical_json

SEED = "seed"
HOLE = "\0"
"""Stands for a value that is filled in later: canonical JSON has no such character, it escapes it."""


@lru_cache(typed=True)
def _number(value: float | None) -> str:
    return canonical_json(value)


class _Words(dict[str, str]):
    """Text -> its canonical JSON."""

    def __missing__(self, word: str) -> str:
        text = self[word] = canonical_json(word)
        return text


class Texts:
    """Canonical JSON of values of identities. Settings, backbones and adapters stand in many: each is written once.

    A dictionary or list is known by the object that it is, so nobody may change one that was asked for.
    """

    def __init__(self) -> None:
        self._words = _Words()
        self._nested: dict[int, tuple[object, str]] = {}

    def of(self, value: Any) -> str:
        """The text of one value."""
        if isinstance(value, str):
            return self._words[value]
        if value is None or isinstance(value, int | float):
            return _number(value)
        known = self._nested.get(id(value))
        if known is None:
            # Kept with its text: once it were gone, another object could get its id.
            known = self._nested[id(value)] = (value, canonical_json(value))
        return known[1]

    def put(self, value: object, text: str) -> None:
        """Keep the text of what is no JSON value itself."""
        self._nested[id(value)] = (value, text)

    def join(self, members: Mapping[str, str]) -> str:
        """The text of an object whose values are texts already."""
        words = self._words
        return "{" + ",".join([f"{words[name]}:{members[name]}" for name in sorted(members)]) + "}"


class Template:
    """Makes stages of one kind whose keys are those that `Stage` computes of the same content.

    Args:
        identity: what all stages share; with ``seeded`` their seed is added, or takes the place of the one there.
        inputs: role -> key of the inputs that all share.
        roles: inputs that differ.
        texts: of the plan.
    """

    def __init__(
        self, kind: str, version: int, identity: Mapping[str, Any], inputs: Mapping[str, str], *,
        roles: Sequence[str] = (), seeded: bool = False, texts: Texts | None = None,
    ) -> None:  # fmt: skip
        self.kind, self.version = kind, version
        self._seeded, self._roles = seeded, tuple(roles)
        self.identity = {**identity, SEED: 0} if seeded else dict(identity)
        self.inputs = dict(inputs)
        # In the sorted text the seed comes before all inputs, and those by their names.
        self._order = [self._roles.index(role) for role in sorted(self._roles)]
        self._sorted = self._order == list(range(len(self._order)))
        texts = texts or Texts()
        members = {name: texts.of(value) for name, value in identity.items()}
        if seeded:
            members[SEED] = HOLE
        if roles:
            keys = {role: f'"{key}"' for role, key in inputs.items()} | dict.fromkeys(self._roles, f'"{HOLE}"')
            joined = texts.join(keys)
        else:
            joined = canonical_json(inputs)
        text = f'{{"identity":{texts.join(members)},"inputs":{joined},"kind":"{kind}","version":{version}}}'
        first, *others = text.split(HOLE)
        self._first = hashlib.sha256(first.encode())
        self._others = "".join("%s" + piece.replace("%", "%%") for piece in others)

    def key(self, seed: int, keys: Sequence[str]) -> str:
        """Key of one stage.

        Args:
            seed: of this stage; not looked at without ``seeded``.
            keys: of the inputs that differ, in the order of ``roles``.
        """
        values = keys if self._sorted else [keys[number] for number in self._order]
        others = self._others % ((seed, *values) if self._seeded else tuple(values))
        whole = self._first.copy()
        whole.update(others.encode())
        return whole.hexdigest()

    def stage(
        self, key: str, seed: int, keys: Sequence[str], *, slug: str, labels: Mapping[str, Any],
        resources: Mapping[str, Any],
    ) -> Stage:  # fmt: skip
        """One stage; ``key`` is what `key` gives for the same seed and keys of inputs."""
        return Stage(
            kind=self.kind,
            version=self.version,
            identity={**self.identity, SEED: seed} if self._seeded else self.identity,
            inputs={**self.inputs, **dict(zip(self._roles, keys, strict=True))},
            slug=slug,
            labels=labels,
            resources=resources,
            key=key,
        )
