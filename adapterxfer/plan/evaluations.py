"""Makes the stages that predict: each evaluates one model, untouched backbone or control on one target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapterxfer.catalog.declared import ITEMS
from adapterxfer.catalog.scores import installed, installed_names
from adapterxfer.plan.cells import CONTROL
from adapterxfer.plan.inputs import InputMaker
from adapterxfer.plan.language_stages import LanguageMaker
from adapterxfer.plan.rows import Row
from adapterxfer.plan.supervised import IDENTITY, described
from adapterxfer.plan.templates import Template
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.also import Also
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE
from adapterxfer.recipe.language_adapters import SOURCE
from adapterxfer.recipe.own_tasks import OwnTask
from adapterxfer.recipe.supervision import Supervised
from adapterxfer.store.keys import Stage

KeyOfModel = Callable[[str], str]
"""Key of a model -> key of its predictions, which are in the plan from then on."""


class EvaluationMaker:
    """Builds and remembers these stages."""

    def __init__(self, bench: Workbench, inputs: InputMaker, languages: LanguageMaker) -> None:
        self._bench, self._recipe = bench, bench.recipe
        self._inputs, self._languages = inputs, languages
        self._rows: dict[tuple[str, str, str, bool, bool], KeyOfModel] = {}

    def evaluation(
        self,
        backbone: str,
        task: str,
        *,
        trained: bool = False,
        control: str = "",
        above_language: bool = False,
        also: Also | None = None,
    ) -> KeyOfModel:
        """Predictions of any trained model, of an untouched backbone, or of a control (``backbone`` may be empty).

        Args:
            trained: by trained models; else the key of the model that is asked for is empty.
            above_language: the models were trained above the adapter of their language; each test language is
                predicted above its own.
            also: one of the other evaluations of the task.
        """
        memo = (backbone, also.target(task) if also else task, control, trained, above_language)
        row = self._rows.get(memo)
        if row is None:
            row = self._rows[memo] = self._row(
                backbone, task, trained=trained, control=control, above_language=above_language, also=also
            )
        return row

    def supervised(self, axes: Axes, regime: Supervised, draw: int, models: Mapping[str, str]) -> str:
        """Predictions of the models of one supervised run, each in its language.

        Args:
            axes: of the cell; the target is the task.
            models: language -> key of the model that answers in it; the empty one stands for all.
        """
        who, inputs = self._inputs.backbone(axes.backbone)
        target = self._recipe.task(regime.task)
        identity = {
            "backbone": who,
            "task": regime.task,
            "format": target.format,
            "protocol": self._recipe.protocol_of(regime.task),
            "system": {"kind": "trained"},
            "split": "test",
            "languages": list(regime.tested),
            IDENTITY: described(regime, draw),
        }
        identity |= self._declared(regime.task)
        inputs = {"data": self._inputs.task(regime.task), **inputs}
        inputs |= {f"model.{code}" if code else "model": key for code, key in models.items()}
        resources: dict[str, Any] = {"cost": self._bench.cost.prediction(axes.backbone, regime.task)}
        if memory := self._bench.memory.prediction(axes.backbone):
            resources["estimated_memory_gb"] = round(memory, 2)
        ending = f"-d{draw}" if draw else ""
        slug = f"{axes.backbone}-{axes.variant}-{axes.intermediate}-{regime.task}-{regime.label}-s{axes.seed}{ending}"
        labels = {**axes.values(), "target": regime.target}
        return self._bench.add("predict", identity, inputs, slug, labels, resources)

    def _declared(self, name: str) -> dict[str, Any]:
        """What the identity of predictions says of a task that is not, or not as it is, in the catalogue."""
        target = self._recipe.task(name)
        if target.stand_in:
            return {"metric": target.metric}  # the name alone would give the metric of the real task
        facts: dict[str, Any] = {}
        if isinstance(options := self._recipe.tasks.get(name), OwnTask):
            facts = {"metric": target.metric, ITEMS: {"parallel": options.parallel}}
            if target.metric in installed_names():
                # The package that adds it may change what it computes.
                facts["metric_protocol"] = str(getattr(installed(target.metric), "protocol", ""))
        return facts

    def _row(
        self, backbone: str, task: str, *, trained: bool, control: str, above_language: bool, also: Also | None
    ) -> KeyOfModel:
        target = self._recipe.task(task)
        who, inputs = self._inputs.backbone(backbone) if backbone else (None, {})
        if control:
            system: dict[str, Any] = {"kind": "control", "control": control}
        else:
            system = {"kind": "trained"} if trained else {"kind": "backbone", "layer": "middle"}
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
        identity |= self._declared(task)
        identity = self._bench.whole("predict", identity)
        inputs = {"data": self._inputs.task(task, also if also and also.protocol else None), **inputs}
        if trained and above_language:
            others = [code for code in languages if code != SOURCE]
            inputs |= {f"language.{code}": self._languages.adapter(backbone, code) for code in others}
        resources = {"cost": self._bench.cost.prediction(backbone, task)}
        if memory := self._bench.memory.prediction(backbone):
            resources["estimated_memory_gb"] = round(memory, 2)
        template = Template(
            "predict",
            self._bench.version("predict", identity),
            identity,
            inputs,
            roles=("model",) if trained else (),
            texts=self._bench.texts,
        )
        named = also.target(task) if also else task
        return _Evaluation(
            self._bench,
            template,
            backbone=backbone,
            task=task,
            named=named,
            control=control,
            ending=also.label if also else "",
            resources=resources,
        ).key


class _Evaluation(Row):
    """Predictions of one target by the models of one backbone, or by an untouched backbone or a control."""

    def __init__(
        self, bench: Workbench, template: Template, *, backbone: str, task: str, named: str, control: str,
        ending: str, resources: dict[str, Any],
    ) -> None:  # fmt: skip
        self._bench, self._template, self._backbone, self._task = bench, template, backbone, task
        self._named, self._control, self._ending = named, control, ending
        self._done: dict[str, str] = {}
        super().__init__(
            kind=template.kind,
            identity=template.identity,
            labels={"backbone": backbone, "target": named},
            resources=resources,
            given=template.inputs.values(),
        )

    def key(self, model: str) -> str:
        """Key of the predictions of one model; ``model`` is empty for everything else."""
        key = self._done.get(model)
        if key is None:
            keys = (model,) if model else ()
            key = self._bench.stages.add_member(self._template.key(0, keys), self, 0, keys)
            self._done[model] = key
        return key

    def stage(self, key: str, seed: int, keys: Sequence[str]) -> Stage:
        """The predictions of one model, for the plan."""
        slug, labels = self._of_model(keys[0]) if keys else self._of_other()
        return self._template.stage(key, seed, keys, slug=slug, labels=labels, resources=self.resources)

    def _of_model(self, model: str) -> tuple[str, Mapping[str, Any]]:
        """Name and labels."""
        trained = self._bench.stages[model]
        target = trained.labels["target"]
        labels = trained.labels if target == self._named else {**trained.labels, "target": self._named}
        slug = trained.slug if target == self._task else f"{trained.slug}-{self._task}"
        return slug + (f"-{self._ending}" if self._ending else ""), labels

    def _of_other(self) -> tuple[str, Mapping[str, Any]]:
        variant = CONTROL if self._control else "untouched"
        labels = Axes(backbone=self._backbone, variant=variant, intermediate=NONE, target=self._named).values()
        labels |= {"control": self._control} if self._control else {}
        return "-".join(word for word in (self._backbone, self._control, self._task, self._ending) if word), labels
