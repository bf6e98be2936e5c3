"""The oracle: the same trainings, selected by the target languages; beside the study and never a part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.catalog import ORACLE
from adapterxfer.errors import DataError, RecipeError
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
    with pytest.raises(RecipeError) as refused:
        parse_recipe(REAL, "r", ("oracle=true", "target_tasks=[xnli, xquad, tydiqa, mlqa, tatoeba]"))
    text = str(refused.value)
    assert "'xquad' has no development data in the target languages: XQuAD's questions are all tested" in text
    assert "'tydiqa' has no development data in the target languages: the development questions of TyDi QA" in text
    assert "nearest: oracle: [xnli, mlqa]" in text
    only = "tasks={udpos: {languages: [en, kk, yo]}}"
    with pytest.raises(RecipeError, match="'udpos' has no development data in kk, yo"):
        parse_recipe(REAL, "r", ("oracle=true", "target_tasks=[udpos]", only))
    made = planned("oracle=true", "world=true", text=REAL)
    dev = next(s for s in made.stages.values() if s.identity.get("what") == "target-dev")
    assert dev.identity["task"] == "xnli"
    for wrong in ("oracle=false", "oracle=[]", "oracle=world-pos"):
        with pytest.raises(RecipeError, match="should be true or a list of targets"):
            parse_recipe(STUDY, "r", (wrong,))
    with pytest.raises(RecipeError, match="'world-pso' is not one of"):
        parse_recipe(STUDY, "r", ("oracle=[world-pso]",))
    with pytest.raises(RecipeError, match="'xnli' is no target of this recipe"):
        parse_recipe(STUDY, "r", ("oracle=[xnli]",))
    with pytest.raises(RecipeError, match="nothing is trained on 'world-retrieval'"):
        parse_recipe(STUDY, "r", ("oracle=[world-retrieval]",))
    with pytest.raises(RecipeError, match="selection"):
        parse_recipe(STUDY, "r", ("train.default.selection=oracle",))


def test_a_list_names_the_targets_that_have_it() -> None:
    both = planned("oracle=true", "target_tasks=[world-pos, world-ner]")
    one = planned("oracle=[world-ner]", "target_tasks=[world-pos, world-ner]")
    found = {cell.target for cell in one.cells if cell.control.startswith(ORACLE)}
    assert found == {"world-ner"}
    assert set(one.stages) - {one.report.key} < set(both.stages)  # type: ignore[union-attr]


def test_languages_count_alike_in_every_selection() -> None:
    plan = planned("oracle=true")
    for stage in plan.stages.values():
        if stage.kind.startswith("train"):
            oracle = stage.identity["settings"]["selection"] == "oracle"
            assert stage.identity.get("selected_by") == ("mean over languages" if oracle else None)


def treebanks(root: Path, *names: str) -> str:
    (root / "ud").mkdir()
    for number, name in enumerate(names):
        row = "\t".join(["1", f"word{number}", "_", "NOUN", "_", "_", "0", "_", "_", "_"])
        (root / "ud" / f"{name}.conllu").write_text(f"# sent_id = s{number}\n{row}\n\n", encoding="utf-8")
    return f"data_root={root}"


ENGLISH = ("en_ewt-ud-train", "en_ewt-ud-dev", "en_ewt-ud-test")
UDPOS = ("oracle=true", "target_tasks=[udpos]", "backbones=[world-nano]", "variants=[full-ft]")


def real(*set_: str) -> Plan:
    return build_plan(parse_recipe(REAL, "r", (*UDPOS, "intermediate_tasks=[none]", *set_)))


def test_treebanks_decide_which_languages_have_some(tmp_path: Path) -> None:
    """Yoruba has a test file only: it is named in the label and is in no development data."""
    root = treebanks(tmp_path, *ENGLISH, "de_gsd-ud-test", "de_gsd-ud-dev", "de_hdt-ud-dev", "yo_ytb-ud-test")
    options = "tasks={udpos: {languages: [en, de, yo], dev_examples: 7}}"
    plan = real(root, options)
    plan.require_runnable()
    dev = next(s.identity for s in plan.stages.values() if s.identity.get("what") == "target-dev")
    assert (dev["languages"], dev["dev_examples"]) == (["de"], 7)
    assert set(dev["source"]["files"]) == {"ud/de_gsd-ud-dev.conllu", "ud/de_hdt-ud-dev.conllu"}
    found = [cell for cell in plan.cells if cell.control]
    assert {cell.control for cell in found} == {ORACLE + "full-ft; no dev set: yo"}
    assert plan.stages[found[0].predict].identity["languages"] == ["en", "de", "yo"], "the items of every other system"
    plain = build_plan(parse_recipe(REAL, "r", (*UDPOS[1:], "intermediate_tasks=[none]", root, options)))
    assert set(plain.stages) - {plain.report.key} < set(plan.stages)  # type: ignore[union-attr]


def test_a_plan_says_what_is_missing(tmp_path: Path) -> None:
    root = treebanks(tmp_path, *ENGLISH, "yo_ytb-ud-test")
    none = real(root, "tasks={udpos: {languages: [en, yo]}}")
    assert "no language has a development file, such as */yo_*-ud-dev.conllu" in str(none.missing_data)
    hub = real("tasks={udpos: {languages: [en, de]}}")
    assert "no repository on the Hub holds development data in the target languages" in str(hub.missing_data)
    with pytest.raises(DataError, match="oracle on udpos"):
        hub.require_runnable()


def test_it_never_selects_by_what_is_tested(tmp_path: Path) -> None:
    """A recipe whose test is the official development file, under that name or as a copy."""
    (tmp_path / "panx").mkdir()
    rows = "x:word\tB-PER\nx:other\tO\n\n"
    for name in ("train-en", "dev-en", "dev-de", "test-de"):
        (tmp_path / "panx" / f"{name}.tsv").write_text(rows.replace("x", name[-2:]), encoding="utf-8")
    root = f"data_root={tmp_path}"
    options = "tasks={panx: {languages: [de]}}"
    copied = real("target_tasks=[panx]", root, options)
    assert "tests on its development data: panx/dev-de.tsv (the same content as panx/test-de.tsv)" in str(
        copied.missing_data
    )
    layout = "{path: 'panx/dev-{lang}.tsv', layout: tsv, header: false, record: 0, columns: {words: 0, tags: 1}}"
    (tmp_path / "panx" / "test-de.tsv").write_text(rows.replace("x", "de") * 2, encoding="utf-8")
    real("target_tasks=[panx]", root, options).require_runnable()
    named = real("target_tasks=[panx]", root, f"tasks={{panx: {{languages: [de], layout: {{test: {layout}}}}}}}")
    assert "tests on its development data: panx/dev-de.tsv" in str(named.missing_data)


def test_it_is_never_published() -> None:
    made, plain = planned("oracle=true"), planned()
    assert choose(made) == choose(plain)
