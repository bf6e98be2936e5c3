"""Choices in a plan: candidates that are shared, a choice for each backbone, mode and task, and static keys."""

from __future__ import annotations

import pytest

from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.plan.choosing import choices_made, concrete
from adapterxfer.plan.common_rates import common_studies
from adapterxfer.recipe import parse_recipe
from adapterxfer.store.keys import Stage

GRID = "{choose: [1e-3, 3e-3], by: dev}"
TEXT = f"""\
recipe: 1
name: chosen
backbones: [world-nano, world-micro]
intermediate_tasks: [none, world-nli, world-qa, pool]
target_tasks: [world-xnli]
variants: [full-ft, sequential, stack, fuse, head-only]
adapters: [{{method: seq_bn, reduction_factor: 2}}]
seeds: [1, 2]
controls: false
train:
  default: {{learning_rate: {GRID}, steps: 10}}
"""


def plan(text: str = TEXT, only: tuple[str, ...] = ()) -> Plan:
    recipe = parse_recipe(text, "r")
    sources = Sources(
        recipe, files=lambda asked, root: {name: {"kind": "files", "files": {}} for name, _ in asked}, world=lambda: "w"
    )
    return build_plan(recipe, only=only, sources=sources)


def of(plan: Plan, kind: str, **labels: object) -> list[Stage]:
    return [
        stage
        for stage in plan.stages.values()
        if stage.kind == kind and all(stage.labels.get(key) == value for key, value in labels.items())
    ]


def test_one_choice_for_each_backbone_mode_and_task() -> None:
    made = plan()
    # Targets: full-ft, adapters, head-only; intermediates: two tasks in two modes; one for fusions.
    assert made.counts()["choose"] == 2 * (3 + 4 + 1)
    assert made.counts()["train_candidate"] == 2 * made.counts()["choose"]
    adapters = {stage.inputs["choice"] for stage in of(made, "train_target", backbone="world-nano")} - {
        stage.inputs["choice"] for stage in of(made, "train_target", backbone="world-nano", adapter="")
    }
    assert len(adapters) == 1, "sequential, stack and the adapter alone share a choice"
    fusions = {stage.inputs["choice"] for stage in of(made, "train_fusion", backbone="world-nano")}
    assert len(fusions) == 1
    order = list(made.stages)
    for stage in made.stages.values():
        assert all(order.index(key) < order.index(stage.key) for key in stage.inputs.values())


def test_candidates_are_runs_apart_without_an_intermediate_task() -> None:
    made = plan()
    (choice,) = {stage.inputs["choice"] for stage in of(made, "train_target", backbone="world-nano", variant="stack")}
    stage = made.stages[choice]
    assert stage.identity == {
        "by": "dev",
        "grid": {"learning_rate": [1e-3, 3e-3]},
        "candidates": [{"learning_rate": 1e-3, "seed": 0}, {"learning_rate": 3e-3, "seed": 0}],
    }
    for key, rate in zip(stage.inputs.values(), (1e-3, 3e-3), strict=True):
        tried = made.stages[key]
        assert tried.identity["phase"] == {"kind": "train_target", "version": 3}
        assert tried.identity["settings"]["learning_rate"] == rate
        assert (tried.identity["seed"], tried.identity["composition"]) == (0, "fresh")
        assert "intermediate" not in tried.inputs
        assert "target_dev" not in tried.inputs
    (one, two) = of(made, "train_target", backbone="world-nano", variant="stack", intermediate="world-nli")
    assert one.identity["settings"]["learning_rate"] == {"choose": [1e-3, 3e-3]}
    assert one.identity["seed"] != two.identity["seed"]


def test_per_intermediate_starts_from_the_model_of_the_choosing_seed() -> None:
    made = plan(TEXT.replace("by: dev", "by: dev, per: intermediate, seeds: [7]"))
    choices = {
        stage.labels["intermediate"]: stage.inputs["choice"]
        for stage in of(made, "train_target", backbone="world-nano", variant="stack")
    }
    assert len(set(choices.values())) == 2
    for intermediate, key in choices.items():
        for candidate in made.stages[key].inputs.values():
            before = made.stages[made.stages[candidate].inputs["intermediate"]]
            assert before.identity["seed"] == 7
            assert before.labels["intermediate"] == intermediate
            assert "choice" in before.inputs
    fusions = {stage.labels["intermediate"]: stage.inputs["choice"] for stage in of(made, "train_fusion")}
    assert set(fusions) == {"world-nli", "world-qa", "pool"}
    assert len(set(fusions.values())) == 3


