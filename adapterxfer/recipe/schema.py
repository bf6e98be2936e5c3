"""What a recipe may say. Frozen and strict: text is never turned into a number, and unknown keys are errors."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.variants import by_mode
from adapterxfer.recipe.arm_options import MlmMix, Sampling, Translated
from adapterxfer.recipe.axes import AXES
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import (
    MULTI,
    NONE,
    POOL,
    BackboneName,
    Controls,
    IntermediateName,
    MethodName,
    OneOrMany,
    Oracle,
    PlainName,
    Seed,
    SingleIntermediateName,
    TargetName,
    TaskName,
    VariantName,
    problem,
)
from adapterxfer.recipe.hypotheses import Hypothesis, Margin, Method
from adapterxfer.recipe.language_adapters import LanguageAdapters
from adapterxfer.recipe.low_resource import LowResource
from adapterxfer.recipe.model_options import (
    AdapterSpec,
    BackboneSource,
    Commit,
    FusionOptions,
    Merge,
    RepositoryName,
    Reuse,
)
from adapterxfer.recipe.own_tasks import TaskEntry
from adapterxfer.recipe.series import Pretrain
from adapterxfer.recipe.supervision import Supervision
from adapterxfer.recipe.train_blocks import Mode, ResourceRequest, TrainBlock, TrainKey


class Exclusion(Section):
    """Cells that are left out, and why."""

    backbone: Annotated[tuple[BackboneName, ...], OneOrMany] | None = None
    variant: Annotated[tuple[VariantName, ...], OneOrMany] | None = None
    adapter: Annotated[tuple[MethodName, ...], OneOrMany] | None = None
    intermediate: Annotated[tuple[IntermediateName, ...], OneOrMany] | None = None
    target: Annotated[tuple[TargetName, ...], OneOrMany] | None = None
    seed: Annotated[tuple[Seed, ...], OneOrMany] | None = None
    because: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _has_axis(self) -> Exclusion:
        if not self.axes():
            raise problem(f"an exclusion names at least one of: {', '.join(AXES)}")
        return self

    def axes(self) -> dict[str, frozenset[Any]]:
        """Axis -> the excluded values."""
        values_of = {}
        for axis in AXES:
            value = getattr(self, axis)
            if value is not None:
                values_of[axis] = frozenset(value)
        return values_of


class Multi(Section):
    """One intermediate training on several tasks; without ``tasks``: all single intermediate tasks of the recipe."""

    tasks: Annotated[tuple[SingleIntermediateName, ...], Field(min_length=2)] | None = None
    sampling: Sampling = Sampling()


class Statistics(Section):
    """Resampling, and what was declared before the run: hypotheses, the margin in points within which the scores of
    the general answers count as equivalent, and the numbers of seeds at which the study is judged (``looks``).
    """

    resamples: Annotated[int, Field(ge=100, le=10_000_000)] = 2000
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    seed: Seed = 0
    margin: Margin | None = None
    looks: Annotated[tuple[Annotated[int, Field(ge=2, le=10_000)], ...], Field(min_length=2, max_length=20)] | None = (
        None
    )
    hypotheses: tuple[Hypothesis, ...] = ()
    multiplicity: dict[str, Method] = Field(default_factory=dict)

    @field_validator("looks")
    @classmethod
    def _increase(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and any(later <= earlier for earlier, later in pairwise(value)):
            raise problem("looks are growing numbers of seeds, e.g. [3, 5, 10]")
        return value

    @field_validator("hypotheses")
    @classmethod
    def _have_ids(cls, value: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
        names = [hypothesis.id for hypothesis in value]
        if len(set(names)) < len(names):
            raise problem("every hypothesis needs its own id")
        return value

    @model_validator(mode="after")
    def _known_families(self) -> Statistics:
        declared = sorted({hypothesis.family for hypothesis in self.hypotheses})
        for family in self.multiplicity:
            if family not in declared:
                raise problem(f"multiplicity: no hypothesis has the family '{family}'; families: {', '.join(declared)}")
        return self

    def identity(self) -> dict[str, Any]:
        """What changes the numbers of a report, as JSON values."""
        listed = [hypothesis.identity() for hypothesis in self.hypotheses]
        left_out = {"hypotheses"} | {name for name in ("margin", "looks") if getattr(self, name) is None}
        return {**self.model_dump(mode="json", exclude=left_out), "hypotheses": listed}


class RecipeModel(Section):
    """The whole file."""

    recipe: Literal[1]
    name: PlainName
    title: str = ""
    backbones: Annotated[tuple[BackboneName, ...], Field(min_length=1)]
    intermediate_tasks: Annotated[tuple[IntermediateName, ...], Field(min_length=1)]
    target_tasks: Annotated[tuple[TargetName, ...], Field(min_length=1)]
    variants: Annotated[tuple[VariantName, ...], Field(min_length=1)]
    adapters: tuple[AdapterSpec, ...] = ()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    exclude: tuple[Exclusion, ...] = ()
    train: dict[TrainKey, TrainBlock]
    tasks: dict[TaskName, TaskEntry] = Field(default_factory=dict)
    controls: Controls = True
    reuse: dict[SingleIntermediateName, Reuse] | None = None
    multi: Multi = Multi()
    mlm_mix: MlmMix | None = None
    translated: Translated | None = None
    language_adapters: LanguageAdapters | None = None
    oracle: Oracle | None = None
    supervision: Supervision | None = None
    world: bool = False
    low_resource: LowResource | None = None
    fusion_task: TaskName | None = None
    fusion: FusionOptions | None = None
    backbone_sources: dict[PlainName, BackboneSource] = Field(default_factory=dict)
    data_revisions: dict[RepositoryName, Commit] = Field(default_factory=dict)
    merge: Merge | None = None
    pretrain: Pretrain | None = None
    resources: dict[BackboneName, dict[Mode, ResourceRequest]] = Field(default_factory=dict)
    tokens_per_second: dict[BackboneName, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    data_root: str | None = None
    statistics: Statistics = Statistics()

    @field_validator("backbones", "intermediate_tasks", "target_tasks", "variants", "adapters", "seeds")
    @classmethod
    def _no_repeats(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for index, item in enumerate(value):
            if item in value[:index]:
                text = item.label if isinstance(item, AdapterSpec) else item
                raise problem(f"'{text}' appears twice")
        return value

    @field_validator("resources")
    @classmethod
    def _shards_pay(cls, value: dict[str, dict[Mode, ResourceRequest]]) -> dict[str, dict[Mode, ResourceRequest]]:
        for backbone, modes in value.items():
            for mode, request in modes.items():
                if request.sharding == "fsdp" and not by_mode(mode).trains_backbone:
                    raise problem(
                        f"{backbone}.{mode}.sharding: fsdp is for full-ft; with a frozen backbone gradients and "
                        "optimiser are small (use ddp)"
                    )
        return value

    def single_intermediates(self) -> tuple[str, ...]:
        """The single intermediate tasks of the recipe, also those of which it names arms only."""
        bases = (split_arm(name).base for name in self.intermediate_tasks)
        return tuple(dict.fromkeys(name for name in bases if name not in (NONE, POOL, MULTI)))
