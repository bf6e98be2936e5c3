"""Which modules a variant has, in which order, and which of them train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from adapterxfer.catalog.methods import language_methods
from adapterxfer.catalog.variants import PARTS, VARIANTS, VariantSpec, composition
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import AdapterShape

VariantName = str
"""One of `adapterxfer.catalog.variants`. ``adapter`` is a fresh adapter alone: the baseline of the adapter variants,
and every intermediate adapter. ``language`` is a language's own adapter, stored without the head of its training."""

Role = Literal["language", "intermediate", "target"]

OPTIONAL = ("joint", "fusion_rank")

LANGUAGE_ID = "l00"
"""The adapter of the language, below all others and frozen; another language's takes its place in evaluation."""

TARGET_ID = "t00"
"""The adapter of the task at hand. Ids have one width each, so no name in a file is the beginning of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterPart:
    """One adapter of a model.

    Attributes:
        id: name of the module: `TARGET_ID`, or ``i00``, ``i01``... for adapters of intermediate tasks.
        role: what it was trained for.
        name: the task or intermediate, for people.
        method: adapter method.
        bottleneck_size: width of the bottleneck.
        first_layer: layers below it have no adapter.
        config: of a library's own method; see `AdapterShape`.
    """

    id: str
    role: Role
    name: str
    method: str
    bottleneck_size: int
    first_layer: int = 0
    config: str = ""

    @property
    def shape(self) -> AdapterShape:
        """What determines its modules."""
        return AdapterShape(
            method=self.method,
            bottleneck_size=self.bottleneck_size,
            first_layer=self.first_layer,
            config=self.config,
        )


@dataclass(frozen=True, slots=True)
class HeadPart:
    """One head of a model.

    Attributes:
        id: name of the module, ``h00``...
        task: the task it answers.
        format: the task's format.
        labels: in the order of the outputs.
        also: further tasks it answers, which share it.
    """

    id: str
    task: str
    format: str
    labels: tuple[str, ...]
    also: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks it answers."""
        return (self.task, *self.also)


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts of a model.

    Attributes:
        variant: how weights are reused.
        adapters: bottom first in a stack; intermediates first, then the target's, in a fusion
            (none of its own where the fusion is trained on an intermediate task).
        heads: one per task; an adapter that was published without its head has none.
        intermediate: name of what was trained before, also where its weights went into the target's (``sequential``,
            ``full-ft``); empty for none.
        joint: a fusion trains its target adapter along, instead of taking it trained.
        fusion_rank: width of the products inside a low-rank fusion; 0 for AdapterFusion as published.
    """

    variant: VariantName
    adapters: tuple[AdapterPart, ...]
    heads: tuple[HeadPart, ...]
    intermediate: str = ""
    joint: bool = False
    fusion_rank: int = 0

    def __post_init__(self) -> None:
        roles = tuple(adapter.role for adapter in self.task_adapters)
        if not self._is_laid_out(roles):
            raise VariantError(
                f"variant '{self.variant}' with adapters ({', '.join(roles) or 'none'}) and intermediate "
                f"'{self.intermediate or 'none'}' is not one that can be built",
                fix="plan the recipe again; a stack takes one intermediate, a fusion with one needs a target",
            )
        if ((self.joint or self.fusion_rank) and not self.fused) or (self.joint and roles[-1] != "target"):
            raise VariantError(
                f"variant '{self.variant}': only a fusion has a rank or trains a target adapter along",
                fix="leave 'fusion' out of the recipe for this variant",
            )
        if self.fused and len({adapter.first_layer for adapter in self.task_adapters}) > 1:
            raise VariantError(
                f"variant '{self.variant}': its adapters begin in different layers",
                fix="fuse adapters with the same 'layers'",
            )
        if not self.heads and self.variant not in PARTS:
            raise VariantError(f"variant '{self.variant}' has no head", fix="give at least one task")
        if self.spec.language and (method := self.adapters[0].method) not in language_methods():
            raise VariantError(
                f"adapter method '{method}' cannot be a language's adapter",
                fix=f"use {' or '.join(language_methods())}",
            )
        if clash := colliding_names([adapter.id for adapter in self.adapters] + [head.id for head in self.heads]):
            raise VariantError(
                f"variant '{self.variant}': names {clash} collide", fix="give each part an id of its own"
            )

    def _is_laid_out(self, roles: tuple[Role, ...]) -> bool:
        """Whether the adapters of tasks, of these roles, are those of the variant."""
        if self.variant not in PARTS and self.variant not in VARIANTS:
            return False
        spec = self.spec
        if spec.joins:  # what weights were joined to is a composition of its members' kind
            return False
        match spec.layout:
            case "none":
                return roles == ()
            case "one":
                begun = bool(self.intermediate) or not spec.continues
                return roles == ("target",) and begun and not (spec.language and self.language)
            case "two":
                return roles == ("intermediate", "target")
            case "mixed":
                return len(roles) >= 2 and set(roles[:-1]) == {"intermediate"}

    @property
    def spec(self) -> VariantSpec:
        """Specification of the variant."""
        return composition(self.variant)

    @property
    def language(self) -> AdapterPart | None:
        """The adapter of the language, if there is one."""
        return next((adapter for adapter in self.adapters[:1] if adapter.role == "language"), None)

    @property
    def task_adapters(self) -> tuple[AdapterPart, ...]:
        """All adapters but the language's."""
        return self.adapters if self.language is None else self.adapters[1:]

    @property
    def fused(self) -> bool:
        """Whether the adapters are mixed by a fusion instead of stacked."""
        return self.spec.fuses

    @property
    def fused_from(self) -> int:
        """Number of layers without adapters of tasks, where a fusion has nothing to mix."""
        return min((adapter.first_layer for adapter in self.task_adapters), default=0)

    @property
    def first_layer(self) -> int:
        """The lowest layer that has an adapter; 0 without adapters."""
        return min((adapter.first_layer for adapter in self.adapters), default=0)

    @property
    def trains_backbone(self) -> bool:
        """Whether the backbone's own weights train."""
        return self.spec.trains_backbone

    @property
    def trainable_prefixes(self) -> tuple[str, ...]:
        """Beginnings of the names of exactly the tensors that train."""
        target = f"adapters.{TARGET_ID}."
        inside: dict[str, tuple[str, ...]] = {
            "backbone": ("backbone.",),
            "adapter": (target,),
            "fusion": ("fusion.", target) if self.joint else ("fusion.",),
            "": (),
        }
        return (*inside[self.spec.trains], *(f"heads.{head.id}." for head in self.heads))

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks that a head answers."""
        return tuple(task for head in self.heads for task in head.tasks)

    def head(self, task: str) -> HeadPart:
        """The head of a task.

        Raises:
            VariantError: the model was not trained on it.
        """
        for head in self.heads:
            if task in head.tasks:
                return head
        raise VariantError(
            f"the model has no head for task '{task}'; it has {', '.join(self.tasks)}",
            fix="predict a task it was trained on",
        )

    def as_json(self) -> dict[str, Any]:
        """JSON values; see `from_json`. Options that are not used are left out."""
        values = asdict(self)
        for adapter in values["adapters"]:
            # Absent where they say nothing, so that such adapters are described as before others existed.
            for option in ("first_layer", "config"):
                if not adapter[option]:
                    del adapter[option]
        for head in values["heads"]:
            # Absent for a head of one task, so that such models are described as before there were others.
            if not head["also"]:
                del head["also"]
        return {name: value for name, value in values.items() if value or name not in OPTIONAL}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Composition:
        """Rebuild from JSON values."""
        return cls(
            variant=value["variant"],
            adapters=tuple(AdapterPart(**adapter) for adapter in value["adapters"]),
            heads=tuple(
                HeadPart(**{**head, "labels": tuple(head["labels"]), "also": tuple(head.get("also", ()))})
                for head in value["heads"]
            ),
            intermediate=value["intermediate"],
            **{name: value[name] for name in OPTIONAL if name in value},
        )


def colliding_names(names: Iterable[str]) -> list[str]:
    """Names that are equal to or the beginning of another one: tools that select tensors by prefix would mix them."""
    ordered = sorted(names)
    return [second for first, second in pairwise(ordered) if second.startswith(first)]
