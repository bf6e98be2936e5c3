"""Groups of seeds in a plan: one training for all, one stage for each, and everything else as it was."""

from __future__ import annotations

from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.recipe import parse_recipe
from adapterxfer.store.keys import Stage

TEXT = """\
recipe: 1
name: together
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, stack, fuse, head-only]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2, 3]
controls: false
train:
  default: {learning_rate: 1e-3, steps: 10, seeds_together: true}
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


def test_one_group_for_all_seeds_of_a_training() -> None:
    made = plan()
    groups = of(made, "train_together")
    assert sorted(stage.labels["variant"] for stage in groups) == ["adapter", "adapter", "head-only", "stack"]
    assert made.counts()["train_intermediate"] == 6  # three of them of full-ft
    (stack,) = of(made, "train_together", variant="stack")
    assert stack.identity["phase"] == {"kind": "train_target", "version": 3}
    assert stack.identity["seeds"] == [1, 2, 3]
    assert "seed" not in stack.identity
    assert stack.labels["seed"] == "1+2+3"
    for seed in (1, 2, 3):
        (own,) = of(made, "train_target", variant="stack", seed=seed)
        (before,) = of(made, "train_intermediate", variant="adapter", seed=seed)
        assert own.inputs["together"] == stack.key
        assert own.inputs["intermediate"] == stack.inputs[f"intermediate.{seed}"] == before.key
        assert own.inputs["data"] == stack.inputs["data"]
        assert own.identity["seed"] == seed
        assert own.resources["cost"] < stack.resources["cost"] / 1000
        (alone,) = of(plan(TEXT.replace(", seeds_together: true", "")), "train_target", variant="stack", seed=seed)
        assert stack.resources["cost"] == 3 * alone.resources["cost"]
        assert own.slug == alone.slug
        (fusion,) = of(made, "train_fusion", seed=seed)
        assert "together" not in fusion.inputs
        assert "seeds_together" not in fusion.identity["settings"]
        assert made.stages[fusion.inputs["target"]].inputs["together"]
    seen: set[str] = set()
    for key, stage in made.stages.items():
        assert seen.issuperset(stage.inputs.values())
        assert Stage.from_json(stage.as_json()).key == key
        seen.add(key)


def test_without_the_option_all_keys_are_as_before_and_with_it_what_does_not_have_it() -> None:
    plain, off, made = plan(TEXT.replace(", seeds_together: true", "")), plan(TEXT.replace("true}", "false}")), plan()
    assert set(off.stages) == set(plain.stages)
    full = {stage.key for stage in plain.stages.values() if stage.labels.get("variant") == "full-ft"}
    assert full
    assert full <= set(made.stages)
    assert not any(stage.identity.get("settings", {}).get("seeds_together") for stage in plain.stages.values())


def test_a_part_of_the_seeds_needs_the_same_group() -> None:
    whole, part = plan(), plan(only=("seed=2", "variant=stack"))
    assert set(part.stages) - {part.report.key if part.report else ""} <= set(whole.stages)
    assert {cell.seed for cell in part.cells} == {2}
    assert len(of(part, "train_target", variant="stack")) == 1
    assert len(of(part, "train_intermediate")) == 3
    excluded = TEXT + "exclude: [{variant: stack, seed: [3], because: a test}]\n"
    assert {s.key for s in of(plan(excluded), "train_together")} == {s.key for s in of(whole, "train_together")}


def test_another_list_of_seeds_is_another_group() -> None:
    fewer = plan(TEXT.replace("[1, 2, 3]", "[1, 2]"))
    both = {stage.key for stage in of(plan(), "train_target", variant="stack")}
    assert not both & {stage.key for stage in of(fewer, "train_target", variant="stack")}
    assert plan(TEXT.replace("[1, 2, 3]", "[1]")).counts().get("train_together") is None


def test_the_oracle_has_groups_of_its_own() -> None:
    made = plan(TEXT.replace("controls: false", "controls: false\noracle: true"))
    (own, group) = (of(made, kind, variant="stack", control="oracle") for kind in ("train_target", "train_together"))
    assert len(group) == 1
    assert {stage.inputs["together"] for stage in own} == {group[0].key}
    assert group[0].identity["settings"]["selection"] == "oracle"
    assert group[0].inputs["target_dev"] == own[0].inputs["target_dev"]
    assert group[0].slug.endswith("-3-seeds-oracle")
