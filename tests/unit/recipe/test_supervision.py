"""The section ``supervision``: what its arms are called, what they read, and every mistake with its place."""

from __future__ import annotations

import pytest

from adapterxfer.catalog.supervision import kind_of, supervision_of
from adapterxfer.errors import RecipeError
from adapterxfer.recipe import parse_recipe
from adapterxfer.recipe.checks import notes

TEXT = """\
recipe: 1
name: taught
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft, stack, merge, head-only]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
train:
  default: {learning_rate: 1e-3, steps: 10}
tasks:
  world-xnli: {languages: [en, a1, b1, c1], train_examples: 100}
supervision:
  few-shot: {examples: [4, 16], draws: 2, from: dev, train: {steps: 3}}
  translate-train: {folder: world}
  in-language: {train_examples: [20, 100], languages: [b1]}
  sources: [en, a1]
"""

REAL = """\
recipe: 1
name: taught
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [TASK]
variants: [full-ft]
seeds: [1]
data_root: there
train:
  default: {learning_rate: 1e-3, steps: 10}
tasks:
  TASK: {languages: [en, de]}
supervision:
"""


def refused(text: str) -> str:
    with pytest.raises(RecipeError) as error:
        parse_recipe(text)
    return str(error.value)


def test_arms_have_names_languages_and_draws_of_their_own() -> None:
    arms = parse_recipe(TEXT).supervised()
    assert {name: (regime.tested, regime.examples, regime.draws) for name, regime in arms.items()} == {
        "world-xnli@sources-en+a1": (("b1", "c1"), None, 1),
        "world-xnli@translate-train": (("a1", "b1", "c1"), None, 1),
        "world-xnli@few-shot-4": (("a1", "b1", "c1"), 4, 2),
        "world-xnli@few-shot-16": (("a1", "b1", "c1"), 16, 2),
        "world-xnli@in-language-20": (("b1",), 20, 1),
        "world-xnli@in-language-100": (("b1",), 100, 1),
    }
    assert {regime.variants for regime in arms.values()} == {("full-ft", "stack")}, (
        "nothing of merge and head-only trains"
    )
    assert {regime.split for regime in arms.values()} == {"dev", "train"}


def test_a_recipe_without_the_section_is_what_it_was() -> None:
    plain = parse_recipe(TEXT[: TEXT.index("supervision:")])
    assert plain.supervised() == {}
    assert "supervision" not in plain.resolved()


def test_names_of_other_evaluations_are_no_supervision() -> None:
    assert supervision_of("xnli@few-shot-16") == "few-shot-16"
    assert supervision_of("tatoeba@top-layer") == supervision_of("xnli@dev") == supervision_of("xnli") == ""
    assert kind_of("sources-en+de") == "sources"
    assert kind_of("few-shotted") is None


