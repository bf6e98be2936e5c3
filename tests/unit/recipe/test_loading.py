"""A recipe's mistakes: all at once, each at its place, with the closest known word."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.recipe import load_recipe, parse_recipe
from adapterxfer.recipe.checks import notes

RECIPES = Path(__file__).parents[3] / "recipes"

GOOD = """\
recipe: 1
name: small
backbones: [xlm-r-base, xlm-r-large]
intermediate_tasks: [none, mnli, squad-v1]
target_tasks: [xnli, tatoeba]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 16}]
seeds: [1, 2]
train:
  default: {learning_rate: 1e-4, steps: 10}
"""

BAD = """\
recipe: 1
name: small
backbones: [xlm-r-base, xlm-r-larg]
intermediate_tasks: [none, mnly]
target_tasks: [xnli]
variants: [full-ft, stak]
adapters: [{method: seq_bn, reduction_factor: 16, rank: 8}, {method: lora, rank: 0}]
seeds: [1, "three", 010, no]
train:
  default: {learning_rat: 1e-4, warmup_fraction: 1.5}
  full-f: {learning_rate: 1e-5}
exclude:
  - {variant: fuse}
controls: maybe
name: again
"""


def problems(text: str, *set_: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "r.yaml", set_)
    return str(caught.value).splitlines()


def test_every_problem_at_once_with_position_and_suggestion() -> None:
    lines = problems(BAD)
    assert lines[0] == "r.yaml: 14 problems"
    text = "\n".join(lines)
    for expected in (
        "r.yaml:3:25: backbones.1 = 'xlm-r-larg' is not one of: ",
        "(did you mean 'xlm-r-large'?)",
        "r.yaml:4:28: intermediate_tasks.1 = 'mnly' is not one of: ",
        "(did you mean 'mnli'?)",
        "r.yaml:6:21: variants.1 = 'stak' is not one of: full-ft, sequential, stack, fuse, merge, head-only "
        "(did you mean 'stack'?)",
        "adapter method 'seq_bn' has no rank",
        "r.yaml:7:82: adapters.1.rank = 0: input should be greater than or equal to 1",
        "r.yaml:8:12: seeds.1 = 'three': input should be a valid integer",
        "r.yaml:8:21: 010 has a leading zero",
        "r.yaml:8:26: seeds.3 = 'no': input should be a valid integer",
        "r.yaml:10:13: unknown key 'train.default.learning_rat' (did you mean 'learning_rate'?)",
        "r.yaml:10:50: train.default.warmup_fraction = 1.5: input should be less than or equal to 1",
        "r.yaml:11:3: key 'train.full-f' is not one of: ",
        "r.yaml:13:5: key 'exclude.0.because' is missing",
        "r.yaml:14:11: controls = 'maybe' should be true, false or a list of controls",
        "r.yaml:15:1: key 'name' appears twice (first on line 2)",
    ):
        assert expected in text, expected


def test_good_recipe_loads_and_is_frozen() -> None:
    recipe = parse_recipe(GOOD)
    assert recipe.seeds == (1, 2)
    assert recipe.adapters[0].label == "seq_bn/16"
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("adapters=[]", "variant 'stack' needs adapters"),
        ("intermediate_tasks=[mnli, squad-v1]", "add it"),
        ("intermediate_tasks=[none, pool, mnli]", "at least two"),
        ("intermediate_tasks=[none, multi, mnli]", "multi.tasks"),
        ("seeds=[1, 1]", "'1' appears twice"),
        ("train={default: {learning_rate: 1e-4}}", "no steps or epochs for full-ft"),
        ("train={default: {steps: 5, epochs: 2, learning_rate: 1e-4}}", "steps and epochs both"),
        ("train={full-ft: {steps: 5, learning_rate: 1e-4}}", "for adapters on mnli"),
        ("adapters=[{method: lora, rank: 8}]", "cannot run as 'fuse' (AdapterFusion mixes"),
        (
            "adapters=[{method: lora, rank: 8}]",
            "nearest that runs: stack/lora; or add to exclude: {variant: fuse, adapter: lora",
        ),
        ("adapters=[{method: seq_bn}]", "needs its size"),
        ("tasks={xnli: {languages: [en, xx]}}", "language 'xx' is not one of"),
        ("exclude=[{because: x}]", "names at least one of"),
        ("fusion_task=tatoeba", "no training data"),
        ("recipe=2", "recipe = 2"),
        ("backbones=[]", "at least 1 item"),
        ("backbones=xlm-r-base", "should be a list"),
        ("train.default=5", "should be a block of keys"),
        ("name=Bad Name", "short name"),
        ("statistics.hypotheses=[{contrast: gain}]", "key 'statistics.hypotheses.0.id' is missing"),
        (
            "resources={xlm-r-base: {adapters: {gpus: 2, sharding: fsdp}}}",
            "xlm-r-base.adapters.sharding: fsdp is for full-ft",
        ),
        ("nothing", "expected key=value"),
        ("seeds.7=1", "nothing can be set at 'seeds.7'"),
        ("train.default.steps=[", "--set train.default.steps=["),
        ("train.default.steps=007", "leading zero"),
    ],
)
def test_contradictions_and_wrong_changes(change: str, part: str) -> None:
    assert part in "\n".join(problems(GOOD, change))


def test_set_reaches_nested_values_and_new_blocks() -> None:
    recipe = parse_recipe(
        GOOD, "r", ["train.xnli.full-ft.steps=5", "seeds=[7]", "adapters.0.reduction_factor=2", "data_root=/some/where"]
    )
    block = recipe.train["xnli"].full_ft
    assert block is not None
    assert block.steps == 5
    assert recipe.seeds == (7,)
    assert recipe.adapters[0].reduction_factor == 2
    assert recipe.data_root == "/some/where"


def test_parts_without_effect_are_notes() -> None:
    recipe = parse_recipe(GOOD, "r", ["tasks={xquad: {test_examples: 5}}", "exclude=[{seed: 9, because: x}]"])
    assert notes(recipe) == ["task 'xquad' has options but is not used", "exclusion 1 never applies: no seed is 9"]


def test_where_data_lie_is_not_part_of_the_digest() -> None:
    assert parse_recipe(GOOD).digest == parse_recipe(GOOD, "r", ["data_root=/x"]).digest
    assert parse_recipe(GOOD).digest != parse_recipe(GOOD, "r", ["seeds=[3]"]).digest


def test_missing_file_is_a_recipe_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read: No such file"):
        load_recipe(tmp_path / "absent.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_load_and_resolve_to_themselves(path: Path) -> None:
    recipe = load_recipe(path)
    again = parse_recipe(_as_yaml(recipe.resolved()))
    assert again.digest == recipe.digest
    assert path.stem == recipe.name


def _as_yaml(value: object) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False)
