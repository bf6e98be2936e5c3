"""Meanings, and how each word order says them.

An event or a copular statement is language free. `say` turns it into words that carry their part of speech, role and
class, so spans, tags and answers are read off the words of any language instead of being searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from adapterxfer.world.concepts import NAMES, VERBS
from adapterxfer.world.languages import Family
from adapterxfer.world.lexicon import Words

Role = Literal["", "subject", "object", "recipient", "goal", "place", "predicate"]
_NAMES = frozenset(NAMES)


class Word(NamedTuple):
    """One word of a sentence."""

    form: str
    pos: str
    role: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase. ``kind`` is its class (a class of `concepts.NOUNS`, or ``city``)."""

    noun: str
    kind: str
    adjective: str | None = None
    numeral: str | None = None
    article: str = "the"

    @property
    def is_name(self) -> bool:
        """Whether the head is a personal or city name."""
        return self.noun in _NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who did what to whom, and where."""

    verb: str
    subject: Phrase
    object: Phrase | None = None
    recipient: Phrase | None = None
    goal: Phrase | None = None
    place: Phrase | None = None
    preposition: str = "in"
    future: bool = False
    negated: bool = False
    fronted: bool = False
    inverted: bool = False
    adverb: str | None = None

    @property
    def frame(self) -> str:
        """The frame of the verb."""
        return VERBS[self.verb][0]

    def phrases(self) -> dict[str, Phrase]:
        """Role -> phrase, for the roles that are filled."""
        pairs = (("subject", self.subject), ("object", self.object), ("recipient", self.recipient))
        more = (("goal", self.goal), ("place", self.place))
        return {role: phrase for role, phrase in (*pairs, *more) if phrase is not None}


@dataclass(frozen=True, slots=True)
class Copula:
    """Something is something: the predicate is a noun or an adjective."""

    subject: Phrase
    predicate: str
    predicate_is_noun: bool


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence of a document.

    Attributes:
        meaning: what it is about.
        act: a statement, a question for ``asked``, or the bare noun phrase that answers it.
        asked: role the question asks for.
        marker: concept of a discourse marker that opens the sentence.
    """

    meaning: Event | Copula
    act: Literal["statement", "question", "answer"] = "statement"
    asked: str = ""
    marker: str | None = None


def say(utterance: Utterance, family: Family, lexicon: Words) -> list[Word]:
    """The words of one sentence in a language, end mark included."""
    words = [Word(lexicon.form(utterance.marker), "CCONJ")] if utterance.marker else []
    meaning = utterance.meaning
    if isinstance(meaning, Copula):
        words += _copula(meaning, family, lexicon)
    elif utterance.act == "question":
        words += _question(meaning, utterance.asked, family, lexicon)
    elif utterance.act == "answer":
        words += _phrase(meaning.phrases()[utterance.asked], utterance.asked, family, lexicon)
    else:
        words += _statement(meaning, family, lexicon)
    words.append(Word("?" if utterance.act == "question" else ".", "PUNCT"))
    return words


def _phrase(phrase: Phrase, role: str, family: Family, lexicon: Words, modifiers: bool = True) -> list[Word]:
    kind = phrase.kind
    if phrase.noun in _NAMES:
        return [Word(lexicon.form(phrase.noun), "PROPN", role, kind)]
    words = []
    if phrase.numeral:
        words.append(Word(phrase.numeral, "NUM", role, kind))
        noun = Word(lexicon.counted(phrase.noun), "NOUN", role, kind)
    else:
        if family.articles:
            words.append(Word(lexicon.form(phrase.article), "DET", role, kind))
        noun = Word(lexicon.form(phrase.noun), "NOUN", role, kind)
    if phrase.adjective and modifiers:
        adjective = Word(lexicon.form(phrase.adjective), "ADJ", role, kind)
        return [*words, adjective, noun] if family.adjective_first else [*words, noun, adjective]
    return [*words, noun]


def _adposition(words: list[Word], concept: str, role: str, family: Family, lexicon: Words) -> list[Word]:
    adposition = Word(lexicon.form(concept), "ADP", role)
    return [*words, adposition] if family.postpositions else [adposition, *words]


