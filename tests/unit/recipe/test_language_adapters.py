"""Language adapters in recipes and plans: who is trained, who lies below, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.errors import RecipeError
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.recipe import Recipe, parse_recipe
from adapterxfer.recipe.checks import notes
from adapterxfer.store.keys import Stage

OPTION = "language_adapters={reduction_factor: 2, texts: world, lines: 100}"
BOTH = "adapters=[{method: seq_bn, reduction_factor: 2}, {method: seq_bn, reduction_factor: 2, language: true}]"
STUDY = """\
recipe: 1
name: study
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-pos]
variants: [full-ft, stack, fuse, merge]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
controls: false
train:
  default: {learning_rate: 1e-3, steps: 10}
  adapters: {learning_rate: 4e-3}
  language: {learning_rate: 2e-3, steps: 20}
"""
REAL = """\
recipe: 1
name: study
backbones: [xlm-r-base]
intermediate_tasks: [none]
target_tasks: [xnli]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 16, language: true}]
language_adapters: {reduction_factor: 2, texts: texts, languages: [de]}
seeds: [1]
controls: false
train:
  default: {learning_rate: 1e-3, steps: 10}
tasks: {xnli: {languages: [en, de]}}
"""


def load(*set_: str, text: str = STUDY) -> Recipe:
    return parse_recipe(text, "r", set_)


def planned(*set_: str, text: str = STUDY) -> Plan:
    recipe = load(*set_, text=text)
    return build_plan(recipe, sources=Sources(recipe, world=lambda: "w"))


def problems(*set_: str, text: str = STUDY) -> str:
    with pytest.raises(RecipeError) as caught:
        load(*set_, text=text)
    return str(caught.value)


def of(plan: Plan, kind: str) -> list[Stage]:
    return [stage for stage in plan.stages.values() if stage.kind == kind]


def test_without_them_every_key_stays() -> None:
    plain, option, both = planned(), planned(OPTION), planned(OPTION, BOTH)
    assert set(plain.stages) == set(option.stages), "the option alone changes nothing"
    assert set(plain.stages) - set(both.stages) == {plain.report.key}  # type: ignore[union-attr]
    assert notes(load(OPTION))[-1].startswith("language_adapters has no effect")
    assert not any("language_adapters" in note for note in notes(load(OPTION, BOTH)))


def test_stages() -> None:
    plan = planned(OPTION, BOTH)
    by_key = plan.stages
    languages = of(plan, "train_language")
    targets = len(plan.recipe.languages_of("world-xnli"))
    assert len(languages) == targets == len({stage.identity["language"] for stage in languages})
    assert {stage.identity["seed"] for stage in languages} == {0}, "the seeds of the study share them"
    for stage in languages:
        assert stage.identity["adapter"] == {"method": "seq_bn_inv", "reduction_factor": 2}
        assert (stage.identity["settings"]["learning_rate"], stage.identity["settings"]["steps"]) == (2e-3, 20)
        texts = by_key[stage.inputs["texts"]]
        assert texts.identity["languages"] == [stage.identity["language"]]
    english = next(stage.key for stage in languages if stage.identity["language"] == "en")
    trainings = [s for kind in ("train_intermediate", "train_target", "train_fusion") for s in of(plan, kind)]
    above = [stage for stage in trainings if "language" in stage.inputs]
    assert len(above) == len([s for s in trainings if s.labels["variant"] != "full-ft"]) / 2
    for stage in above:
        assert stage.inputs["language"] == english
        assert stage.identity["language"] == "en"
        assert stage.labels["adapter"] == "seq_bn/2+language"
        assert stage.identity["adapter"] == {"method": "seq_bn", "reduction_factor": 2}
        for role, key in stage.inputs.items():
            if role in ("target", "intermediate") or role.startswith("intermediate."):
                assert by_key[key].inputs["language"] == english, "all phases lie above the same adapter"
    for cell in plan.cells:
        inputs = by_key[cell.predict].inputs
        spoken = {role.removeprefix("language."): key for role, key in inputs.items() if role.startswith("language.")}
        wanted = set(plan.recipe.languages_of(cell.target)) - {"en"} if cell.adapter.endswith("+language") else set()
        assert set(spoken) == wanted
        assert all(by_key[key].identity["language"] == code for code, key in spoken.items())
    assert {cell.adapter for cell in plan.cells} == {"", "seq_bn/2", "seq_bn/2+language"}


def test_a_language_more_leaves_the_others() -> None:
    few = "tasks={world-xnli: {languages: [en, a1]}, world-pos: {languages: [en, a1]}}"
    more = "tasks={world-xnli: {languages: [en, a1, b1]}, world-pos: {languages: [en, a1]}}"
    before, after = (of(planned(OPTION, BOTH, change), "train_language") for change in (few, more))
    assert {stage.key for stage in before} < {stage.key for stage in after}


def test_options_change_keys() -> None:
    first = {stage.key for stage in of(planned(OPTION, BOTH), "train_language")}
    for change in ("mask=0.3", "lines=50", "seed=1", "method=seq_bn", "reduction_factor=4"):
        changed = {s.key for s in of(planned(OPTION, BOTH, f"language_adapters.{change}"), "train_language")}
        assert not first & changed, change


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((BOTH,), "needs the option language_adapters"),
        ((BOTH, "language_adapters={texts: world}"), "have one size: reduction_factor or bottleneck_size"),
        ((BOTH, "language_adapters={reduction_factor: 2, bottleneck_size: 4, texts: world}"), "have one size"),
        ((BOTH, "language_adapters={reduction_factor: 2, texts: world, method: lora}"), "method"),
        ((BOTH, "language_adapters={reduction_factor: 2, texts: folder}"), "texts is 'folder'; the tasks need world"),
        ((BOTH, "language_adapters={reduction_factor: 2, texts: world, languages: [a1, q9]}"), "language 'q9'"),
        (
            (BOTH, "language_adapters={reduction_factor: 2, texts: world, languages: [a1, a2]}"),
            "task 'world-xnli' is tested in a3, b1, b2, b3, c1, c2, c3, d1 and 2 more, without a language adapter",
        ),
        ((BOTH, OPTION, "mlm_mix={share: 0.2, texts: world}"), "'world-nli+mlm' trains in several languages"),
        (
            (BOTH, OPTION, "train.language={steps: 3, learning_rate: 1e-3, selection: dev}"),
            "selection: dev has no score",
        ),
        (("adapters=[{method: seq_bn, reduction_factor: 2, language: false}]", OPTION), "language"),
    ],
)
def test_problems(changes: tuple[str, ...], expected: str) -> None:
    assert expected in problems(*changes)


def test_settings_are_required() -> None:
    bare = STUDY.replace("  default: {learning_rate: 1e-3, steps: 10}\n", "").replace(
        "  language: {learning_rate: 2e-3, steps: 20}\n", "  intermediate: {steps: 5}\n  target: {steps: 5}\n"
        "  fusion: {steps: 5}\n  fuse: {learning_rate: 1e-3}\n  full-ft: {learning_rate: 1e-3}\n"
    )  # fmt: skip
    assert load(text=bare).name == "study"
    assert "no learning_rate and no steps or epochs for language adapters (train.language)" in problems(
        OPTION, BOTH, text=bare
    )


def test_backbones_without_masked_language_modelling() -> None:
    for name, reason in (("rembert", "narrower than its layers"), ("mt5-small-encoder", "no mask token")):
        text = problems(f"backbones=[{name}]", text=REAL)
        assert f"backbone '{name}' cannot have language adapters" in text
        assert reason in text
        assert "nearest that runs: stack/seq_bn without language" in text


def test_retrieval_is_refused_with_the_reason() -> None:
    plan = planned(OPTION, BOTH, "target_tasks=[world-xnli, world-retrieval]")
    (refusal, *_) = (r for r in plan.refused if r.target == "world-retrieval" and "two languages" in r.reason)
    assert refusal.variant == "stack"
    assert not [c for c in plan.cells if c.target == "world-retrieval" and c.adapter.endswith("+language")]
    assert [c for c in plan.cells if c.target == "world-retrieval" and c.adapter == "seq_bn/2"]


def test_published_adapters_are_refused() -> None:
    place = "hub:o/n@" + "0" * 40
    changes = (f"intermediate_tasks=[none, {{name: mnli, from: '{place}'}}]",)
    assert "was published without a language adapter below it" in problems(*changes, text=REAL)


def test_text_files(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.txt").write_text("a text\n")
    plan = planned(f"data_root={tmp_path}", text=REAL)
    assert plan.missing_data is not None
    assert "language_adapters: texts: missing texts/de.txt" in str(plan.missing_data)
    assert "language_adapters.languages" in str(plan.missing_data)
    (tmp_path / "texts" / "de.txt").write_text("ein Text\n")
    first = {stage.key for stage in of(planned(f"data_root={tmp_path}", text=REAL), "train_language")}
    (tmp_path / "texts" / "de.txt").write_text("ein anderer Text\n")
    second = {stage.key for stage in of(planned(f"data_root={tmp_path}", text=REAL), "train_language")}
    assert len(first & second) == 1, "English keeps its key, the changed text gives another"


def test_a_real_study_runs_on_the_world() -> None:
    plan = planned("world=true", text=REAL)
    codes = [stage.identity["language"] for stage in of(plan, "train_language")]
    assert codes[0] == "en"
    assert set(codes) >= set(plan.recipe.languages_of("xnli"))
