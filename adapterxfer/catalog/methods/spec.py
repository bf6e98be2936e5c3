"""The shape of one adapter method's specification, and what `adapters` and `peft` call it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adapterxfer.catalog.architectures import Place
from adapterxfer.catalog.methods.setting import Setting

BOTTLENECK_SIZES = ("reduction_factor", "bottleneck_size")

CONFIG = "config"
"""Key of an adapter that holds the configuration of a library's own method."""

LABELS = {"bottleneck_size": "size"}
"""Sizes that labels name, because another one of the same method is given as a bare number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptersFiles:
    """A bottleneck in the files of `adapters` 1.3.

    Attributes:
        blocks: prefix of tensors in one layer here -> block of the library's layer that holds the bottleneck.
        config: fields of its configuration that differ from ``SeqBnConfig``.
        abbreviations: names of AdapterHub for the whole configuration -> reduction factor of each.
        stacks_alike: whether a stack of two computes the same there.
    """

    blocks: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)
    abbreviations: Mapping[str, int] = field(default_factory=dict)
    stacks_alike: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PeftFiles:
    """A method in the files of `peft` 0.21.

    Attributes:
        config: what makes it this method there; every other field keeps the library's default.
        tensors: tensor of a linear map here -> its name there.
        has_rank: whether the configuration states a rank.
        alpha: numerator of the scale of updates; None where there is none.
        factors: whether its tensors multiply inputs or outputs: rows or columns there, vectors here.
        projections: name of a fixed random matrix there -> buffer here.
    """

    config: Mapping[str, Any]
    tensors: Mapping[str, str]
    has_rank: bool = True
    alpha: int | None = None
    factors: bool = False
    projections: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSpec:
    """One adapter method.

    Attributes:
        name: as recipes write it.
        description: what it is, in a few words.
        library: whose method it is, with the same tensors and start values; empty for a method of nobody else.
        builder: ``module:class`` of one layer's module, imported late. ``class.build(site, size, generator)`` makes it;
            see `adapterxfer.variants.adapter.Site`.
        sizes: keys of the recipe that set its size, one of which must be given; empty for a method without size.
        examples: usual sizes, by key; the first one is the method's row wherever methods are compared.
        places: where in the encoder it acts.
        maps: roles of the linear maps that it changes, for methods that act there.
        reads_maps: whether it reads the numbers of these maps, and not only what they make of states.
        start: ``neutral`` (a fresh adapter changes nothing), ``normal`` (all its matrices are normal and small) or
            ``special``.
        neutral: whether weights exist that change nothing: ``exact``, up to ``rounding``, those it starts with
            (``start``), or ``never``; ``moved`` where its settings keep something else than the block's output.
        partial_layers: whether it may leave the lower layers out.
        batched: whether the adapters of several seeds can run as one batch of matrices; their module then has
            ``formulas``, see `adapterxfer.variants.bottleneck`.
        merges: what of two trained adapters is added up: their ``weights``, the ``updates`` that two factors make of a
            frozen matrix, or nothing (empty).
        why_unmerged: why nothing can be added up.
        merge_instead: method to merge instead; empty where a stack of this one is nearest.
        scale_power: ``p`` where an update is scaled by ``alpha / rank ** p``; merging needs it.
        alpha: numerator of that scale.
        fuses: whether AdapterFusion can mix adapters of this method.
        why_unfused: why it cannot.
        language: whether it may be a language's adapter, and whether it is the default for that.
        citation: what a model card cites, without its final period; empty where nothing is cited.
        adapters: names in the files of `adapters`; None where that library has no such function.
        peft: names in the files of `peft`; None where that library has no such function.
        known_as: what other tools and papers call it, for hints in messages.
        engine: library whose own modules compute it, configured by its own keys (``config`` of an adapter).
        settings: what ``config`` can set of a method of this project.

    Raises:
        ValueError: the specification lacks an answer or contradicts itself.
    """

    name: str
    description: str
    library: Literal["adapters", "peft", ""]
    builder: str
    sizes: tuple[str, ...]
    examples: tuple[Mapping[str, int], ...]
    places: tuple[Place, ...]
    maps: tuple[str, ...] = ()
    reads_maps: bool = False
    start: Literal["neutral", "normal", "special"]
    neutral: Literal["exact", "rounding", "start", "never", "moved"] = "exact"
    partial_layers: bool = False
    batched: bool = False
    merges: Literal["weights", "updates", ""]
    why_unmerged: str = ""
    merge_instead: str = ""
    scale_power: float = 1.0
    alpha: float = 8.0
    fuses: bool = False
    why_unfused: str = ""
    language: Literal["default", "possible", ""] = ""
    citation: str
    adapters: AdaptersFiles | None = None
    peft: PeftFiles | None = None
    known_as: tuple[str, ...] = ()
    engine: Literal["adapters", "peft", ""] = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [
            (bool(self.merges) == bool(self.why_unmerged), "merges, or says in why_unmerged why it does not"),
            (self.fuses == bool(self.why_unfused), "fuses, or says in why_unfused why it does not"),
            (("linear" in self.places) != bool(self.maps), "names in maps the linear maps that it changes"),
            (not self.examples, "has an example of its size"),
            (any(set(example) - set(self.sizes) for example in self.examples), "has examples of its own sizes"),
            (any(len(example) != bool(self.sizes) for example in self.examples), "has examples of one size each"),
            (self.builder.count(":") != 1, "names its builder as module:class"),
            (self.merges == "updates" and "linear" not in self.places, "adds up updates of linear maps"),
        ]
        if broken := [says for is_broken, says in problems if is_broken]:
            raise ValueError(f"adapter method '{self.name}': a method {'; it '.join(broken)}")

    @property
    def kind(self) -> Any:
        """Class of one layer's module; imports its module, and torch with it."""
        module, _, name = self.builder.partition(":")
        return getattr(importlib.import_module(module), name)

    def scale(self, rank: int) -> float:
        """Factor of an update of this rank."""
        return self.alpha / float(rank**self.scale_power)

    def example(self, number: int = 0) -> dict[str, Any]:
        """An adapter as recipes write it, e.g. ``{method: seq_bn, reduction_factor: 16}``."""
        return {"method": self.name, **self.examples[number]}


def adapter_label(adapter: Mapping[str, Any]) -> str:
    """``seq_bn/2`` (a reduction factor) or ``seq_bn/size64`` (a bottleneck size): equal labels, equal adapters."""
    sizes = {key: value for key, value in adapter.items() if key != CONFIG}
    parts = [f"{LABELS.get(key, '')}{value}" for key, value in sizes.items()]
    return "/".join([*parts, *(f"{key}={_short(value)}" for key, value in sorted(adapter.get(CONFIG, {}).items()))])


def config_text(adapter: Mapping[str, Any]) -> str:
    """The configuration of an adapter as JSON with sorted keys; empty for methods of this project."""
    config = adapter.get(CONFIG)
    return json.dumps(config, sort_keys=True) if config else ""


def _short(value: Any) -> str:
    """A value of a configuration in a label, without commas, which separate labels on the command line."""
    if isinstance(value, Mapping):
        return "+".join(f"{key}:{_short(inner)}" for key, inner in sorted(value.items()))
    return "+".join(map(_short, value)) if isinstance(value, list | tuple) else str(value).lower()
