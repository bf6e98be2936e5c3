"""Makes the stages of one training with each seed, and the group of trainings whose seeds are trained in one pass.

The group has all seeds of the recipe in its identity, since rounding and the masks of dropout follow from all of them:
neither `--only` nor an exclusion makes it smaller. The stage of a single seed is what it is without a group, with one
more input: predictions, fusions and bundles need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapterxfer.plan.rows import Row
from adapterxfer.plan.templates import SEED, Template
from adapterxfer.plan.workbench import Workbench
from adapterxfer.store.keys import Stage

SETTING = "seeds_together"
ROLE = "together"

TAKING = 1e-3
"""Cost of taking one seed out of its group, in GFLOP: next to nothing, but known."""

KeyOfSeed = Callable[[int], str]
"""Seed -> key of a stage, which is in the plan from then on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training with any seed.

    Attributes:
        kind: of its stage.
        identity: without the seed; trainings that have the same one share the object, which is never changed.
        inputs: those that all seeds share.
        slug: what comes before the seed in the names of folders.
        labels, resources: of its stage; the seed is added to the labels.
        others: role -> keys of the inputs that differ.
    """

    kind: str
    identity: dict[str, Any]
    inputs: dict[str, str]
    slug: str
    labels: dict[str, Any]
    resources: dict[str, Any]
    others: Mapping[str, KeyOfSeed] = field(default_factory=dict)

    def with_inputs(self, more: Mapping[str, str]) -> Training:
        """The same with more inputs that all seeds share."""
        return replace(self, inputs={**self.inputs, **more}) if more else self

    def whole(self, seed: int) -> tuple[dict[str, Any], dict[str, str]]:
        """Identity and inputs with one seed."""
        others = {role: key_of(seed) for role, key_of in self.others.items()}
        return {**self.identity, SEED: seed}, {**self.inputs, **others}


class SeedRow(Row):
    """The stages of one training with several seeds; each is made when it is first asked for.

    Args:
        ending: what comes after the seed in the names of folders.
    """

    def __init__(self, bench: Workbench, training: Training, *, ending: str = "") -> None:
        self._bench, self._training, self._ending = bench, training, ending
        self._done: dict[int, str] = {}
        self._together = bool(training.identity["settings"].get(SETTING))
        super().__init__(
            kind=training.kind,
            identity=training.identity,
            labels=training.labels,
            resources={"cost": TAKING} if self._together else training.resources,
            given=training.inputs.values(),
        )
        self._template: Template | None = None
        self._group = ""

    def key(self, seed: int) -> str:
        """Key of the stage of one seed, which is in the plan from now on."""
        key = self._done.get(seed)
        if key is None:
            stray = self._together and seed not in self._bench.recipe.seeds
            key = self._done[seed] = self._add_stray(seed) if stray else self._add(seed)
        return key

    def _add(self, seed: int) -> str:
        training = self._training
        keys = [key_of(seed) for key_of in training.others.values()]
        if self._together:
            self._group = self._group or self._add_group()
            keys.append(self._group)
        if self._template is None:
            roles = (*training.others, ROLE) if self._together else tuple(training.others)
            self._template = self._bench.template(training.kind, training.identity, training.inputs, roles)
            self.identity = self._template.identity  # with what this generation knows of the backbone
        return self._bench.stages.add_member(self._template.key(seed, keys), self, seed, keys)

    def stage(self, key: str, seed: int, keys: Sequence[str]) -> Stage:
        """The stage of one seed, for the plan."""
        assert self._template is not None
        training = self._training
        return self._template.stage(
            key,
            seed,
            keys,
            slug=f"{training.slug}-s{seed}{self._ending}",
            labels={**training.labels, SEED: seed},
            resources=self.resources,
        )

    def _add_stray(self, seed: int) -> str:
        """A run that chooses settings is none of the study's: it is trained by itself."""
        training = self._training
        settings = {name: value for name, value in training.identity["settings"].items() if name != SETTING}
        identity, inputs = training.whole(seed)
        slug = f"{training.slug}-s{seed}{self._ending}"
        labels = {**training.labels, SEED: seed}
        identity["settings"] = settings
        return self._bench.add(training.kind, identity, inputs, slug, labels, training.resources)

    def _add_group(self) -> str:
        training, seeds = self._training, self._bench.recipe.seeds
        phase = {"kind": training.kind, "version": self._bench.version(training.kind, training.identity)}
        return self._bench.add(
            "train_together",
            {"phase": phase, "seeds": list(seeds), **training.identity},
            training.inputs
            | {f"{role}.{number}": key_of(number) for number in seeds for role, key_of in training.others.items()},
            f"{training.slug}-{len(seeds)}-seeds{self._ending}",
            {**training.labels, SEED: "+".join(map(str, seeds))},
            {
                **training.resources,
                **{
                    name: training.resources[name] * len(seeds)
                    for name in ("cost", "estimated_memory_gb")
                    if name in training.resources
                },
            },
        )
