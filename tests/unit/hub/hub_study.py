"""A finished study on a random backbone: every variant on every format, a few steps each, in one store."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from adapterxfer.catalog import METHODS
from adapterxfer.data.examples import ChoiceExample, Example, RetrievalExample, TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.backbones import backbone_folders
from adapterxfer.recipe import load_recipe
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.registry import load_executor
from adapterxfer.store.keys import SHORT_KEY, Stage
from adapterxfer.store.provenance import provenance
from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: hub-study
title: A study for bundles
backbones: [tiny]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-pos, world-xqa, world-xmc, world-retrieval]
variants: [full-ft, sequential, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
pretrain:
  corpus: {languages: [en], vocabulary: 600, alphabet: 100, holdout: 0.1, sequence_length: 38}
  series: {tiny: {hidden: 24, layers: 2, heads: 2}}
  tokens: 1000
  batch_sequences: 4
  learning_rate: 1e-3
train:
  default: {batch_size: 8, warmup_fraction: 0.1, schedule: linear, weight_decay: 0.0, max_length: 32, steps: 3}
  full-ft: {learning_rate: 1e-3}
  adapters: {learning_rate: 1e-2}
  fuse: {learning_rate: 1e-2}
tasks:
  world-xnli: {languages: [en, a1, c1]}
  world-pos: {languages: [en, a1, c1]}
  world-xqa: {languages: [en, a1, c1]}
  world-xmc: {languages: [en, a1, c1]}
  world-retrieval: {languages: [a1, c1]}
controls: false
statistics: {resamples: 100}
"""


def training_tools() -> ModuleType:
    """The helpers of the training tests, which write tiny backbones and examples."""
    path = Path(__file__).parents[1] / "training" / "conftest.py"
    spec = importlib.util.spec_from_file_location("training_tools", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["training_tools"] = module
    spec.loader.exec_module(module)
    return module


METHODS_RECIPE = """
recipe: 1
name: methods-study
title: Every adapter method once
backbones: [tiny]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [sequential, stack]
adapters: [ADAPTERS]
seeds: [1]
pretrain:
  corpus: {languages: [en], vocabulary: 600, alphabet: 100, holdout: 0.1, sequence_length: 38}
  series: {tiny: {hidden: 24, layers: 2, heads: 2}}
  tokens: 1000
  batch_sequences: 4
  learning_rate: 1e-3
train:
  default: {batch_size: 8, warmup_fraction: 0.1, schedule: linear, weight_decay: 0.0, max_length: 32, steps: 3}
  adapters: {learning_rate: 1e-2}
tasks:
  world-xnli: {languages: [en, a1]}
controls: false
statistics: {resamples: 100}
"""

SIZES = {"reduction_factor": 6, "bottleneck_size": 6, "rank": 4, "prefix_length": 3}


def methods_recipe() -> str:
    """One adapter of every method of the catalogue."""
    specs = []
    for method in METHODS.values():
        sizes = [f"{key}: {SIZES[key]}" for key in method.sizes[:1]]
        specs.append("{" + ", ".join([f"method: {method.name}", *sizes]) + "}")
    return METHODS_RECIPE.replace("ADAPTERS", ", ".join(specs))


Make = Callable[..., Path]
"""``make(variant, target)`` -> folder of a bundle."""


class StudyFiles(NamedTuple):
    recipe: Path
    store: Path

    def plan(self, *only: str) -> Plan:
        return build_plan(load_recipe(self.recipe), only=only)


def make_study(root: Path, text: str = RECIPE, *, scores: bool = True, store: Path | None = None) -> StudyFiles:
    """Write the recipe, and run all its stages in this process on hand-made data; without scores, only trainings.

    Args:
        store: of an earlier study, whose results are taken over.
    """
    tools = training_tools()
    recipe = root / f"{text.split('name: ')[1].split()[0]}.yaml"
    recipe.write_text(text)
    files = StudyFiles(recipe, root / "store")
    if store is not None:
        shutil.copytree(store, files.store)
    made, plan = Store(files.store), files.plan()
    done = made.completed()
    needed = set(plan.stages)
    if not scores:
        wanted = [s for s in plan.stages.values() if s.kind not in ("predict", "report")]
        needed = {key for stage in wanted if stage.labels.get("intermediate") != "none" for key in lineage(plan, stage)}
    for stage in plan.stages.values():
        if stage.key not in needed:
            continue
        if stage.key[:SHORT_KEY] not in done:
            run_stage(made, stage, plan, tools)
    return files


def lineage(plan: Plan, stage: Stage) -> set[str]:
    """Keys of a stage and of all stages before it."""
    return {stage.key}.union(*(lineage(plan, plan.stages[key]) for key in stage.inputs.values()))


def run_stage(store: Store, stage: Stage, plan: Plan, tools: ModuleType) -> None:
    """Run one stage, with hand-made data and a random backbone in place of the world's."""
    with store.scratch(stage) as scratch:
        result: dict[str, Any] = {}
        if stage.kind == "pretrain":
            tools.write_backbone(scratch / "made", hidden=24, layers=2)
            for path in sorted((scratch / "made").iterdir()):
                path.rename(scratch / path.name)
            (scratch / "made").rmdir()
        elif stage.kind == "prepare" and stage.identity["what"] == "corpus":
            (scratch / "corpus.json").write_text("{}")
        elif stage.kind == "prepare":
            write_task(scratch, task_data(tools, str(stage.identity["task"]), stage.identity["languages"]))
        else:
            inputs = {role: store.folder(plan.stages[key]) for role, key in stage.inputs.items()}
            settings = {"backbone_folders": backbone_folders(plan.recipe, fetch=False)}
            result = load_executor(stage.kind)(
                StageContext(stage=stage, inputs=inputs, scratch=scratch, log=lambda line: None, settings=settings)
            )
        store.commit(stage, scratch, result=json.loads(json.dumps(result)), provenance=provenance(seconds=0.0))


def task_data(tools: ModuleType, task: str, languages: list[str]) -> TaskData:
    rng = np.random.default_rng(5)
    makers = {
        "nli": ("sequence_classification", ("yes", "no"), tools.pairs),
        "pos": ("tagging", ("X", "Y"), tools.tagged),
        "qa": ("span_qa", (), tools.spans),
        "mc": ("multiple_choice", (), choices),
        "retrieval": ("retrieval", (), translations),
    }
    kind = next(kind for kind in makers if task.endswith(kind))
    name, labels, make = makers[kind]
    splits: dict[tuple[str, str], list[Example]] = {}
    if kind != "retrieval":
        splits |= {("train", "en"): make(rng, 24), ("dev", "en"): make(rng, 6)}
    if task != "world-nli":
        import dataclasses

        test = make(rng, 10)
        splits |= {("test", code): [dataclasses.replace(e, language=code) for e in test] for code in languages}
    return TaskData(task, name, labels, splits)  # type: ignore[arg-type]


def choices(rng: np.random.Generator, count: int) -> list[Example]:
    words = sys.modules["training_tools"].sentence
    return [
        ChoiceExample(
            example_id=f"m{i}",
            cluster_id=f"c{i}",
            language="en",
            context=" ".join(words(rng)),
            question="",
            choices=(" ".join(words(rng)), "red red"),
            label=i % 2,
        )
        for i in range(count)
    ]


def translations(rng: np.random.Generator, count: int) -> list[Example]:
    words = sys.modules["training_tools"].sentence
    return [RetrievalExample(f"r{i}", f"c{i}", "a1", " ".join(words(rng)), " ".join(words(rng))) for i in range(count)]