def _arguments(event: Event, family: Family, lexicon: Words, modifiers: bool = True) -> dict[str, list[Word]]:
    """Role -> words of its phrase with adposition or case particle."""
    said: dict[str, list[Word]] = {}
    for role, phrase in event.phrases().items():
        words = _phrase(phrase, role, family, lexicon, modifiers)
        if role in ("recipient", "goal"):
            if family.postpositions:
                words.append(Word(lexicon.form("dat"), "CASE", role))
            else:
                words = _adposition(words, "to", role, family, lexicon)
        elif role == "place":
            words = _adposition(words, event.preposition, role, family, lexicon)
        elif role == "object" and family.postpositions:
            words.append(Word(lexicon.form("acc"), "CASE", role))
        said[role] = words
    return said


def _verb_group(event: Event, family: Family, lexicon: Words) -> tuple[list[Word], list[Word]]:
    """Auxiliary with negation, and the verb, in the order of the family (verb-final: negation, verb, auxiliary)."""
    auxiliary = Word(lexicon.form("will" if event.future else "did"), "AUX")
    negation = [Word(lexicon.form("not"), "NEG")] if event.negated else []
    verb = Word(lexicon.form(event.verb), "VERB", "", event.frame)
    if family.order == "SOV":
        return negation, [verb, auxiliary]
    return [auxiliary, *negation], [verb]


def _statement(event: Event, family: Family, lexicon: Words) -> list[Word]:
    said = _arguments(event, family, lexicon)
    before, verb = _verb_group(event, family, lexicon)
    words = [Word(lexicon.form(event.adverb), "ADV")] if event.adverb else []
    location = said.pop("place", [])
    if event.fronted:
        words += location
        location = []
    subject = said.pop("subject")
    if event.inverted:
        return words + before + verb + subject
    object_ = said.pop("object", [])
    target = said.pop("recipient", []) + said.pop("goal", [])
    if family.order == "SVO":
        return words + subject + before + verb + object_ + target + location
    if family.order == "VSO":
        return words + before + verb + subject + object_ + target + location
    return words + subject + location + target + object_ + before + verb


def _question(event: Event, role: str, family: Family, lexicon: Words) -> list[Word]:
    """A question: adjectives are dropped, and so is the place unless it is asked for."""
    said = _arguments(event, family, lexicon, modifiers=False)
    before, verb = _verb_group(event, family, lexicon)
    target = event.phrases()[role]
    concept = "where" if role in ("place", "goal") else "who" if target.kind == "person" else "what"
    question = [Word(lexicon.form(concept), "PRON", role)]
    if role != "place":
        said.pop("place", None)
    if role == "object" and family.postpositions:
        question.append(Word(lexicon.form("acc"), "CASE", role))
    if role == "recipient":
        case = Word(lexicon.form("dat" if family.postpositions else "to"), "CASE" if family.postpositions else "ADP")
        question = [*question, case] if family.postpositions else [case, *question]
    said[role] = [] if family.fronted_questions else question
    opening = question if family.fronted_questions else []
    subject, object_, location = said["subject"], said.get("object", []), said.get("place", [])
    other = said.get("recipient", []) + said.get("goal", [])
    if family.order == "SVO":
        return opening + before[:1] + subject + before[1:] + verb + object_ + other + location
    if family.order == "VSO":
        return opening + before + verb + subject + object_ + other + location
    return subject + location + other + object_ + before + verb


def _copula(copula: Copula, family: Family, lexicon: Words) -> list[Word]:
    subject = _phrase(copula.subject, "subject", family, lexicon)
    link = [Word(lexicon.form("is"), "COP")]
    if copula.predicate_is_noun:
        predicate = _phrase(Phrase(copula.predicate, "", article="a"), "predicate", family, lexicon)
    else:
        predicate = [Word(lexicon.form(copula.predicate), "ADJ", "predicate")]
    if family.order == "SVO":
        return subject + link + predicate
    if family.order == "VSO":
        return link + subject + predicate
    return subject + predicate + link


def span(words: list[Word], role: str) -> tuple[int, int]:
    """First word and end (exclusive) of the noun phrase with this role, without article, adposition and particle."""
    inside = [i for i, word in enumerate(words) if word.role == role and word.pos not in ("DET", "ADP", "CASE")]
    return inside[0], inside[-1] + 1
