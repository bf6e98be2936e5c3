"""The card of a bundle: README.md from `bundle.json` and `results.json`, and from nothing else. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from adapterxfer.hub.manifest import Manifest
from adapterxfer.hub.metadata import card_metadata

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


def render_card(manifest: Manifest, results: Mapping[str, Any], *, place: str = "") -> str:
    """The whole card, metadata first; the same input gives the same bytes.

    Args:
        place: what the examples load, e.g. ``ORG/NAME``; the name of the bundle if empty.
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
    metadata = yaml.safe_dump(card_metadata(manifest, results), sort_keys=False, allow_unicode=True, width=1000)
    names = {row["code"]: row for row in results["languages"]}
    targets = dict.fromkeys(row["target"] for row in results["scores"] if not row["secondary"])
    body = environment.get_template("card.md.j2").render(
        m=manifest,
        r=results,
        names=names,
        targets=list(targets),
        metrics={row["target"]: (row["metric"], row["protocol"]) for row in results["scores"]},
        place=place or manifest.name,
        calls=[CALLS[head.format] for head in manifest.composition.heads],
        synthetic_note=SYNTHETIC_NOTE,
        title=title(manifest),
        what=what(manifest),
        level=f"{results['level']:.0%}",
        figures=sorted(name for name in manifest.files if name.startswith("figures/")),
        flagged=[row for row in results["training"] if row["flags"]],
    )
    return f"---\n{metadata}---\n\n{body}"


def title(manifest: Manifest) -> str:
    """``stack: world-nli, then world-xnli, on world-mini``."""
    composition = manifest.composition
    tasks = " + ".join(head.task for head in composition.heads)
    before = f"{composition.intermediate}, then " if composition.intermediate else ""
    return f"{composition.variant}: {before}{tasks}, on {manifest.backbone.name}"


def what(manifest: Manifest) -> str:
    """What the model is, in one or two sentences."""
    composition = manifest.composition
    tasks = " and ".join(head.task for head in composition.heads)
    before = composition.intermediate
    backbone = f"the frozen multilingual encoder {manifest.backbone.name}"
    match composition.variant:
        case "full-ft":
            first = f"trained on the English intermediate task {before}, then " if before else ""
            name = manifest.backbone.name
            return f"All weights of the multilingual encoder {name}, {first}fine-tuned on {tasks} in English."
        case "head-only":
            return f"A head on {backbone}, trained on {tasks} in English."
        case "adapter":
            return f"A bottleneck adapter in every layer of {backbone}, trained on {tasks} in English."
        case "sequential":
            return (
                f"One bottleneck adapter in every layer of {backbone}, trained on the English intermediate task "
                f"{before} and then further on {tasks} in English."
            )
        case "stack":
            return (
                f"Two bottleneck adapters in every layer of {backbone}: the lower one was trained on the English "
                f"intermediate task {before} and then frozen, the upper one on {tasks} in English."
            )
        case _:
            count = len(composition.adapters)
            return (
                f"A fusion of {count} frozen bottleneck adapters in every layer of {backbone} "
                f"({', '.join(part.name for part in composition.adapters)}), trained on {tasks} in English."
            )
