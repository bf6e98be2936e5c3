"""What a recipe says about models: where backbones come from, adapters, and how trained weights are joined."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from adapterxfer.catalog.methods import METHODS, names_of
from adapterxfer.catalog.methods.adapters_configs import split_string
from adapterxfer.catalog.methods.configured import SETTINGS, differing, settings_problem
from adapterxfer.catalog.methods.engines import config_problem
from adapterxfer.catalog.methods.spec import CONFIG, adapter_label
from adapterxfer.catalog.variants import VARIANTS, variants_of
from adapterxfer.recipe.base import Section
from adapterxfer.recipe.fields import MethodName, Pins, one_of_names, problem

ADAPTERS = "adapters"
"""What `merge` joins by default: the adapters of an intermediate and of a target."""


def _soups() -> tuple[str, ...]:
    return variants_of(lambda spec: spec.soup)


MergedName = Annotated[str, one_of_names(lambda _: (ADAPTERS, *_soups()))]
RepositoryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class BackboneSource(Section):
    """Where a backbone comes from: a local folder, or one commit of a repository of the Hub."""

    folder: Annotated[str, Field(min_length=1)] | None = None
    hub: RepositoryName | None = None
    revision: Commit | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    quantize: Literal["int8", "nf4"] | None = None
    attention: Literal["sdpa", "eager"] = "sdpa"
    pooling: Literal["last", "mean"] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> BackboneSource:
        if (self.folder is None) == (self.revision is None):
            raise problem("a backbone comes from a folder, or from the revision (40 characters) of a Hub repository")
        if self.folder is not None and self.hub is not None:
            raise problem("folder and hub are two places; keep one")
        return self


class AdapterSpec(Section):
    """One adapter method with its size, or one of a library with keys of the library's own configuration (``config``).

    ``layers`` leaves the lower half of the backbone without adapters; ``language`` puts them above the adapters that
    ``language_adapters`` trains.
    """

    method: MethodName
    reduction_factor: Annotated[int, Field(ge=1, le=4096)] | None = None
    bottleneck_size: Annotated[int, Field(ge=1, le=65536)] | None = None
    rank: Annotated[int, Field(ge=1, le=4096)] | None = None
    prefix_length: Annotated[int, Field(ge=1, le=4096)] | None = None
    config: Mapping[str, Any] | None = None
    layers: Literal["upper-half"] | None = None
    language: Literal[True] | None = None

    @model_validator(mode="before")
    @classmethod
    def _keys_apart(cls, values: Any) -> Any:
        """A configuration string of the `adapters` library as its name and its keys."""
        if not isinstance(values, Mapping) or not isinstance(values.get("method"), str):
            return values
        try:
            method, keys = split_string(values["method"])
        except ValueError as error:
            raise problem(str(error)) from None
        if not keys:
            return values
        if values.get(CONFIG):
            raise problem(f"'{values['method']}': its keys stand in its name and in config; keep one")
        return {**values, "method": method, CONFIG: keys}

    @model_validator(mode="after")
    def _sizes(self) -> AdapterSpec:
        sizes = [
            name for name in ("reduction_factor", "bottleneck_size", "rank", "prefix_length") if getattr(self, name)
        ]
        allowed = METHODS[self.method].sizes
        for name in sizes:
            if name not in allowed:
                raise problem(
                    f"adapter method '{self.method}' has no {name}; it has: {', '.join(allowed) or 'no size'}"
                )
        if self.config is not None and not METHODS[self.method].engine and self.method not in SETTINGS:
            raise problem(
                f"adapter method '{self.method}' has no config; these of ours have one: {', '.join(SETTINGS)}, and "
                "methods of libraries, e.g. peft:LOHA or adapters:par_bn"
            )
        ask = settings_problem if self.method in SETTINGS else config_problem
        if self.config and (wrong := ask(self.method, self.config)):
            raise problem(f"'{self.method}' {wrong}")
        if self.layers and not METHODS[self.method].partial_layers:
            able = ", ".join(names_of(lambda spec: spec.partial_layers))
            raise problem(f"adapter method '{self.method}' cannot leave layers out; these can: {able}")
        if len(sizes) > 1:
            raise problem(f"{' and '.join(sizes)} both set the size of the adapter; keep one")
        if allowed and not sizes:
            raise problem(f"adapter method '{self.method}' needs its size: {' or '.join(allowed)}")
        return self

    def identity(self) -> dict[str, Any]:
        """The method and its size, nothing else. Always the same object, which nobody may change."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, Any]:
        values = self.model_dump(exclude_none=True, exclude={"language"})
        if self.method in SETTINGS and self.config:
            values[CONFIG] = differing(self.method, self.config)
        if not values.get(CONFIG):
            values.pop(CONFIG, None)  # empty says nothing
        return values

    @cached_property
    def label(self) -> str:
        """``seq_bn/2`` (a reduction factor) or ``seq_bn/size64`` (a bottleneck size): equal labels, equal adapters.

        Above a language's adapter ``seq_bn/2+language``.
        """
        return adapter_label(self.identity()) + ("+language" if self.language else "")


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
    of: MergedName = ADAPTERS
    intermediate: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] = 0.5
    target: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    members: Annotated[int, Field(ge=2, le=64)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Merge:
        if (self.kind == "soup") != (self.members is not None):
            raise problem("'members' is the number of runs in a soup: give it there and only there")
        if self.kind == "soup" and self.of == ADAPTERS:
            raise problem(f"a soup joins runs of one variant; of is one of: {', '.join(_soups())}")
        if self.kind != "soup" and self.of != ADAPTERS and not self.full:
            able = (ADAPTERS, *variants_of(lambda spec: spec.trains_backbone))
            raise problem(f"'{self.kind}' joins adapters or whole models; of is one of: {', '.join(able)}")
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
        return self.of != ADAPTERS and VARIANTS[self.of].trains_backbone

    @property
    def pools(self) -> bool:
        """Whether several intermediates can go into one model."""
        return self.members is None or VARIANTS[self.of].pools


class Reuse(Section):
    """A published adapter in place of an intermediate training; written as ``{name: mnli, from: hub:ORG/NAME@COMMIT}``
    among the intermediate tasks.

    ``from`` names one place, or one for each backbone that has one; the others are trained. ``licence`` accepts the
    licence of the adapter by its name; it must be named unless it only asks for attribution or the same licence.
    """

    from_: Pins = Field(alias="from")
    licence: Annotated[str, Field(min_length=1, max_length=100)] | None = None
