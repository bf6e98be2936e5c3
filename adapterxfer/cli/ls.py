"""List what recipes can name: backbones, tasks, variants, methods, languages and their families, controls."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from adapterxfer.catalog import (
    CONTROLS,
    LOW_RESOURCE,
    METHODS,
    VARIANTS,
    Language,
    backbones,
    extension_languages,
    known_languages,
    languages,
    low_by,
    one_language,
    tasks,
    world_languages,
)
from adapterxfer.catalog.architectures import PRETRAINED
from adapterxfer.catalog.capabilities import Capability, capabilities
from adapterxfer.cli.console import say_json, say_table
from adapterxfer.cli.options import add_json

Listing = tuple[Sequence[str], list[list[Any]], list[Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ls`."""
    parser.add_argument("what", choices=sorted(LISTINGS), help="what to list")
    parser.add_argument("--available", action="store_true", help="only what this version can run")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per entry, in the order of the catalogue."""
    header, rows, entries = LISTINGS[arguments.what]()
    if arguments.available and arguments.what == "capabilities":
        entries = [cell for cell in entries if cell.works]
        rows = capability_rows(entries)[1]
    elif arguments.available:
        chosen = [index for index, listed in enumerate(entries) if getattr(listed, "available", True)]
        rows, entries = [rows[index] for index in chosen], [entries[index] for index in chosen]
    if arguments.json:
        records = [listed if isinstance(listed, dict) else asdict(listed) for listed in entries]
        say_json("ls", {"listing": arguments.what, "entries": records})
    else:
        say_table(header, rows)
    return 0


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def parameters(count: int | None, verified: bool) -> str:
    """A parameter count as people say it; approximate where it was not counted."""
    if count is None:
        return "unknown"
    text = f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.2f} M"
    return text if verified else f"about {text}"


def _backbones() -> Listing:
    entries = list(backbones().values())
    rows = [
        [e.name, e.series, parameters(e.parameters, e.verified), parameters(e.non_embedding_parameters, e.verified),
         _yes(e.available), e.hub or "package data", e.note]
        for e in entries
    ]  # fmt: skip
    return ["backbone", "series", "parameters", "non-embedding", "available", "source", "note"], rows, entries


def _tasks() -> Listing:
    entries = list(tasks().values())
    rows = [
        [e.name, e.role, e.format, e.metric, len(e.languages) + len(e.more) or "-", e.hub or e.source, e.licence]
        for e in entries
    ]
    return ["task", "role", "format", "metric", "languages", "source", "licence"], rows, entries


def _variants() -> Listing:
    entries = list(VARIANTS.values())
    return (
        ["variant", "adapters", "what it is"],
        [[e.name, _yes(e.adapters), e.description] for e in entries],
        entries,
    )


def _methods() -> Listing:
    entries = list(METHODS.values())
    rows = [[e.name, e.library or "-", " or ".join(e.sizes), e.description] for e in entries]
    return ["adapter method", "library", "size", "what it is"], rows, entries


def _languages() -> Listing:
    entries = [*known_languages().values(), *world_languages().values()]
    rows = [
        [e.code, e.name, e.family, e.genus, e.script, e.joshi_class, e.cc100_gib, e.resource,
         "" if e.synthetic else " ".join(low_by(e.code)), "synthetic" if e.synthetic else _targets(e.code)]
        for e in entries
    ]  # fmt: skip
    return (
        ["code", "language", "family", "genus", "script", "Joshi", "CC-100 GiB", "resource", "low by", "targets"],
        rows,
        [{**asdict(e), "tasks": _tested_in(e)} for e in entries],
    )


ENOUGH = 3
"""Low-resource languages from which a family counts here: of fewer, a mean over the family is one or two languages."""

DEFINITION_SERIES = {"tokens": "mmbert"}
"""Series whose pretraining text decides a definition that XLM-R's text has no figures for."""


