"""Noun phrases of a text, found from the words alone: what an informed guesser of answers would choose from."""

from __future__ import annotations

from functools import cache

from adapterxfer.world.concepts import ADJECTIVES, ARTICLES, CLASS_OF, HYPERNYMS, NAMES, VERBS
from adapterxfer.world.languages import FAMILIES, LANGUAGES
from adapterxfer.world.lexicon import lexicons

_NOMINAL = ("name", "number", "article", "noun", "adjective")


@cache
def _parts(language: str) -> dict[str, frozenset[str]]:
    """Word -> what it can be: ``name``, ``noun``, ``adjective``, ``article``, ``auxiliary`` or ``negation``."""
    words = lexicons()[language]
    classes: dict[str, set[str]] = {}
    for word_class, concepts in (
        ("name", NAMES),
        ("noun", (*CLASS_OF, *HYPERNYMS)),
        ("adjective", ADJECTIVES),
        ("article", ARTICLES if FAMILIES[LANGUAGES[language].family].articles else ()),
        ("verb", VERBS),
        ("auxiliary", ("did", "will")),
        ("negation", ("not",)),
    ):
        for concept in concepts:
            classes.setdefault(words.form(concept), set()).add(word_class)
            if word_class == "noun":
                classes.setdefault(words.counted(concept), set()).add(word_class)
    return {word: frozenset(parts) for word, parts in classes.items()}


def informed_guesses(language: str, question: str, context: str) -> list[str]:
    """Noun phrases of a context whose noun or name the question does not mention: answers a good guesser picks from.

    All noun phrases where the question mentions every one of them.
    """
    words, mentioned = context.split(), set(question.split())
    spans = _word_spans(words, language)
    free = [(first, end) for first, end, head in spans if words[head] not in mentioned]
    return [" ".join(words[first:end]) for first, end in free or [(first, end) for first, end, _ in spans]]


def _word_spans(words: list[str], language: str) -> list[tuple[int, int, int]]:
    """First word, end and head of every noun phrase, in order, without articles, adpositions and case particles.

    Words that can be a noun and a verb are told apart by the auxiliary beside every verb; nouns that look like an
    adjective, by their neighbours. Names, and digits with their noun, are noun phrases too.
    """
    family = FAMILIES[LANGUAGES[language].family]
    parts = _readings(words, language)
    spans: list[tuple[int, int, int]] = []
    at = 0
    while at < len(parts):
        if parts[at] == "article":
            at += 1
        first = at
        if parts[at] == "name":
            at += 1
        elif parts[at] in ("number", "adjective", "noun"):
            at = _phrase_end(parts, at, adjective_first=family.adjective_first)
        else:
            at += 1
            continue
        head = next((i for i in range(first, at) if parts[i] in ("name", "noun")), first)
        spans.append((first, at, head))
    return spans


def _phrase_end(parts: list[str], at: int, *, adjective_first: bool) -> int:
    """End of the noun phrase that starts at ``at``: a number, then adjective and noun in the family's order."""
    if parts[at] == "number":
        at += 1
    if adjective_first:
        while at < len(parts) and parts[at] == "adjective":
            at += 1
        return at + 1 if at < len(parts) and parts[at] == "noun" else at
    if at < len(parts) and parts[at] in ("noun", "adjective"):
        at += 1
        if at < len(parts) and parts[at] == "adjective":
            at += 1
    return at


def _readings(words: list[str], language: str) -> list[str]:
    """One part for every word, ``other`` for those that belong to no noun phrase."""
    lexicon = _parts(language)
    family = FAMILIES[LANGUAGES[language].family]
    can_be = [lexicon.get(word, frozenset({"number"} if word.isdigit() else {"other"})) for word in words]
    read: list[str] = []
    for at, options in enumerate(can_be):
        if "verb" in options and _beside_auxiliary(can_be, at, verb_final=family.order == "SOV"):
            read.append("other")
        elif "noun" in options and "adjective" in options:
            read.append(_noun_or_adjective(can_be, read, at, adjective_first=family.adjective_first))
        else:
            read.append(next((word_class for word_class in _NOMINAL if word_class in options), "other"))
    return read


def _beside_auxiliary(can_be: list[frozenset[str]], at: int, *, verb_final: bool) -> bool:
    if verb_final:
        return at + 1 < len(can_be) and "auxiliary" in can_be[at + 1]
    if at and "negation" in can_be[at - 1]:
        at -= 1
    return at > 0 and "auxiliary" in can_be[at - 1]


def _noun_or_adjective(can_be: list[frozenset[str]], read: list[str], at: int, *, adjective_first: bool) -> str:
    if adjective_first:
        follows = can_be[at + 1] if at + 1 < len(can_be) else frozenset()
        return "adjective" if "noun" in follows else "noun"
    return "adjective" if read and read[-1] == "noun" else "noun"