def test_targets_without_training_are_left_out_with_a_note() -> None:
    assert "supervision has no effect on world-retrieval: nothing is trained on it" in notes(parse_recipe(TEXT))


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("examples: [4, 16]", "examples: [4, 4]", "14:", "names a value twice"),
        ("examples: [4, 16]", "examples: 0", "14:", "examples"),
        ("examples: [4, 16], ", "", "14:", "key 'supervision.few-shot.examples' is missing"),
        ("draws: 2", "draws: 0", "14:", "draws"),
        ("draws: 2", "draw: 2", "14:", "unknown key 'supervision.few-shot.draw' (did you mean 'draws'?)"),
        ("from: dev", "from: test", "14:", "from"),
        (", train: {steps: 3}", "", "14:", "needs a length of its own: train: {steps: 30}"),
        ("train: {steps: 3}", "train: {steps: 3, selection: dev}", "14:", "English development data would select"),
        ("train: {steps: 3}", "train: {steps: {choose: [3, 4], by: dev}}", "14:", "would be chosen for English"),
        ("few-shot:", "fewshot:", "14:", "did you mean 'few-shot'?"),
        ("folder: world", "folder: translated", "15:", "the world's 'world-xnli' needs world"),
        ("folder: world", "folder: world, train_examples: 101", "15:", "101 of 'world-xnli', which is trained on 100"),
        ("languages: [b1]", "languages: [b2]", "16:", "language 'b2' is not one of: a1, b1, c1"),
        ("languages: [b1]", "languages: [en]", "16:", "English is what the zero-shot models are trained in"),
        ("languages: [b1]", "targets: [world-retrieval]", "16:", "nothing is trained on 'world-retrieval'"),
        ("languages: [b1]", "targets: [world-xqa]", "16:", "'world-xqa' is not one of: world-xnli"),
        ("languages: [b1]", "variants: [merge]", "16:", "'merge' joins trained models"),
        ("languages: [b1]", "variants: [head-only]", "16:", "'head-only' is a control"),
        ("languages: [b1]", "variants: [fuse]", "16:", "'fuse' is not one of: full-ft, stack"),
        ("sources: [en, a1]", "sources: [en]", "17:", "sources"),
        ("sources: [en, a1]", "sources: [en, xx]", "17:", "language 'xx' is not one of"),
        ("sources: [en, a1]", "sources: [a1, b1, c1]", "17:", "tested in no language of this arm"),
    ],
)  # fmt: skip
def test_every_mistake_has_a_place_and_a_reason(old: str, new: str, place: str, says: str) -> None:
    assert TEXT.count(old) == 1
    message = refused(TEXT.replace(old, new))
    assert f"recipe:{place}" in message
    assert says in message


def test_an_empty_section_and_a_recipe_without_training_are_refused() -> None:
    start = TEXT.index("supervision:")
    assert "names at least one of: few-shot, translate-train, in-language, sources" in refused(
        TEXT[:start] + "supervision: {}\n"
    )
    assert "no target of this recipe is trained on" in refused(
        TEXT.replace("world-xnli, world-retrieval", "world-retrieval")
    )
    assert "above the adapter of English nothing is trained in other languages" in refused(
        TEXT.replace("reduction_factor: 2}]", "reduction_factor: 2, language: true}]")
        + "language_adapters: {reduction_factor: 2, texts: world}\n"
    )


@pytest.mark.parametrize(
    ("task", "arm", "says"),
    [
        ("xnli", "in-language: {}", "its training data are in English alone; leave it out"),
        ("xnli", "few-shot: {examples: 4, train: {steps: 3}}", "draw from its development data: from: dev"),
        ("xquad", "few-shot: {examples: 4, from: dev, train: {steps: 3}}", "XQuAD's questions are all tested"),
        ("xnli", "translate-train: {folder: mt}", "say who translated, since files do not: by:"),
        ("xnli", "translate-train: {folder: world, by: me}", "needs a folder below data_root"),
    ],
)  # fmt: skip
def test_a_language_without_data_is_refused_with_what_there_is(task: str, arm: str, says: str) -> None:
    assert says in refused(REAL.replace("TASK", task) + f"  {arm}\n")


def test_tasks_with_data_in_other_languages_pass() -> None:
    for task, arm in (
        ("panx", "in-language: {}"),
        ("udpos", "sources: [en, de, fr]"),
        ("xnli", "few-shot: {examples: 4, from: dev, train: {steps: 3}}"),
        ("xnli", "translate-train: {folder: mt, by: some system 1.0}"),
    ):
        text = REAL.replace("TASK", task) + f"  {arm}\n"
        assert parse_recipe(text.replace("[en, de]", "[en, de, fr, es]")).supervised()


def test_hypotheses_may_name_arms_and_no_others() -> None:
    from adapterxfer.recipe.decidable import undecidable

    declared = TEXT + (
        "statistics:\n  hypotheses:\n    - {id: S1, contrast: gain, over: {target: world-xnli@few-shot-16, "
        "intermediate: world-nli}}\n    - {id: S2, contrast: gain, over: {target: world-xnli@few-shot-5}}\n"
    )
    lines = undecidable(parse_recipe(declared))
    assert not [line for line in lines if line.startswith("hypothesis S1: no ")]
    assert any("no target world-xnli@few-shot-5 in this recipe (did you mean" in line for line in lines)
