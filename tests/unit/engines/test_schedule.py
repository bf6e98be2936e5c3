"""The order in which ready stages start, and errors between processes."""

from __future__ import annotations

from typing import Any

import pytest

from adapterxfer import errors
from adapterxfer.engines.schedule import Schedule, backbone_name, cost
from adapterxfer.engines.wire import error_as_json, error_from_json
from adapterxfer.store.keys import Stage


def stage(kind: str, name: str, *inputs: Stage, backbone: str = "", **resources: float) -> Stage:
    identity: dict[str, Any] = {"name": name, **({"backbone": {"name": backbone}} if backbone else {})}
    return Stage(
        kind=kind,
        version=1,
        identity=identity,
        inputs={str(n): other.key for n, other in enumerate(inputs)},
        slug=name,
        resources=resources,
    )


def schedule(*stages: Stage, done: tuple[Stage, ...] = ()) -> Schedule:
    return Schedule({item.key: item for item in stages}, {item.key for item in done})


def drain(plan: Schedule, backbone: str = "") -> list[str]:
    order = []
    while (taken := plan.take(backbone)) is not None:
        order.append(taken.slug)
        plan.finish(taken.key)
    return order


def test_longest_work_behind_a_stage_decides() -> None:
    target_alone = stage("train_target", "alone")
    intermediate = stage("train_intermediate", "intermediate")
    target = stage("train_target", "target", intermediate)
    predictions = [stage("predict", "p1", target_alone), stage("predict", "p2", target)]
    plan = schedule(target_alone, intermediate, target, *predictions)
    assert drain(plan) == ["intermediate", "alone", "target", "p1", "p2"]


def test_declared_cost_wins_over_the_default() -> None:
    assert cost(stage("predict", "a", cost=50.0)) == 50.0
    assert cost(stage("predict", "a")) == 2.0
    assert drain(schedule(stage("train_target", "a"), stage("predict", "b", cost=50.0))) == ["b", "a"]


def test_inputs_with_results_do_not_count() -> None:
    root = stage("prepare", "root")
    child = stage("predict", "child", root, root)
    assert drain(schedule(child, done=(root,))) == ["child"]
    assert drain(schedule(root, child)) == ["root", "child"]


def test_a_worker_stays_with_its_backbone_where_that_costs_little() -> None:
    stages = [stage("train_target", name, backbone=name[0]) for name in ("a1", "b1", "a2", "b2")]
    assert schedule(*stages).take("b").slug == "b1"  # type: ignore[union-attr]
    assert drain(schedule(*stages), "b") == ["b1", "b2", "a1", "a2"]
    long = stage("pretrain", "a0", backbone="a")
    assert schedule(long, *stages).take("b").slug == "a0"  # type: ignore[union-attr]
    assert (
        backbone_name(Stage(kind="predict", version=1, identity={}, inputs={}, labels={"backbone": "tiny"})) == "tiny"
    )


def test_dependents_are_transitive_and_in_plan_order() -> None:
    a = stage("prepare", "a")
    b, c = stage("train_target", "b", a), stage("train_target", "c", a)
    d = stage("report", "d", b, c)
    assert schedule(a, b, c, d).dependents(a.key) == [b.key, c.key, d.key]
    assert schedule(a, b, c, d).dependents(b.key) == [d.key]


@pytest.mark.parametrize("kind", [errors.DataError, errors.StoreError, errors.VariantError, errors.BackboneError])
def test_our_errors_keep_type_text_and_fix(kind: type[errors.AdapterxferError]) -> None:
    error = error_from_json(error_as_json(kind("x: broken", fix="mend x")))
    assert type(error) is kind
    assert (error.what, error.fix, error.exit_code) == ("x: broken", "mend x", kind.exit_code)


def test_recipe_and_dependency_errors_survive_in_spite_of_their_signatures() -> None:
    recipe = errors.RecipeError("x.yaml", [errors.Problem(1, 2, "bad")])
    assert str(error_from_json(error_as_json(recipe))) == str(recipe)
    missing = errors.MissingDependency("ray", "ray")
    assert str(error_from_json(error_as_json(missing))) == str(missing)


def test_other_errors_become_stage_errors_that_name_the_type() -> None:
    error = error_from_json(error_as_json(KeyError("width")))
    assert type(error) is errors.StageError
    assert error.what == "KeyError: 'width'"
    assert "ValueError" in error_from_json(error_as_json(ValueError())).what
