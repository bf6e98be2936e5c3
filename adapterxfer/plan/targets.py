"""Makes the stages that train on a target task: with an adapter, whole, with a head only, or as a fusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.intermediates import IntermediateMaker
from adapterxfer.plan.languages import LanguageMaker
from adapterxfer.plan.target_dev import TargetDevMaker
from adapterxfer.plan.together import SETTING, TogetherMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE
from adapterxfer.recipe.models import AdapterSpec
from adapterxfer.recipe.train_blocks import Mode

HEAD_ONLY: Literal["head-only"] = "head-only"


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

    def target(self, axes: Axes, adapter: AdapterSpec | None, composition: str, *, oracle: bool = False) -> str:
        """One target training.

        Args:
            composition: ``fresh``, ``sequential`` or ``stack``; full fine-tuning after an intermediate task is
                ``sequential``. ``head-only`` trains nothing but the head.
            oracle: select the weights by development data in the target languages.
        """
        backbone, task, seed = axes.backbone, axes.target, axes.seed
        label = adapter.label if adapter else ""
        memo = ("target", backbone, label, composition, axes.intermediate, task, seed, oracle)
        if memo not in self._memo:
            entry = self._recipe.task(task)
            who, inputs = self._inputs.backbone(backbone)
            head_only = composition == HEAD_ONLY
            mode: Mode = HEAD_ONLY if head_only else "adapters" if adapter else "full-ft"
            settings = self._bench.settings("target", mode, task, backbone)
            identity: dict[str, Any] = {
                "backbone": who,
                "mode": "head" if head_only else "adapter" if adapter else "full",
                "adapter": adapter.identity() if adapter else None,
                "composition": "fresh" if head_only else composition,
                "task": task,
                "format": entry.format,
                "settings": settings,
                "seed": seed,
            }
            inputs = {"data": self._inputs.task(task), **inputs}
            self._add_before(task, mode, backbone, identity, inputs)
            self._languages.add_to(adapter, backbone, identity, inputs)
            before: dict[int, str] = {}
            if composition not in ("fresh", HEAD_ONLY):
                every = self._recipe.seeds if settings.get(SETTING) else (seed,)
                make = self._intermediates.intermediate
                before = {one: make(backbone, adapter, axes.intermediate, one) for one in every}
            if oracle:
                self._target_dev.add_to(task, identity, inputs)
            plain = "full-ft" if adapter is None else "adapter" if composition == "fresh" else composition
            variant = HEAD_ONLY if head_only else plain
            labels = replace(axes, variant=variant, adapter=label).values()
            cost = self._bench.cost.training(backbone, settings, (task,), frozen=adapter is not None or head_only)
            slug = f"{backbone}-{variant}-{axes.intermediate}-{task}"
            labels |= {"control": "oracle"} if oracle else {}
            resources = self._bench.resources(backbone, mode, cost)
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
        memo = ("fusion", backbone, adapter.label, name, task, seed, oracle)
        if memo not in self._memo:
            who, inputs = self._inputs.backbone(backbone)
            settings = self._bench.settings("fusion", "fuse", task, backbone)
            identity = {
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
            self._add_before(task, "fuse", backbone, identity, inputs)
            self._languages.add_to(adapter, backbone, identity, inputs)
            if with_target and not joint:
                inputs["target"] = self.target(replace(axes, intermediate=NONE), adapter, "fresh")
            for part in fused:
                inputs[f"intermediate.{part}"] = self._intermediates.intermediate(backbone, adapter, part, seed)
            labels = replace(axes, variant="fuse", adapter=adapter.label).values()
            if oracle:
                self._target_dev.add_to(task, identity, inputs)
                labels["control"] = "oracle"
            cost = self._bench.cost.training(backbone, settings, (task,), frozen=True, width=len(fused) + 1)
            slug = f"{backbone}-fuse-{name}-{task}-s{seed}" + ("-oracle" if oracle else "")
            resources = self._bench.resources(backbone, "fuse", cost)
            self._memo[memo] = self._bench.add("train_fusion", identity, inputs, slug, labels, resources)
        return self._memo[memo]

    def _add_before(
        self, task: str, mode: str, backbone: str, identity: dict[str, Any], inputs: dict[str, str]
    ) -> None:
        """What the same model is trained on first, each with settings of its own: Social IQa before COPA."""
        if not (before := self._recipe.task(task).before):
            return
        phase = "fusion" if mode == "fuse" else "target"
        identity["before"] = [
            {"task": first, "settings": self._bench.settings(phase, mode, first, backbone)} for first in before
        ]
        inputs |= {f"before.{first}": self._inputs.task(first) for first in before}