def test_overlapping_grids_share_their_candidates() -> None:
    wider = plan(TEXT.replace("[1e-3, 3e-3]", "[1e-3, 3e-3, 1e-2]"))
    keys = {stage.key for stage in of(plan(), "train_candidate")}
    assert keys < {stage.key for stage in of(wider, "train_candidate")} | {
        stage.key for stage in of(plan(), "train_candidate", variant="fuse")
    }, "only fusions start from models of another choice"
    reordered = plan(TEXT.replace("[1e-3, 3e-3]", "[3e-3, 1e-3]"))
    assert set(reordered.stages) == set(plan().stages)


def test_the_choice_does_not_depend_on_what_only_leaves() -> None:
    whole = set(plan().stages)
    for only in (("seed=2",), ("intermediate=world-qa",), ("variant=fuse",), ("variant=stack", "seed=1")):
        part = plan(only=only)
        assert {key for key, stage in part.stages.items() if stage.kind != "report"} <= whole
    more = plan(TEXT.replace("seeds: [1, 2]", "seeds: [1, 2, 3]"))
    assert {stage.key for stage in of(more, "choose")} == {stage.key for stage in of(plan(), "choose")}


def test_a_number_and_a_grid_have_different_keys_and_a_recipe_without_grids_is_as_before() -> None:
    fixed = plan(TEXT.replace(GRID, "1e-3"))
    assert "choose" not in fixed.counts()
    assert all("choice" not in stage.inputs for stage in fixed.stages.values())
    assert not {s.key for s in of(fixed, "train_target")} & {s.key for s in of(plan(), "train_target")}


def test_steps_and_rate_are_chosen_together() -> None:
    text = TEXT.replace("steps: 10", "steps: {choose: [5, 10], by: dev}")
    made = plan(text)
    assert made.counts()["train_candidate"] == 4 * made.counts()["choose"]
    stage = of(made, "choose", backbone="world-nano", variant="full-ft")[0]
    tried = [made.stages[key] for key in stage.inputs.values()]
    assert [(c["learning_rate"], c["steps"]) for c in stage.identity["candidates"]] == [
        (1e-3, 5), (1e-3, 10), (3e-3, 5), (3e-3, 10)
    ]  # fmt: skip
    assert tried[1].resources["cost"] == 2 * tried[0].resources["cost"] > 0


def test_groups_of_seeds_wait_for_the_choice_and_candidates_train_alone() -> None:
    made = plan(TEXT.replace("steps: 10", "steps: 10, seeds_together: true"))
    for group in of(made, "train_together"):
        assert "choice" in group.inputs
    for candidate in of(made, "train_candidate"):
        assert "seeds_together" not in candidate.identity["settings"]
    for kind in ("train_target", "train_intermediate"):
        for stage in of(made, kind, seed=0):
            assert "seeds_together" not in stage.identity["settings"]
            assert "together" not in stage.inputs


def test_the_oracle_uses_the_choice_of_the_training_beside_it() -> None:
    made = plan(TEXT + "oracle: true\n")
    for stage in of(made, "train_target", control="oracle", seed=1, variant="full-ft", backbone="world-nano"):
        beside = of(
            made, "train_target", seed=1, variant="full-ft", backbone="world-nano",
            intermediate=stage.labels["intermediate"], control=None,
        )  # fmt: skip
        assert [other.inputs["choice"] for other in beside] == [stage.inputs["choice"]]
    for stage in of(made, "train_candidate"):
        assert "target_dev" not in stage.inputs
        assert stage.identity["settings"]["selection"] == "last"


@pytest.mark.parametrize("before", [False, True])
def test_values_take_the_place_of_grids_only(before: bool) -> None:
    settings = {"learning_rate": {"choose": [1, 2]}, "steps": 5, "seeds_together": True}
    identity = {"settings": settings, "seed": 1}
    if before:
        identity["before"] = [{"task": "first", "settings": {"learning_rate": 7, "steps": {"choose": [1, 5]}}}]
    changed = concrete(identity, {"learning_rate": 2, "steps": 1})
    assert changed["settings"] == {"learning_rate": 2, "steps": 5}
    assert changed["seed"] == 1
    assert settings["learning_rate"] == {"choose": [1, 2]}
    if before:
        assert changed["before"] == [{"task": "first", "settings": {"learning_rate": 7, "steps": 1}}]


EACH = TEXT.replace("by: dev", "by: dev, also: each")


