"""Transfer variants: one `VariantSpec` each, which everything else reads. Torch-free.

Recipes name the entries of `VARIANTS`. Stored models also have compositions that no recipe asks for by name: an adapter
alone, which is every intermediate and the baseline of the variants with adapters, and the adapter of a language.

To add a variant whose target phase is one training, write the function that puts its model together and one
`VariantSpec` that names it, and `register` the latter.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Mode = Literal["full-ft", "adapters", "fuse", "head-only", "language"]
"""Blocks of ``train`` in a recipe, by what is trained."""

Layout = Literal["none", "one", "two", "mixed"]
"""How the adapters of a model lie: none, the task's alone, an intermediate's below it, or several mixed by a fusion."""

FRESH = "fresh"
"""Composition, in stage identities, of a training without an intermediate."""

FURTHER = "further"
"""The same of a training that goes on from a whole trained model, whatever its variant."""

_FUSION_SOURCE = "Pfeiffer et al. 2021, *AdapterFusion: Non-Destructive Task Composition for Transfer Learning*"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSpec:
    """One way of reusing weights.

    Attributes:
        name: as recipes, labels and ``model.json`` write it.
        description: what it is, in a few words.
        layout: how its adapters lie.
        trains: what trains in the target phase beside the head; empty for nothing.
        mode: block of ``train`` that its settings come from.
        training: what trains, in stage identities; empty where a stage of another kind makes it.
        builder: ``module:function`` that puts the model of such a training together, imported late; see
            `adapterxfer.training.starts`.
        composition: word of stage identities for this variant after an intermediate; ``fresh`` where there is none.
        continues: whether the target phase goes on training what the intermediate phase trained.
        language: whether it is the adapter of a language, which knows no task.
        control: why no intermediate training could change it: then it is shown as a control; empty otherwise.
        joins: whether trained models are joined by their weights, without a training of its own.
        soup: whether models of it can be joined to a soup.
        pools: whether it takes several intermediates at once.
        shares_adapter_baseline: whether it is an adapter alone where there is no intermediate.
        untrained: what answers where the target is not trained: the ``intermediate`` model, a ``fusion`` trained on
            another task, or ``nothing``.
        one_by_one: why its seeds cannot be trained in one pass; empty if they can.
        caches_bottom: whether layers below all that trains exist, whose states can be kept.
        card: what a model card says of it; filled in with ``tasks``, ``before`` (the intermediate), ``first`` (the same
            in half a sentence), ``kind`` (adapter methods), ``backbone``, ``count`` and ``names`` (of its adapters).
        citation: what a model card cites after an intermediate, without its final period; empty where nothing is cited.
        known_as: what other tools and papers call it, for hints in messages.

    Raises:
        ValueError: the specification contradicts itself.
    """

    name: str
    description: str
    layout: Layout
    trains: Literal["backbone", "adapter", "fusion", ""]
    mode: Mode
    training: Literal["full", "head", "adapter", ""] = ""
    builder: str = ""
    composition: str = FRESH
    continues: bool = False
    language: bool = False
    control: str = ""
    joins: bool = False
    soup: bool = False
    pools: bool = False
    shares_adapter_baseline: bool = False
    untrained: Literal["intermediate", "fusion", "nothing"] = "intermediate"
    one_by_one: str = ""
    caches_bottom: bool = True
    card: str = ""
    citation: str = ""
    known_as: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = [
            (self.trains == "adapter" and self.layout == "none", "has the adapter that it trains"),
            ((self.trains == "fusion") != (self.layout == "mixed"), "trains a fusion where it has one"),
            (self.continues and self.trains not in ("backbone", "adapter"), "continues what it trains"),
            (self.joins and bool(self.trains or self.training), "trains nothing where it joins"),
            (bool(self.training) != bool(self.builder), "names a builder exactly where a training makes it"),
            (bool(self.builder) and self.builder.count(":") != 1, "names its builder as module:function"),
        ]
        if broken := [says for is_broken, says in problems if is_broken]:
            raise ValueError(f"variant '{self.name}': a variant {'; it '.join(broken)}")

    @property
    def build(self) -> Callable[..., Any]:
        """The builder; imports its module, and torch with it."""
        module, _, name = self.builder.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function

    @property
    def adapters(self) -> bool:
        """Whether it needs an adapter method."""
        return self.layout != "none"

    @property
    def fuses(self) -> bool:
        """Whether a fusion mixes its adapters."""
        return self.layout == "mixed"

    @property
    def trains_backbone(self) -> bool:
        """Whether the backbone's own weights train."""
        return self.trains == "backbone"

    @property
    def keeps_adapters(self) -> bool:
        """Whether there are adapters of intermediates that stay as they are."""
        return self.layout in ("two", "mixed")


