"""The oracle: the same trainings, selected by the target languages; beside the study and never a part of it."""

from __future__ import annotations

import pytest

from adapterxfer.catalog import ORACLE
from adapterxfer.errors import RecipeError
from adapterxfer.hub.choosing import choose
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.recipe import parse_recipe

STUDY = """\
recipe: 1
name: study
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-pos, world-retrieval]
variants: [full-ft, stack, fuse, merge, head-only]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
controls: false
train:
  default: {learning_rate: 1e-3, steps: 10, selection: mean, mean_of: 2}
"""
REAL = (
    STUDY.replace("world-nano", "xlm-r-base")
    .replace("world-nli", "mnli")
    .replace("[world-pos, world-retrieval]", "[xnli]")
)


def planned(*set_: str, text: str = STUDY) -> Plan:
    recipe = parse_recipe(text, "r", set_)
    return build_plan(recipe, sources=Sources(recipe, world=lambda: "w"))


def test_without_it_every_key_stays() -> None:
    plain, made = planned(), planned("oracle=true")
    assert set(plain.stages) - set(made.stages) == {plain.report.key}  # type: ignore[union-attr]
    studied = [cell for cell in made.cells if not cell.control.startswith(ORACLE)]
    assert studied == list(plain.cells)


def test_one_cell_beside_each_training() -> None:
    plan = planned("oracle=true")
    found = {cell.control.removeprefix(ORACLE): cell for cell in plan.cells if cell.control.startswith(ORACLE)}
    assert set(found) == {
        "full-ft",
        "full-ft after world-nli",
        "adapter baseline seq_bn/2",
        "stack seq_bn/2 after world-nli",
        "fuse seq_bn/2 after world-nli",
    }
    for name, cell in found.items():
        assert (cell.variant, cell.target) == ("control", "world-pos")
        model = plan.stages[plan.stages[cell.predict].inputs["model"]]
        settings = model.identity["settings"]
        assert settings["selection"] == "oracle"
        assert "mean_of" not in settings
        dev = plan.stages[model.inputs["target_dev"]].identity
        assert dev["what"] == "target-dev"
        assert "en" not in dev["languages"]
        for role, key in model.inputs.items():
            before = plan.stages[key]
            if before.kind.startswith("train"):
                assert before.identity["settings"]["selection"] == "mean", f"{name}: {role} is the study's own"


def test_only_where_there_are_data() -> None:
    with pytest.raises(RecipeError, match="development data in the target languages, which are read for tasks of the"):
        parse_recipe(REAL, "r", ("oracle=true",))
    made = planned("oracle=true", "world=true", text=REAL)
    dev = next(s for s in made.stages.values() if s.identity.get("what") == "target-dev")
    assert dev.identity["task"] == "xnli"
    with pytest.raises(RecipeError, match="oracle"):
        parse_recipe(STUDY, "r", ("oracle=false",))
    with pytest.raises(RecipeError, match="selection"):
        parse_recipe(STUDY, "r", ("train.default.selection=oracle",))


def test_it_is_never_published() -> None:
    made, plain = planned("oracle=true"), planned()
    assert choose(made) == choose(plain)
