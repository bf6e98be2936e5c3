"""Natural language inference with a semantics: premises are made by edits whose label a judge then confirms.

The hypothesis is drawn first and in the same way for the three labels, so it gives nothing away. Premises of the three
labels are negated equally often and gain or lose equally many modifiers, so their form gives little away either.
"""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.world.concepts import (
    ADJECTIVES_FOR,
    ADVERBS,
    ANTONYM,
    CITY_NAMES,
    COLOURS,
    HYPERNYMS,
    NOUNS,
    PERSON_NAMES,
    PREPOSITIONS,
    VERBS,
)
from adapterxfer.world.draws import Draws
from adapterxfer.world.events import Rates, event, phrase, place_phrase
from adapterxfer.world.grammar import Event, Phrase

LABELS = ("entailment", "neutral", "contradiction")
STEPS = (0, 0, 1)
"""Additions to a premise beside the edit that makes its label; one is drawn."""
TELLING_STEPS = {"entailment": (0, 1, 1, 2), "neutral": (0,), "contradiction": (0, 0, 1)}
"""For premises whose form tells something about the label. Pretraining needs such easy cues to begin with: where every
cue was balanced away, backbones of half a million parameters stayed at chance on the marker of the relation."""
_TRANSITIVE = tuple(verb for verb, (frame, _, _) in VERBS.items() if frame == "transitive")
_HYPOTHESIS = Rates(adjective=0.5, negated=0.2, adverb=0.0, place_of_transitive=0.4, place_of_intransitive=0.7)
_NEGATED_PREMISE = 0.25
"""Share of contradictions of a plain hypothesis made by negation: then a fifth of the premises of each label is
negated, as a fifth of the hypotheses is."""


def _phrase_entails(specific: Phrase, general: Phrase) -> bool:
    same_head = specific.noun == general.noun or (general.noun in HYPERNYMS and general.noun == specific.kind)
    adjective = general.adjective in (None, specific.adjective)
    return same_head and adjective and general.numeral in (None, specific.numeral)


def _phrase_conflicts(a: Phrase, b: Phrase) -> bool:
    """The same head with an antonym, another colour or another number."""
    if a.noun != b.noun:
        return False
    if a.numeral and b.numeral and a.numeral != b.numeral:
        return True
    if a.adjective is None or b.adjective is None:
        return False
    return ANTONYM.get(a.adjective) == b.adjective or (
        a.adjective != b.adjective and a.adjective in COLOURS and b.adjective in COLOURS
    )


def _core(meaning: Event) -> dict[str, Phrase]:
    return {role: noun_phrase for role, noun_phrase in meaning.phrases().items() if role != "place"}


def _entails(premise: Event, hypothesis: Event) -> bool:
    """Whether every situation of the premise is one of the hypothesis; negation is ignored."""
    if premise.verb != hypothesis.verb or premise.future != hypothesis.future:
        return False
    mine, theirs = premise.phrases(), hypothesis.phrases()
    if "place" in theirs and premise.preposition != hypothesis.preposition:
        return False
    return all(role in mine and _phrase_entails(mine[role], noun_phrase) for role, noun_phrase in theirs.items())


def _conflicts(premise: Event, hypothesis: Event) -> bool:
    """Whether both describe the same event in ways that exclude each other; negation is ignored."""
    if premise.verb != hypothesis.verb or premise.future != hypothesis.future:
        return False
    mine, theirs = _core(premise), _core(hypothesis)
    clash = False
    for role, noun_phrase in theirs.items():
        if _phrase_conflicts(mine[role], noun_phrase):
            clash = True
        elif noun_phrase.noun not in (mine[role].noun, mine[role].kind):
            return False
    here, there = premise.place, hypothesis.place
    if here is not None and there is not None:
        if here.kind == there.kind == "city" and here.noun != there.noun:
            clash = clash or premise.preposition == hypothesis.preposition == "in"
        elif _phrase_conflicts(here, there):
            clash = True
    return clash


def judge(premise: Event, hypothesis: Event) -> str:
    """The label that follows from the meanings (one event per verb and participants, no exact numbers implied)."""
    if not premise.negated and not hypothesis.negated:
        if _conflicts(premise, hypothesis):
            return "contradiction"
        return "entailment" if _entails(premise, hypothesis) else "neutral"
    if not premise.negated:
        return "contradiction" if _entails(premise, hypothesis) else "neutral"
    if not hypothesis.negated:
        return "contradiction" if _entails(hypothesis, premise) else "neutral"
    return "entailment" if _entails(hypothesis, premise) else "neutral"