VARIANTS: dict[str, VariantSpec] = {
    spec.name: spec
    for spec in (
        VariantSpec(
            name="full-ft",
            known_as=("full", "ft", "finetune", "fine-tuning", "stilts"),
            description="all weights train in every phase; with an intermediate task: STILTs",
            layout="none",
            trains="backbone",
            mode="full-ft",
            training="full",
            builder="adapterxfer.training.starts:whole_backbone",
            composition="sequential",
            continues=True,
            soup=True,
            one_by_one="full fine-tuning has a backbone for each seed",
            caches_bottom=False,
            card="All weights of the multilingual encoder {backbone}, {first}fine-tuned on {tasks} in English.",
            citation="Intermediate training: Phang et al. 2018, *Sentence Encoders on STILTs*",
        ),
        VariantSpec(
            name="sequential",
            description="one adapter, trained on the intermediate and then on the target task",
            layout="one",
            trains="adapter",
            mode="adapters",
            training="adapter",
            builder="adapterxfer.training.starts:continued_adapter",
            composition="sequential",
            continues=True,
            soup=True,
            shares_adapter_baseline=True,
            card="One adapter ({kind}) in every layer of the frozen multilingual encoder {backbone}, trained on the "
            "English intermediate task {before} and then further on {tasks} in English.",
        ),
        VariantSpec(
            name="stack",
            known_as=("mad-x", "stacking"),
            description="frozen intermediate adapter below, a fresh target adapter above",
            layout="two",
            trains="adapter",
            mode="adapters",
            training="adapter",
            builder="adapterxfer.training.starts:stacked_adapter",
            composition="stack",
            soup=True,
            shares_adapter_baseline=True,
            card="Two adapters ({kind}) in every layer of the frozen multilingual encoder {backbone}: the lower one "
            "was trained on the English intermediate task {before} and then frozen, the upper one on {tasks} in "
            "English.",
        ),
        VariantSpec(
            name="fuse",
            known_as=("fusion", "adapterfusion"),
            description="AdapterFusion over intermediate and target adapters",
            layout="mixed",
            trains="fusion",
            mode="fuse",
            soup=True,
            pools=True,
            shares_adapter_baseline=True,
            untrained="fusion",
            one_by_one="fusions are trained seed by seed",
            card="A fusion of {count} frozen adapters ({kind}) in every layer of the frozen multilingual encoder "
            "{backbone} ({names}), trained on {tasks} in English.",
            citation=f"Fusion: {_FUSION_SOURCE}",
        ),
        VariantSpec(
            name="merge",
            known_as=("soup", "task_arithmetic", "average"),
            description="trained weights joined: average, task arithmetic, or a soup of several runs",
            layout="one",
            trains="",
            mode="adapters",
            joins=True,
            untrained="nothing",
        ),
        VariantSpec(
            name="head-only",
            known_as=("linear_probe", "probe", "probing", "head"),
            description="control: frozen backbone, only the head trains",
            layout="none",
            trains="",
            mode="head-only",
            training="head",
            builder="adapterxfer.training.starts:head_alone",
            control="a head on the backbone reuses no intermediate",
            untrained="nothing",
            card="A head on the frozen multilingual encoder {backbone}, trained on {tasks} in English.",
        ),
    )
}
"""What recipes can name, in the order in which reports show it."""

PARTS: dict[str, VariantSpec] = {
    spec.name: spec
    for spec in (
        VariantSpec(
            name="adapter",
            description="a fresh adapter alone: every intermediate, and the baseline of variants with adapters",
            layout="one",
            trains="adapter",
            mode="adapters",
            training="adapter",
            builder="adapterxfer.training.starts:fresh_adapter",
            card="An adapter ({kind}) in every layer of the frozen multilingual encoder {backbone}, trained on {tasks} "
            "in English.",
        ),
        VariantSpec(
            name="language",
            description="a language's own adapter, stored without the head that it was trained with",
            layout="one",
            trains="adapter",
            mode="language",
            language=True,
            one_by_one="an adapter of a language has one seed",
            caches_bottom=False,
        ),
    )
}
"""Compositions of stored models that recipes do not name."""


def register(spec: VariantSpec) -> None:
    """Make a variant known; recipes can name it from now on.

    Raises:
        ValueError: there is a variant of this name already, or one that stage identities describe in the same words.
    """
    if spec.name in VARIANTS or spec.name in PARTS:
        raise ValueError(f"variant '{spec.name}' is registered already")
    if spec.training and any(
        (other.training, other.composition) == (spec.training, spec.composition) for other in _trained()
    ):
        raise ValueError(f"variant '{spec.name}': another one has composition '{spec.composition}'; name a new one")
    VARIANTS[spec.name] = spec
    for lookup in (trained_as, alone, by_mode):
        lookup.cache_clear()


def composition(name: str) -> VariantSpec:
    """Specification of a stored model's composition.

    Raises:
        KeyError: there is none of this name.
    """
    return PARTS[name] if name in PARTS else VARIANTS[name]


@cache
def trained_as(training: str, word: str) -> VariantSpec | None:
    """The variant that stage identities describe by what trains and by their word for the composition."""
    fresh = word == FRESH
    return next(
        (
            spec
            for spec in _trained()
            if spec.training == training and (spec.composition == word or (fresh and not spec.shares_adapter_baseline))
        ),
        None,
    )


@cache
def alone(*, adapter: bool) -> VariantSpec:
    """What a training without an intermediate makes."""
    spec = trained_as("adapter" if adapter else "full", FRESH)
    assert spec is not None
    return spec


@cache
def by_mode(mode: Mode) -> VariantSpec:
    """The first variant that takes its settings from a block of ``train``."""
    return next(spec for spec in (*VARIANTS.values(), *PARTS.values()) if spec.mode == mode)


def variants_of(test: Callable[[VariantSpec], object]) -> tuple[str, ...]:
    """Names of the variants for which ``test`` holds."""
    return tuple(spec.name for spec in VARIANTS.values() if test(spec))


def _trained() -> list[VariantSpec]:
    return [spec for spec in (*VARIANTS.values(), *PARTS.values()) if spec.training]
