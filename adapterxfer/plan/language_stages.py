"""Makes the stages of language adapters."""

from __future__ import annotations

from typing import Any

from adapterxfer.plan.arm_identity import ArmMaker
from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.language_adapters import SOURCE
from adapterxfer.recipe.model_options import AdapterSpec


class LanguageMaker:
    """Builds and remembers these stages."""

    def __init__(self, bench: Workbench, inputs: InputMaker, arms: ArmMaker) -> None:
        self._bench, self._recipe = bench, bench.recipe
        self._inputs, self._arms = inputs, arms
        self._memo: dict[tuple[Any, ...], str] = {}

    def adapter(self, backbone: str, code: str) -> str:
        """The adapter of one language, shared by all seeds of a study."""
        memo = ("language", backbone, code)
        if memo not in self._memo:
            option = self._recipe.language_adapters
            assert option is not None, "the check of the recipe asks for the option"
            who, inputs = self._inputs.backbone(backbone)
            settings = self._bench.settings("", "language", "", backbone)
            identity = {
                "backbone": who,
                "adapter": option.adapter(),
                "language": code,
                "mask": option.mask,
                "settings": settings,
                "seed": option.seed,
            }
            axes = Axes(backbone=backbone, variant="language", adapter=option.label, seed=option.seed)
            labels = axes.values() | {"language": code}
            texts = self._arms.texts_of(option.texts, code, option.lines)
            cost = self._bench.cost.language(backbone, settings, option.lines)
            resources = self._bench.resources(backbone, "language", cost)
            slug = f"{backbone}-language-{code}"
            self._memo[memo] = self._bench.add(
                "train_language", identity, {"texts": texts, **inputs}, slug, labels, resources
            )
        return self._memo[memo]

    def add_to(
        self, adapter: AdapterSpec | None, backbone: str, identity: dict[str, Any], inputs: dict[str, str]
    ) -> None:
        """The adapter of the training language, for adapters that go above it."""
        if adapter is not None and adapter.language:
            identity["language"] = SOURCE
            inputs["language"] = self.adapter(backbone, SOURCE)
