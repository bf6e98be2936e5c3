"""What a recipe says about trainings: settings in blocks by phase, mode, task and backbone, and what they need."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, model_validator

from adapterxfer.catalog.variants import Mode
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.brought import setting_hint
from adapterxfer.recipe.choices import Choice, EarlyStopping, RateOrChoice, StepsOrChoice
from adapterxfer.recipe.fields import Count, Share, problem, unknown
from adapterxfer.recipe.messages import one_of

PHASES = ("intermediate", "target", "fusion")
MODES: tuple[Mode, ...] = get_args(Mode)


def _train_key(value: str, info: ValidationInfo) -> str:
    known = ("default", *PHASES, *MODES, *(info.context or {}).get("train", ()))
    if value not in known:
        if hint := setting_hint(value):
            raise problem(one_of(value, known, hint=hint), key=True)
        raise unknown(value, known)
    return value


__all__ = ["MODES", "PHASES", "Mode", "ResourceRequest", "TrainBlock", "TrainKey", "TrainOptions"]

TrainKey = Annotated[str, AfterValidator(_train_key)]


class TrainOptions(Section):
    """Settings of one training; an absent key leaves the value of a more general block."""

    learning_rate: RateOrChoice | None = None
    batch_size: Count | None = None
    steps: StepsOrChoice | None = None
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
    seeds_together: bool | None = None
    early_stopping: EarlyStopping | None = None

    @property
    def chooses(self) -> bool:
        """Whether development data choose a value here."""
        return isinstance(self.learning_rate, Choice) or isinstance(self.steps, Choice)

    @model_validator(mode="after")
    def _one_length(self) -> TrainOptions:
        if self.steps is not None and self.epochs is not None:
            raise problem("steps and epochs both set the length of a training; keep one", key=True)
        return self


def _as_written(field: str) -> str:
    """Name of a field in recipes, where modes have hyphens."""
    mode = field.replace("_", "-")
    return mode if mode in MODES else field


class TrainBlock(TrainOptions):
    """Settings of a task or backbone, with blocks for single modes inside."""

    model_config = ConfigDict(alias_generator=_as_written)

    full_ft: TrainOptions | None = None
    adapters: TrainOptions | None = None
    fuse: TrainOptions | None = None
    head_only: TrainOptions | None = None
    language: TrainOptions | None = None

    @property
    def chooses(self) -> bool:
        """Whether development data choose a value here, or in the block of a mode."""
        inner = (self.of_mode(mode) for mode in MODES)
        return super().chooses or any(options is not None and options.chooses for options in inner)

    def of_mode(self, mode: Mode) -> TrainOptions | None:
        """The block of one mode; None where there is none."""
        block: TrainOptions | None = getattr(self, mode.replace("-", "_"))
        return block


class ResourceRequest(Section):
    """What one training needs of a machine."""

    gpus: Annotated[int, Field(ge=0, le=1024)] = 0
    gpu_memory_gb: Annotated[float, Field(gt=0, le=100_000)] | None = None
    sharding: Literal["ddp", "fsdp"] | None = None
