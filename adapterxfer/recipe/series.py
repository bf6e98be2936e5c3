"""A recipe's own series of backbones: the text they are pretrained on, their shapes, and how they are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import (
    Count,
    LanguageCode,
    PlainName,
    Rate,
    RatePerSize,
    Seed,
    Share,
    TokenCount,
    problem,
)


class SeriesShape(Section):
    """Shape of one backbone of a pretrained series."""

    hidden: Annotated[int, Field(ge=8, le=16384)]
    layers: Annotated[int, Field(ge=1, le=128)]
    heads: Annotated[int, Field(ge=1, le=256)]

    @model_validator(mode="after")
    def _heads_divide(self) -> SeriesShape:
        if self.hidden % self.heads:
            raise problem(f"hidden ({self.hidden}) is not a multiple of heads ({self.heads})")
        return self


class CorpusOptions(Section):
    """The text a series is pretrained on."""

    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)]
    vocabulary: Annotated[int, Field(ge=300, le=300_000)] = 8000
    alphabet: Annotated[int, Field(ge=50, le=50_000)] = 3000
    holdout: Rate = 0.02
    sequence_length: Annotated[int, Field(ge=16, le=512)] = 64
    seed: Seed = 0


class Pretrain(Section):
    """A controlled series of backbones: one corpus, one recipe, several sizes."""

    corpus: CorpusOptions
    series: Annotated[dict[PlainName, SeriesShape], Field(min_length=1)]
    tokens: TokenCount = "auto"
    minutes: Annotated[float, Field(gt=0, le=100_000)] = 45.0
    minutes_fp32: Annotated[float, Field(gt=0, le=100_000)] | None = None
    batch_sequences: Count = 32
    learning_rate: RatePerSize = 2.5e-3
    warmup_fraction: Share = 0.08
    weight_decay: Share = 0.01
    mask: Rate = 0.2
    tlm_share: Share = 0.0
    initialisation: Literal["relative-offset", "plain"] = "relative-offset"
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    seed: Seed = 0

    @model_validator(mode="after")
    def _sizes_exist(self) -> Pretrain:
        for name in ("tokens", "learning_rate"):
            value = getattr(self, name)
            if isinstance(value, dict) and set(value) != set(self.series):
                raise problem(f"{name} must name exactly the sizes of the series: {', '.join(self.series)}")
        return self

    @property
    def needs_measurement(self) -> bool:
        """Whether the token budget or the number format is still to be found by a probe on this machine."""
        return self.tokens == "auto" or self.dtype == "auto"
