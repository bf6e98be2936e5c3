"""Recipe option for adapters of languages (MAD-X)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from adapterxfer.catalog.methods import language_methods
from adapterxfer.catalog.methods.spec import adapter_label
from adapterxfer.recipe.arm_options import Codes, Folder
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import Count, LanguageMethod, Rate, Seed, problem

SOURCE = "en"
"""Language of all training data: its adapter lies below the tasks' adapters while they train."""


class LanguageAdapters(Section):
    """One adapter for each language, trained on its text with masked language modelling.

    ``texts`` is a folder of ``XX.txt`` below ``data_root``, or ``world``. English is always trained: tasks are trained
    above its adapter. All seeds of a study share the adapters, which are trained with ``seed``.
    """

    method: LanguageMethod = Field(default_factory=lambda: language_methods()[0])
    reduction_factor: Annotated[int, Field(ge=1, le=4096)] | None = None
    bottleneck_size: Annotated[int, Field(ge=1, le=65536)] | None = None
    texts: Folder
    languages: Codes | None = None
    lines: Count = 20_000
    mask: Rate = 0.15
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_size(self) -> LanguageAdapters:
        if (self.reduction_factor is None) == (self.bottleneck_size is None):
            raise problem("language adapters have one size: reduction_factor or bottleneck_size")
        return self

    def adapter(self) -> dict[str, str | int]:
        """Method and size, as of every adapter."""
        sizes = {"reduction_factor": self.reduction_factor, "bottleneck_size": self.bottleneck_size}
        return {"method": self.method, **{key: size for key, size in sizes.items() if size is not None}}

    @property
    def label(self) -> str:
        """``seq_bn_inv/2`` or ``seq_bn_inv/size64``."""
        return adapter_label(self.adapter())
