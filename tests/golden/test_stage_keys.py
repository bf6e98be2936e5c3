"""A changed key sends stored results of every user out of date, so it must be seen in a diff and wanted."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from adapterxfer.plan.generations import NEWEST

_SPEC = importlib.util.spec_from_file_location("golden_stage_keys", Path(__file__).with_name("stage_keys.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
golden = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(golden)

RECIPES = sorted(golden.RECIPES.glob("*.yaml"))


def test_every_shipped_recipe_is_pinned() -> None:
    pinned = json.loads(golden.GOLDEN.read_text(encoding="utf-8"))
    assert sorted(pinned) == [path.stem for path in RECIPES], "run: python tests/golden/stage_keys.py"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_keys_of_a_recipe(path: Path) -> None:
    pinned = json.loads(golden.GOLDEN.read_text(encoding="utf-8"))[path.stem]
    found = json.loads(json.dumps(golden.summarise(golden.stubbed_plan(path))))
    for kind, values in pinned.items():
        assert found[kind]["first"] == values["first"], f"{kind}: if this is wanted, run tests/golden/stage_keys.py"
    assert found == pinned, "if this is wanted, run: python tests/golden/stage_keys.py"


@pytest.mark.parametrize("name", golden.part_recipes())
def test_keys_of_every_method_task_and_variant(name: str) -> None:
    pinned = json.loads(golden.PARTS.read_text(encoding="utf-8"))[name]
    keys = golden.part_keys(golden.part_recipes()[name])
    changed = [cell for cell in pinned if keys.get(cell) != pinned[cell]]
    assert not changed, "if this is wanted, run: python tests/golden/stage_keys.py"
    assert sorted(keys) == sorted(pinned), "new cells; run: python tests/golden/stage_keys.py"


@pytest.mark.parametrize("generation", range(1, NEWEST))
def test_keys_of_earlier_generations_stay(generation: int) -> None:
    """Results in the stores of users are found under these: they never change, whatever changes later."""
    pinned = json.loads(golden.EARLIER.read_text(encoding="utf-8"))
    assert golden.earlier_keys(generation) == pinned[str(generation)], (
        "if this is wanted, run: tests/golden/stage_keys.py"
    )
