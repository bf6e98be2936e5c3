"""Unfold a recipe into stages and cells."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from adapterxfer.catalog import (
    CONTROLS,
    METHODS,
    UNTRAINED,
    VARIANTS,
    backbones,
    controls_of,
    overlaps,
)
from adapterxfer.plan.cost import embedding_parameters, non_embedding_parameters
from adapterxfer.plan.model import Cell, Plan, Refusal
from adapterxfer.plan.select import Selection
from adapterxfer.plan.sources import Sources
from adapterxfer.plan.stages import VERSIONS, StageMaker
from adapterxfer.recipe.fields import NONE, POOL
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.schema import AdapterSpec
from adapterxfer.store.keys import Stage

CONTROL = "control"
FUSE = "fuse"
FULL = "full-ft"
STAND_INS = " (stand-ins from the synthetic world)"

_NO_WEIGHTS = "the intermediate task comes from a published adapter, which holds no weights of the whole encoder"
_NO_FUSION = "there is no target training on which a fusion could be trained; name fusion_task and use 'pool'"


def build_plan(recipe: Recipe, *, only: Sequence[str] = (), sources: Sources | None = None) -> Plan:
    """Unfold a recipe.

    Args:
        only: entries such as ``variant=stack,fuse`` that narrow the grid.
        sources: describes data files; the default reads the files under ``recipe.data_root``.

    Raises:
        RecipeError: an entry of ``only`` names nothing in the recipe.
    """
    builder = _Builder(recipe, Selection(recipe, only), sources or Sources(recipe))
    with _without_collection():
        cells = [*builder.grid(), *builder.controls()]
        builder.add_report(cells)
    return Plan(
        recipe=recipe,
        stages=builder.maker.stages,
        cells=tuple(cells),
        unavailable=dict(sorted(builder.unavailable.items())),
        refused=tuple(builder.refused),
        excluded=dict(builder.selection.excluded),
        needs_measurement=any("measure" in stage.resources for stage in builder.maker.stages.values()),
        missing_data=builder.maker.sources.missing,
    )


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the cycle collector: a plan makes a million small objects and no cycles, so scanning them is lost time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Builder:
    """One pass over the grid; every loop variable is an axis of the study."""

    def __init__(self, recipe: Recipe, selection: Selection, sources: Sources) -> None:
        self.recipe = recipe
        self.selection = selection
        self.maker = StageMaker(recipe, sources)
        self.unavailable: Counter[tuple[str, str]] = Counter()
        self.refused: list[Refusal] = []
        self.sizes = {name: self._size(name) for name in recipe.backbones}
        self.missing = self._missing()

    def _size(self, name: str) -> tuple[int, int]:
        """All parameters and those outside the embeddings."""
        setup = self.recipe.pretrain
        if setup is not None and self.recipe.is_own(name):
            shape, corpus = setup.series[name.removesuffix(UNTRAINED)], setup.corpus
            inner = non_embedding_parameters(shape.hidden, shape.layers)
            return inner + embedding_parameters(shape.hidden, corpus.vocabulary, corpus.sequence_length + 2), inner
        entry = backbones()[name]
        return entry.parameters or 0, entry.non_embedding_parameters or 0

    def _missing(self) -> dict[tuple[str, str], bool]:
        """(kind, name) of everything in the recipe that this version cannot run."""
        recipe = self.recipe
        named = [("backbone", name, recipe.is_own(name) or backbones()[name].available) for name in recipe.backbones]
        named += [("task", name, task.available) for name, task in recipe.used_tasks().items()]
        named += [("variant", name, VARIANTS[name].available) for name in recipe.variants]
        named += [("adapter method", spec.method, METHODS[spec.method].available) for spec in recipe.adapters]
        return {(kind, name): True for kind, name, available in named if not available}

    def _count_missing(self, backbone: str, variant: str, method: str, intermediate: str, target: str) -> None:
        if not self.missing:
            return
        parts = () if self.recipe.reused(backbone, intermediate) else self.recipe.parts_of(intermediate)
        used = [("backbone", backbone), ("variant", variant), ("adapter method", method), ("task", target)]
        used += [("task", part) for part in parts]
        for entry in used:
            if entry in self.missing:
                self.unavailable[entry] += 1

    def grid(self) -> Iterator[Cell]:
        """Cells of trained systems in recipe order: backbone, target, variant, adapter, intermediate, seed."""
        selection = self.selection
        for backbone in self.recipe.backbones:
            if not selection.wants("backbone", backbone):
                continue
            for target in self.recipe.target_tasks:
                if not selection.wants("target", target):
                    continue
                for variant in self._variants(target):
                    for adapter in self._adapters(variant):
                        yield from self._row(backbone, target, variant, adapter)

    def _variants(self, target: str) -> list[str]:
        wanted = [name for name in self.recipe.variants if self.selection.wants("variant", name)]
        if not self.recipe.task(target).trained and "stack" in wanted and "sequential" in wanted:
            # Without target training both are the intermediate adapter itself: one cell.
            wanted.remove("sequential")
        return wanted

    def _adapters(self, variant: str) -> list[AdapterSpec | None]:
        if not VARIANTS[variant].adapters:
            return [None]
        wants = self.selection.wants_adapter
        return [spec for spec in self.recipe.adapters if wants(spec.method, spec.label)]

    def _row(self, backbone: str, target: str, variant: str, adapter: AdapterSpec | None) -> Iterator[Cell]:
        """All intermediates and seeds of one system."""
        total, inner = self.sizes[backbone]
        method, label = (adapter.method, adapter.label) if adapter else ("", "")
        for intermediate in self.recipe.intermediate_tasks:
            if not self.selection.wants("intermediate", intermediate) or (intermediate == POOL and variant != FUSE):
                continue
            if variant == FUSE and self._refuse(target, intermediate):
                continue
            if adapter is None and self.recipe.reused(backbone, intermediate) is not None:
                self._add_refusal(Refusal(variant, target, intermediate, _NO_WEIGHTS))
                continue
            # Stand-ins share nothing but their names with the tasks that overlap.
            overlap = not self.recipe.world and any(
                overlaps(part, target) for part in self.recipe.parts_of(intermediate)
            )
            for seed in self.recipe.seeds:
                if not self.selection.wants("seed", seed):
                    continue
                if not self.selection.keeps(backbone, variant, method, intermediate, target, seed):
                    continue
                self._count_missing(backbone, variant, method, intermediate, target)
                key = self._predict(backbone, target, variant, adapter, intermediate, seed)
                yield Cell(backbone, total, inner, variant, label, intermediate, target, seed, key, "", overlap)

    def _refuse(self, target: str, intermediate: str) -> bool:
        """Fusion on an untrained target exists only as a pool trained on a named task."""
        if self.recipe.task(target).trained or intermediate == NONE:
            return False
        if intermediate == POOL and self.recipe.fusion_task:
            return False
        self._add_refusal(Refusal(FUSE, target, intermediate, _NO_FUSION))
        return True

    def _add_refusal(self, refusal: Refusal) -> None:
        if refusal not in self.refused:
            self.refused.append(refusal)

    def _predict(self, backbone: str, target: str, variant: str, adapter: AdapterSpec | None, intermediate: str,
                 seed: int) -> str:  # fmt: skip
        """Key of the predictions of one cell, with everything before it."""
        maker = self.maker
        if not self.recipe.task(target).trained:
            if intermediate == NONE:
                return maker.predict(backbone, target)
            if variant == FUSE and adapter is not None and self.recipe.fusion_task:
                fused = self.recipe.single_intermediates()
                task = self.recipe.fusion_task
                own = task not in fused
                model = maker.fusion(backbone, adapter, intermediate, fused, task, seed, with_target=own)
            else:
                model = maker.intermediate(backbone, adapter, intermediate, seed)
            return maker.predict(backbone, target, model=model)
        if intermediate == NONE:
            model = maker.target(backbone, adapter, "fresh", NONE, target, seed)
        elif variant == FUSE and adapter is not None:
            fused = self.recipe.single_intermediates() if intermediate == POOL else (intermediate,)
            model = maker.fusion(backbone, adapter, intermediate, fused, target, seed)
        else:
            composition = "stack" if variant == "stack" else "sequential"
            model = maker.target(backbone, adapter, composition, intermediate, target, seed)
        return maker.predict(backbone, target, model=model)

    def controls(self) -> Iterator[Cell]:
        """Cells of the baselines that stand beside the scores."""
        wanted = self.recipe.controls
        if wanted is False:
            return
        for target in self.recipe.target_tasks:
            if not self.selection.wants("target", target):
                continue
            for name in controls_of(self.recipe.task(target)):
                if wanted is not True and name not in wanted:
                    continue
                backbones_needed = self.recipe.backbones if CONTROLS[name].needs == "backbone" else ("",)
                for backbone in backbones_needed:
                    if backbone and not self.selection.wants("backbone", backbone):
                        continue
                    total, inner = self.sizes[backbone] if backbone else (0, 0)
                    key = self.maker.predict(backbone, target, control=name)
                    yield Cell(backbone, total, inner, CONTROL, "", NONE, target, 0, key, name)

    def add_report(self, cells: Sequence[Cell]) -> None:
        """The last stage: it reads all predictions, each once."""
        roles: dict[str, str] = {}
        for cell in cells:
            roles.setdefault(cell.predict, f"predict.{len(roles)}")
        recipe = self.recipe
        identity = {
            "recipe": recipe.name,
            "title": (recipe.title or recipe.name) + (STAND_INS if recipe.world else ""),
            "synthetic": recipe.synthetic,
            "statistics": recipe.statistics.identity(),
            "cells": [{**cell.labels(), "predict": roles[cell.predict]} for cell in cells],
        }
        inputs = {role: key for key, role in roles.items()}
        trained = dict.fromkeys(cell.backbone for cell in cells if recipe.is_own(cell.backbone))
        inputs |= {f"pretrain.{name}": self.maker.pretrain(name) for name in trained}
        stage = Stage("report", VERSIONS["report"], identity, inputs, recipe.name, {"recipe": recipe.name}, {})
        self.maker.stages[stage.key] = stage
