"""What a recipe may say. Frozen and strict: text is never turned into a number, and unknown keys are errors."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from adapterxfer.catalog import METHODS
from adapterxfer.catalog.arms import split_arm
from adapterxfer.recipe.also import Also, Layer
from adapterxfer.recipe.arms import MlmMix, Sampling, Translated
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import (
    MULTI,
    NONE,
    POOL,
    BackboneName,
    Controls,
    Count,
    IntermediateName,
    MethodName,
    OneOrMany,
    Oracle,
    Pins,
    PlainName,
    Rate,
    Seed,
    Share,
    SingleIntermediateName,
    TargetName,
    TaskName,
    VariantName,
    problem,
    unknown,
)
from adapterxfer.recipe.hypotheses import Hypothesis, Margin, Method
from adapterxfer.recipe.language_adapters import LanguageAdapters
from adapterxfer.recipe.series import Pretrain
from adapterxfer.recipe.tiers import LowResource

METHODS_OF_SOME_LAYERS = ("seq_bn", "double_seq_bn", "par_bn")
PHASES = ("intermediate", "target", "fusion")
MODES = ("full-ft", "adapters", "fuse", "head-only", "language")
Mode = Literal["full-ft", "adapters", "fuse", "head-only", "language"]


def _train_key(value: str, info: ValidationInfo) -> str:
    known = ("default", *PHASES, *MODES, *(info.context or {}).get("train", ()))
    if value not in known:
        raise unknown(value, known)
    return value


TrainKey = Annotated[str, AfterValidator(_train_key)]


class TrainSettings(Section):
    """Settings of one training; an absent key leaves the value of a more general block."""

    learning_rate: Rate | None = None
    batch_size: Count | None = None
    steps: Count | None = None
    epochs: Annotated[float, Field(gt=0, le=1000)] | None = None
    warmup_fraction: Share | None = None
    schedule: Literal["linear", "cosine", "constant"] | None = None
    weight_decay: Share | None = None
    clip: Annotated[float, Field(ge=0, le=1e6)] | None = None
    dtype: Literal["fp32", "bf16"] | None = None
    max_length: Annotated[int, Field(ge=8, le=8192)] | None = None
    selection: Literal["last", "dev", "mean"] | None = None
    mean_of: Annotated[int, Field(ge=1, le=10)] | None = None
    gradient_checkpointing: bool | None = None
    compile: bool | None = None
    cache_bottom: bool | None = None

    @model_validator(mode="after")
    def _one_length(self) -> TrainSettings:
        if self.steps is not None and self.epochs is not None:
            raise problem("steps and epochs both set the length of a training; keep one", key=True)
        return self


class TrainBlock(TrainSettings):
    """Settings of a task or backbone, with blocks for single modes inside."""

    full_ft: TrainSettings | None = Field(default=None, alias="full-ft")
    adapters: TrainSettings | None = None
    fuse: TrainSettings | None = None
    head_only: TrainSettings | None = Field(default=None, alias="head-only")
    language: TrainSettings | None = None


class AdapterSpec(Section):
    """One adapter method with its size.

    ``layers`` leaves the lower half of the backbone without adapters; ``language`` puts them above the adapters that
    ``language_adapters`` trains.
    """

    method: MethodName
    reduction_factor: Annotated[int, Field(ge=1, le=4096)] | None = None
    bottleneck_size: Annotated[int, Field(ge=1, le=65536)] | None = None
    rank: Annotated[int, Field(ge=1, le=4096)] | None = None
    prefix_length: Annotated[int, Field(ge=1, le=4096)] | None = None
    layers: Literal["upper-half"] | None = None
    language: Literal[True] | None = None

    @model_validator(mode="after")
    def _sizes(self) -> AdapterSpec:
        given = [
            name for name in ("reduction_factor", "bottleneck_size", "rank", "prefix_length") if getattr(self, name)
        ]
        allowed = METHODS[self.method].sizes
        for name in given:
            if name not in allowed:
                raise problem(
                    f"adapter method '{self.method}' has no {name}; it has: {', '.join(allowed) or 'no size'}"
                )
        if self.layers and self.method not in METHODS_OF_SOME_LAYERS:
            able = ", ".join(METHODS_OF_SOME_LAYERS)
            raise problem(f"adapter method '{self.method}' cannot leave layers out; these can: {able}")
        if len(given) > 1:
            raise problem(f"{' and '.join(given)} both set the size of the adapter; keep one")
        if allowed and not given:
            raise problem(f"adapter method '{self.method}' needs its size: {' or '.join(allowed)}")
        return self

    def identity(self) -> dict[str, Any]:
        """The method and its size, nothing else."""
        return self.model_dump(exclude_none=True, exclude={"language"})

    @cached_property
    def label(self) -> str:
        """``seq_bn/2`` (a reduction factor) or ``seq_bn/size64`` (a bottleneck size): equal labels, equal adapters.

        Above a language's adapter ``seq_bn/2+language``.
        """
        sizes = {"bottleneck_size": "size"}
        parts = (f"{sizes.get(key, '')}{value}" for key, value in self.identity().items())
        return "/".join(parts) + ("+language" if self.language else "")


class TaskOptions(Section):
    """Sizes and languages of one task in this recipe; an absent key leaves the task's own default.

    ``layout`` describes files that are not in the official layout, by role; see docs/data.md. ``protocol`` names
    another way to evaluate the task, ``layer`` the layer that embeds texts in retrieval, ``also`` more evaluations.
    ``test_seed`` draws another test set of a generated task, on which choices made with the first one in sight can be
    confirmed.
    """

    train_examples: Count | None = None
    dev_examples: Count | None = None
    test_examples: Count | None = None
    languages: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    test_seed: Seed | None = None
    layout: dict[Literal["train", "dev", "test"], dict[str, Any]] | None = None
    protocol: Annotated[str, Field(min_length=1)] | None = None
    layer: Layer | None = None
    also: Annotated[tuple[Also, ...], Field(min_length=1)] | None = None

    @field_validator("also")
    @classmethod
    def _differ(cls, value: tuple[Also, ...] | None) -> tuple[Also, ...] | None:
        labels = [entry.label for entry in value or ()]
        if len(set(labels)) < len(labels):
            raise problem("two of these evaluations are the same")
        return value


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
            raise problem("an exclusion names at least one of: backbone, variant, adapter, intermediate, target, seed")
        return self

    def axes(self) -> dict[str, frozenset[Any]]:
        """Axis -> the excluded values."""
        found = {}
        for axis in ("backbone", "variant", "adapter", "intermediate", "target", "seed"):
            value = getattr(self, axis)
            if value is not None:
                found[axis] = frozenset(value)
        return found


class Multi(Section):
    """One intermediate training on several tasks; without ``tasks``: all single intermediate tasks of the recipe."""

    tasks: Annotated[tuple[SingleIntermediateName, ...], Field(min_length=2)] | None = None
    sampling: Sampling = Sampling()


RepositoryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class BackboneSource(Section):
    """Where a backbone comes from: a local folder, or one commit of a repository of the Hub."""

    folder: Annotated[str, Field(min_length=1)] | None = None
    hub: RepositoryName | None = None
    revision: Commit | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    attention: Literal["sdpa", "eager"] = "sdpa"

    @model_validator(mode="after")
    def _one_place(self) -> BackboneSource:
        if (self.folder is None) == (self.revision is None):
            raise problem("a backbone comes from a folder, or from the revision (40 characters) of a Hub repository")
        if self.folder is not None and self.hub is not None:
            raise problem("folder and hub are two places; keep one")
        return self


class FusionOptions(Section):
    """How `fuse` is built: the rank of its products, and whether the target adapter trains before it or with it."""

    rank: Annotated[int, Field(ge=1, le=65536)] | None = None
    target: Literal["before", "jointly"] = "before"


class Merge(Section):
    """How `merge` joins trained weights.

    ``average`` and ``arithmetic`` join the intermediate's model and the target's; a ``soup`` joins several runs of one
    other variant, which differ in their seeds.
    """

    kind: Literal["average", "arithmetic", "soup"] = "average"
    of: Literal["adapters", "full-ft", "sequential", "stack", "fuse"] = "adapters"
    intermediate: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] = 0.5
    target: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    members: Annotated[int, Field(ge=2, le=64)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Merge:
        if (self.kind == "soup") != (self.members is not None):
            raise problem("'members' is the number of runs in a soup: give it there and only there")
        if self.kind == "soup" and self.of == "adapters":
            raise problem("a soup joins runs of one variant; of is one of: full-ft, sequential, stack, fuse")
        if self.kind != "soup" and self.of not in ("adapters", "full-ft"):
            raise problem(f"'{self.kind}' joins adapters or whole models; of is one of: adapters, full-ft")
        if self.kind == "soup" and self.target is not None:
            raise problem("the runs of a soup have equal weights: leave 'target' out")
        if self.kind == "average" and (self.target is not None or not 0 <= self.intermediate <= 1):
            raise problem("an average gives 'intermediate' a share from 0 to 1 and the target the rest")
        if self.kind == "arithmetic" and self.target is None:
            raise problem("task arithmetic needs both weights: intermediate and target")
        return self

    @property
    def full(self) -> bool:
        """Whether whole models are joined, so that no adapter is needed."""
        return self.of == "full-ft"


class Reuse(Section):
    """A published adapter in place of an intermediate training; written as ``{name: mnli, from: hub:ORG/NAME@COMMIT}``
    among the intermediate tasks.

    ``from`` names one place, or one for each backbone that has one; the others are trained. ``licence`` accepts the
    licence of the adapter by its name; it must be named unless it only asks for attribution or the same licence.
    """

    from_: Pins = Field(alias="from")
    licence: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class Statistics(Section):
    """Resampling, and what was declared before the run: hypotheses, and the margin in points within which the scores
    of the general answers count as equivalent.
    """

    resamples: Annotated[int, Field(ge=100, le=10_000_000)] = 2000
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    seed: Seed = 0
    margin: Margin | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    multiplicity: dict[str, Method] = Field(default_factory=dict)

    @field_validator("hypotheses")
    @classmethod
    def _have_ids(cls, value: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
        names = [entry.id for entry in value]
        if len(set(names)) < len(names):
            raise problem("every hypothesis needs its own id")
        return value

    @model_validator(mode="after")
    def _known_families(self) -> Statistics:
        declared = sorted({entry.family for entry in self.hypotheses})
        for family in self.multiplicity:
            if family not in declared:
                raise problem(f"multiplicity: no hypothesis has the family '{family}'; families: {', '.join(declared)}")
        return self

    def identity(self) -> dict[str, Any]:
        """What changes the numbers of a report, as JSON values."""
        listed = [entry.identity() for entry in self.hypotheses]
        left_out = {"hypotheses"} if self.margin is not None else {"hypotheses", "margin"}
        return {**self.model_dump(mode="json", exclude=left_out), "hypotheses": listed}


class Resources(Section):
    """What one training needs of a machine."""

    gpus: Annotated[int, Field(ge=0, le=1024)] = 0
    gpu_memory_gb: Annotated[float, Field(gt=0, le=100_000)] | None = None
    sharding: Literal["ddp", "fsdp"] | None = None


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
    tasks: dict[TaskName, TaskOptions] = Field(default_factory=dict)
    controls: Controls = True
    reuse: dict[SingleIntermediateName, Reuse] | None = None
    multi: Multi = Multi()
    mlm_mix: MlmMix | None = None
    translated: Translated | None = None
    language_adapters: LanguageAdapters | None = None
    oracle: Oracle | None = None
    world: bool = False
    low_resource: LowResource | None = None
    fusion_task: TaskName | None = None
    fusion: FusionOptions | None = None
    backbone_sources: dict[PlainName, BackboneSource] = Field(default_factory=dict)
    data_revisions: dict[RepositoryName, Commit] = Field(default_factory=dict)
    merge: Merge | None = None
    pretrain: Pretrain | None = None
    resources: dict[BackboneName, dict[Mode, Resources]] = Field(default_factory=dict)
    tokens_per_second: dict[BackboneName, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    data_root: str | None = None
    statistics: Statistics = Statistics()

    @field_validator("backbones", "intermediate_tasks", "target_tasks", "variants", "adapters", "seeds")
    @classmethod
    def _no_repeats(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for index, entry in enumerate(value):
            if entry in value[:index]:
                text = entry.label if isinstance(entry, AdapterSpec) else entry
                raise problem(f"'{text}' appears twice")
        return value

    @field_validator("resources")
    @classmethod
    def _shards_pay(cls, value: dict[str, dict[Mode, Resources]]) -> dict[str, dict[Mode, Resources]]:
        for backbone, modes in value.items():
            for mode, wanted in modes.items():
                if wanted.sharding == "fsdp" and mode != "full-ft":
                    raise problem(
                        f"{backbone}.{mode}.sharding: fsdp is for full-ft; with a frozen backbone gradients and "
                        "optimiser are small (use ddp)"
                    )
        return value

    def single_intermediates(self) -> tuple[str, ...]:
        """The single intermediate tasks of the recipe, also those of which it names arms only."""
        bases = (split_arm(name).base for name in self.intermediate_tasks)
        return tuple(dict.fromkeys(name for name in bases if name not in (NONE, POOL, MULTI)))
