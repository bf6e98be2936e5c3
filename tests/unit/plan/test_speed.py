"""Planning grows linearly with the number of stages, in operations and not in seconds, so that load does not matter."""

from __future__ import annotations

import sys
from pathlib import Path

from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe

SCALING = Path(__file__).parents[3] / "recipes" / "xtreme-r-scaling.yaml"


def calls(*set_: str) -> tuple[int, int]:
    """Stages of a plan, and Python calls made while planning."""
    recipe = load_recipe(SCALING, set_)
    number = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal number
        number += event == "call"

    sys.setprofile(count)
    try:
        plan = build_plan(recipe)
    finally:
        sys.setprofile(None)
    return len(plan.stages), number


def test_work_per_stage_does_not_grow() -> None:
    few, work_few = calls("seeds=[1]", "backbones=[xlm-r-base, xlm-r-xxl]")
    many, work_many = calls("seeds=[1, 2, 3]", "backbones=[xlm-r-base, xlm-r-large, xlm-r-xl, xlm-r-xxl]")
    assert many > 5 * few
    assert work_many / many < 1.2 * work_few / few
    assert work_many / many < 60
