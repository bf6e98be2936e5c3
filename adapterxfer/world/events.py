"""Sampling of meanings: events that respect what each verb takes, and copular statements."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapterxfer.world.concepts import (
    ADJECTIVES_FOR,
    ADVERBS,
    AMBIGUOUS_NAMES,
    ARTICLES,
    CITY_NAMES,
    NOUNS,
    PERSON_NAMES,
    PREPOSITIONS,
    SCRIPT,
    VERBS,
)
from adapterxfer.world.draws import Draws
from adapterxfer.world.grammar import Copula, Event, Phrase

_VERBS = tuple(VERBS)
_COUNTED = ("animal", "food", "thing")
_SUBJECTS = ("animal", "food", "thing", "place", "person", "city")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often an optional part is present."""

    adjective: float = 0.35
    numeral: float = 0.2
    future: float = 0.3
    negated: float = 0.12
    place_of_transitive: float = 0.35
    place_of_intransitive: float = 0.6
    fronted: float = 0.4
    inverted: float = 0.5
    adverb: float = 0.25


PLAIN = Rates()


def phrase(kind: str, rng: Draws, rates: Rates = PLAIN) -> Phrase:
    """A noun phrase of one class: people are names three times in four, cities always."""
    if kind == "city":
        return Phrase(rng.pick(CITY_NAMES + AMBIGUOUS_NAMES), "city")
    if kind == "person" and rng.chance(0.75):
        return Phrase(rng.pick(PERSON_NAMES + AMBIGUOUS_NAMES), "person")
    adjective = rng.pick(ADJECTIVES_FOR[kind]) if rng.chance(rates.adjective) else None
    numeral = str(2 + rng.below(8)) if kind in _COUNTED and rng.chance(rates.numeral) else None
    return Phrase(rng.pick(NOUNS[kind]), kind, adjective, numeral, rng.pick(ARTICLES))


def place_phrase(rng: Draws, rates: Rates = PLAIN) -> Phrase:
    """A place: a city half of the time, else a place noun."""
    return phrase("city" if rng.chance(0.5) else "place", rng, rates)


def _distinct(kinds: tuple[str, ...], others: tuple[Phrase, ...], rng: Draws, rates: Rates) -> Phrase:
    """A phrase whose head none of the others has."""
    while True:
        candidate = phrase(rng.pick(kinds), rng, rates)
        if all(candidate.noun != other.noun for other in others):
            return candidate


def event(rng: Draws, *, verb: str | None = None, subject: Phrase | None = None, rates: Rates = PLAIN) -> Event:
    """An event with a uniform verb (or this one), whose participants are all different."""
    verb = verb or rng.pick(_VERBS)
    frame, subjects, objects = VERBS[verb]
    subject = subject or phrase(rng.pick(subjects), rng, rates)
    object_ = recipient = goal = location = None
    if frame in ("transitive", "ditransitive"):
        object_ = _distinct(objects, (subject,), rng, rates)
    if frame == "ditransitive" and object_ is not None:
        recipient = _distinct(("person",), (subject, object_), rng, rates)
    if frame == "motion":
        goal = _distinct(objects, (subject,), rng, rates)
    placed = {"transitive": rates.place_of_transitive, "intransitive": rates.place_of_intransitive}.get(frame, 0.0)
    if rng.chance(placed):
        location = _distinct(("city", "place"), tuple(p for p in (subject, object_) if p), rng, rates)
    fronted = location is not None and rng.chance(rates.fronted)
    return Event(
        verb=verb,
        subject=subject,
        object=object_,
        recipient=recipient,
        goal=goal,
        place=location,
        preposition=rng.pick(PREPOSITIONS),
        future=rng.chance(rates.future),
        negated=rng.chance(rates.negated),
        fronted=fronted,
        inverted=fronted and frame == "intransitive" and rng.chance(rates.inverted),
        adverb=rng.pick(ADVERBS) if rng.chance(rates.adverb) else None,
    )


def successor(first: Event, rng: Draws) -> Event | None:
    """What the script lets follow an event, or None where it knows nothing or a participant cannot play its part."""
    if first.verb not in SCRIPT:
        return None
    verb, roles = rng.pick(SCRIPT[first.verb])
    return played(first, verb, roles, rng)


def played(first: Event, verb: str, roles: str, rng: Draws) -> Event | None:
    """The event ``verb`` with participants of an earlier event in the given roles (`concepts.SCRIPT`)."""
    cast = {"s": first.subject, "o": first.object, "i": first.recipient}
    actor = cast[roles[0]]
    object_ = cast[roles[1]] if len(roles) > 1 else None
    _, subjects, objects = VERBS[verb]
    if actor is None or actor.kind not in subjects or (object_ is not None and object_.kind not in objects):
        return None
    following = event(rng, verb=verb, subject=replace(actor, article="the"))
    if object_ is not None:
        others = (following.recipient, following.place)
        if any(other is not None and other.noun == object_.noun for other in others):
            return None
        following = replace(following, object=replace(object_, article="the"))
    return replace(following, future=first.future, negated=False)


def copula(rng: Draws) -> Copula:
    """A copular statement: a name's profession or property, a noun's class or property."""
    kind = rng.pick(_SUBJECTS)
    subject = replace(phrase(kind, rng), adjective=None, numeral=None)
    if subject.is_name and kind == "person" and rng.chance(0.6):
        return Copula(subject, rng.pick(NOUNS["person"]), predicate_is_noun=True)
    if not subject.is_name and rng.chance(0.25):
        return Copula(subject, kind, predicate_is_noun=True)
    return Copula(subject, rng.pick(ADJECTIVES_FOR[kind]), predicate_is_noun=False)
