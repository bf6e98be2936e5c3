"""What all makers of stages share: the recipe, where files and backbones come from, and the stages made so far.

Makers build each stage once: the same question always gives the same stage. Every dictionary of an identity lists its
keys one by one. A new option is added where it changes numbers, and only there: adding it everywhere would send every
stored result of every user out of date.
"""

from __future__ import annotations

from typing import Any

from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.cost import CostModel
from adapterxfer.plan.generations import NEWEST, SEGMENTS, WORD_STARTS, identity_at, version_of
from adapterxfer.plan.memory import MemoryModel
from adapterxfer.plan.rows import Stages
from adapterxfer.plan.sources import Sources
from adapterxfer.plan.templates import Template, Texts
from adapterxfer.recipe.choices import Choice
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.settings import choices_of, training_settings
from adapterxfer.recipe.train_blocks import Mode
from adapterxfer.store.keys import Stage
from adapterxfer.store.kinds import CANDIDATE

READING_KINDS = frozenset(
    {"train_intermediate", "train_target", "train_together", "train_fusion", CANDIDATE, "predict"}
)
"""Stages that tokenize the examples of tasks."""

PAIR_FORMATS = frozenset({"sequence_classification", "multiple_choice", "span_qa"})
"""Formats whose sequences hold two texts."""

DATA_SEED = 0
"""Every system of a study sees the same examples; seeds of the study move initialisation and order."""


class Workbench:
    """Shared by the makers of one plan.

    Attributes:
        generation: whose versions the stages have.
        stages: key -> stage in the order of first use, inputs first.
        texts: of what many identities share.
    """

    def __init__(self, recipe: Recipe, sources: Sources, generation: int = NEWEST) -> None:
        self.recipe = recipe
        self.generation = generation
        self.sources = sources
        self.backbones = Backbones(recipe)
        self.cost = CostModel(recipe, self.backbones.described)
        self.memory = MemoryModel(self.backbones.size, self.cost.shapes)
        self.stages = Stages()
        self.texts = Texts()
        self._templates: dict[tuple[Any, ...], tuple[dict[str, Any], Template]] = {}
        self._settings: dict[tuple[str, ...], dict[str, Any]] = {}
        self._spaced: dict[str, bool] = {}
        self._choosing = recipe.chooses
        self._chosen: dict[tuple[str, ...], dict[str, Choice]] = {}

    def add(self, kind: str, identity: dict[str, Any], inputs: dict[str, str], slug: str, labels: dict[str, Any],
            resources: dict[str, Any]) -> str:  # fmt: skip
        """Add a stage to the plan unless it is there, and give its key."""
        identity = self.whole(kind, identity)
        return self.stages.add(
            Stage(
                kind=kind,
                version=self.version(kind, identity),
                identity=identity,
                inputs=inputs,
                slug=slug,
                labels=labels,
                resources=resources,
            )
        )

    def template(self, kind: str, identity: dict[str, Any], inputs: dict[str, str], roles: tuple[str, ...]) -> Template:
        """The template of a training with any seed.

        Trainings after different intermediate tasks often differ in nothing but the keys of theirs: they share it.

        Args:
            identity: without the seed; the same object where trainings have the same one.
        """
        memo = (kind, id(identity), tuple(inputs.items()), roles)
        if memo not in self._templates:
            whole = self.whole(kind, identity)
            version = self.version(kind, whole)
            template = Template(kind, version, whole, inputs, roles=roles, seeded=True, texts=self.texts)
            self._templates[memo] = (identity, template)  # it keeps its id while it is here
        return self._templates[memo][1]

    def whole(self, kind: str, identity: dict[str, Any]) -> dict[str, Any]:
        """The identity of a stage with the facts about its backbone that this plan's generation knows."""
        facts = {**self._words(kind, identity), **self._segments(kind, identity)}
        return identity_at({**identity, **facts}, self.generation)

    def version(self, kind: str, identity: dict[str, Any]) -> int:
        """The version of a stage in this plan's generation."""
        return version_of(kind, identity, self.generation)

    def _words(self, kind: str, identity: dict[str, Any]) -> dict[str, Any]:
        """What the identity of a stage says of the words it reads; nothing for most tokenizers, and without words."""
        if kind not in READING_KINDS or not (backbone := identity["backbone"]):
            return {}
        # Words first: a tokenizer is a large file, and nobody asks it for texts.
        if "tagging" not in _formats(identity):
            return {}
        name = backbone["name"]
        spaced = self._spaced.get(name)
        if spaced is None:
            spaced = self._spaced[name] = self.backbones.lacks_word_starts(name)
        return {WORD_STARTS: "spaced"} if spaced else {}

    def _segments(self, kind: str, identity: dict[str, Any]) -> dict[str, Any]:
        """What the identity of a stage says of pairs of texts, on architectures that once had no segment ids here."""
        if kind not in READING_KINDS or not (backbone := identity["backbone"]):
            return {}
        architecture = ARCHITECTURES.get(self.recipe.architecture(backbone["name"]))
        if architecture is None or not architecture.segments_came_later or _formats(identity).isdisjoint(PAIR_FORMATS):
            return {}
        return {SEGMENTS: "pairs"}

    def settings(self, phase: str, mode: Mode, task: str, backbone: str) -> dict[str, Any]:
        """Settings of one training."""
        memo = (phase, mode, task, backbone)
        if memo not in self._settings:
            self._settings[memo] = training_settings(self.recipe, phase=phase, mode=mode, task=task, backbone=backbone)
        return self._settings[memo]

    def choices(self, phase: str, mode: Mode, task: str, backbone: str) -> dict[str, Choice]:
        """The settings of one training that development data choose."""
        if not self._choosing:
            return {}
        memo = (phase, mode, task, backbone)
        if memo not in self._chosen:
            self._chosen[memo] = choices_of(self.recipe, phase=phase, mode=mode, task=task, backbone=backbone)
        return self._chosen[memo]

    def resources(self, backbone: str, mode: Mode, cost: float, memory_gb: float = 0.0) -> dict[str, Any]:
        """What a training needs of a machine: its cost in operations, its memory, and what the recipe asks for."""
        requests = self.recipe.resources.get(backbone, {}).get(mode)
        memory = {"estimated_memory_gb": round(memory_gb, 2)} if memory_gb else {}
        return {"cost": cost, **memory, **(requests.model_dump(exclude_none=True) if requests else {})}


def _formats(identity: dict[str, Any]) -> set[Any]:
    """Formats of all tasks of a stage."""
    return {identity.get("format"), *(task["format"] for task in identity.get("tasks", ()))}
