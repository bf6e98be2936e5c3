"""Makes the stages that predict: each evaluates one model, untouched backbone or control on one target."""

from __future__ import annotations

from typing import Any

from adapterxfer.plan.cells import CONTROL
from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.language_stages import LanguageMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.also import Also
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE
from adapterxfer.recipe.language_adapters import SOURCE


class EvaluationMaker:
    """Builds and remembers these stages."""

    def __init__(self, bench: Workbench, inputs: InputMaker, languages: LanguageMaker) -> None:
        self._bench, self._recipe = bench, bench.recipe
        self._inputs, self._languages = inputs, languages
        self._memo: dict[tuple[str, ...], str] = {}

    def predict(
        self,
        backbone: str,
        task: str,
        *,
        model: str = "",
        control: str = "",
        above_language: bool = False,
        also: Also | None = None,
    ) -> str:
        """Predictions of a trained model, of an untouched backbone, or of a control (``backbone`` may be empty).

        Args:
            above_language: the model was trained above the adapter of its language; each test language is predicted
                above its own.
            also: one of the other evaluations of the task.
        """
        named = also.target(task) if also else task
        memo = ("predict", backbone, named, model, control)
        if memo not in self._memo:
            target = self._recipe.task(task)
            who, inputs = self._inputs.backbone(backbone) if backbone else (None, {})
            if control:
                system: dict[str, Any] = {"kind": "control", "control": control}
            else:
                system = {"kind": "trained"} if model else {"kind": "backbone", "layer": "middle"}
            split = (also and also.split) or "test"
            languages = list(self._recipe.languages_of(task)) if split == "test" else [SOURCE]
            identity = {
                "backbone": who,
                "task": task,
                "format": target.format,
                "protocol": self._recipe.protocol_of(task, also),
                "system": system,
                "split": split,
                "languages": languages,
            }
            if target.stand_in:
                # The name alone would give the metric of the real task.
                identity["metric"] = target.metric
            inputs = {"data": self._inputs.task(task, also if also and also.protocol else None), **inputs}
            if model:
                inputs["model"] = model
                if above_language:
                    others = [code for code in languages if code != SOURCE]
                    inputs |= {f"language.{code}": self._languages.adapter(backbone, code) for code in others}
                trained = self._bench.stages[model]
                labels = {**trained.labels, "target": named}
                slug = trained.slug if trained.labels["target"] == task else f"{trained.slug}-{task}"
                slug += f"-{also.label}" if also else ""
            else:
                axes = Axes(
                    backbone=backbone, variant=CONTROL if control else "untouched", intermediate=NONE, target=named
                )
                labels = axes.values()
                labels |= {"control": control} if control else {}
                slug = "-".join(word for word in (backbone, control, task, also.label if also else "") if word)
            cost = self._bench.cost.prediction(backbone, task)
            self._memo[memo] = self._bench.add("predict", identity, inputs, slug, labels, {"cost": cost})
        return self._memo[memo]
