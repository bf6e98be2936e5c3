"""Unfold a recipe into stages and cells."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from adapterxfer.catalog import (
    CONTROLS,
    VARIANTS,
    VariantSpec,
    controls_of,
    oracle_label,
)
from adapterxfer.errors import joined
from adapterxfer.plan.cells import CONTROL, Cell, PlannedCells, Run
from adapterxfer.plan.common_rates import common_studies, has_trend, shared_rates
from adapterxfer.plan.evaluations import KeyOfModel
from adapterxfer.plan.generations import NEWEST, require_generation
from adapterxfer.plan.limits import length_problems, missing_libraries
from adapterxfer.plan.model import Plan, Refusal
from adapterxfer.plan.report_stage import add_report
from adapterxfer.plan.select import CellFilter
from adapterxfer.plan.sources import Sources, layouts_without_root
from adapterxfer.plan.stages import StageMaker
from adapterxfer.plan.systems import SystemMaker
from adapterxfer.plan.workbench import Workbench
from adapterxfer.recipe.axes import Axes
from adapterxfer.recipe.fields import NONE, POOL
from adapterxfer.recipe.model_options import AdapterSpec
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.supervision import Supervised

_NO_HEAD = "nothing is trained on this target, so there is no head; its control is the untouched backbone"
_NO_MERGE = "there is no model of this target that could be merged with the intermediate's; use a soup"
_NO_WEIGHTS = "the intermediate task comes from a published adapter, which holds no weights of the whole encoder"
_TWO_LANGUAGES = (
    "it compares texts of two languages, and an adapter above language adapters reads one at a time; use an adapter "
    "without language"
)
_NO_ORACLE = "the oracle reads the target languages above the adapter of English; it has no cell with language adapters"
_NO_FUSION = "there is no target training on which a fusion could be trained; name fusion_task and use 'pool'"


def build_plan(
    recipe: Recipe,
    *,
    only: Sequence[str] = (),
    sources: Sources | None = None,
    keep: Callable[[Axes], bool] | None = None,
    generation: int = NEWEST,
) -> Plan:
    """Unfold a recipe.

    Args:
        only: entries such as ``variant=stack,fuse`` that narrow the grid.
        keep: decides about single trained cells, on top of ``only``.
        sources: describes data files; the default reads the files under ``recipe.data_root``.
        generation: whose keys the stages have; only today's can be run.

    Raises:
        AdapterxferError: there is no such generation.
        RecipeError: an entry of ``only`` names nothing in the recipe.
    """
    require_generation(generation)
    sources = sources or Sources(recipe)
    builder = _Builder(recipe, CellFilter(recipe, only, keep=keep), sources, generation)
    with _without_collection():
        cells = PlannedCells((*builder.grid(), *builder.controls()))
        bench = builder.maker.bench
        shared = shared_rates(bench.stages)
        common = _at_common_rates(recipe, bench, sources, only, keep)
        add_report(builder.maker, cells, common, shared)
    return Plan(
        recipe=recipe,
        generation=generation,
        stages=bench.stages,
        cells=cells,
        unavailable=dict(sorted(builder.unavailable.items())),
        refused=tuple(builder.refused),
        excluded=dict(builder.selection.excluded),
        needs_measurement=any("measure" in stage.resources for stage in bench.stages.of_kind("pretrain")),
        missing_data=joined([*([bench.sources.missing] if bench.sources.missing else []), *bench.backbones.missing]),
        missing_backbones=joined(bench.backbones.missing),
        cautions=tuple(bench.backbones.cautions),
        unfit=joined(
            [
                *bench.backbones.unfit,
                *length_problems(recipe, bench.backbones, bench.stages.rows),
                *missing_libraries(recipe),
                *layouts_without_root(recipe),
            ]
        ),
    )


def _at_common_rates(
    recipe: Recipe,
    bench: Workbench,
    sources: Sources,
    only: Sequence[str],
    keep: Callable[[Axes], bool] | None,
) -> list[tuple[dict[str, float], PlannedCells]]:
    """Rates and cells of the study once more with each common rate; their stages join those of the plan."""

    def kept(axes: Axes) -> bool:
        return has_trend(axes) and (keep is None or keep(axes))

    studies = []
    for rates, at_rates in common_studies(recipe):
        builder = _Builder(at_rates, CellFilter(at_rates, only, keep=kept), sources, bench.generation)
        studies.append((rates, PlannedCells(builder.grid())))
        bench.stages.join(builder.maker.bench.stages)
    return studies


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the cycle collector: a plan makes a million small objects and no cycles, so scanning them is lost time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:
            # To the oldest generation: else the first collection scans them after all.
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()


def _is_intermediate_alone(spec: VariantSpec) -> bool:
    """Whether a model of this variant is nothing but the intermediate's adapter where the target is not trained."""
    return spec.adapters and spec.untrained == "intermediate"


