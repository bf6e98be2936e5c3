"""Makes the stages that train on a target task: with an adapter, whole, with a head only, or as a fusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapterxfer.catalog import VARIANTS, VariantSpec
from adapterxfer.catalog.variants import FRESH, Mode, alone, by_mode
from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.intermediates import IntermediateMaker
from adapterxfer.plan.language_stages import LanguageMaker
from adapterxfer.plan.seed_groups import SETTING, TogetherMaker
from adapterxfer.plan.target_dev import TargetDevMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE
from adapterxfer.recipe.model_options import AdapterSpec


class TargetMaker:
    """Builds and remembers these stages."""

    def __init__(
        self,
        bench: Workbench,
        inputs: InputMaker,
        intermediates: IntermediateMaker,
        languages: LanguageMaker,
        target_dev: TargetDevMaker,
        together: TogetherMaker,
    ) -> None:
        self._bench, self._recipe, self._target_dev = bench, bench.recipe, target_dev
        self._inputs, self._intermediates, self._languages = inputs, intermediates, languages
        self._together = together
        self._memo: dict[tuple[Any, ...], str] = {}

    def target(self, axes: Axes, adapter: AdapterSpec | None, variant: VariantSpec, *, oracle: bool = False) -> str:
        """One target training.

        Args:
            variant: what is trained; without an intermediate `alone`, or a control.
            oracle: select the weights by development data in the target languages.
        """
        backbone, task, seed = axes.backbone, axes.target, axes.seed
        label = adapter.label if adapter else ""
        memo = ("target", backbone, label, variant.name, axes.intermediate, task, seed, oracle)
        if memo not in self._memo:
            spec = self._recipe.task(task)
            who, inputs = self._inputs.backbone(backbone)
            fresh = axes.intermediate == NONE
            settings = self._bench.settings("target", variant.mode, task, backbone)
            identity: dict[str, Any] = {
                "backbone": who,
                "mode": variant.training,
                "adapter": adapter.identity() if adapter else None,
                "composition": FRESH if fresh else variant.composition,
                "task": task,
                "format": spec.format,
                "settings": settings,
                "seed": seed,
                **self._bench.words(backbone, task, *spec.before),
            }
            inputs = {"data": self._inputs.task(task), **inputs}
            self._add_before(task, variant.mode, backbone, identity, inputs)
            self._languages.add_to(adapter, backbone, identity, inputs)
            before: dict[int, str] = {}
            if not fresh:
                every = self._recipe.seeds if settings.get(SETTING) else (seed,)
                make = self._intermediates.intermediate
                before = {number: make(backbone, adapter, axes.intermediate, number) for number in every}
            if oracle:
                self._target_dev.add_to(task, identity, inputs)
            labels = replace(axes, variant=variant.name, adapter=label).values()
            cost = self._bench.cost.training(backbone, settings, (task,), frozen=not variant.trains_backbone)
            slug = f"{backbone}-{variant.name}-{axes.intermediate}-{task}"
            labels |= {"control": "oracle"} if oracle else {}
            resources = self._bench.resources(backbone, variant.mode, cost)
            self._memo[memo] = self._together.add(
                "train_target", identity, inputs, slug, labels, resources, intermediates=before,
                ending="-oracle" if oracle else "",
            )  # fmt: skip
        return self._memo[memo]

    def fusion(
        self, axes: Axes, adapter: AdapterSpec, fused: tuple[str, ...], *, with_target: bool = True,
        oracle: bool = False,
    ) -> str:  # fmt: skip
        """AdapterFusion over intermediate adapters and the fresh target adapter, trained on the target of ``axes``."""
        backbone, name, task, seed = axes.backbone, axes.intermediate, axes.target, axes.seed
        variant = VARIANTS[axes.variant]
        memo = ("fusion", backbone, adapter.label, name, task, seed, oracle)
        if memo not in self._memo:
            who, inputs = self._inputs.backbone(backbone)
            settings = self._bench.settings("fusion", variant.mode, task, backbone)
            identity = {
                "backbone": who,
                "adapter": adapter.identity(),
                "task": task,
                "format": self._recipe.task(task).format,
                "fused": list(fused),
                "settings": settings,
                "seed": seed,
                **self._bench.words(backbone, task, *self._recipe.task(task).before),
            }
            options = self._recipe.fusion
            joint = with_target and options is not None and options.target == "jointly"
            if joint:
                identity["joint"] = True
            if options is not None and options.rank is not None:
                identity["rank"] = options.rank
            elif settings["weight_decay"]:
                identity["undecayed"] = ["value"]  # once it was, so results with weight decay have keys of their own
            inputs = {"data": self._inputs.task(task), **inputs}
            self._add_before(task, variant.mode, backbone, identity, inputs)
            self._languages.add_to(adapter, backbone, identity, inputs)
            if with_target and not joint:
                inputs["target"] = self.target(replace(axes, intermediate=NONE), adapter, alone(adapter=True))
            for joined in fused:
                inputs[f"intermediate.{joined}"] = self._intermediates.intermediate(backbone, adapter, joined, seed)
            labels = replace(axes, adapter=adapter.label).values()
            if oracle:
                self._target_dev.add_to(task, identity, inputs)
                labels["control"] = "oracle"
            cost = self._bench.cost.training(backbone, settings, (task,), frozen=True, width=len(fused) + 1)
            slug = f"{backbone}-{variant.name}-{name}-{task}-s{seed}" + ("-oracle" if oracle else "")
            resources = self._bench.resources(backbone, variant.mode, cost)
            self._memo[memo] = self._bench.add("train_fusion", identity, inputs, slug, labels, resources)
        return self._memo[memo]

    def _add_before(
        self, task: str, mode: Mode, backbone: str, identity: dict[str, Any], inputs: dict[str, str]
    ) -> None:
        """What the same model is trained on first, each with settings of its own: Social IQa before COPA."""
        if not (before := self._recipe.task(task).before):
            return
        phase = "fusion" if by_mode(mode).fuses else "target"
        identity["before"] = [
            {"task": first, "settings": self._bench.settings(phase, mode, first, backbone)} for first in before
        ]
        inputs |= {f"before.{first}": self._inputs.task(first) for first in before}
