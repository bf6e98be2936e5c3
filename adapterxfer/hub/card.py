"""The card of a bundle: README.md from `bundle.json` and `results.json`, and from nothing else. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from adapterxfer.backbones.quantized import LIBRARIES
from adapterxfer.catalog import METHODS
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.catalog.arms import arm_of, split_arm
from adapterxfer.catalog.variants import composition as composition_spec
from adapterxfer.hub import layout
from adapterxfer.hub.manifest import AdapterEntry, HeadEntry, Manifest
from adapterxfer.hub.metadata import card_metadata
from adapterxfer.store.kinds import MERGED

SYNTHETIC_NOTE = (
    "Synthetic demonstration. The languages, texts and backbone behind this model are made up: its scores show how the "
    "tool works and say nothing about real languages or published models."
)

CALLS = {
    "sequence_classification": 'bundle.classify([("A first text.", "A second text.")])',
    "tagging": 'bundle.tag(["Words with spaces between them ."])',
    "span_qa": 'bundle.answer("A question?", "The text that holds the answer.")',
    "multiple_choice": 'bundle.choose("A context.", ["One choice.", "Another choice."])',
    "retrieval": 'bundle.embed(["A sentence."])',
}
"""How each format is asked, as the card shows it."""


def render_card(manifest: Manifest, results: Mapping[str, Any], *, address: str = "") -> str:
    """The whole card, metadata first; the same input gives the same bytes.

    Args:
        address: what the examples load, e.g. ``ORG/NAME``; the name of the bundle if empty.
    """
    environment = Environment(
        loader=PackageLoader("adapterxfer.hub", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["points"] = lambda value: "-" if value is None else f"{value:.1f}"
    environment.filters["signed"] = lambda value: "-" if value is None else f"{value:+.1f}"
    environment.filters["p"] = lambda value: "-" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"
    arms = {row["arm"]: row for row in results["training"] if "arm" in row}
    metadata = yaml.safe_dump(card_metadata(manifest, results), sort_keys=False, allow_unicode=True, width=1000)
    names = {row["code"]: row for row in results["languages"]}
    targets = dict.fromkeys(row["target"] for row in results["scores"] if not row["secondary"])
    body = environment.get_template("card.md.j2").render(
        m=manifest,
        r=results,
        names=names,
        targets=list(targets),
        metrics={row["target"]: (row["metric"], row["protocol"]) for row in results["scores"]},
        address=address or manifest.name,
        calls=[_call(head, results.get("declared", {})) for head in manifest.composition.heads],
        synthetic_note=SYNTHETIC_NOTE,
        encoder=_encoder(manifest),
        quantize=manifest.backbone.identity.get("quantize", ""),
        library=LIBRARIES.get(str(manifest.backbone.identity.get("quantize")), ""),
        sizes={adapter.id: _size(adapter) for adapter in manifest.composition.adapters},
        why_own=_why_unread(manifest),
        citation=_citation(manifest),
        title=title(manifest),
        what=summary(manifest),
        stand_ins=results.get("stand_ins", {}),  # bundles made before there were any lack it
        declared=results.get("declared", {}),
        mixed=arms.get("mlm"),
        translated=arms.get("translated"),
        level=f"{results['level']:.0%}",
        figures=sorted(name for name in manifest.files if name.startswith("figures/")),
        counts=any(layout.is_counts(name) for name in manifest.files),
        flagged=[row for row in results["training"] if row["flags"]],
    )
    return f"---\n{metadata}---\n\n{body}"


def _call(head: HeadEntry, declared: Mapping[str, Any]) -> str:
    """How one head is asked; the tasks of the catalogue with one label for each example have pairs of texts."""
    single = head.format == "sequence_classification" and not declared.get(head.task, {}).get("pairs", True)
    return 'bundle.classify("A text.")' if single else CALLS[head.format]


def _encoder(manifest: Manifest) -> dict[str, str]:
    """Class of `transformers` that reads the encoder, and its further arguments as code."""
    architecture = architecture_of(manifest.backbone.model_type)
    arguments = "".join(f", {name}={value!r}" for name, value in architecture.arguments.items())
    return {"model": architecture.model, "arguments": arguments}


def _size(adapter: AdapterEntry) -> str:
    sizes = METHODS[adapter.method].sizes if adapter.method in METHODS else ()
    if not sizes:
        return ""
    word = "bottleneck" if "bottleneck_size" in sizes or "reduction_factor" in sizes else sizes[0].replace("_", " ")
    return f", {word} {adapter.bottleneck_size}"


def _why_unread(manifest: Manifest) -> str:
    """Why no library reads the adapters."""
    if manifest.composition.fusion_rank:
        return "`adapters` has no low-rank fusion."
    unread = [adapter for adapter in manifest.composition.adapters if adapter.layout == "own"]
    if not unread:
        return "its adapters belong to both libraries, and no model can hold both."
    method = METHODS[unread[0].method]
    if method.adapters is not None and not method.adapters.stacks_alike and len(manifest.adapter_ids) > 1:
        return f"in a stack of two {method.name} there, the upper one sees the output of the lower one."
    if not method.library:
        return f"{method.name} is a method of this project."
    return f"`{method.library}` has no {method.name} with the same tensors for {manifest.backbone.model_type} encoders."


def _citation(manifest: Manifest) -> str:
    methods = dict.fromkeys(adapter.method for adapter in manifest.composition.adapters)
    sources = [f"Adapters: {METHODS[name].citation}" for name in methods if name in METHODS and METHODS[name].citation]
    variant = composition_spec(manifest.composition.variant)
    if variant.citation and manifest.composition.intermediate:
        sources.insert(0, variant.citation)
    return " ".join(f"{source}." for source in dict.fromkeys(sources))


def title(manifest: Manifest) -> str:
    """``stack: world-nli, then world-xnli, on world-mini``."""
    composition = manifest.composition
    tasks = " + ".join(head.task for head in composition.heads)
    first = intermediate_of(manifest)
    before = f"{first}, then " if first else ""
    return f"{composition.variant}: {before}{tasks}, on {manifest.backbone.name}"


def intermediate_of(manifest: Manifest) -> str:
    """What was trained before the target, with its arm: ``mnli+mlm``; empty where nothing was."""
    if not manifest.composition.intermediate:
        return ""
    arm = split_arm(str(manifest.lineage[0].labels.get("intermediate", ""))).arm
    return arm_of(manifest.composition.intermediate, arm)


def summary(manifest: Manifest) -> str:
    """What the model is, in a few sentences."""
    merged = manifest.lineage[0].kind == MERGED
    more = ' Its weights were joined from those of several trained models, listed under "Where it comes from".'
    return _summary(manifest) + (more if merged else "")


def _summary(manifest: Manifest) -> str:
    composition = manifest.composition
    tasks = " and ".join(head.task for head in composition.heads)
    before = intermediate_of(manifest)
    kind = " and ".join(dict.fromkeys(adapter.method for adapter in composition.adapters))
    if card := composition_spec(composition.variant).card:
        return card.format(
            tasks=tasks,
            before=before,
            first=f"trained on the English intermediate task {before}, then " if before else "",
            kind=kind,
            backbone=manifest.backbone.name,
            count=len(composition.adapters),
            names=", ".join(adapter.name for adapter in composition.adapters),
        )
    first = f" after the English intermediate task {before}" if before else ""
    adapters = (
        f"with adapters ({kind}) on the encoder {manifest.backbone.name}"
        if kind
        else f"of the encoder {manifest.backbone.name}"
    )
    return f"Variant `{composition.variant}` {adapters}, for {tasks} in English{first}."
