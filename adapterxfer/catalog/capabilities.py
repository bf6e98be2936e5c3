"""What runs on what: architecture x adapter method x composition, computed from their specifications. Torch-free.

Tests build every cell with a tiny random encoder of its architecture: one that works is trained and judged by every
assertion, one that does not is refused with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapterxfer.catalog.architectures import ARCHITECTURES, PRETRAINED
from adapterxfer.catalog.backbones import backbones
from adapterxfer.catalog.methods import METHODS, language_methods, names_of
from adapterxfer.catalog.methods.engines import why_unstacked
from adapterxfer.catalog.variants import PARTS, VARIANTS, variants_of

LANGUAGE = "language"
"""A language's own adapter, below those of tasks."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One cell of the table.

    Attributes:
        architecture: ``model_type`` of the encoder.
        method: adapter method; empty for compositions without adapters.
        composition: way of reusing weights.
        works: whether it runs.
        because: why it does not.
        nearest: what to use instead, as ``composition/method``.
    """

    architecture: str
    method: str
    composition: str
    works: bool
    because: str = ""
    nearest: str = ""


def capabilities() -> dict[tuple[str, str, str], Capability]:
    """All cells by (architecture, method, composition)."""
    cells = []
    for architecture in ARCHITECTURES:
        cells += [capability(architecture, "", name) for name in variants_of(lambda variant: not variant.adapters)]
        for method in METHODS:
            also = (LANGUAGE,) if METHODS[method].language else ()
            adapted = variants_of(lambda variant: variant.adapters)
            cells += [capability(architecture, method, name) for name in (*adapted, *also)]
    return {(cell.architecture, cell.method, cell.composition): cell for cell in cells}


def capability(architecture: str, method: str, composition: str) -> Capability:
    """One cell; ``method`` is ignored for compositions without adapters.

    Args:
        architecture: empty where it is not known yet: only what no encoder can do is refused then.

    Raises:
        KeyError: no such architecture, method or composition.
    """
    variant = PARTS[LANGUAGE] if composition == LANGUAGE else VARIANTS[composition]
    encoder = ARCHITECTURES[architecture] if architecture else None
    if not variant.adapters:
        return Capability(architecture, "", composition, True)
    spec = METHODS[method]

    def refused(because: str, nearest: str) -> Capability:
        return Capability(architecture, method, composition, False, because, nearest)

    lacking = next(filter(None, map(encoder.lacks, spec.places)), "") if encoder else ""
    if variant.language and not spec.language:
        return refused("a language's adapter is a bottleneck", f"{LANGUAGE}/{language_methods()[0]}")
    if variant.language and encoder is not None and encoder.no_masked_lm:
        return refused(encoder.no_masked_lm, f"{_above_frozen()}/{_plain()}")
    if lacking:
        return refused(lacking, f"{composition}/{_plain()}")
    if variant.fuses and not spec.fuses:
        return refused(spec.why_unfused, f"{_beside(method)}/{method}")
    if variant.joins and not spec.merges:
        return refused(
            spec.why_unmerged,
            f"{composition}/{spec.merge_instead}" if spec.merge_instead else f"{_beside(method)}/{method}",
        )
    if variant.layout == "two" and (because := why_unstacked(method)):
        return refused(because, f"{_continued()}/{method}")
    return Capability(architecture, method, composition, True)


def model_type_of(backbone: str) -> str:
    """Architecture of a backbone of the catalogue; what the catalogue does not know is pretrained by a recipe."""
    known = backbones().get(backbone)
    return PRETRAINED if known is None else known.model_type


def _above_frozen() -> str:
    """The composition that runs with every method: it asks nothing of an adapter but to lie above another one."""
    return variants_of(lambda variant: variant.layout == "two")[0]


def _beside(method: str) -> str:
    """What runs with a method that can neither be mixed nor averaged."""
    return _continued() if why_unstacked(method) else _above_frozen()


def _continued() -> str:
    """The composition that trains the intermediate's adapter further instead of laying another above it."""
    return variants_of(lambda variant: variant.continues and bool(variant.adapters))[0]


def _plain() -> str:
    """The method that runs in every composition on every architecture."""
    return names_of(lambda spec: spec.fuses and spec.language)[0]