def test_the_nth_values_of_all_grids_make_a_study() -> None:
    text = EACH + "  full-ft: {learning_rate: {choose: [1e-4, 2e-4], by: dev, also: each}}\n"
    text += "  world-xnli: {adapters: {learning_rate: {choose: [7e-3, 5e-3], by: dev, also: each}}}\n"
    studies = list(common_studies(parse_recipe(text)))
    assert [rates for rates, _ in studies] == [
        {"default": 1e-3, "full-ft": 1e-4, "world-xnli.adapters": 5e-3},
        {"default": 3e-3, "full-ft": 2e-4, "world-xnli.adapters": 7e-3},
    ]
    second = studies[1][1]
    assert not second.chooses
    adapters = second.train["world-xnli"].adapters
    assert adapters is not None
    assert adapters.learning_rate == 7e-3
    assert list(common_studies(parse_recipe(TEXT))) == []


def test_a_task_with_its_own_grid_gives_its_nth_value_to_every_size() -> None:
    own = "  world-nli: {full-ft: {learning_rate: {choose: [1e-5, 2e-5], by: dev, also: each}}}\n"
    made = plan(EACH + own)
    rates: dict[tuple[str, object], set[str]] = {}
    for stage in of(made, "train_target", variant="full-ft", intermediate="world-nli", seed=1):
        before = made.stages[stage.inputs["intermediate"]]
        first, then = (s.identity["settings"]["learning_rate"] for s in (before, stage))
        if isinstance(then, float):
            rates.setdefault((first, then), set()).add(str(stage.labels["backbone"]))
    everyone = {"world-nano", "world-micro"}
    assert rates == {(1e-5, 1e-3): everyone, (2e-5, 3e-3): everyone}


def test_its_trainings_are_those_of_a_recipe_with_that_rate() -> None:
    made = plan(EACH)
    fixed = plan(TEXT.replace("{choose: [1e-3, 3e-3], by: dev}", "3e-3"))
    trained = {key for key, stage in fixed.stages.items() if stage.kind in ("train_target", "train_intermediate")}
    controls = {stage.key for stage in of(fixed, "train_target", variant="head-only")}
    assert trained - controls <= set(made.stages)
    assert not controls & set(made.stages)
    assert made.cells == plan().cells
    order = list(made.stages)
    for stage in made.stages.values():
        assert all(order.index(key) < order.index(stage.key) for key in stage.inputs.values())
    assert order[-1] == (made.report.key if made.report else "")


def test_the_report_knows_them_apart_from_its_cells() -> None:
    report = plan(EACH).report
    assert report is not None
    common = report.identity["common_rates"]
    assert [study["rates"] for study in common] == [{"default": 1e-3}, {"default": 3e-3}]
    for study in common:
        assert {cell["variant"] for cell in study["cells"]} == {"full-ft", "sequential", "stack", "fuse"}
        assert all(cell["predict"] in report.inputs for cell in study["cells"])
    choices = report.identity["choices"]
    assert {(row["phase"], row["variant"]) for row in choices} == {
        ("target", "full-ft"), ("target", "adapter"), ("target", "head-only"), ("intermediate", "full-ft"),
        ("intermediate", "adapter"), ("fusion", "fuse"),
    }  # fmt: skip
    assert all(row["role"] in report.inputs for row in choices)
    assert report.labels["common_blocks"] == {name: ["default"] for name in ("full-ft", "sequential", "stack", "fuse")}
    plain = plan(TEXT).report
    assert plain is not None
    assert "common_rates" not in plain.identity
    assert "common_blocks" not in plain.labels


def test_only_narrows_it_too() -> None:
    part = plan(EACH, only=("variant=head-only", "seed=1"))
    assert part.report is not None
    assert all(study["cells"] == [] for study in part.report.identity["common_rates"])
    stack = plan(EACH, only=("variant=stack", "backbone=world-nano"))
    assert set(stack.stages) - {stage.key for stage in of(stack, "report")} <= set(plan(EACH).stages)


def test_numbers_that_serve_several_sizes_are_told_beside_the_key() -> None:
    fixed = plan(TEXT.replace("{choose: [1e-3, 3e-3], by: dev}", "1e-3")).report
    assert fixed is not None
    shared = fixed.labels["shared_rates"]
    assert {"phase": "target", "variant": "stack", "rate": 1e-3, "backbones": ["world-nano", "world-micro"]} in shared
    for text in (TEXT, EACH):
        chosen = plan(text).report
        assert chosen is not None
        assert "shared_rates" not in chosen.labels
    one = plan(TEXT.replace(", world-micro", "").replace("{choose: [1e-3, 3e-3], by: dev}", "1e-3")).report
    assert one is not None
    assert "shared_rates" not in one.labels


def test_choices_in_words() -> None:
    (first, *_) = choices_made(plan().stages.of_kind("choose"), {})
    assert str(first) == "world-nano full-ft world-xnli: learning_rate not chosen yet, of 0.001, 0.003"
