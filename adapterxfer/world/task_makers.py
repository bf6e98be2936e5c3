"""One endless maker of items per task; an item is a meaning that can be said as an example in any language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapterxfer.data.examples import (
    ChoiceExample,
    Example,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
)
from adapterxfer.world.concepts import SCRIPT
from adapterxfer.world.documents import Paragraph, paragraph, said, sentence, text
from adapterxfer.world.draws import Draws
from adapterxfer.world.events import event, played, successor
from adapterxfer.world.grammar import Event, Utterance, Word, span
from adapterxfer.world.nli import LABELS, inference_pair

QUESTIONS_PER_PARAGRAPH = 2
SAME_VERB_IN_TASKS = 0.4
CHOICES = 3
_CHAINS = tuple((verb, follower, roles) for verb, follows in SCRIPT.items() for follower, roles in follows)


@dataclass(frozen=True, slots=True)
class Item:
    """A meaning with its ids.

    Attributes:
        fingerprint: what it says in English; two items with the same one are the same.
        said: language code -> the example in that language.
    """

    fingerprint: str
    said: Callable[[str], Example]


def _number(prefix: str, count: int) -> str:
    return f"{prefix}-{count:05d}"


def inference_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """NLI: the three labels in turn, in random order inside each three."""
    count = 0
    while True:
        for label in rng.shuffled(LABELS):
            ground, claim = inference_pair(label, rng)
            yield _inference_item(_number(prefix, count), ground, claim, label)
            count += 1


def _inference_item(name: str, ground: Event, claim: Event, label: str) -> Item:
    def example(language: str) -> Example:
        first, second = (text(said(Utterance(meaning), language)) for meaning in (ground, claim))
        return PairExample(name, name, language, first, second, label)

    return Item(" | ".join(text(said(Utterance(meaning), "en")) for meaning in (ground, claim)), example)


def question_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """Span questions: two about each paragraph of three statements."""
    count = 0
    while True:
        scene = paragraph(rng, same_verb=SAME_VERB_IN_TASKS)
        if len(scene.questions) < QUESTIONS_PER_PARAGRAPH:
            continue
        for number in range(QUESTIONS_PER_PARAGRAPH):
            cluster = _number(f"{prefix}-p", count)
            yield _question_item(f"{cluster}-q{number}", cluster, scene, number)
        count += 1


def _question_item(name: str, cluster: str, scene: Paragraph, number: int) -> Item:
    position, role = scene.questions[number]

    def example(language: str) -> Example:
        context: list[Word] = []
        first = end = 0
        for index, meaning in enumerate(scene.statements):
            words = said(Utterance(meaning), language)
            if index == position:
                first, end = (len(context) + at for at in span(words, role))
            context += words
        answer = text(context[first:end])
        start = len(text(context[:first])) + (1 if first else 0)
        question = text(said(scene.question(number), language))
        return SpanExample(
            example_id=name,
            cluster_id=cluster,
            language=language,
            question=question,
            context=text(context),
            answers=(answer,),
            answer_starts=(start,),
        )

    english = " ".join(text(said(Utterance(meaning), "en")) for meaning in scene.statements)
    return Item(f"{english} | {text(said(scene.question(number), 'en'))}", example)


def continuation_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """Multiple choice: which of three events follows by the script; all have the participants of the first."""
    count = 0
    while True:
        first = event(rng)
        right = successor(first, rng)
        if right is None:
            continue
        true = {verb for verb, _ in SCRIPT[first.verb]}
        wrong: list[Event] = []
        for _, verb, roles in rng.shuffled(_CHAINS):
            if verb in true or verb == first.verb or any(verb == other.verb for other in wrong):
                continue
            other = played(first, verb, roles, rng)
            if other is not None:
                wrong.append(other)
            if len(wrong) == CHOICES - 1:
                break
        if len(wrong) < CHOICES - 1:
            continue
        order = rng.shuffled(range(CHOICES))
        choices = [[right, *wrong][at] for at in order]
        yield _choice_item(
            _number(prefix, count), (first,), None, [Utterance(choice) for choice in choices], order.index(0)
        )
        count += 1


def choice_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """Multiple choice for intermediate training: continuations, and questions with three noun phrases offered."""
    continuations = continuation_items(rng, f"{prefix}-c")
    count = 0
    while True:
        if rng.chance(0.6):
            yield next(continuations)
            continue
        scene = paragraph(rng, same_verb=SAME_VERB_IN_TASKS)
        position, role = scene.questions[0]
        rest = [
            Utterance(meaning, act="answer", asked=other)
            for index, meaning in enumerate(scene.statements)
            for other in meaning.phrases()
            if index != position or other not in (role, *_named(scene.statements[position], role))
        ]
        if len(rest) < CHOICES - 1:
            continue
        offered = [scene.answer(0), *rng.shuffled(rest)[: CHOICES - 1]]
        order = rng.shuffled(range(CHOICES))
        choices = [offered[at] for at in order]
        yield _choice_item(_number(f"{prefix}-q", count), scene.statements, scene.question(0), choices, order.index(0))
        count += 1


def _named(meaning: Event, asked_role: str) -> tuple[str, ...]:
    """Roles that the question itself names."""
    return tuple(role for role in meaning.phrases() if role not in (asked_role, "place"))


def _choice_item(
    name: str, statements: tuple[Event, ...], question: Utterance | None, choices: list[Utterance], label: int
) -> Item:
    def example(language: str) -> ChoiceExample:
        context = " ".join(text(said(Utterance(meaning), language)) for meaning in statements)
        question_text = text(said(question, language)) if question else ""
        offered = tuple(text(said(choice, language)) for choice in choices)
        return ChoiceExample(
            example_id=name,
            cluster_id=name,
            language=language,
            context=context,
            question=question_text,
            choices=offered,
            label=label,
        )

    english = example("en")
    return Item(f"{english.context} {english.question} | {' | '.join(sorted(english.choices))}", example)


def _tagging_items(rng: Draws, prefix: str, sentences: int, tag: Callable[[list[Word]], list[str]]) -> Iterator[Item]:
    count = 0
    while True:
        sentences_drawn = [sentence(rng) for _ in range(sentences)]
        yield _tagging_item(_number(prefix, count), sentences_drawn, tag)
        count += 1


def _tagging_item(name: str, utterances: list[Utterance], tag: Callable[[list[Word]], list[str]]) -> Item:
    def example(language: str) -> Example:
        words = [word for utterance in utterances for word in said(utterance, language)]
        return TaggingExample(name, name, language, tuple(word.form for word in words), tuple(tag(words)))

    return Item(" ".join(text(said(utterance, "en")) for utterance in utterances), example)


_CASES = {"subject": "nom", "predicate": "nom", "object": "acc"}


def pos_tags(words: list[Word]) -> list[str]:
    """Parts of speech; nouns and names carry their case, which only the sentence tells."""
    return [
        f"{word.pos}.{_CASES.get(word.role, 'obl')}"
        if word.pos in ("NOUN", "PROPN")
        else "AUX"
        if word.pos == "COP"
        else word.pos
        for word in words
    ]


_VALENCIES = {"intransitive": "V", "transitive": "V/NP", "ditransitive": "V/NP/PP", "motion": "V/PP"}
_CATEGORIES = {"ADJ": "N/N", "ADP": "PP/NP", "ADV": "S/S", "DET": "NP/N", "PUNCT": "."}


def supertags(words: list[Word]) -> list[str]:
    """Categories in the manner of categorial grammar: valencies of verbs, roles of nouns."""
    tags = []
    for word in words:
        if word.pos == "VERB":
            tags.append(_VALENCIES[word.kind])
        elif word.pos in ("NOUN", "PROPN"):
            tags.append(f"N.{word.role}")
        else:
            tags.append(_CATEGORIES.get(word.pos, word.pos))
    return tags


def entity_tags(words: list[Word]) -> list[str]:
    """Every name is an entity of one word: a person, or a place."""
    return ["O" if word.pos != "PROPN" else "B-PER" if word.kind == "person" else "B-LOC" for word in words]


def pos_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """Single sentences with parts of speech."""
    return _tagging_items(rng, prefix, 1, pos_tags)


def supertag_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """Single sentences with supertags."""
    return _tagging_items(rng, prefix, 1, supertags)


def entity_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """Texts of two sentences with entities."""
    return _tagging_items(rng, prefix, 2, entity_tags)


def translation_items(rng: Draws, prefix: str) -> Iterator[Item]:
    """Sentences with their English translation."""
    count = 0
    while True:
        utterance = sentence(rng)
        yield _translation_item(_number(prefix, count), utterance)
        count += 1


def _translation_item(name: str, utterance: Utterance) -> Item:
    english = text(said(utterance, "en"))

    def example(language: str) -> Example:
        return RetrievalExample(name, name, language, text(said(utterance, language)), english)

    return Item(english, example)
