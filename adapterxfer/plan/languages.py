"""Makes the stages of language adapters, and of development data in the target languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapterxfer.plan.arms import Add, ArmMaker
from adapterxfer.plan.cost import CostModel
from adapterxfer.plan.sources import Source, Sources
from adapterxfer.recipe.language_adapters import SOURCE
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.schema import Mode

DATA_SEED = 0
"""Every system of a study sees the same examples; seeds of the study move initialisation and order."""

BackboneOf = Callable[[str], tuple[dict[str, Any], dict[str, str]]]
"""Name -> identity, and the input that provides it."""


class LanguageMaker:
    """Builds and remembers these stages.

    Args:
        add: adds a stage to the plan and gives its key.
        backbone, settings, resources: of `StageMaker`.
    """

    def __init__(
        self,
        recipe: Recipe,
        sources: Sources,
        arms: ArmMaker,
        cost: CostModel,
        *,
        add: Add,
        backbone: BackboneOf,
        settings: Callable[[str, str, str, str], dict[str, Any]],
        resources: Callable[[str, Mode, float], dict[str, Any]],
    ) -> None:
        self._recipe, self._sources, self._arms, self._cost = recipe, sources, arms, cost
        self._add, self._backbone, self._settings, self._resources = add, backbone, settings, resources
        self._memo: dict[tuple[Any, ...], str] = {}
        self._described: dict[str, tuple[Source, tuple[str, ...]]] = {}

    def adapter(self, backbone: str, code: str) -> str:
        """The adapter of one language, shared by all seeds of a study."""
        memo = ("language", backbone, code)
        if memo not in self._memo:
            option = self._recipe.language_adapters
            assert option is not None, "the check of the recipe asks for the option"
            who, inputs = self._backbone(backbone)
            settings = self._settings("", "language", "", backbone)
            identity = {
                "backbone": who,
                "adapter": option.adapter(),
                "language": code,
                "mask": option.mask,
                "settings": settings,
                "seed": option.seed,
            }
            labels = {
                "backbone": backbone,
                "variant": "language",
                "adapter": option.label,
                "intermediate": "",
                "target": "",
                "seed": option.seed,
                "language": code,
            }
            texts = self._arms.texts_of(option.texts, code, option.lines)
            cost = self._cost.language(backbone, settings, option.lines)
            resources = self._resources(backbone, "language", cost)
            slug = f"{backbone}-language-{code}"
            self._memo[memo] = self._add(
                "train_language", identity, {"texts": texts, **inputs}, slug, labels, resources
            )
        return str(self._memo[memo])

    def without_target_dev(self, name: str) -> tuple[str, ...]:
        """Languages a task is tested in that have no development data; English is none of them."""
        with_data = self._target_dev(name)[1]
        return tuple(code for code in self._tested(name) if code not in with_data)

    def _tested(self, name: str) -> list[str]:
        return [code for code in self._recipe.languages_of(name) if code != SOURCE]

    def _target_dev(self, name: str) -> tuple[Source, tuple[str, ...]]:
        """Where the development data are, and the languages that have some."""
        if name not in self._described:
            self._described[name] = self._sources.of_target_dev(self._recipe.task(name), self._tested(name))
        return self._described[name]

    def target_dev(self, name: str) -> str:
        """Development data of a task in the languages it is tested in, without English."""
        memo = ("target-dev", name)
        if memo not in self._memo:
            task, options = self._recipe.task(name), self._recipe.tasks.get(name)
            source, languages = self._target_dev(name)
            identity = {
                "what": "target-dev",
                "task": name,
                "format": task.format,
                "source": source,
                "languages": list(languages),
                "dev_examples": (options and options.dev_examples) or task.dev_examples,
                "seed": DATA_SEED,
            }
            if source["kind"] != "world":
                identity["protocol"] = self._recipe.protocol_of(name)
            if options and options.test_seed:
                identity["test_seed"] = options.test_seed
            slug = f"{name}-target-dev"
            self._memo[memo] = self._add("prepare", identity, {}, slug, {"task": slug}, {})
        return str(self._memo[memo])
