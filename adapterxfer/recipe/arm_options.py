"""Recipe options for the arms of an intermediate training, and how they name arms nobody wrote down."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from adapterxfer.catalog.arms import ARMS, Arm, arm_of, split_arm
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import NONE, POOL, Count, Rate, problem

OPTIONS: dict[Arm, str] = {"mlm": "mlm_mix", "translated": "translated"}
"""Arm -> the option that describes it."""

WORLD = "world"
"""Instead of a folder: the synthetic world's generator."""


class Sampling(Section):
    """How parts are drawn: by size, equally, by size to the power 1/temperature, or by size up to a cap."""

    kind: Literal["proportional", "uniform", "temperature", "capped"] = "proportional"
    temperature: Annotated[float, Field(ge=1, le=1000)] | None = None
    cap: Count | None = None

    @model_validator(mode="after")
    def _complete(self) -> Sampling:
        for kind, name in (("temperature", "temperature"), ("capped", "cap")):
            if (self.kind == kind) != (getattr(self, name) is not None):
                raise problem(f"sampling kind '{kind}' and the key '{name}' belong together")
        return self


Codes = Annotated[tuple[str, ...], Field(min_length=1)]
Folder = Annotated[str, Field(min_length=1, max_length=1000)]


class MlmMix(Section):
    """Multilingual masked text mixed into intermediate training.

    ``share`` is that of all steps, on top of those of the task; ``texts`` a folder of ``XX.txt`` below ``data_root``,
    or ``world``.
    """

    share: Rate
    texts: Folder
    languages: Codes | None = None
    lines: Count = 20_000
    mask: Rate = 0.15
    sampling: Sampling = Sampling(kind="uniform")


class Translated(Section):
    """Intermediate data in several languages: a folder below ``data_root`` with one folder per language, or ``world``.

    A language's folder holds the translated files under their original names.
    """

    folder: Folder
    languages: Codes | None = None


def add_arms(value: dict[str, Any]) -> None:
    """Put the arms of options on the axis of intermediate tasks: all of them where the recipe names none itself."""
    axis = value.get("intermediate_tasks")
    if not isinstance(axis, list) or not all(isinstance(name, str) for name in axis):
        return
    plain = [name for name in axis if name not in (NONE, POOL) and not split_arm(name).arm]
    for arm in ARMS:
        if isinstance(value.get(OPTIONS[arm]), dict) and not any(split_arm(name).arm == arm for name in axis):
            axis += [arm_of(name, arm) for name in plain]
