"""What the golden file pins: stage keys of the shipped recipes, with everything outside code and recipes stubbed.

Fingerprints of weights, of the world's generator and of data files are replaced by fixed texts, so the files change
only when the code or a recipe changes a key. `python tests/golden/stage_keys.py` writes it anew after a wanted change.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from adapterxfer.catalog import METHODS, VARIANTS, backbones, task_names, tasks
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.plan.generations import NEWEST
from adapterxfer.recipe import load_recipe

GOLDEN = Path(__file__).with_name("stage_keys.json")
EARLIER = Path(__file__).with_name("earlier_keys.json")
PARTS = Path(__file__).with_name("part_keys.json")
RECIPES = Path(__file__).parents[2] / "recipes"

UPPER = ("seq_bn", "double_seq_bn", "par_bn")
"""Methods that may leave the lower half of the layers out."""

PINNED_FIRST = (
    "anli+", "anli", "mnli", "snli", "qqp", "squad-v1", "squad-retrieval", "squad-v2", "hellaswag", "ccg", "cosmosqa",
    "commonsenseqa", "siqa", "scitail", "boolq", "race", "winogrande", "squad-gold-sentence",
)  # fmt: skip
"""Intermediate tasks in the order of the pinned recipes, which names the stages that train on all of them."""

MERGES = {
    "average": "{kind: average}",
    "arithmetic": "{kind: arithmetic, intermediate: 0.4, target: 0.8}",
    "full": "{kind: average, of: full-ft}",
    "soup": "{kind: soup, of: stack, members: 2}",
}


def stubbed_plan(path: Path, generation: int = NEWEST) -> Plan:
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
        return build_plan(recipe, sources=sources, generation=generation)


def earlier_keys(generation: int) -> dict[str, dict[str, str]]:
    """Keys of small recipes as a generation had them, where they are not today's."""
    table = {}
    for name, text in part_recipes().items():
        today = part_keys(text)
        earlier = part_keys(text, generation)
        table[name] = {cell: key for cell, key in earlier.items() if key != today[cell]}
    return {name: keys for name, keys in table.items() if keys}


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


def part_recipes() -> dict[str, str]:
    """Small recipes that name every adapter method, task, variant and way of joining weights once."""
    methods = ", ".join(_smallest(method) for method in METHODS)
    upper = ", ".join(f"{{method: {name}, bottleneck_size: 8, layers: upper-half}}" for name in UPPER)
    real = [name for name in task_names("target") if not tasks()[name].synthetic]
    world = [name for name in task_names("target") if tasks()[name].synthetic]
    first = [
        *PINNED_FIRST,
        *(n for n in task_names("intermediate") if not tasks()[n].synthetic and n not in PINNED_FIRST),
    ]
    first_world = [name for name in task_names("intermediate") if tasks()[name].synthetic]
    one = "adapters: [{method: seq_bn, reduction_factor: 16}]\n"
    xlm_r, nano = "backbones: [xlm-r-base]\n", "backbones: [world-nano]\n"
    recipes = {
        "methods": f"{xlm_r}{_tasks(['none', 'mnli'], ['xnli'])}variants: [stack]\nadapters: [{methods}, {upper}]\n",
        "targets": f"{xlm_r}{_tasks(['none', 'mnli'], real)}variants: [full-ft, stack]\n{one}data_root: data\n",
        "world-targets": f"{nano}{_tasks(['none', 'world-nli'], world)}variants: [full-ft, stack]\n{one}",
        "intermediates": f"{xlm_r}{_tasks(['none', *first, 'multi', 'pool'], ['pawsx', 'sib200'])}"
        f"variants: [sequential, fuse]\n{one}data_root: data\n",
        "world-intermediates": f"{nano}{_tasks(['none', *first_world], ['world-xnli'])}variants: [stack]\n{one}",
        "variants": f"{nano}{_tasks(['none', 'world-nli', 'world-qa', 'pool'], ['world-xnli', 'world-retrieval'])}"
        f"variants: [{', '.join(name for name in VARIANTS if name != 'merge')}]\n{one}"
        "fusion_task: world-qa\noracle: true\n",
    }
    for name, options in MERGES.items():
        recipes[f"merge-{name}"] = (
            f"{nano}{_tasks(['none', 'world-nli'], ['world-xnli'])}"
            f"variants: [stack, full-ft, merge]\n{one}merge: {options}\n"
        )
    return recipes


def _smallest(method: str) -> str:
    sizes = METHODS[method].sizes
    return f"{{method: {method}{f', {sizes[0]}: 8' if sizes else ''}}}"


def _tasks(intermediate: list[str], target: list[str]) -> str:
    return f"intermediate_tasks: [{', '.join(intermediate)}]\ntarget_tasks: [{', '.join(target)}]\n"


def part_keys(text: str, generation: int = NEWEST) -> dict[str, str]:
    """Cell -> beginning of the key of its predictions, which covers the keys of all that they come from."""
    settings = "seeds: [1, 2]\ntrain:\n  default: {batch_size: 8, steps: 10, learning_rate: 1e-3}\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.yaml"
        path.write_text(f"recipe: 1\nname: part\n{text}{settings}", encoding="utf-8")
        plan = stubbed_plan(path, generation)
    table = {}
    for cell in plan.cells:
        if cell.seed < 2:
            parts = (
                cell.backbone,
                cell.control or cell.variant,
                cell.adapter,
                cell.intermediate,
                cell.target,
                str(cell.seed),
            )
            table[" ".join(part or "-" for part in parts)] = cell.predict[:16]
    return table


def collect_parts() -> dict[str, dict[str, str]]:
    """The content of the second golden file."""
    return {name: part_keys(text) for name, text in part_recipes().items()}


if __name__ == "__main__":
    earlier = {str(number): earlier_keys(number) for number in range(1, NEWEST)}
    for path, content in ((GOLDEN, collect()), (PARTS, collect_parts()), (EARLIER, earlier)):
        path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
