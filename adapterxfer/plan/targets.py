"""Makes the stages that train on a target task: with an adapter, whole, with a head only, or as a fusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapterxfer.catalog import VARIANTS, VariantSpec
from adapterxfer.catalog.variants import FRESH, Mode, alone, by_mode
from adapterxfer.plan.choosing import ChoiceMaker, Trial
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
        choices: ChoiceMaker,
    ) -> None:
        self._bench, self._recipe, self._target_dev = bench, bench.recipe, target_dev
        self._inputs, self._intermediates, self._languages = inputs, intermediates, languages
        self._together, self._choices = together, choices
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
            trial = self._described(axes, adapter, variant)
            identity, inputs, settings = trial.identity, trial.inputs, trial.identity["settings"]
            self._choose(axes, adapter, variant, inputs)
            before: dict[int, str] = {}
            if axes.intermediate != NONE:
                every = self._recipe.seeds if settings.get(SETTING) else (seed,)
                make = self._intermediates.intermediate
                before = {number: make(backbone, adapter, axes.intermediate, number) for number in every}
            if oracle:
                self._target_dev.add_to(task, identity, inputs)
            labels = trial.labels | ({"control": "oracle"} if oracle else {})
            self._memo[memo] = self._together.add(
                trial.kind, identity, inputs, trial.slug, labels, trial.resources, intermediates=before,
                ending="-oracle" if oracle else "",
            )  # fmt: skip
        return self._memo[memo]

    def _described(self, axes: Axes, adapter: AdapterSpec | None, variant: VariantSpec) -> Trial:
        """A target training without the intermediate model that it starts from and without a choice of settings."""
        backbone, task = axes.backbone, axes.target
        spec = self._recipe.task(task)
        who, inputs = self._inputs.backbone(backbone)
        settings = self._bench.settings("target", variant.mode, task, backbone)
        identity: dict[str, Any] = {
            "backbone": who,
            "mode": variant.training,
            "adapter": adapter.identity() if adapter else None,
            "composition": FRESH if axes.intermediate == NONE else variant.composition,
            "task": task,
            "format": spec.format,
            "settings": settings,
            "seed": axes.seed,
        }
        inputs = {"data": self._inputs.task(task), **inputs}
        self._add_before(task, variant.mode, backbone, identity, inputs)
        self._languages.add_to(adapter, backbone, identity, inputs)
        cost = self._bench.cost.training(backbone, settings, (task,), frozen=not variant.trains_backbone)
        return Trial(
            kind="train_target",
            identity=identity,
            inputs=inputs,
            slug=f"{backbone}-{variant.name}-{axes.intermediate}-{task}",
            labels=replace(axes, variant=variant.name, adapter=adapter.label if adapter else "").values(),
            resources=self._bench.resources(backbone, variant.mode, cost),
        )

    def _choose(self, axes: Axes, adapter: AdapterSpec | None, variant: VariantSpec, inputs: dict[str, str]) -> None:
        """Choices without an intermediate task are shared by all that is trained in the same mode."""
        choices = self._bench.choices("target", variant.mode, axes.target, axes.backbone)
        if not choices:
            return
        if next(iter(choices.values())).per == "backbone":
            # A control has no variant without an intermediate task: it never has one.
            variant = variant if variant.control else alone(adapter=adapter is not None)
            axes = replace(axes, intermediate=NONE)

        def trial(seed: int) -> Trial:
            tried = self._described(replace(axes, seed=seed), adapter, variant)
            if axes.intermediate != NONE:
                make = self._intermediates.intermediate
                tried.inputs["intermediate"] = make(axes.backbone, adapter, axes.intermediate, seed)
            return tried

        label = adapter.label if adapter else ""
        memo = ("target", axes.backbone, label, variant.name, axes.intermediate, axes.target)
        self._choices.add_to(inputs, choices, memo, trial)

    def fusion(
        self, axes: Axes, adapter: AdapterSpec, fused: tuple[str, ...], *, with_target: bool = True,
        oracle: bool = False,
    ) -> str:  # fmt: skip
        """AdapterFusion over intermediate adapters and the fresh target adapter, trained on the target of ``axes``."""
        memo = ("fusion", axes.backbone, adapter.label, axes.intermediate, axes.target, axes.seed, oracle)
        if memo not in self._memo:
            trial = self._fusion(axes, adapter, fused, with_target=with_target)
            self._choose_fusion(axes, adapter, fused, trial.inputs, with_target=with_target)
            labels = trial.labels
            if oracle:
                self._target_dev.add_to(axes.target, trial.identity, trial.inputs)
                labels = labels | {"control": "oracle"}
            slug = f"{trial.slug}-s{axes.seed}" + ("-oracle" if oracle else "")
            self._memo[memo] = self._bench.add(trial.kind, trial.identity, trial.inputs, slug, labels, trial.resources)
        return self._memo[memo]

    def _fusion(self, axes: Axes, adapter: AdapterSpec, fused: tuple[str, ...], *, with_target: bool) -> Trial:
        """A fusion without a choice of settings."""
        backbone, name, task, seed = axes.backbone, axes.intermediate, axes.target, axes.seed
        variant = VARIANTS[axes.variant]
        who, inputs = self._inputs.backbone(backbone)
        settings = self._bench.settings("fusion", variant.mode, task, backbone)
        identity: dict[str, Any] = {
            "backbone": who,
            "adapter": adapter.identity(),
            "task": task,
            "format": self._recipe.task(task).format,
            "fused": list(fused),
            "settings": settings,
            "seed": seed,
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
        cost = self._bench.cost.training(backbone, settings, (task,), frozen=True, width=len(fused) + 1)
        return Trial(
            kind="train_fusion",
            identity=identity,
            inputs=inputs,
            slug=f"{backbone}-{variant.name}-{name}-{task}",
            labels=replace(axes, adapter=adapter.label).values(),
            resources=self._bench.resources(backbone, variant.mode, cost),
        )

    def _choose_fusion(
        self, axes: Axes, adapter: AdapterSpec, fused: tuple[str, ...], inputs: dict[str, str], *, with_target: bool
    ) -> None:
        """A fusion has no form without an intermediate task: the first of the recipe stands for all."""
        choices = self._bench.choices("fusion", VARIANTS[axes.variant].mode, axes.target, axes.backbone)
        if not choices:
            return
        if next(iter(choices.values())).per == "backbone":
            fused = self._recipe.single_intermediates()[:1]
            axes = replace(axes, intermediate=fused[0])

        def trial(seed: int) -> Trial:
            return self._fusion(replace(axes, seed=seed), adapter, fused, with_target=with_target)

        memo = ("fusion", axes.backbone, adapter.label, axes.intermediate, axes.target, with_target)
        self._choices.add_to(inputs, choices, memo, trial)

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
