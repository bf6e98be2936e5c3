"""Stages and cells that are spelled out late are those that would have been spelled out at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.rows import Stages
from adapterxfer.recipe import load_recipe
from adapterxfer.store.keys import Stage

RECIPES = Path(__file__).parents[3] / "recipes"
SMALL = {
    "quickstart": (),
    "world-few-shot": (),
    "world-full": ("oracle=true", "seeds=[1, 2]"),
    "world-rates": ("world=true",),
    "xtreme-r-scaling": ("backbones=[xlm-r-base]", "seeds=[1, 2]"),
}


@pytest.fixture(scope="module", params=SMALL)
def plan(request: pytest.FixtureRequest) -> Plan:
    return build_plan(load_recipe(RECIPES / f"{request.param}.yaml", SMALL[request.param]))


def test_every_stage_has_the_key_of_what_is_spelled_out(plan: Plan) -> None:
    for key, stage in plan.stages.items():
        whole = Stage(kind=stage.kind, version=stage.version, identity=stage.identity, inputs=stage.inputs)
        assert whole.key == stage.key == key


def test_stages_do_not_depend_on_the_order_in_which_they_are_asked_for(plan: Plan) -> None:
    again = build_plan(plan.recipe)
    keys = list(again.stages)
    assert keys == list(plan.stages)
    random.Random(0).shuffle(keys)
    assert {key: again.stages[key] for key in keys} == dict(plan.stages)


def test_rows_say_of_their_stages_what_these_say(plan: Plan) -> None:
    keys: list[str] = []
    for row, members in plan.stages.rows.items():
        keys += members
        for stage in map(plan.stages.__getitem__, members):
            assert (row.kind, row.resources) == (stage.kind, stage.resources)
            assert row.labels.get("backbone") == stage.labels.get("backbone")
            same = {
                **stage.identity,
                **{name: row.identity[name] for name in ("seed", "cells") if name in row.identity},
            }
            assert row.identity == same
            assert set(row.given) <= set(stage.inputs.values())
    assert sorted(keys) == sorted(plan.stages)


def test_stages_of_a_kind_are_in_the_order_of_the_plan(plan: Plan) -> None:
    for kind, count in plan.counts().items():
        stages = list(plan.stages.of_kind(kind))
        assert stages == [stage for stage in plan.stages.values() if stage.kind == kind]
        assert len(stages) == count


def test_stages_are_ready_as_soon_as_their_inputs_are_done(plan: Plan) -> None:
    keys = list(plan.stages)
    for number in (0, 1, len(keys) // 3, len(keys) - 1):
        done = set(keys[:number])
        ready = {
            key for key, stage in plan.stages.items() if key not in done and done.issuperset(stage.inputs.values())
        }
        assert plan.stages.ready(done) == ready


def test_cells_are_those_of_the_report(plan: Plan) -> None:
    assert plan.report is not None
    roles = plan.report.inputs
    listed = plan.report.identity["cells"]
    assert [roles[entry["predict"]] for entry in listed] == [cell.predict for cell in plan.cells]
    assert [{k: v for k, v in entry.items() if k != "predict"} for entry in listed] == [c.labels() for c in plan.cells]
    assert len(plan.cells) == len(listed)
    assert plan.cells[1:3] == tuple(plan.cells)[1:3]


def test_a_stage_that_is_there_stays() -> None:
    first, second = (Stage(kind="prepare", version=1, identity={}, inputs={}, slug=slug) for slug in ("a", "b"))
    stages, others = Stages(), Stages()
    assert stages.add(first) == stages.add(second) == others.add(second)
    stages.join(others)
    assert (len(stages), stages[first.key].slug, len(stages.rows)) == (1, "a", 1)
    with pytest.raises(KeyError):
        stages["0" * 64]
