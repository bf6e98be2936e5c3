"""What can be talked about: nouns by class, names, adjectives, verbs with their frames, and the script of the stories.

A concept is named by an English-looking word; which form it takes in a language, English included, is decided in
`lexicon`.
"""

from __future__ import annotations

from typing import Literal

Frame = Literal["transitive", "ditransitive", "motion", "intransitive"]

NOUNS: dict[str, tuple[str, ...]] = {
    "animal": ("dog", "cat", "horse", "bird", "fish", "cow", "wolf", "sheep"),
    "food": ("bread", "apple", "rice", "cake", "soup", "egg", "cheese", "meat"),
    "thing": ("book", "chair", "car", "boat", "knife", "lamp", "phone", "box", "coat", "ring"),
    "place": ("house", "school", "market", "park", "river", "forest", "station", "church"),
    "person": ("doctor", "teacher", "farmer", "king", "student", "driver", "nurse", "judge"),
}
CLASS_OF: dict[str, str] = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns}
HYPERNYMS: tuple[str, ...] = tuple(NOUNS)
"""The class words are nouns too: a dog is an animal."""

PERSON_NAMES = ("Tom", "Anna", "Peter", "Maria", "Ivan", "Laura", "Omar", "Nina")
CITY_NAMES = ("Paris", "Cairo", "Lima", "Oslo", "Delhi", "Quito", "Milan", "Tunis")
AMBIGUOUS_NAMES = (
    "Jordan", "Sofia", "Victoria", "Florence", "Austin", "Chelsea", "Dakota", "Georgia", "Sydney", "Madison",
    "Dallas", "Carolina", "Savannah", "Vienna", "Brooklyn", "Kingston", "Lincoln", "Boston", "Houston", "Orlando",
)  # fmt: skip
"""Names of a person and of a city: only the sentence tells which."""

NAMES: tuple[str, ...] = PERSON_NAMES + CITY_NAMES + AMBIGUOUS_NAMES

_ANTONYM_PAIRS = (
    ("big", "small"), ("old", "new"), ("hot", "cold"), ("happy", "sad"), ("clean", "dirty"), ("strong", "weak"),
    ("cheap", "rare"),
)  # fmt: skip
ANTONYM: dict[str, str] = {a: b for pair in _ANTONYM_PAIRS for a, b in (pair, pair[::-1])}
COLOURS = ("red", "green", "blue", "black", "white")
ADJECTIVES: tuple[str, ...] = (*ANTONYM, *COLOURS)

ADJECTIVES_FOR: dict[str, tuple[str, ...]] = {
    "animal": ("big", "small", "old", "new", "strong", "weak", "black", "white", "happy", "sad", "clean", "dirty"),
    "food": ("hot", "cold", "old", "new", "cheap", "rare", "red", "green", "white"),
    "thing": ("big", "small", "old", "new", "clean", "dirty", "cheap", "rare", *COLOURS),
    "place": ("clean", "dirty", "cold", "hot", "old", "new"),
    "city": ("clean", "dirty", "cold", "hot", "old", "new"),
    "person": ("happy", "sad", "strong", "weak", "big", "small"),
}
"""People and places share no adjective, so a copular sentence decides an ambiguous name."""

_BEINGS = ("person", "animal")

VERBS: dict[str, tuple[Frame, tuple[str, ...], tuple[str, ...]]] = {
    "eat": ("transitive", _BEINGS, ("food",)),
    "see": ("transitive", _BEINGS, ("animal", "thing", "person")),
    "cook": ("transitive", ("person",), ("food",)),
    "buy": ("transitive", ("person",), ("food", "thing", "animal")),
    "sell": ("transitive", ("person",), ("food", "thing", "animal")),
    "find": ("transitive", ("person",), ("thing", "animal")),
    "lose": ("transitive", ("person",), ("thing", "animal")),
    "wash": ("transitive", ("person",), ("thing", "animal")),
    "carry": ("transitive", ("person",), ("thing", "food")),
    "break": ("transitive", ("person",), ("thing",)),
    "chase": ("transitive", ("animal",), ("animal",)),
    "feed": ("transitive", ("person",), ("animal",)),
    "love": ("transitive", ("person",), ("animal", "food", "person")),
    "help": ("transitive", ("person",), ("person",)),
    "call": ("transitive", ("person",), ("person",)),
    "meet": ("transitive", ("person",), ("person",)),
    "give": ("ditransitive", ("person",), ("thing", "food", "animal")),
    "send": ("ditransitive", ("person",), ("thing", "food", "animal")),
    "show": ("ditransitive", ("person",), ("thing", "food", "animal")),
    "go": ("motion", _BEINGS, ("place", "city")),
    "run": ("motion", _BEINGS, ("place", "city")),
    "travel": ("motion", ("person",), ("city",)),
    "sleep": ("intransitive", _BEINGS, ()),
    "wait": ("intransitive", _BEINGS, ()),
    "sing": ("intransitive", ("person",), ()),
    "cry": ("intransitive", ("person",), ()),
    "work": ("intransitive", ("person",), ()),
}
"""Verb -> frame, classes of the subject, classes of the object (or goal)."""

SCRIPT: dict[str, tuple[tuple[str, str], ...]] = {
    "buy": (("carry", "so"), ("love", "so")),
    "sell": (("go", "s"),),
    "cook": (("eat", "so"),),
    "lose": (("find", "so"),),
    "find": (("wash", "so"),),
    "wash": (("sell", "so"),),
    "break": (("cry", "s"),),
    "chase": (("run", "o"),),
    "feed": (("sleep", "o"),),
    "love": (("feed", "so"),),
    "help": (("love", "os"),),
    "call": (("meet", "so"),),
    "meet": (("help", "so"),),
    "give": (("carry", "io"),),
    "send": (("find", "io"),),
    "show": (("buy", "io"),),
    "go": (("wait", "s"),),
    "run": (("sleep", "s"),),
    "travel": (("work", "s"),),
    "eat": (("sing", "s"),),
    "see": (("buy", "so"),),
    "carry": (("give", "so"),),
}
"""Verb -> what may happen next: the verb, then its subject (and object); s, o, i = subject, object, recipient."""

PREPOSITIONS = ("in", "near", "behind")
ADVERBS = ("today", "then")
ARTICLES = ("the", "a")
MARKERS: dict[str, str] = {"entailment": "so", "neutral": "and", "contradiction": "but"}
QUESTION_WORDS = ("who", "what", "where")
CASE_PARTICLES = ("acc", "dat")
FUNCTION_WORDS: tuple[str, ...] = (
    *ARTICLES, *PREPOSITIONS, *ADVERBS, "to", "not", "will", "did", "is", "so", "but", "and", *QUESTION_WORDS,
)  # fmt: skip

HOMOGRAPHS: dict[str, str] = {
    "king": "cook", "station": "work", "phone": "call", "river": "wash", "nurse": "help", "market": "show",
    "park": "run", "ring": "love", "box": "carry", "forest": "green", "apple": "red", "soup": "cold",
}  # fmt: skip
"""Noun -> verb or adjective whose form it takes in every language."""
