"""Stages of arms, of stand-ins, and of targets with a training before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapterxfer.errors import DataError
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.recipe import load_recipe, parse_recipe
from adapterxfer.store.keys import Stage

RECIPES = Path(__file__).parents[3] / "recipes"
ADAPTER = "adapters=[{method: seq_bn, reduction_factor: 2}]"
WORLD = """\
recipe: 1
name: study
backbones: [world-nano]
intermediate_tasks: [none, world-nli, multi]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft]
seeds: [1]
controls: false
multi: {tasks: [world-nli, world-qa]}
train:
  default: {learning_rate: 1e-3, steps: 10}
"""
REAL = """\
recipe: 1
name: study
backbones: [xlm-r-base]
intermediate_tasks: [none, anli+, multi]
target_tasks: [xcopa, xquad, bucc2018]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
controls: false
multi: {tasks: [anli+, mnli, squad-v1, squad-v2, ccg]}
train:
  default: {learning_rate: 1e-3, epochs: 5}
  siqa: {epochs: 2}
"""


def plan(*set_: str, text: str = WORLD) -> Plan:
    recipe = parse_recipe(text, "r", set_)
    return build_plan(recipe, sources=Sources(recipe, world=lambda: "w"))


def of(made: Plan, kind: str, **labels: object) -> list[Stage]:
    return [
        stage
        for stage in made.stages.values()
        if stage.kind == kind and all(stage.labels.get(key) == value for key, value in labels.items())
    ]


def intermediate(made: Plan, name: str, variant: str = "full-ft") -> Stage:
    (stage,) = of(made, "train_intermediate", intermediate=name, variant=variant)
    return stage


@pytest.mark.parametrize("variants", ["[full-ft]", "[stack]"])
def test_an_arm_is_a_stage_of_its_own(variants: str) -> None:
    options = ("mlm_mix={share: 0.25, texts: world}", "translated={folder: world}", f"variants={variants}", ADAPTER)
    plain, made = plan(f"variants={variants}", ADAPTER), plan(*options)
    assert set(plain.stages) - set(made.stages) <= {plain.report.key}, "plain stages keep their keys"  # type: ignore[union-attr]
    mode = "full-ft" if variants == "[full-ft]" else "adapter"
    english = intermediate(made, "world-nli", mode)
    mixed = intermediate(made, "world-nli+mlm", mode)
    translated = intermediate(made, "world-nli+translated", mode)
    several = intermediate(made, "multi+translated", mode)
    assert len({stage.key for stage in (english, mixed, translated, several)}) == 4
    assert mixed.identity.keys() - english.identity.keys() == {"mlm"}
    assert mixed.identity["mlm"]["share"] == 0.25
    assert mixed.inputs.keys() - english.inputs.keys() == {"texts"}
    assert translated.identity.keys() - english.identity.keys() == {"translated"}
    assert "en" not in translated.identity["translated"]["languages"]
    assert mixed.identity["mlm"]["languages"][0] == "en"
    assert several.inputs.keys() >= {"translated.world-nli", "translated.world-qa", "data.world-nli"}
    # English data are the same stage in every arm, and what follows an arm is its own.
    assert english.inputs["data.world-nli"] == translated.inputs["data.world-nli"] == mixed.inputs["data.world-nli"]
    predicted = [cell for cell in made.cells if cell.target == "world-xnli"]
    assert len({cell.predict for cell in predicted}) == len(predicted) == 7


def test_settings_of_an_option_change_its_arm_only() -> None:
    base = plan("mlm_mix={share: 0.25, texts: world}")
    for change in ("share: 0.3", "mask: 0.3", "lines: 50", "languages: [a1]", "sampling: {kind: proportional}"):
        key = change.partition(":")[0]
        options = {"share": "share: 0.25", "texts": "texts: world"} | {key: change}
        made = plan(f"mlm_mix={{{', '.join(options.values())}}}")
        assert intermediate(made, "world-nli+mlm").key != intermediate(base, "world-nli+mlm").key, change
        assert intermediate(made, "world-nli").key == intermediate(base, "world-nli").key


def test_folders_of_the_user_are_counted_before_they_are_there(tmp_path: Path) -> None:
    options = ("mlm_mix={share: 0.25, texts: wiki, languages: [en, de]}", "translated={folder: mt, languages: [de]}")
    made = plan(*options, "target_tasks=[xquad]", "intermediate_tasks=[none, mnli]", text=REAL)
    assert made.missing_data is not None
    assert intermediate(made, "mnli+mlm").identity["mlm"]["languages"] == ["en", "de"]
    root = (f"data_root={tmp_path}",)
    lacking = plan(*options, *root, "target_tasks=[xquad]", "intermediate_tasks=[none, mnli]", text=REAL)
    assert isinstance(lacking.missing_data, DataError)
    (tmp_path / "wiki").mkdir()
    for code in ("en", "de"):
        (tmp_path / "wiki" / f"{code}.txt").write_text(f"text {code}\n")
    (tmp_path / "mt" / "de").mkdir(parents=True)
    (tmp_path / "mt" / "de" / "multinli_1.0_train.jsonl").write_text("{}\n")
    found = plan(*options, *root, "target_tasks=[xquad]", "intermediate_tasks=[none, mnli]", text=REAL)
    assert found.missing_data is None
    texts = found.stages[intermediate(found, "mnli+mlm").inputs["texts"]]
    assert sorted(texts.identity["source"]["files"]) == ["wiki/de.txt", "wiki/en.txt"]
    data = found.stages[intermediate(found, "mnli+translated").inputs["translated.mnli"]]
    assert sorted(data.identity["source"]["files"]) == ["mt/de/multinli_1.0_train.jsonl"]
    assert str(tmp_path) not in str([stage.as_json() for stage in found.stages.values()])
    outside = plan("mlm_mix={share: 0.2, texts: ../wiki}", *root, "intermediate_tasks=[none, mnli]", text=REAL)
    assert "relative to data_root" in str(outside.missing_data)


def test_tasks_of_multi_share_heads() -> None:
    made = plan("variants=[full-ft]", text=REAL)
    assert intermediate(made, "multi").identity["shared_heads"] == [["anli+", "mnli"], ["squad-v1", "squad-v2"]]
    assert "shared_heads" not in intermediate(made, "anli+").identity
    assert "shared_heads" not in intermediate(plan(), "multi").identity


def test_social_iqa_is_trained_before_copa() -> None:
    made = plan(text=REAL)
    for kind in ("train_target", "train_fusion"):
        stages = of(made, kind, target="xcopa")
        assert stages
        for stage in stages:
            (first,) = stage.identity["before"]
            assert first["task"] == "siqa"
            assert (first["settings"]["epochs"], stage.identity["settings"]["epochs"]) == (2, 5)
            assert made.stages[stage.inputs["before.siqa"]].identity["task"] == "siqa"
            assert made.stages[stage.inputs["data"]].identity["task"] == "xcopa"
    assert not any("before" in stage.identity for stage in of(made, "train_target", target="xquad"))


def test_stand_ins_have_the_names_and_the_world_behind_them() -> None:
    made = plan("world=true", "multi.tasks=[anli+, qqp]", text=REAL)
    made.require_runnable()
    prepared = {stage.identity["task"]: stage for stage in of(made, "prepare")}
    assert prepared.keys() == {"anli+", "qqp", "xcopa", "siqa", "xquad", "bucc2018"}
    sources = {name: stage.identity["source"] for name, stage in prepared.items()}
    assert all(source["kind"] == "world" for source in sources.values())
    assert {name: source["stand_in"] for name, source in sources.items()} == {
        "anli+": "world-nli", "qqp": "world-nli", "xcopa": "world-xmc", "siqa": "world-mc", "xquad": "world-xqa",
        "bucc2018": "world-retrieval",
    }  # fmt: skip
    assert sources["qqp"]["labels"] == ["entailment", "contradiction"]
    assert len({source["seed"] for source in sources.values()}) == 6
    assert not any(cell.overlap for cell in made.cells), "stand-ins share no text with those of other tasks"
    metrics: dict[str, Any] = {stage.identity["task"]: stage.identity["metric"] for stage in of(made, "predict")}
    assert metrics == {"xcopa": "accuracy", "xquad": "qa_f1", "bucc2018": "retrieval_accuracy"}
    assert made.report is not None
    assert made.report.identity["synthetic"] is True
    assert "stand-ins" in made.report.identity["title"]
    assert {cell.backbone for cell in made.cells} == {"world-mini"}


@pytest.mark.parametrize("name", ["phang2020", "low-resource-families", "xtreme-r-scaling"])
def test_shipped_recipes_plan_on_the_world(name: str) -> None:
    plain = load_recipe(RECIPES / f"{name}.yaml")
    recipe = load_recipe(RECIPES / f"{name}.yaml", ["world=true", "seeds=[1]"])
    assert recipe.target_tasks == plain.target_tasks
    assert recipe.intermediate_tasks == plain.intermediate_tasks
    made = build_plan(recipe, only=[f"backbone={recipe.backbones[0]}"])
    assert not made.unavailable
    assert made.missing_data is None
    assert all(stage.identity["source"]["kind"] == "world" for stage in of(made, "prepare"))


def test_the_design_of_phang2020_has_both_arms_of_every_task() -> None:
    recipe = load_recipe(RECIPES / "phang2020.yaml")
    made = build_plan(recipe, only=["seed=1", "target=xnli"])
    tasks = ("anli+", "mnli", "qqp", "squad-v1", "squad-v2", "hellaswag", "ccg", "cosmosqa", "commonsenseqa", "multi")
    untranslated = {"ccg+translated", "multi+translated"}
    expected = {"none", *tasks, *(f"{t}+mlm" for t in tasks), *(f"{t}+translated" for t in tasks)} - untranslated
    assert {cell.intermediate for cell in made.cells if not cell.control} == expected
    assert len(recipe.target_tasks) == 9


def test_translations_beside_the_originals_are_not_taken_for_them(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for place in ("mnli", "mt/de"):
        (root / place).mkdir(parents=True)
        (root / place / "multinli_1.0_train.jsonl").write_text("{}\n")
    options = ("translated={folder: mt, languages: [de]}", f"data_root={root}", "tasks={xquad: {source: hub}}")
    made = plan(*options, "target_tasks=[xquad]", "intermediate_tasks=[none, mnli]", text=REAL)
    assert "2 files match" not in str(made.missing_data)
    data = made.stages[intermediate(made, "mnli").inputs["data.mnli"]]
    assert sorted(data.identity["source"]["files"]) == ["mnli/multinli_1.0_train.jsonl"]
