"""Arms on the axis of intermediate tasks, and recipes of real tasks on the world."""

from __future__ import annotations

import pytest

from adapterxfer.catalog import tasks
from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.stand_ins import shared_heads, stand_in_backbones
from adapterxfer.errors import RecipeError
from adapterxfer.recipe import Recipe, parse_recipe
from adapterxfer.recipe.checks import notes
from adapterxfer.recipe.settings import training_settings

WORLD = """\
recipe: 1
name: study
backbones: [world-nano]
intermediate_tasks: [none, world-nli, multi]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft]
seeds: [1]
multi: {tasks: [world-nli, world-qa]}
train:
  default: {learning_rate: 1e-3, steps: 10}
"""
REAL = WORLD.replace("world-nano", "xlm-r-base, xlm-r-large").replace("world-x", "x").replace("world-", "")
REAL = (
    REAL.replace("nli, multi", "mnli, multi").replace("[nli, qa]", "[mnli, squad-v1]").replace("retrieval", "tatoeba")
)
REAL = REAL.replace("[none, nli", "[none, mnli")
MIX, MT = "mlm_mix={share: 0.25, texts: world}", "translated={folder: world}"


def load(*set_: str, text: str = WORLD) -> Recipe:
    return parse_recipe(text, "r", set_)


def problems(*set_: str, text: str = WORLD) -> str:
    with pytest.raises(RecipeError) as caught:
        load(*set_, text=text)
    return str(caught.value)


def test_names_of_arms() -> None:
    assert split_arm("anli+") == ("anli+", "")
    assert split_arm("anli++mlm") == ("anli+", "mlm")
    assert split_arm("multi+translated") == ("multi", "translated")
    assert split_arm("mlm") == ("mlm", "")


def test_an_option_adds_an_arm_for_every_intermediate_task() -> None:
    assert load(MIX).intermediate_tasks == ("none", "world-nli", "multi", "world-nli+mlm", "multi+mlm")
    both = load(MIX, MT).intermediate_tasks
    assert both[3:] == ("world-nli+mlm", "multi+mlm", "world-nli+translated", "multi+translated")
    named = load(MIX, MT, "intermediate_tasks=[none, world-nli+mlm, pool, world-qa]", "variants=[full-ft, fuse]",
                 "adapters=[{method: seq_bn, reduction_factor: 2}]")  # fmt: skip
    assert named.intermediate_tasks == ("none", "world-nli+mlm", "pool", "world-qa", "world-qa+translated")
    assert named.single_intermediates() == ("world-nli", "world-qa")
    # Written out and read again it is the same recipe.
    again = Recipe.model_validate(
        load(MIX).model_dump(by_alias=True), context={"backbones": ("world-nano",), "train": ("default",)}
    )
    assert again.intermediate_tasks == load(MIX).intermediate_tasks


def test_an_arm_needs_its_option() -> None:
    found = problems("intermediate_tasks=[none, world-nli+mlm, world-nli+translated]")
    assert "'world-nli+mlm' needs the option mlm_mix, e.g. mlm_mix: {share: 0.2, texts: FOLDER}" in found
    assert "'world-nli+translated' needs the option translated" in found
    assert "did you mean 'world-nli+mlm'" in problems("intermediate_tasks=[none, world-nli+mml]", MIX)
    assert "world-nli+mlm+translated" in problems("intermediate_tasks=[none, world-nli+mlm+translated]", MIX, MT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("mlm_mix={share: 1.0, texts: world}", "mlm_mix.share"),
        ("mlm_mix={share: 0, texts: world}", "mlm_mix.share"),
        ("mlm_mix={share: 0.2}", "texts"),
        ("mlm_mix={share: 0.2, texts: world, languages: [a1, zz]}", "language 'zz'"),
        ("mlm_mix={share: 0.2, texts: wiki}", "mlm_mix is 'wiki'; the tasks of its arms need world"),
        ("mlm_mix={share: 0.2, texts: world, sampling: {kind: capped}}", "belong together"),
        ("translated={folder: mt}", "translated is 'mt'; the tasks of its arms need world"),
        ("translated={folder: world, languages: [en]}", "translated has no language"),
    ],
)
def test_options_are_checked(change: str, message: str) -> None:
    assert message in problems(change)


def test_real_tasks_need_folders() -> None:
    assert "need a folder below data_root" in problems(MIX, text=REAL)
    recipe = load("mlm_mix={share: 0.2, texts: wiki}", "translated={folder: mt}", text=REAL)
    assert recipe.arm_languages("mlm")[:3] == ("en", "ar", "bg")
    assert "en" not in recipe.arm_languages("translated")
    assert set(recipe.languages_of("tatoeba")) <= set(recipe.arm_languages("translated"))


