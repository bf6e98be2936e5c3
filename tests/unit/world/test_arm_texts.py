"""Translations and texts of the world for the arms of an intermediate training."""

from __future__ import annotations

from typing import Any, cast

import pytest

from adapterxfer.data.examples import ChoiceExample, PairExample, SpanExample, TaggingExample
from adapterxfer.errors import DataError
from adapterxfer.world.arm_texts import load_texts, load_translations
from adapterxfer.world.corpus import monolingual
from adapterxfer.world.languages import LANGUAGES
from adapterxfer.world.lexicon import lexicons
from adapterxfer.world.tasks import load_task

INTERMEDIATE = ("world-nli", "world-qa", "world-mc", "world-ccg")


@pytest.mark.parametrize("name", INTERMEDIATE)
def test_translations_say_what_the_english_examples_say(name: str) -> None:
    english = load_task(name, train_examples=40, dev_examples=5, seed=3).splits["train", "en"]
    made = load_translations(name, ["en", "b1", "c2", "d3"], train_examples=40, dev_examples=5, seed=3)
    assert list(made.splits) == [("train", code) for code in ("en", "b1", "c2", "d3")]
    assert made.splits["train", "en"] == english
    for code in ("b1", "c2", "d3"):
        translated: list[Any] = made.splits["train", code]
        assert [(e.example_id, e.cluster_id) for e in translated] == [(e.example_id, e.cluster_id) for e in english]
        assert all(e.language == code for e in translated)
        assert sum(a != b for a, b in zip(translated, english, strict=True)) == 40
        for one, other in zip(translated, cast("list[Any]", english), strict=True):
            if isinstance(one, PairExample | ChoiceExample):
                assert one.label == other.label
            if isinstance(one, SpanExample):
                (start,), (answer,) = one.answer_starts, one.answers
                assert one.context[start : start + len(answer)] == answer
            if isinstance(one, TaggingExample):
                assert set(one.tags) <= set(made.labels)


def test_other_test_sets_move_no_translation_apart_from_its_original() -> None:
    for seed, test_seed in ((0, 0), (1, 5)):
        english = load_task("world-nli", train_examples=30, seed=seed, test_seed=test_seed).splits["train", "en"]
        made = load_translations("world-nli", ["en"], train_examples=30, seed=seed, test_seed=test_seed)
        assert made.splits["train", "en"] == english


def test_two_labels() -> None:
    labels = ("entailment", "contradiction")
    data = load_task("world-xnli", train_examples=200, test_examples=20, languages=["a1"], labels=labels)
    assert data.labels == labels
    found = [cast("PairExample", e).label for e in data.splits["train", "en"]]
    assert len(found) == 200
    assert abs(found.count("entailment") - 100) <= 1
    translated = load_translations("world-xnli", ["en"], train_examples=200, labels=labels)
    assert translated.splits["train", "en"] == data.splits["train", "en"]


def test_texts_are_fresh_and_in_their_language() -> None:
    made = load_texts(list(LANGUAGES), 50)
    assert list(made) == list(LANGUAGES)
    assert load_texts(["c1"], 20)["c1"] == made["c1"][:20]
    assert load_texts(["c1"], 20, seed=1)["c1"] != made["c1"][:20]
    for code in ("en", "c1", "d3"):
        words = {word for form in lexicons()[code].forms.values() for word in form.split()}
        spoken = [word for line in made[code] for word in line.split()]
        assert sum(word in words for word in spoken) / len(spoken) > 0.6
        pretrained = {" ".join(part for part in line if part) for line in monolingual(code)}
        # Stories are long enough to differ; single statements of a small world may repeat.
        assert sum(line in pretrained for line in made[code]) < 15
    with pytest.raises(DataError, match="no language zz"):
        load_texts(["zz"], 1)
    with pytest.raises(DataError, match="no language zz"):
        load_translations("world-nli", ["zz"])
    with pytest.raises(DataError, match="no task 'mnli'"):
        load_translations("mnli", ["a1"])