class _Builder:
    """One pass over the grid; every loop variable is an axis of the study."""

    def __init__(self, recipe: Recipe, selection: CellFilter, sources: Sources, generation: int) -> None:
        self.recipe = recipe
        self.selection = selection
        self.maker = StageMaker(recipe, sources, generation)
        self.systems = SystemMaker(recipe, self.maker)
        self.unavailable: Counter[str] = Counter()
        self.refused: list[Refusal] = []
        self._oracles: set[tuple[str, str, str, int]] = set()
        self._overlap: dict[tuple[str, str], bool] = {}
        self.sizes = {name: self.maker.bench.backbones.size(name) for name in recipe.backbones}
        self.unnamed = {name for name in recipe.backbones if not self.maker.bench.backbones.available(name)}

    def _count_unnamed(self, backbone: str, cells: int) -> None:
        """Count cells whose backbone has no source."""
        if cells and backbone in self.unnamed:
            self.unavailable[backbone] += cells

    def grid(self) -> Iterator[Run]:
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
                        label = adapter.label if adapter else ""
                        row = Axes(backbone=backbone, variant=variant, adapter=label, target=target)
                        yield from self._row(row, adapter)

    def _variants(self, target: str) -> list[str]:
        variants = [name for name in self.recipe.variants if self.selection.wants("variant", name)]
        if not self.recipe.task(target).trained:
            # Without target training a continued adapter and a stack are the intermediate adapter itself: one cell,
            # which goes by the name of the last of them.
            same = [name for name in VARIANTS if name in variants and _is_intermediate_alone(VARIANTS[name])]
            variants = [name for name in variants if name not in same[:-1]]
        return variants

    def _adapters(self, variant: str) -> list[AdapterSpec | None]:
        if not self.recipe.has_adapters(variant):
            return [None]
        wants = self.selection.wants_adapter
        return [spec for spec in self.recipe.adapters if wants(spec.method, spec.label)]

    def _row(self, row: Axes, adapter: AdapterSpec | None) -> Iterator[Run]:
        """The cells of one system (backbone, target, variant, adapter) with every intermediate task and seed."""
        if VARIANTS[row.variant].control:
            yield from self._head_only(row)
            return
        for intermediate in self.recipe.intermediate_tasks:
            axes = replace(row, intermediate=intermediate)
            if not self.selection.wants("intermediate", intermediate) or not self._joins(row.variant, intermediate):
                continue
            if self._refuse(axes, adapter):
                continue
            if adapter is None and self.recipe.reused(row.backbone, intermediate) is not None:
                self._add_refusal(axes, _NO_WEIGHTS)
                continue
            overlap = self._overlaps(intermediate, row.target)
            yield from self._runs(axes, adapter, overlap=overlap)

    def _overlaps(self, intermediate: str, target: str) -> bool:
        """Whether any task behind a name on the axis of intermediate tasks shares text with a target."""
        pair = (intermediate, target)
        if pair not in self._overlap:
            self._overlap[pair] = any(self.recipe.overlap(task, target) for task in self.recipe.parts_of(intermediate))
        return self._overlap[pair]

    def _runs(self, axes: Axes, adapter: AdapterSpec | None, *, overlap: bool) -> Iterator[Run]:
        """The cells of one row: of each seed one for each evaluation of its model, and the diagnostics beside them."""
        seeds = self.selection.seeds(axes, self.recipe.seeds)
        if not seeds:
            return
        model_of = self.systems.answering(axes, adapter)
        oracle = self.recipe.has_oracle(axes.target) and not VARIANTS[axes.variant].joins
        evaluations: list[tuple[Cell, KeyOfModel]] = []
        self._count_unnamed(axes.backbone, len(seeds))
        for seed in seeds:
            model = model_of(seed)
            if not evaluations:
                evaluations = [
                    (self._cell(axes, target, overlap=overlap), predictions_of)
                    for predictions_of, target in self._evaluations(axes, adapter, trained=bool(model))
                ]
            for cell, predictions_of in evaluations:
                yield cell, seed, predictions_of(model)
            if oracle:
                yield from self._oracle(axes.with_seed(seed), adapter)
        for regime in self.recipe.supervised_of(axes.target):
            if axes.variant in regime.variants:
                yield from self._supervised(axes, adapter, regime, seeds, overlap=overlap)

    def _supervised(
        self, axes: Axes, adapter: AdapterSpec | None, regime: Supervised, seeds: Sequence[int], *, overlap: bool
    ) -> Iterator[Run]:
        """The cells of one row with labelled data in the target language: of every seed one for each draw."""
        for draw in range(regime.draws):
            rows = [
                ("" if regime.one_model else taught.languages[0], self.systems.supervised(axes, adapter, taught))
                for taught in self.maker.taught(regime, draw)
            ]
            cell = self._cell(axes, regime.target, overlap=overlap, draw=draw)
            for seed in seeds:
                models = {code: model_of(seed) for code, model_of in rows}
                yield cell, seed, self.maker.supervised(axes.with_seed(seed), regime, draw, models)

    def _evaluations(self, axes: Axes, adapter: AdapterSpec | None, *, trained: bool) -> list[tuple[KeyOfModel, str]]:
        """How the models of one row are evaluated, and the target's name in each evaluation."""
        above = adapter is not None and bool(adapter.language)
        make = self.maker.evaluation
        return [
            (
                make(axes.backbone, axes.target, trained=trained, above_language=above, also=also),
                also.target(axes.target) if also else axes.target,
            )
            for also in (None, *self.recipe.also_of(axes.target))
        ]

    def _cell(self, axes: Axes, target: str, *, overlap: bool = False, control: str = "", draw: int = 0) -> Cell:
        """A cell without predictions; it has the sizes of its backbone, and none where it needs no backbone."""
        total, inner = self.sizes[axes.backbone] if axes.backbone else (0, 0)
        return Cell(
            **{**axes.values(), "target": target},
            parameters=total,
            non_embedding_parameters=inner,
            predict="",
            control=control,
            overlap=overlap,
            draw=draw,
        )

    def _control(self, axes: Axes, key: str, name: str) -> Run:
        """The cell of a baseline; whatever it was trained with, it has no intermediate task that could be compared."""
        stands = Axes(backbone=axes.backbone, variant=CONTROL, intermediate=NONE)
        return self._cell(stands, axes.target, control=name), axes.seed, key

    def _oracle(self, axes: Axes, adapter: AdapterSpec | None) -> Iterator[Run]:
        """The same training with its weights selected by the target languages: a diagnostic beside the cell."""
        if adapter is not None and adapter.language:
            self._add_refusal(axes, _NO_ORACLE)
            return
        name = axes.variant if adapter is None else f"{axes.variant} {axes.adapter}"
        if adapter is not None and axes.intermediate == NONE:
            name = f"adapter baseline {axes.adapter}"
        name += "" if axes.intermediate == NONE else f" after {axes.intermediate}"
        if (axes.backbone, axes.target, name, axes.seed) in self._oracles:
            return
        self._oracles.add((axes.backbone, axes.target, name, axes.seed))
        model = self.systems.trained(axes, adapter, oracle=True)(axes.seed)
        key = self.maker.evaluation(axes.backbone, axes.target, trained=True)(model)
        yield self._control(axes, key, oracle_label(name, self.maker.target_dev.without(axes.target)))

    def _head_only(self, row: Axes) -> Iterator[Run]:
        """The control that trains a head on the frozen backbone: no intermediate training could change it."""
        if not self.recipe.task(row.target).trained:
            self._add_refusal(replace(row, intermediate=NONE), _NO_HEAD)
            return
        if not self.selection.wants("intermediate", NONE):
            return
        axes = replace(row, intermediate=NONE)
        seeds = self.selection.seeds(axes, self.recipe.seeds)
        self._count_unnamed(axes.backbone, len(seeds))
        for seed in seeds:
            model = self.maker.target(axes, None, VARIANTS[row.variant])(seed)
            key = self.maker.evaluation(axes.backbone, axes.target, trained=True)(model)
            yield self._control(axes.with_seed(seed), key, row.variant)

    def _add_refusal(self, axes: Axes, reason: str) -> None:
        refusal = Refusal(axes.variant, axes.target, axes.intermediate, reason)
        if refusal not in self.refused:
            self.refused.append(refusal)

    def _joins(self, variant: str, intermediate: str) -> bool:
        """Whether a variant can use this intermediate: `pool` needs a variant that joins several models."""
        spec = VARIANTS[variant]
        return intermediate != POOL or spec.pools or (spec.joins and self.recipe.merging.pools)

    def _refuse(self, axes: Axes, adapter: AdapterSpec | None) -> bool:
        """Untrained targets: a fusion is a pool trained on a named task, and a merged model needs a target's model.

        Retrieval compares two languages, and a model above language adapters reads one at a time.
        """
        if adapter is not None and adapter.language and self.recipe.task(axes.target).format == "retrieval":
            self._add_refusal(axes, _TWO_LANGUAGES)
            return True
        how = self.recipe.merging
        of = VARIANTS[axes.variant]
        if of.joins and how.members is not None:
            of = VARIANTS[how.of]
        if self.recipe.task(axes.target).trained or axes.intermediate == NONE or of.untrained == "intermediate":
            return False
        if of.fuses and axes.intermediate == POOL and self.recipe.fusion_task:
            return False
        self._add_refusal(axes, _NO_FUSION if of.fuses else _NO_MERGE)
        return True

    def controls(self) -> Iterator[Run]:
        """Cells of the baselines that stand beside the scores."""
        chosen = self.recipe.controls
        if chosen is False:
            return
        for target in self.recipe.target_tasks:
            if not self.selection.wants("target", target):
                continue
            for name in controls_of(self.recipe.task(target)):
                if chosen is not True and name not in chosen:
                    continue
                backbones_needed = self.recipe.backbones if CONTROLS[name].needs == "backbone" else ("",)
                for backbone in backbones_needed:
                    if backbone and not self.selection.wants("backbone", backbone):
                        continue
                    key = self.maker.evaluation(backbone, target, control=name)("")
                    yield self._control(Axes(backbone=backbone, target=target), key, name)