def test_blocks_of_an_arm_follow_those_of_its_task() -> None:
    recipe = load(MIX, "train.world-nli={learning_rate: 2e-3}", "train.world-nli+mlm={steps: 30}")
    plain, arm = (
        training_settings(recipe, phase="intermediate", mode="full-ft", task=name, backbone="world-nano")
        for name in ("world-nli", "world-nli+mlm")
    )
    assert (plain["learning_rate"], plain["steps"]) == (2e-3, 10)
    assert (arm["learning_rate"], arm["steps"]) == (2e-3, 30)


def test_options_without_an_arm_are_noted() -> None:
    recipe = load(MIX, MT, "intermediate_tasks=[none]", "multi={}")
    assert [note.partition(":")[0] for note in notes(recipe)] == ["mlm_mix has no effect", "translated has no effect"]


def test_tasks_keep_their_names_in_the_world() -> None:
    recipe = load("world=true", text=REAL)
    assert recipe.backbones == ("world-nano", "world-mini")
    assert recipe.target_tasks == ("xnli", "tatoeba")
    assert recipe.synthetic
    for name, task in recipe.used_tasks().items():
        real = tasks()[name]
        assert (task.name, task.role, task.format) == (name, real.role, real.format)
        assert task.source == "world"
        assert task.hub is None
    assert recipe.languages_of("xnli") == tasks()["world-xnli"].languages
    assert any("stand-ins" in note for note in notes(recipe))
    plain = load(text=REAL)
    assert not plain.synthetic
    assert plain.task("xnli") == tasks()["xnli"]


@pytest.mark.parametrize("name", [name for name, task in tasks().items() if not task.synthetic])
def test_every_task_has_a_stand_in_of_its_format(name: str) -> None:
    axis = "target_tasks" if tasks()[name].role == "target" else "multi.tasks"
    value = f"[{name}]" if axis == "target_tasks" else f"[mnli, {name if name != 'mnli' else 'snli'}]"
    task = load("world=true", f"{axis}={value}", text=REAL).task(name)
    assert task.format == tasks()[name].format
    assert tasks()[task.stand_in].format == task.format
    assert task.trained == tasks()[task.stand_in].trained


def test_languages_and_backbones_written_for_the_real_study_give_way() -> None:
    written = ("tasks={xnli: {languages: [de, sw], test_examples: 7}}", "translated={folder: mt, languages: [de]}")
    recipe = load("world=true", *written, text=REAL)
    assert recipe.languages_of("xnli") == tasks()["world-xnli"].languages
    assert "de" not in recipe.arm_languages("translated")
    chosen = load("world=true", "tasks={xnli: {languages: [a1, d3]}}", "backbones=[world-nano]", text=REAL)
    assert chosen.languages_of("xnli") == ("a1", "d3")
    assert chosen.backbones == ("world-nano",)
    five = load("world=true", "backbones=[xlm-r-xl, xlm-r-base, mmbert-small, xlm-r-large, xlm-r-xxl]", text=REAL)
    assert len(five.backbones) == len(set(five.backbones)) == 4
    assert five.backbones.index("world-small") < len(five.backbones)
    assert "backbones.0 = 'xlmr'" in problems("world=true", "backbones=[xlmr]", text=REAL)


def test_hypotheses_are_asked_about_the_world() -> None:
    written = (
        "{id: H1, contrast: slope, by: log10_parameters, series: xlm-r, over: {resource: low}, "
        "reference: {value: 3, label: published}}, "
        "{id: H2, contrast: difference, a: {backbone: xlm-r-base}, b: {backbone: [xlm-r-large]}}"
    )
    first, second = load("world=true", f"statistics={{hypotheses: [{written}]}}", text=REAL).statistics.hypotheses
    assert (first.series, first.reference) == ("world", None)
    assert second.a is not None
    assert second.b is not None
    assert (second.a.backbone, second.b.backbone) == (("world-nano",), ("world-mini",))
    assert load(f"statistics={{hypotheses: [{written}]}}", text=REAL).statistics.hypotheses[0].series == "xlm-r"


def test_stand_ins_keep_the_order_of_sizes() -> None:
    for count in range(1, 8):
        sizes = ["world-nano", "world-micro", "world-mini", "world-small"]
        found = [sizes.index(name) for name in stand_in_backbones(count)]
        assert len(found) == count
        assert found == sorted(found)


def test_heads_are_shared_by_format_and_labels() -> None:
    names = ["anli+", "mnli", "qqp", "squad-v1", "squad-v2", "hellaswag", "ccg", "cosmosqa", "scitail"]
    groups = [["anli+", "mnli"], ["squad-v1", "squad-v2"], ["hellaswag", "cosmosqa"]]
    assert shared_heads([tasks()[name] for name in names]) == groups
    world = load("world=true", f"multi.tasks=[{', '.join(names)}]", text=REAL)
    # In the world, two-label tasks have the same two labels.
    assert shared_heads([world.task(name) for name in names]) == [
        ["anli+", "mnli"], ["qqp", "scitail"], ["squad-v1", "squad-v2"], ["hellaswag", "cosmosqa"],
    ]  # fmt: skip
    assert shared_heads([tasks()[name] for name in ("world-nli", "world-qa", "world-mc", "world-ccg")]) == []
