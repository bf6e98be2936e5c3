"""Makes the stages of one training with each seed, and the group of trainings whose seeds are trained in one pass.

The group has all seeds of the recipe in its identity, since rounding and the masks of dropout follow from all of them:
neither `--only` nor an exclusion makes it smaller. The stage of a single seed is what it is without a group, with one
more input: predictions, fusions and bundles need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapterxfer.plan.templates import SEED, Template
from adapterxfer.plan.workbench import VERSIONS, Workbench

SETTING = "seeds_together"
ROLE = "together"

TAKING = 1e-3
"""Cost of taking one seed out of its group, in GFLOP: next to nothing, but known."""

KeyOfSeed = Callable[[int], str]
"""Seed -> key of a stage, which is in the plan from then on."""


class SeedRow:
    """The same training with several seeds; each stage is made when it is first asked for.

    Args:
        identity: without the seed.
        inputs: those that all seeds share.
        slug: what comes before the seed in the names of folders.
        labels: without the seed.
        others: role -> keys of the inputs that differ.
        ending: what comes after the seed in the names of folders.
    """

    def __init__(
        self, bench: Workbench, kind: str, identity: dict[str, Any], inputs: dict[str, str], *, slug: str,
        labels: dict[str, Any], resources: dict[str, Any], others: Mapping[str, KeyOfSeed] | None = None,
        ending: str = "",
    ) -> None:  # fmt: skip
        self._bench, self._kind, self._identity, self._inputs = bench, kind, identity, inputs
        self._slug, self._labels, self._resources, self._ending = slug, labels, resources, ending
        self._others = dict(others or {})
        self._template: Template | None = None
        self._done: dict[int, str] = {}
        self._in_group = bool(identity["settings"].get(SETTING))
        self._group = ""

    def key(self, seed: int) -> str:
        """Key of the stage of one seed, which is in the plan from now on."""
        key = self._done.get(seed)
        if key is None:
            key = self._done[seed] = self._make(seed)
        return key

    def _make(self, seed: int) -> str:
        keys = [key_of(seed) for key_of in self._others.values()]
        resources = self._resources
        if self._in_group:
            self._group = self._group or self._add_group()
            keys.append(self._group)
            resources = {"cost": TAKING}
        if self._template is None:
            roles = (*self._others, ROLE) if self._in_group else tuple(self._others)
            version = VERSIONS[self._kind]
            self._template = Template(self._kind, version, self._identity, self._inputs, roles=roles, seeded=True)
        slug = f"{self._slug}-s{seed}{self._ending}"
        labels = {**self._labels, SEED: seed}
        return self._bench.put(self._template.stage(seed, keys, slug=slug, labels=labels, resources=resources))

    def _add_group(self) -> str:
        seeds = self._bench.recipe.seeds
        return self._bench.add(
            "train_together",
            {"phase": {"kind": self._kind, "version": VERSIONS[self._kind]}, "seeds": list(seeds), **self._identity},
            self._inputs
            | {f"{role}.{number}": key_of(number) for number in seeds for role, key_of in self._others.items()},
            f"{self._slug}-{len(seeds)}-seeds{self._ending}",
            {**self._labels, SEED: "+".join(map(str, seeds))},
            self._resources | {"cost": self._resources["cost"] * len(seeds)},
        )
