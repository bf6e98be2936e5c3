"""What this machine and its backbones set limits to: lengths of texts, and libraries that are installed. Torch-free.

A backbone has no positions beyond its limit, so a longer `max_length` would be cut to it without a word, and the recipe
would say something that was never run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

from adapterxfer.backbones.describing import CONFIG
from adapterxfer.backbones.quantized import EXTRA
from adapterxfer.backbones.quantized import LIBRARIES as QUANTIZED
from adapterxfer.catalog import UNTRAINED, backbones
from adapterxfer.catalog.architectures import ARCHITECTURES, encoder_part
from adapterxfer.catalog.lengths import OWN_SERIES
from adapterxfer.catalog.methods.engines import engine_of
from adapterxfer.errors import BackboneError, MissingDependency
from adapterxfer.plan.backbones import Backbones
from adapterxfer.plan.rows import Row
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.settings import DEFAULTS
from adapterxfer.recipe.train_blocks import MODES

TooLong = dict[tuple[str, int], int]
"""(backbone, ``max_length``) -> limit of the backbone, where the first is above the second."""


class Limits:
    """Longest inputs of the backbones of one recipe, in tokens with special tokens; files are read once."""

    def __init__(self, recipe: Recipe, table: Backbones) -> None:
        self._recipe, self._table = recipe, table
        self._known: dict[str, int | None] = {}

    def of(self, name: str) -> int | None:
        """The limit of a backbone; None where nothing here says it: the Hub has not given its files yet."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> int | None:
        setup = self._recipe.pretrain
        if setup is not None and self._recipe.is_own(name):
            return max(OWN_SERIES, setup.corpus.sequence_length)
        if self._table.source(name) is not None and self._table.described(name) is not None:
            folder = self._table.folder(name)
            return None if folder is None else folder_limit(folder)
        spec = backbones().get(name.removesuffix(UNTRAINED))
        return None if spec is None else spec.longest

    def exceeded(self, rows: Iterable[Row]) -> TooLong:
        """Trainings whose ``max_length`` was written down and is above the limit of their backbone."""
        written = _written(self._recipe)
        too_long: TooLong = {}
        seen: set[tuple[int, int]] = set()
        for row in rows:
            settings, backbone = row.identity.get("settings"), row.identity.get("backbone")
            if (alike := (id(settings), id(backbone))) in seen:  # tasks of one plan share both
                continue
            seen.add(alike)
            if not isinstance(settings, Mapping) or not isinstance(backbone, Mapping):
                continue
            length, name = settings.get("max_length"), str(backbone.get("name"))
            # What nobody wrote is a ceiling: the default of 128 means "or as much as the backbone can read".
            if not isinstance(length, int) or (length == DEFAULTS["max_length"] and length not in written):
                continue
            limit = self.of(name)
            if limit is not None and length > limit:
                too_long[name, length] = limit
        return too_long


def folder_limit(folder: Path) -> int | None:
    """What the ``config.json`` of a backbone says of its longest input; None where it says nothing."""
    try:
        config = encoder_part(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    architecture = ARCHITECTURES.get(str(config.get("model_type"))) if isinstance(config, dict) else None
    if architecture is None:
        return None
    positions, padding = config.get("max_position_embeddings"), config.get("pad_token_id", 1)
    if architecture.positions == "from-pad":
        known = isinstance(positions, int) and isinstance(padding, int)
        return positions - padding - 1 if known else None
    if architecture.positions == "relative":
        return architecture.max_length(SimpleNamespace(**config))
    return positions if isinstance(positions, int) else None


def length_problems(recipe: Recipe, table: Backbones, rows: Iterable[Row]) -> list[BackboneError]:
    """Lengths that a backbone of the recipe cannot read, one error for each."""
    return [
        BackboneError(
            f"{recipe.name}: max_length {length}, but backbone '{name}' reads {limit} tokens at most",
            fix=f"set max_length to {limit} or less; for one backbone: train: {{{name}: {{max_length: {limit}}}}}",
        )
        for (name, length), limit in sorted(Limits(recipe, table).exceeded(rows).items())
    ]


def missing_libraries(recipe: Recipe) -> list[MissingDependency]:
    """Libraries that the recipe's adapter methods or backbones need and that are not installed here, each an error."""
    engines = {engine.library: engine for spec in recipe.adapters if (engine := engine_of(spec.method))}
    kinds = {source.quantize for name, source in recipe.backbone_sources.items() if name in recipe.backbones}
    return [
        MissingDependency(f"adapter methods '{name}:...'", name, versions=engines[name].versions)
        for name in sorted(engines)
        if not _is_installed(name)
    ] + [
        MissingDependency(f"backbones with quantize: {kind}", EXTRA)
        for kind, library in QUANTIZED.items()
        if kind in kinds and not _is_installed(library)
    ]


def _is_installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ValueError:  # it is imported, and hides how it was found
        return True


def _written(recipe: Recipe) -> set[int]:
    """Every ``max_length`` in a block of ``train``, or in a block of a mode inside one."""
    lengths: set[int] = set()
    for block in recipe.train.values():
        inner = map(block.of_mode, MODES)
        lengths |= {
            settings.max_length
            for settings in (block, *inner)
            if settings is not None and settings.max_length is not None
        }
    return lengths
