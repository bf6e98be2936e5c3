"""What the golden file pins: stage keys of the shipped recipes, with everything outside code and recipes stubbed.

Fingerprints of weights, of the world's generator and of data files are replaced by fixed texts, so the file changes
only when the code or a recipe changes a key. `python tests/golden/stage_keys.py` writes it anew after a wanted change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from adapterxfer.catalog import backbones
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.recipe import load_recipe

GOLDEN = Path(__file__).with_name("stage_keys.json")
RECIPES = Path(__file__).parents[2] / "recipes"


def stubbed_plan(path: Path) -> Plan:
    """The plan of a recipe with fixed fingerprints and sizes."""
    recipe = load_recipe(path)
    table = {
        name: replace(entry, fingerprint=f"weights of {name}", parameters=1, non_embedding_parameters=1)
        for name, entry in backbones().items()
    }
    sources = Sources(
        recipe,
        files=lambda asked, root: {name: {"kind": "files", "files": {name: "hash"}} for name, _ in asked},
        world=lambda: "generator",
    )
    with (
        patch("adapterxfer.plan.backbones.backbones", lambda: table),
    ):
        return build_plan(recipe, sources=sources)


def summarise(plan: Plan) -> dict[str, Any]:
    """Per stage kind: how many stages, one number over all keys, and the identity of the first one to read."""
    found: dict[str, Any] = {}
    for kind, count in plan.counts().items():
        stages = [stage for stage in plan.stages.values() if stage.kind == kind]
        keys = "\n".join(sorted(stage.key for stage in stages))
        first: dict[str, Any] = {"key": stages[0].key, "inputs": sorted(stages[0].inputs)}
        if kind != "report":
            first["identity"] = dict(stages[0].identity)
        else:
            first["inputs"] = len(stages[0].inputs)
        found[kind] = {"count": count, "keys": hashlib.sha256(keys.encode()).hexdigest(), "first": first}
    return found


def collect() -> dict[str, Any]:
    """The content of the golden file."""
    return {path.stem: summarise(stubbed_plan(path)) for path in sorted(RECIPES.glob("*.yaml"))}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(collect(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
