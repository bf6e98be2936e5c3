"""Makes the stages that train on a target task: with an adapter, whole, with a head only, or as a fusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from adapterxfer.catalog import VARIANTS, VariantSpec
from adapterxfer.catalog.variants import FRESH, FURTHER, Mode, alone, by_mode
from adapterxfer.plan.choosing import ChoiceMaker
from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.intermediates import IntermediateMaker
from adapterxfer.plan.language_stages import LanguageMaker
from adapterxfer.plan.seed_groups import KeyOfSeed, SeedRow, Training
from adapterxfer.plan.supervised import IDENTITY, Taught, taught_settings
from adapterxfer.plan.target_dev import TargetDevMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE
from adapterxfer.recipe.model_options import AdapterSpec

START = "start"
"""Role of the model that is trained further among the inputs of a training."""


class _Shared(NamedTuple):
    """What trainings on a target share that differ in their intermediate task alone."""

    identity: dict[str, Any]
    inputs: dict[str, str]
    resources: dict[str, Any]


class TargetMaker:
    """Builds and remembers these stages."""

    def __init__(
        self,
        bench: Workbench,
        inputs: InputMaker,
        intermediates: IntermediateMaker,
        languages: LanguageMaker,
        target_dev: TargetDevMaker,
        choices: ChoiceMaker,
    ) -> None:
        self._bench, self._recipe, self._target_dev = bench, bench.recipe, target_dev
        self._inputs, self._intermediates, self._languages = inputs, intermediates, languages
        self._choices = choices
        self._rows: dict[tuple[str, str, str, str, str, bool, str], KeyOfSeed] = {}
        self._shared: dict[tuple[str, str, str, str, bool], _Shared] = {}
        self._befores: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        self._fusions: dict[tuple[str, str, str, str, bool, str], KeyOfSeed] = {}

    def target(
        self, axes: Axes, adapter: AdapterSpec | None, variant: VariantSpec, *, oracle: bool = False,
        taught: Taught | None = None,
    ) -> KeyOfSeed:  # fmt: skip
        """One target training with any seed.

        Args:
            axes: of the training; their seed is not looked at.
            variant: what is trained; without an intermediate `alone`, or a control.
            oracle: select the weights by development data in the target languages.
            taught: train on labelled data in other languages in place of English.
        """
        label = adapter.label if adapter else ""
        memo = (
            axes.backbone,
            label,
            variant.name,
            axes.intermediate,
            axes.target,
            oracle,
            taught.name if taught else "",
        )
        row = self._rows.get(memo)
        if row is None:
            training = self._described(axes, adapter, variant)
            if taught is None:
                training = training.with_inputs(self._choice(axes, adapter, variant))
            else:
                training = self._supervised(training, taught, variant.mode)
            row = self._rows[memo] = self._row(training, axes.target, oracle=oracle)
        return row

    def further(
        self, axes: Axes, adapter: AdapterSpec | None, variant: VariantSpec, taught: Taught, start: KeyOfSeed
    ) -> KeyOfSeed:
        """A trained model, trained further on labelled data in another language.

        Args:
            variant: of the model.
            start: its key, by seed.
        """
        label = adapter.label if adapter else ""
        memo = (axes.backbone, label, variant.name, axes.intermediate, axes.target, False, taught.name)
        row = self._rows.get(memo)
        if row is None:
            who, inputs = self._inputs.backbone(axes.backbone)
            settings = self._bench.settings(
                "fusion" if variant.fuses else "target", variant.mode, axes.target, axes.backbone
            )
            identity: dict[str, Any] = {
                "backbone": who,
                "mode": variant.training or variant.mode,
                "adapter": adapter.identity() if adapter else None,
                "composition": FURTHER,
                "task": axes.target,
                "format": self._recipe.task(axes.target).format,
                "settings": settings,
            }
            training = Training(
                kind="train_target",
                identity=identity,
                inputs={"data": self._inputs.task(axes.target), **inputs},
                slug=f"{axes.backbone}-{variant.name}-{axes.intermediate}-{axes.target}",
                labels=replace(axes, variant=variant.name, adapter=label).values(),
                resources={},
                others={START: start},
            )
            row = self._rows[memo] = self._row(
                self._supervised(training, taught, variant.mode), axes.target, oracle=False
            )
        return row

    def _supervised(self, training: Training, taught: Taught, mode: Mode) -> Training:
        """A training on labelled data in the target language: other data, settings, labels and name."""
        settings = taught_settings(training.identity["settings"], taught.regime, mode)
        backbone, task = str(training.labels["backbone"]), taught.regime.task
        frozen = not by_mode(mode).trains_backbone
        cost = self._bench.cost.training(backbone, settings, (task,), frozen=frozen, examples=taught.regime.examples)
        memory = self._bench.memory.training(
            backbone, settings, training="full" if not frozen else "adapter", adapter=training.identity["adapter"]
        )
        return replace(
            training,
            identity={**training.identity, "settings": settings, IDENTITY: taught.identity()},
            inputs={**training.inputs, IDENTITY: taught.pool},
            slug=f"{training.slug}-{taught.name}",
            labels={**training.labels, "target": taught.regime.target, "language": "+".join(taught.languages)},
            resources=self._bench.resources(backbone, mode, cost, memory),
        )

    def _row(self, training: Training, task: str, *, oracle: bool) -> KeyOfSeed:
        """The stages of a training, or of its diagnostic beside it."""
        if oracle:
            labels = {**training.labels, "control": "oracle"}
            training = replace(training, identity={**training.identity}, inputs={**training.inputs}, labels=labels)
            self._target_dev.add_to(task, training.identity, training.inputs)
        return SeedRow(self._bench, training, ending="-oracle" if oracle else "").key

    def _described(self, axes: Axes, adapter: AdapterSpec | None, variant: VariantSpec) -> Training:
        """A target training without a choice of settings."""
        backbone, name, task = axes.backbone, axes.intermediate, axes.target
        label = adapter.label if adapter else ""
        memo = (backbone, variant.name, label, task, name == NONE)
        shared = self._shared.get(memo)
        if shared is None:
            shared = self._shared[memo] = self._after_any(backbone, task, adapter, variant, fresh=name == NONE)
        before = {} if name == NONE else {"intermediate": self._intermediates.intermediate(backbone, adapter, name)}
        return Training(
            kind="train_target",
            identity=shared.identity,
            inputs=shared.inputs,
            slug=f"{backbone}-{variant.name}-{name}-{task}",
            labels={**axes.values(), "variant": variant.name, "adapter": label},
            resources=shared.resources,
            others=before,
        )

    def _after_any(
        self, backbone: str, task: str, adapter: AdapterSpec | None, variant: VariantSpec, *, fresh: bool
    ) -> _Shared:
        """What a target training is after any intermediate task, or after none (``fresh``)."""
        spec = self._recipe.task(task)
        who, inputs = self._inputs.backbone(backbone)
        settings = self._bench.settings("target", variant.mode, task, backbone)
        identity: dict[str, Any] = {
            "backbone": who,
            "mode": variant.training,
            "adapter": adapter.identity() if adapter else None,
            "composition": FRESH if fresh else variant.composition,
            "task": task,
            "format": spec.format,
            "settings": settings,
        }
        inputs = {"data": self._inputs.task(task), **inputs}
        self._add_before(task, variant.mode, backbone, identity, inputs)
        self._languages.add_to(adapter, backbone, identity, inputs)
        cost = self._bench.cost.training(backbone, settings, (task,), frozen=not variant.trains_backbone)
        memory = self._bench.memory.training(backbone, settings, training=variant.training, adapter=identity["adapter"])
        return _Shared(identity, inputs, self._bench.resources(backbone, variant.mode, cost, memory))

    def _choice(self, axes: Axes, adapter: AdapterSpec | None, variant: VariantSpec) -> dict[str, str]:
        """Choices without an intermediate task are shared by all that is trained in the same mode."""
        choices = self._bench.choices("target", variant.mode, axes.target, axes.backbone)
        if not choices:
            return {}
        if next(iter(choices.values())).per == "backbone":
            # A control has no variant without an intermediate task: it never has one.
            variant = variant if variant.control else alone(adapter=adapter is not None)
            axes = replace(axes, intermediate=NONE)

        label = adapter.label if adapter else ""
        memo = ("target", axes.backbone, label, variant.name, axes.intermediate, axes.target)
        return self._choices.inputs(choices, memo, lambda: self._described(axes, adapter, variant))

    def fusion(
        self, axes: Axes, adapter: AdapterSpec, fused: tuple[str, ...], *, with_target: bool = True,
        oracle: bool = False, taught: Taught | None = None,
    ) -> KeyOfSeed:  # fmt: skip
        """AdapterFusion over intermediate adapters and the fresh target adapter, trained on the target of ``axes``.

        Args:
            taught: train fusion and target adapter on labelled data in other languages in place of English.
        """
        memo = (axes.backbone, adapter.label, axes.intermediate, axes.target, oracle, taught.name if taught else "")
        row = self._fusions.get(memo)
        if row is None:
            training = self._fusion(axes, adapter, fused, with_target=with_target, taught=taught)
            if taught is None:
                training = training.with_inputs(self._fusion_choice(axes, adapter, fused, with_target=with_target))
            else:
                training = self._supervised(training, taught, VARIANTS[axes.variant].mode)
            row = self._fusions[memo] = self._row(training, axes.target, oracle=oracle)
        return row

    def _fusion(
        self,
        axes: Axes,
        adapter: AdapterSpec,
        fused: tuple[str, ...],
        *,
        with_target: bool,
        taught: Taught | None = None,
    ) -> Training:
        """A fusion without a choice of settings."""
        backbone, name, task = axes.backbone, axes.intermediate, axes.target
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
        members: dict[str, KeyOfSeed] = {}
        if with_target and not joint:
            members["target"] = self.target(
                replace(axes, intermediate=NONE), adapter, alone(adapter=True), taught=taught
            )
        for joined in fused:
            members[f"intermediate.{joined}"] = self._intermediates.intermediate(backbone, adapter, joined)
        cost = self._bench.cost.training(backbone, settings, (task,), frozen=True, width=len(fused) + 1)
        memory = self._bench.memory.training(
            backbone, settings, training="adapter", adapter=identity["adapter"], fused=len(fused) + 1,
            rank=options.rank if options is not None else None,
        )  # fmt: skip
        return Training(
            kind="train_fusion",
            identity=identity,
            inputs=inputs,
            slug=f"{backbone}-{variant.name}-{name}-{task}",
            labels=replace(axes, adapter=adapter.label).values(),
            resources=self._bench.resources(backbone, variant.mode, cost, memory),
            others=members,
        )

    def _fusion_choice(
        self, axes: Axes, adapter: AdapterSpec, fused: tuple[str, ...], *, with_target: bool
    ) -> dict[str, str]:
        """A fusion has no form without an intermediate task: the first of the recipe stands for all."""
        choices = self._bench.choices("fusion", VARIANTS[axes.variant].mode, axes.target, axes.backbone)
        if not choices:
            return {}
        if next(iter(choices.values())).per == "backbone":
            fused = self._recipe.single_intermediates()[:1]
            axes = replace(axes, intermediate=fused[0])

        memo = ("fusion", axes.backbone, adapter.label, axes.intermediate, axes.target, with_target)
        return self._choices.inputs(choices, memo, lambda: self._fusion(axes, adapter, fused, with_target=with_target))

    def _add_before(
        self, task: str, mode: Mode, backbone: str, identity: dict[str, Any], inputs: dict[str, str]
    ) -> None:
        """What the same model is trained on first, each with settings of its own: Social IQa before COPA."""
        if not (before := self._recipe.task(task).before):
            return
        phase = "fusion" if by_mode(mode).fuses else "target"
        identity["before"] = self._befores.get((phase, mode, task, backbone)) or self._befores.setdefault(
            (phase, mode, task, backbone),
            [{"task": first, "settings": self._bench.settings(phase, mode, first, backbone)} for first in before],
        )
        inputs |= {f"before.{first}": self._inputs.task(first) for first in before}
