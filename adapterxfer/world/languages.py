"""The thirteen languages of the world: literal facts, no behaviour, so a catalogue can import them in milliseconds.

English stands beside four families of three languages. Every family has one language of each resource tier, so family
(which fixes word order) and tier (which fixes how much text and how many shared words) are not confounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WordOrder = Literal["SVO", "SOV", "VSO"]
Tier = Literal["high", "mid", "low"]


@dataclass(frozen=True, slots=True)
class Family:
    """What all languages of one family share.

    Attributes:
        order: order of subject, verb and object in a plain sentence.
        adjective_first: adjective before (True) or after its noun.
        articles: whether noun phrases carry articles.
        postpositions: adpositions follow their noun phrase, and case particles mark object and recipient.
        fronted_questions: the asked phrase opens the question; otherwise it stays in its place.
    """

    code: str
    order: WordOrder
    adjective_first: bool
    articles: bool
    postpositions: bool
    fronted_questions: bool


@dataclass(frozen=True, slots=True)
class TierResources:
    """What one resource tier gets.

    Attributes:
        documents: monolingual documents in the pretraining corpus.
        parallel: sentence pairs with English in the pretraining corpus.
        mixed: code-switched documents in the pretraining corpus.
        cognates: probability that a word has the family's common form (family A: the English form).
        loans: probability that a word from the family's list of loans has the English form.
        names: probability that a personal or city name is spelled as in English.
    """

    documents: int
    parallel: int
    mixed: int
    cognates: float
    loans: float
    names: float


@dataclass(frozen=True, slots=True)
class WorldLanguage:
    """One language of the world."""

    code: str
    name: str
    family: str
    order: WordOrder
    tier: Tier
    documents: int


FAMILIES: dict[str, Family] = {
    "A": Family("A", "SVO", adjective_first=True, articles=True, postpositions=False, fronted_questions=True),
    "B": Family("B", "SVO", adjective_first=False, articles=True, postpositions=False, fronted_questions=True),
    "C": Family("C", "SOV", adjective_first=True, articles=False, postpositions=True, fronted_questions=False),
    "D": Family("D", "VSO", adjective_first=False, articles=False, postpositions=False, fronted_questions=True),
}

RESOURCES: dict[Tier, TierResources] = {
    "high": TierResources(documents=12_000, parallel=6_000, mixed=6_000, cognates=0.65, loans=1.0, names=0.9),
    "mid": TierResources(documents=3_000, parallel=1_500, mixed=1_500, cognates=0.45, loans=0.6, names=0.7),
    "low": TierResources(documents=720, parallel=0, mixed=0, cognates=0.25, loans=0.25, names=0.4),
}

LANGUAGES: dict[str, WorldLanguage] = {
    "en": WorldLanguage("en", "English", "A", "SVO", "high", 12_000),
    "a1": WorldLanguage("a1", "Arden", "A", "SVO", "high", 12_000),
    "a2": WorldLanguage("a2", "Averil", "A", "SVO", "mid", 3_000),
    "a3": WorldLanguage("a3", "Ansk", "A", "SVO", "low", 720),
    "b1": WorldLanguage("b1", "Belario", "B", "SVO", "high", 12_000),
    "b2": WorldLanguage("b2", "Brisol", "B", "SVO", "mid", 3_000),
    "b3": WorldLanguage("b3", "Buzan", "B", "SVO", "low", 720),
    "c1": WorldLanguage("c1", "Chukan", "C", "SOV", "high", 12_000),
    "c2": WorldLanguage("c2", "Kyrez", "C", "SOV", "mid", 3_000),
    "c3": WorldLanguage("c3", "Komsha", "C", "SOV", "low", 720),
    "d1": WorldLanguage("d1", "Dashar", "D", "VSO", "high", 12_000),
    "d2": WorldLanguage("d2", "Duqail", "D", "VSO", "mid", 3_000),
    "d3": WorldLanguage("d3", "Dezrim", "D", "VSO", "low", 720),
}
"""English first, then families in order, high tier first. English belongs to family A and is no zero-shot language."""

ZERO_SHOT: tuple[str, ...] = tuple(code for code in LANGUAGES if code != "en")