def _families() -> Listing:
    """One row per family with its low-resource languages by each definition, then how many families have enough.

    The catalogue without the sets in many languages stands beside the whole: "3 of 5" are three there and five in all.
    A language in two scripts, or under two codes, counts once.
    """
    before, every = {**languages(), **extension_languages()}, known_languages()
    low = {name: [c for c in every if name in low_by(c, DEFINITION_SERIES.get(name, "xlm-r"))] for name in LOW_RESOURCE}
    entries: list[dict[str, Any]] = []

    def count(codes: Iterable[str]) -> int:
        return len({one_language(code) for code in codes})

    for family in sorted({language.family for language in every.values()}):
        codes = [code for code, language in every.items() if language.family == family]
        counts = {name: [c for c in low[name] if c in codes] for name in LOW_RESOURCE}
        entries.append({
            "family": family,
            "languages": count(codes),
            "languages_before": count(code for code in codes if code in before),
            **{name: count(chosen) for name, chosen in counts.items()},
            **{f"{name}_before": count(c for c in chosen if c in before) for name, chosen in counts.items()},
        })  # fmt: skip
    total: dict[str, Any] = {
        "family": f"families with {ENOUGH} or more",
        **{name: sum(row[name] >= ENOUGH for row in entries) for name in ("languages", *LOW_RESOURCE)},
        **{
            f"{name}_before": sum(row[f"{name}_before"] >= ENOUGH for row in entries)
            for name in ("languages", *LOW_RESOURCE)
        },
    }
    rows = [
        [e["family"], *(f"{e[f'{name}_before']} of {e[name]}" for name in ("languages", *LOW_RESOURCE))]
        for e in (*entries, total)
    ]
    header = ["family", "languages", *(f"low by {name}" for name in LOW_RESOURCE)]
    return header, rows, [*entries, total]


def _tested_in(language: Language) -> list[str]:
    """Targets that test a language: all of them, also those that are no official task."""
    return [
        task.name
        for task in tasks().values()
        if task.role == "target"
        and task.synthetic == language.synthetic
        and language.code in (*task.languages, *task.more)
    ]


def _targets(code: str) -> str:
    """Official target tasks that test a language: those made of another one's files are none."""
    listed = (t for t in tasks().values() if t.role == "target" and not (t.note and t.source == "files"))
    return " ".join(task.name for task in listed if code in (*task.languages, *task.more))


def _controls() -> Listing:
    entries = list(CONTROLS.values())
    rows = [[e.name, ", ".join(e.formats), e.kin or "all", e.description] for e in entries]
    return ["control", "formats", "tasks", "what it is"], rows, entries


def _capabilities() -> Listing:
    entries = list(capabilities().values())
    header, rows = capability_rows(entries)
    return header, rows, entries


def capability_rows(cells: Sequence[Capability]) -> tuple[list[str], list[list[Any]]]:
    """One row for each method and set of backbones that agree in everything: many cells are the same."""
    by_system: dict[tuple[str, str], list[Capability]] = {}
    for cell in cells:
        by_system.setdefault((cell.method, cell.architecture), []).append(cell)
    grouped: dict[tuple[Any, ...], list[str]] = {}
    for (method, architecture), capability in by_system.items():
        runs = [cell.composition for cell in capability if cell.works]
        refused = [
            f"{cell.composition}: {cell.because} (nearest: {cell.nearest})" for cell in capability if not cell.works
        ]
        grouped.setdefault((method, ", ".join(runs), "; ".join(dict.fromkeys(refused))), []).append(architecture)
    everything = len({cell.architecture for cell in capabilities().values()})
    rows = []
    for (method, runs, why), architectures in grouped.items():
        names = [name for model_type in architectures for name in _encoders(model_type)]
        rows.append([method or "-", "all" if len(architectures) == everything else ", ".join(names), runs or "-", why])
    return ["adapter method", "backbones", "runs as", "refused"], rows


def _encoders(model_type: str) -> list[str]:
    """Backbones of an architecture; those of the world, and of recipes, go by one name."""
    world = ["world"] if model_type == PRETRAINED else []
    known = [
        backbone.name
        for backbone in backbones().values()
        if backbone.kind == "hub" and backbone.model_type == model_type
    ]
    return [*world, *known] or [f"any {model_type}"]


LISTINGS: dict[str, Callable[[], Listing]] = {
    "backbones": _backbones,
    "capabilities": _capabilities,
    "controls": _controls,
    "families": _families,
    "languages": _languages,
    "methods": _methods,
    "tasks": _tasks,
    "variants": _variants,
}
