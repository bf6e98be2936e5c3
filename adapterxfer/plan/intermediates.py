"""Makes the stages of intermediate trainings, and of published adapters in place of them."""

from __future__ import annotations

from typing import Any

from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.stand_ins import shared_heads
from adapterxfer.catalog.variants import alone
from adapterxfer.plan.arm_identity import ArmMaker
from adapterxfer.plan.choosing import ChoiceMaker
from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.language_stages import LanguageMaker
from adapterxfer.plan.seed_groups import KeyOfSeed, SeedRow, Training
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import Pin
from adapterxfer.recipe.model_options import AdapterSpec


class IntermediateMaker:
    """Builds and remembers these stages."""

    def __init__(
        self, bench: Workbench, inputs: InputMaker, arms: ArmMaker, languages: LanguageMaker, choices: ChoiceMaker
    ) -> None:
        self._bench, self._recipe = bench, bench.recipe
        self._inputs, self._arms, self._languages, self._choices = inputs, arms, languages, choices
        self._rows: dict[tuple[str, str, str], KeyOfSeed] = {}

    def intermediate(self, backbone: str, adapter: AdapterSpec | None, name: str) -> KeyOfSeed:
        """One intermediate training with any seed; an adapter is shared by all variants with adapters."""
        memo = (backbone, adapter.label if adapter else "", name)
        row = self._rows.get(memo)
        if row is None:
            pin = self._recipe.reused(backbone, name) if adapter is not None else None
            if adapter is not None and pin is not None:
                published = self._published(backbone, adapter, name, pin)
                row = lambda _seed: published  # noqa: E731
            else:
                row = self._row(backbone, adapter, name)
            self._rows[memo] = row
        return row

    def _row(self, backbone: str, adapter: AdapterSpec | None, name: str) -> KeyOfSeed:
        training = self._described(backbone, adapter, name)
        choices = self._bench.choices("intermediate", alone(adapter=adapter is not None).mode, name, backbone)
        memo = ("intermediate", backbone, adapter.label if adapter else "", name)
        chosen = self._choices.inputs(choices, memo, lambda: self._described(backbone, adapter, name))
        return SeedRow(self._bench, training.with_inputs(chosen)).key

    def _described(self, backbone: str, adapter: AdapterSpec | None, name: str) -> Training:
        """An intermediate training without a choice of settings."""
        parts = self._recipe.parts_of(name)
        who, inputs = self._inputs.backbone(backbone)
        variant = alone(adapter=adapter is not None)
        settings = self._bench.settings("intermediate", variant.mode, name, backbone)
        identity: dict[str, Any] = {
            "backbone": who,
            "mode": variant.training,
            "adapter": adapter.identity() if adapter else None,
            "tasks": [{"task": task, "format": self._recipe.task(task).format} for task in parts],
            "sampling": self._sampling() if split_arm(name).base == "multi" else None,
            "settings": settings,
        }
        if shared := shared_heads([self._recipe.task(task) for task in parts]):
            identity["shared_heads"] = shared
        inputs = {f"data.{task}": self._inputs.task(task) for task in parts} | inputs
        self._languages.add_to(adapter, backbone, identity, inputs)
        more = self._arms.of(name, parts)
        identity |= more.identity
        inputs |= more.inputs
        label = adapter.label if adapter else ""
        axes = Axes(backbone=backbone, variant=variant.name, adapter=label, intermediate=name)
        memory = self._bench.memory.training(backbone, settings, training=variant.training, adapter=identity["adapter"])
        cost = more.length * self._bench.cost.training(backbone, settings, parts, frozen=adapter is not None)
        return Training(
            kind="train_intermediate",
            identity=identity,
            inputs=inputs,
            slug=f"{backbone}-{variant.mode}-{name}",
            labels=axes.values(),
            resources=self._bench.resources(backbone, variant.mode, cost, memory),
        )

    def _published(self, backbone: str, adapter: AdapterSpec, name: str, pin: Pin) -> str:
        """A published adapter in place of a training; the same for all seeds."""
        who, inputs = self._inputs.backbone(backbone)
        identity = {
            "backbone": who,
            "adapter": adapter.identity(),
            "task": name,
            "format": self._recipe.task(name).format,
            "from": {"repository": pin.repository, "commit": pin.commit},
        }
        if licence := (self._recipe.reuse or {})[name].licence:
            identity["licence"] = licence
        axes = Axes(backbone=backbone, variant=alone(adapter=True).name, adapter=adapter.label, intermediate=name)
        slug = f"{backbone}-{name}-{pin.commit[:8]}"
        return self._bench.add("reuse_intermediate", identity, inputs, slug, axes.values(), {})

    def _sampling(self) -> dict[str, Any]:
        """How tasks of `multi` are drawn; the order is named because it decides the numbers."""
        return {**self._recipe.multi.sampling.model_dump(exclude_none=True), "order": "even"}