def hypothesis(rng: Draws) -> Event:
    """An event to be judged; a plain one has at least one modifier that a premise can contradict."""
    while True:
        claim = event(rng, verb=rng.pick(_TRANSITIVE) if rng.chance(0.6) else None, rates=_HYPOTHESIS)
        if claim.place is not None:
            claim = replace(claim, preposition="in" if rng.chance(0.6) else rng.pick(PREPOSITIONS))
        roles = [role for role, noun_phrase in _core(claim).items() if not noun_phrase.is_name]
        if roles and rng.chance(0.2):
            role = rng.pick(roles)
            claim = _with(claim, role, replace(claim.phrases()[role], noun=claim.phrases()[role].kind))
        if _contradictable(claim):
            return claim


def premise(label: str, claim: Event, rng: Draws, *, telling: bool = False) -> Event | None:
    """An event that stands in this relation to the hypothesis ``claim``, confirmed by `judge`.

    Args:
        label: one of `LABELS`.
        claim: the hypothesis.
        rng: source of draws.
        telling: let the form of the premise give something away (for pretraining documents).

    Returns:
        The premise, or None where a few dozen draws found none for this hypothesis.
    """
    spread = TELLING_STEPS[label] if telling else STEPS
    for _ in range(60):
        edited = _edited(label, claim, rng.pick(spread), rng)
        if edited is not None and judge(edited, claim) == label:
            adverb = rng.pick(ADVERBS) if rng.chance(0.2) else None
            fronted = edited.place is not None and (edited.fronted if claim.place else rng.chance(0.4))
            inverted = fronted and edited.frame == "intransitive" and rng.chance(0.5)
            return replace(edited, adverb=adverb, fronted=fronted, inverted=inverted)
    return None


def inference_pair(label: str, rng: Draws, *, telling: bool = False) -> tuple[Event, Event]:
    """(premise, hypothesis) with this label; a hypothesis for which no premise is found is drawn again."""
    while True:
        claim = hypothesis(rng)
        ground = premise(label, claim, rng, telling=telling)
        if ground is not None:
            return ground, claim


def _edited(label: str, claim: Event, steps: int, rng: Draws) -> Event | None:
    if claim.negated:
        if label == "contradiction":
            return _strengthened(replace(claim, negated=False), steps, rng)
        return _weakened_or_other(label, claim, steps, rng)
    if label == "entailment":
        return _strengthened(claim, steps, rng)
    if label == "contradiction":
        if rng.chance(_NEGATED_PREMISE):
            return _weakened(replace(claim, negated=True), steps, rng)
        changed, slot = _contradicted(claim, rng)
        return _strengthened(changed, steps, rng, keep=slot)
    if rng.chance(0.5):
        weaker = _weakened(claim, 1, rng)
        return None if weaker is None else _strengthened(weaker, 2 * steps, rng)
    return _strengthened(_other(claim, rng), steps, rng)


def _weakened_or_other(label: str, claim: Event, steps: int, rng: Draws) -> Event | None:
    """A negated premise for a negated hypothesis: weaker premises deny more, so they entail it."""
    if label == "entailment":
        return _weakened(claim, steps, rng)
    if rng.chance(0.5):
        return _weakened(_other(claim, rng), steps, rng)
    stronger = _strengthened(claim, 1, rng)
    return None if stronger is None else _weakened(stronger, 2 * steps, rng)


def _with(meaning: Event, role: str, noun_phrase: Phrase | None) -> Event:
    if role == "subject" and noun_phrase is not None:
        return replace(meaning, subject=noun_phrase)
    if role == "object":
        return replace(meaning, object=noun_phrase)
    if role == "recipient":
        return replace(meaning, recipient=noun_phrase)
    if role == "goal":
        return replace(meaning, goal=noun_phrase)
    return replace(meaning, place=noun_phrase, fronted=meaning.fronted and noun_phrase is not None)


def _contradictable(meaning: Event) -> bool:
    return bool(_slots(meaning))


