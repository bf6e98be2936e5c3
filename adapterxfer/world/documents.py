"""Documents: stories that follow the script, pairs in an NLI-like relation, dialogues, and plain statements.

A document is a tuple of utterances without a language, so the same one can be said in any language, in two languages
side by side, or in a mixture of both.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapterxfer.world.concepts import MARKERS
from adapterxfer.world.draws import Draws
from adapterxfer.world.events import Rates, copula, event, successor
from adapterxfer.world.grammar import Event, Utterance, Word, say
from adapterxfer.world.languages import FAMILIES, LANGUAGES
from adapterxfer.world.lexicon import Lexicon, Words, lexicons
from adapterxfer.world.nli import LABELS, inference_pair

Document = tuple[Utterance, ...]

STORIES, INFERENCES, DIALOGUES = 0.13, 0.4, 0.39
"""Shares of the kinds of documents; the rest are plain statements."""
SAME_VERB = 0.4
"""Probability that a distractor in a dialogue has the verb of the event asked about."""
_IN_DIALOGUE = Rates(adjective=0.25, numeral=0.12, negated=0.08)


def document(rng: Draws) -> Document:
    """One pretraining document."""
    kind = rng.uniform()
    if kind < STORIES:
        return story(rng)
    if kind < STORIES + INFERENCES:
        return inference(rng)
    if kind < STORIES + INFERENCES + DIALOGUES:
        return dialogue(rng)
    return tuple(sentence(rng, plain=0.4) for _ in range(1 + rng.below(3)))


def sentence(rng: Draws, *, plain: float = 0.8) -> Utterance:
    """A single statement: an event with probability ``plain``, else a copular one."""
    return Utterance(event(rng) if rng.chance(plain) else copula(rng))


def story(rng: Draws) -> Document:
    """An event and one or two that follow by the script."""
    while True:
        first = event(rng)
        second = successor(first, rng)
        if second is None:
            continue
        third = successor(second, rng) if rng.chance(0.4) else None
        return tuple(Utterance(meaning) for meaning in (first, second, third) if meaning is not None)


def inference(rng: Draws) -> Document:
    """A premise, and a hypothesis headed by the marker of its label."""
    label = rng.pick(LABELS)
    premise, claim = inference_pair(label, rng, telling=True)
    return Utterance(premise), Utterance(claim, marker=MARKERS[label])


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Statements and the questions that exactly one of them answers.

    Attributes:
        statements: the events, in order.
        questions: (position of the statement, role asked for).
    """

    statements: tuple[Event, ...]
    questions: tuple[tuple[int, str], ...]

    def question(self, number: int) -> Utterance:
        """A question as a sentence."""
        position, role = self.questions[number]
        return Utterance(self.statements[position], act="question", asked=role)

    def answer(self, number: int) -> Utterance:
        """The noun phrase that answers it."""
        position, role = self.questions[number]
        return Utterance(self.statements[position], act="answer", asked=role)


def paragraph(rng: Draws, *, sentences: int = 3, same_verb: float = SAME_VERB) -> Paragraph:
    """Events whose participants are all different, with every question that has one answer."""
    while True:
        first = event(rng, rates=_IN_DIALOGUE)
        events = [first]
        while len(events) < sentences:
            events.append(event(rng, verb=first.verb if rng.chance(same_verb) else None, rates=_IN_DIALOGUE))
        nouns = [noun_phrase.noun for meaning in events for noun_phrase in meaning.phrases().values()]
        if len(set(nouns)) < len(nouns):
            continue
        ordered = tuple(rng.shuffled(events))
        questions = tuple(
            (position, role)
            for position, meaning in enumerate(ordered)
            for role in meaning.phrases()
            if not meaning.negated and _unique(ordered, position, role)
        )
        if questions:
            return Paragraph(ordered, tuple(rng.shuffled(questions)))


def _unique(events: tuple[Event, ...], position: int, role: str) -> bool:
    """Whether the question still names a participant, or no other event has its verb and could answer it."""
    event = events[position]
    named = [other for other in event.phrases() if other not in (role, "place")]
    rivals = [e for i, e in enumerate(events) if i != position and e.verb == event.verb and role in e.phrases()]
    return bool(named) or not rivals


def dialogue(rng: Draws) -> Document:
    """Two or three events with questions and answers: one question before them, or up to three after them."""
    scene = paragraph(rng, sentences=2 if rng.chance(0.4) else 3)
    context = tuple(Utterance(meaning) for meaning in scene.statements)
    if rng.chance(0.35):
        return scene.question(0), *context, scene.answer(0)
    count = min(1 + rng.below(3), len(scene.questions))
    return (*context, *(turn for number in range(count) for turn in (scene.question(number), scene.answer(number))))


class MixedLexicon:
    """Words of a second language in place of those of the first, decided once per concept."""

    def __init__(self, first: Lexicon, second: Lexicon, share: float, rng: Draws) -> None:
        self._first, self._second, self._share, self._rng = first, second, share, rng
        self._chosen: dict[str, Lexicon] = {}

    def _lexicon(self, concept: str) -> Lexicon:
        if concept not in self._chosen:
            mixed = concept in self._second.forms and self._rng.chance(self._share)
            self._chosen[concept] = self._second if mixed else self._first
        return self._chosen[concept]

    def form(self, concept: str) -> str:
        """The word for a concept in the language chosen for it."""
        return self._lexicon(concept).form(concept)

    def counted(self, concept: str) -> str:
        """The word for a noun after a numeral in the language chosen for it."""
        return self._lexicon(concept).counted(concept)


def said(utterance: Utterance, language: str) -> list[Word]:
    """One sentence in a language."""
    return say(utterance, FAMILIES[LANGUAGES[language].family], lexicons()[language])


def text(words: list[Word]) -> str:
    """Words as text: every word, and every punctuation mark, after a space."""
    return " ".join(word.form for word in words)


def texts(document: Document, language: str) -> list[str]:
    """The sentences of a document in a language."""
    return [text(said(utterance, language)) for utterance in document]


def mixed_texts(document: Document, language: str, rng: Draws) -> list[str]:
    """A document in a mixture with English: its grammar with half or nearly all words English, or the reverse."""
    native, english = lexicons()[language], lexicons()["en"]
    family = FAMILIES[LANGUAGES[language].family]
    way = rng.uniform()
    lexicon: Words
    if way < 0.4:
        lexicon = MixedLexicon(native, english, 0.5, rng)
    elif way < 0.7:
        lexicon = MixedLexicon(native, english, 0.9, rng)
    else:
        family, lexicon = FAMILIES["A"], MixedLexicon(english, native, 0.3, rng)
    return [text(say(utterance, family, lexicon)) for utterance in document]
