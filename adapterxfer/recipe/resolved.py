"""The measured part of a recipe, kept in the store so that every later command sees the same numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.errors import StoreError, wrong_schema
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.sealing import seal_broken, sealed

SCHEMA = 1
"""Version of the record."""


def resolved_path(store: str | Path, recipe: Recipe) -> Path:
    """``store/recipes/<name>-<digest16>.json``; the digest covers what the measurement depends on.

    A record another recipe left for the same digest is used: recipes that pretrain the same series share its backbones,
    which a second measurement, with another number of tokens, would train again.
    """
    folder = Path(store) / "recipes"
    digest = recipe.measurement_digest[:SHORT_KEY]
    return min(folder.glob(f"*-{digest}.json"), default=folder / f"{recipe.name}-{digest}.json")


def read_resolved(store: str | Path, recipe: Recipe) -> dict[str, Any] | None:
    """The stored measurement of this recipe, or None.

    Raises:
        StoreError: the record is damaged.
    """
    if recipe.pretrain is None:
        return None
    path = resolved_path(store, recipe)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["tokens"], dict) or set(record["tokens"]) != set(recipe.series) or seal_broken(record):
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"{path}: damaged record", fix="delete the file; the speed is measured again") from None
    if record.get("schema", SCHEMA) != SCHEMA:  # measurements of the first stores carry no version
        problem, fix = wrong_schema(path, record["schema"], SCHEMA)
        raise StoreError(problem, fix=fix)
    return dict(record)


def write_resolved(
    store: str | Path, recipe: Recipe, tokens: Mapping[str, int], *, dtype: str, probe: Mapping[str, Any]
) -> Path:
    """Store a measurement; an existing record stays, so that running again trains nothing new.

    Args:
        tokens: tokens for each size of the series.
        dtype: ``bf16`` or ``fp32``, the number format of the pretraining.
        probe: what was measured, e.g. tokens per second of each size.
    """
    path = resolved_path(store, recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = sealed(
        {"schema": SCHEMA, "name": recipe.name, "tokens": dict(tokens), "dtype": dtype, "probe": dict(probe)}
    )
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path


def resolve_recipe(recipe: Recipe, store: str | Path) -> Recipe:
    """The recipe with its stored measurement, or unchanged where there is none or none is needed."""
    if not recipe.needs_measurement:
        return recipe
    record = read_resolved(store, recipe)
    return recipe if record is None else recipe.with_tokens(record["tokens"], record.get("dtype"))
