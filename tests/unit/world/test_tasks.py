import re
from collections import Counter
from typing import cast

import pytest

from adapterxfer.data.examples import EXAMPLE_TYPES, ChoiceExample, PairExample, SpanExample, TaggingExample
from adapterxfer.errors import DataError
from adapterxfer.world.documents import paragraph, said, text
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.fingerprint import stored_fingerprint
from adapterxfer.world.grammar import Utterance, span
from adapterxfer.world.health import informed_guess
from adapterxfer.world.languages import LANGUAGES, ZERO_SHOT
from adapterxfer.world.phrases import _word_spans
from adapterxfer.world.sample import fingerprint
from adapterxfer.world.tasks import TASKS, load_task

TARGETS = [name for name, task in TASKS.items() if task.role == "target"]


def test_the_generator_is_the_one_whose_fingerprint_is_stored() -> None:
    assert fingerprint() == stored_fingerprint(), "run scripts/make_world.py: embedded backbones know another world"


@pytest.mark.parametrize("name", TASKS)
def test_sizes_types_and_repetition(name: str) -> None:
    task = TASKS[name]
    small = {"train_examples": min(30, task.train_examples), "dev_examples": 9, "test_examples": 12}
    data = load_task(name, **small)  # type: ignore[arg-type]
    again = load_task(name, **small)  # type: ignore[arg-type]
    assert data.splits == again.splits
    assert data.format == task.format
    for (split, language), examples in data.splits.items():
        assert all(type(example) is EXAMPLE_TYPES[data.format] for example in examples)
        assert all(example.language == language for example in examples)
        assert len({example.example_id for example in examples}) == len(examples) == small[f"{split}_examples"]
    assert (task.role == "target") == bool(data.languages("test"))


@pytest.mark.parametrize("name", TARGETS)
def test_tests_are_parallel_and_do_not_depend_on_the_seed(name: str) -> None:
    data, other = (load_task(name, train_examples=20, dev_examples=6, test_examples=15, seed=seed) for seed in (0, 1))
    languages = data.languages("test")
    assert languages == (ZERO_SHOT if name == "world-retrieval" else tuple(LANGUAGES))
    ids = [[(e.example_id, e.cluster_id) for e in data.splits["test", code]] for code in languages]
    assert all(these == ids[0] for these in ids)
    assert all(data.splits["test", code] == other.splits["test", code] for code in languages)
    if TASKS[name].train_examples:
        assert data.splits["train", "en"] != other.splits["train", "en"]


def test_another_test_seed_draws_other_items_from_the_same_world() -> None:
    first, second = (load_task("world-xnli", test_seed=seed, train_examples=50, dev_examples=10) for seed in (0, 1))
    assert load_task("world-xnli", train_examples=50, dev_examples=10).splits == first.splits
    texts = [
        {f"{example.text} {example.text_pair}" for example in data.splits["test", "en"]} for data in (first, second)
    ]  # type: ignore[attr-defined]
    assert len(texts[0] & texts[1]) < 0.1 * len(texts[0])
    trained = {f"{example.text} {example.text_pair}" for example in second.splits["train", "en"]}  # type: ignore[attr-defined]
    assert not trained & texts[1]


def test_a_smaller_test_is_the_beginning_of_the_whole_one() -> None:
    whole = load_task("world-pos", languages=["c1"]).splits["test", "c1"]
    assert load_task("world-pos", languages=["c1"], test_examples=7).splits["test", "c1"] == whole[:7]


@pytest.mark.parametrize("name", [name for name in TARGETS if TASKS[name].train_examples])
def test_no_text_is_shared_between_splits(name: str) -> None:
    data = load_task(name, languages=["en"])
    texts = {split: {str(_content(e)) for e in data.splits[split, "en"]} for split in ("train", "dev", "test")}
    assert not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]
    assert not texts["train"] & texts["dev"]


def _content(example: object) -> object:
    match example:
        case PairExample():
            return example.text, example.text_pair
        case TaggingExample():
            return example.words
        case SpanExample():
            return example.context, example.question
        case ChoiceExample():
            return example.context, example.question, sorted(example.choices)
    raise AssertionError(example)


def test_labels_are_balanced() -> None:
    data = load_task("world-xnli", languages=["d1"])
    for examples in data.splits.values():
        counts = Counter(example.label for example in cast("list[PairExample]", examples))
        assert max(counts.values()) - min(counts.values()) <= 1
    choices = cast("list[ChoiceExample]", load_task("world-xmc", languages=["en"]).splits["train", "en"])
    positions = Counter(example.label for example in choices)
    assert min(positions.values()) > 0.27 * len(choices)  # 4 standard errors below a third


def noun_phrases(language: str, text: str) -> list[tuple[int, int]]:
    """Character spans of the noun phrases that guessers of answers choose from."""
    matches = list(re.finditer(r"\S+", text))
    spans = _word_spans([match.group() for match in matches], language)
    return [(matches[first].start(), matches[end - 1].end()) for first, end, _ in spans]


def test_answers_are_in_place_and_unlike_the_question() -> None:
    data = load_task("world-xqa", train_examples=100, dev_examples=10)
    for examples in data.splits.values():
        for example in cast("list[SpanExample]", examples):
            (answer,), (start,) = example.answers, example.answer_starts
            assert example.context[start : start + len(answer)] == answer
            assert answer not in example.question
            assert (start, start + len(answer)) in noun_phrases(example.language, example.context)


def test_questions_share_paragraphs() -> None:
    examples = load_task("world-xqa", languages=["en"]).splits["test", "en"]
    assert set(Counter(example.cluster_id for example in examples).values()) == {2}


@pytest.mark.parametrize("code", LANGUAGES)
def test_noun_phrases_are_found_from_the_words_alone(code: str) -> None:
    rng = Draws(generator("test", "phrases"))
    wrong = total = 0
    for _ in range(60):
        words, gold = [], set()
        for event in paragraph(rng).statements:
            sentence = said(Utterance(event), code)
            for role in event.phrases():
                first, end = (len(words) + at for at in span(sentence, role))
                phrase = [word.form for word in (words + sentence)[first:end]]
                start = len(text(words + sentence[: first - len(words)])) + (1 if first else 0)
                gold.add((start, start + len(" ".join(phrase))))
            words = words + sentence
        found = set(noun_phrases(code, text(words)))
        wrong += len(found ^ gold)
        total += len(gold)
    assert (
        wrong / total < 0.03
    )  # a noun that looks like an adjective can hide behind another noun in verb-first languages


def test_the_informed_guess_is_the_same_guess_in_every_language() -> None:
    scores = informed_guess(load_task("world-xqa", test_examples=40))
    assert max(scores.values()) - min(scores.values()) < 2.0
    assert 10 < scores["en"] < 35


def test_tags_belong_to_the_task_and_all_are_used() -> None:
    for name in ("world-pos", "world-ner", "world-ccg"):
        data = load_task(name, train_examples=400, test_examples=60)
        used = {tag for examples in data.splits.values() for e in examples for tag in cast("TaggingExample", e).tags}
        assert used <= set(data.labels)
        assert {tag for tag in data.labels if not tag.startswith("I-")} - used <= {"CASE"}


def test_unknown_names_are_refused() -> None:
    with pytest.raises(DataError, match="world-xnli"):
        load_task("world-xnly")
    with pytest.raises(DataError, match="e1"):
        load_task("world-xnli", languages=["e1"])