def _slots(meaning: Event) -> list[tuple[str, str]]:
    """(role, kind of change) for everything a premise can contradict."""
    slots = []
    for role, noun_phrase in meaning.phrases().items():
        if noun_phrase.adjective:
            slots.append((role, "adjective"))
        if noun_phrase.numeral:
            slots.append((role, "numeral"))
    if meaning.place is not None and meaning.place.kind == "city" and meaning.preposition == "in":
        slots.append(("place", "city"))
    return slots


def _contradicted(claim: Event, rng: Draws) -> tuple[Event, str]:
    """The claim with one modifier changed to one that excludes it, and the role that was changed."""
    role, change = rng.pick(_slots(claim))
    noun_phrase = claim.phrases()[role]
    if change == "city":
        changed = _another(noun_phrase, claim, rng)
    elif change == "numeral":
        changed = replace(
            noun_phrase, numeral=rng.pick([str(n) for n in range(2, 10) if str(n) != noun_phrase.numeral])
        )
    elif noun_phrase.adjective in ANTONYM:
        changed = replace(noun_phrase, adjective=ANTONYM[noun_phrase.adjective])
    else:
        allowed = [c for c in COLOURS if c != noun_phrase.adjective and c in ADJECTIVES_FOR[noun_phrase.kind]]
        changed = replace(
            noun_phrase, adjective=rng.pick(allowed or [c for c in COLOURS if c != noun_phrase.adjective])
        )
    return _with(claim, role, changed), role


def _another(present: Phrase, meaning: Event, rng: Draws) -> Phrase:
    """Another head of the same class, not used in the event."""
    used = {other.noun for other in meaning.phrases().values()}
    while True:
        if present.is_name:
            names = CITY_NAMES if present.kind == "city" else PERSON_NAMES
            other = phrase(present.kind, rng).noun if rng.chance(0.7) else rng.pick(names)
            candidate = Phrase(other, present.kind)
            if not candidate.is_name:
                continue
        else:
            candidate = replace(present, noun=rng.pick(NOUNS[present.kind]))
        if candidate.noun not in used:
            return candidate


def _other(claim: Event, rng: Draws) -> Event:
    """The claim about another subject, or with another verb of the same frame and classes."""
    if claim.frame in ("transitive", "intransitive") and rng.chance(0.5):
        kind = claim.object.kind if claim.object is not None else ""
        verbs = [
            verb
            for verb, (frame, subjects, objects) in VERBS.items()
            if verb != claim.verb
            and frame == claim.frame
            and claim.subject.kind in subjects
            and (not kind or kind in objects)
        ]
        if verbs:
            return replace(claim, verb=rng.pick(verbs))
    return replace(claim, subject=_another(claim.subject, claim, rng))


def _strengthened(meaning: Event, steps: int, rng: Draws, keep: str = "") -> Event | None:
    """The event with this many additions (adjective, numeral, place, a noun for its class), none in role ``keep``."""
    for _ in range(steps):
        options: list[tuple[str, Phrase]] = []
        for role, filler in meaning.phrases().items():
            if role == keep or filler.is_name:
                continue
            if filler.adjective is None:
                options.append((role, replace(filler, adjective=rng.pick(ADJECTIVES_FOR[filler.kind]))))
            if filler.noun in HYPERNYMS:
                options.append((role, replace(filler, noun=rng.pick(NOUNS[filler.kind]))))
        if meaning.place is None and meaning.frame in ("transitive", "intransitive"):
            options.append(("place", place_phrase(rng)))
        if not options:
            return None
        meaning = _with(meaning, *rng.pick(options))
    nouns = [filler.noun for filler in meaning.phrases().values()]
    return meaning if len(set(nouns)) == len(nouns) else None


def _weakened(meaning: Event | None, steps: int, rng: Draws) -> Event | None:
    """The event with this many parts dropped (adjective, numeral, place) or replaced by their class."""
    if meaning is None:
        return None
    for _ in range(steps):
        options: list[tuple[str, Phrase | None]] = []
        for role, noun_phrase in meaning.phrases().items():
            if noun_phrase.adjective is not None:
                options.append((role, replace(noun_phrase, adjective=None)))
            if noun_phrase.numeral is not None:
                options.append((role, replace(noun_phrase, numeral=None)))
            if not noun_phrase.is_name and noun_phrase.noun not in HYPERNYMS and role != "place":
                options.append((role, replace(noun_phrase, noun=noun_phrase.kind)))
        if meaning.place is not None:
            options.append(("place", None))
        if not options:
            return None
        meaning = _with(meaning, *rng.pick(options))
    return meaning
