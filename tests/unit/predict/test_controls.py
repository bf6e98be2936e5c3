"""Controls know exactly what they claim to know."""

import subprocess
import sys

import numpy as np
import pytest

from adapterxfer.data.examples import TaggingExample, TaskData
from adapterxfer.data.storage import read_task, write_task
from adapterxfer.errors import DataError
from adapterxfer.metrics import get_metric
from adapterxfer.predict.controls import CONTROLS, run_control
from adapterxfer.predict.controls.answers import _runs_without_question
from adapterxfer.predict.controls.base import ControlInput


def ask(control, task, *, seed=0):
    examples = [e for language in task.languages("test") for e in task.split("test", language)]
    metric = get_metric(None, format_name=task.format, labels=task.labels)
    return run_control(control, ControlInput(task, examples, metric, np.random.default_rng(seed))), examples


def test_majority_is_the_oracle_of_each_language(stored):
    result, _ = ask("majority", stored("ner"))
    assert result.predictions == ["O O O", "O O", "O O O"]
    result, examples = ask("majority", stored("nli"))
    assert result.predictions == ["no"] * len(examples)
    result, _ = ask("majority", stored("choice"))
    assert result.predictions == ["1", "1"]


def test_lookup_knows_words_of_the_training_data_in_any_case(stored):
    result, _ = ask("lookup", stored("ner"))
    # "Annabel" begins like "Anna", which is no reason to call it a person.
    assert result.predictions == ["B-PER O O", "O O", "B-PER O O"]


def test_lookup_falls_back_on_the_beginning_of_a_word(tmp_path):
    train = [TaggingExample("0", "0", "en", ("nation", "national", "ran", "rang", "ran"), ("N", "A", "V", "V", "N"))]
    test = [TaggingExample("1", "1", "xx", ("nationale", "Nat", "rangieren", "ran", "ra", "zz"), ("N",) * 6)]
    write_task(tmp_path, TaskData("pos", "tagging", ("A", "N", "V"), {("train", "en"): train, ("test", "xx"): test}))
    result, _ = ask("lookup", read_task(tmp_path))
    assert result.predictions == ["A A V N N N"]


def test_one_half_of_a_pair_can_be_enough(stored):
    task = stored("nli")
    seen, examples = ask("hypothesis-only", task)
    english = [p == e.label for p, e in zip(seen.predictions, examples, strict=True) if e.language == "en"]
    assert all(english)
    blind, _ = ask("premise-only", task)
    score = np.mean([p == e.label for p, e in zip(blind.predictions, examples, strict=True)])
    assert score < 0.8
    assert ask("premise-only", task, seed=7)[0].predictions == blind.predictions


def test_random_choice_is_exact(stored):
    result, _ = ask("random-choice", stored("choice"))
    assert result.counts.tolist() == [[0.5, 1.0], [0.25, 1.0]]


def test_random_span_has_the_length_of_training_answers_and_lies_in_the_context(stored):
    result, examples = ask("random-span", stored("qa"))
    assert result.predictions[0] in {"Tom, the", "the dog,", "dog, saw", "saw Anna."}
    assert result.predictions[1] == "nur"
    assert result.counts[1].tolist() == [1.0, 1.0, 1.0]
    assert 0 < result.counts[0, 0] < 1
    again, _ = ask("random-span", stored("qa"))
    assert again.predictions == result.predictions
    assert (again.counts == result.counts).all()
    assert (ask("random-span", stored("qa"), seed=1)[0].counts != result.counts).any()
    assert all(p in e.context for p, e in zip(result.predictions, examples, strict=True))


def test_informed_guess_avoids_the_words_of_the_question(stored):
    task = stored("qa")
    (example,) = task.split("test", "en")
    runs = _runs_without_question(example)
    assert [[example.context[a:b] for a, b in run.words] for run in runs] == [["Tom,", "the", "dog,"]]
    result, _ = ask("informed-guess", task)
    assert result.predictions[0] in {"Tom, the", "the dog,"}


def test_whole_sentence(stored):
    result, examples = ask("whole-sentence", stored("qa"))
    assert result.predictions == [e.context for e in examples]
    assert result.counts is None


def test_wrong_names_formats_and_missing_training_data(stored):
    with pytest.raises(DataError, match="control 'oracle' does not exist"):
        ask("oracle", stored("qa"))
    with pytest.raises(DataError, match="'lookup' cannot answer task 'qa'"):
        ask("lookup", stored("qa"))
    assert {name for control in CONTROLS.values() for name in control.formats} == {
        "sequence_classification", "tagging", "span_qa", "multiple_choice",
    }  # fmt: skip


def test_informed_guess_in_the_world_is_a_noun_phrase():
    from adapterxfer.world.phrases import informed_guesses
    from adapterxfer.world.tasks import load_task

    data = load_task("world-xqa", train_examples=20, dev_examples=0, test_examples=10, languages=["en", "c1"])
    for language in ("en", "c1"):
        for example in data.splits["test", language]:
            guesses = informed_guesses(language, example.question, example.context)
            assert guesses
            assert all(guess in example.context for guess in guesses)


def test_controls_need_no_torch():
    code = (
        "import sys; import adapterxfer.stages.predict, adapterxfer.predict.controls;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'pyarrow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
