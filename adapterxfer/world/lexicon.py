"""The words of every language: borrowed, inherited or its own, drawn once from a fixed seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

from adapterxfer.world.concepts import (
    ADJECTIVES,
    CASE_PARTICLES,
    CLASS_OF,
    FUNCTION_WORDS,
    HOMOGRAPHS,
    HYPERNYMS,
    NAMES,
    VERBS,
)
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.languages import FAMILIES, LANGUAGES, RESOURCES, WorldLanguage

LEXICON_SEED = 20_261
LOAN_SHARE = 0.15
"""Share of the content words that a family borrows from English."""
_PATIENCE = 200
"""Taken words in a row after which the next has one syllable more: no family runs out of words."""

_SOUNDS: dict[str, tuple[str, str, str]] = {
    "A": ("b d f g h k l m n p r s t w st br fl", "a e i o u ee oo", "n t k r d s"),
    "B": ("c b d f l m n p r s t v ch j qu", "a e i o u ia", "n s l z m"),
    "C": ("k t y b g s z m d ch sh l", "a e i u o ui", "k n r l z sh"),
    "D": ("q kh b d r s m n l h sh z j", "a i u aa", "b d r m l q f"),
}
"""Family -> onsets, vowels, codas of its syllables."""

_CONTENT: tuple[str, ...] = (*CLASS_OF, *HYPERNYMS, *ADJECTIVES, *VERBS)


class Words(Protocol):
    """What a grammar asks a lexicon for."""

    def form(self, concept: str) -> str:
        """The word for a concept."""
        ...

    def counted(self, concept: str) -> str:
        """The word for a noun after a numeral."""
        ...


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Forms of one language.

    Attributes:
        forms: concept -> word.
        plural: ending glued to a counted noun.
    """

    forms: dict[str, str]
    plural: str

    def form(self, concept: str) -> str:
        """The word for a concept; digits and punctuation stand for themselves."""
        return self.forms.get(concept, concept)

    def counted(self, concept: str) -> str:
        """The word for a noun after a numeral."""
        return self.forms.get(concept, concept) + self.plural


class _Coiner:
    """Makes words that no language has yet."""

    def __init__(self, taken: set[str], rng: Draws) -> None:
        self._taken = taken
        self._rng = rng

    def syllable(self, family: str, closed: float) -> str:
        onsets, vowels, codas = (sounds.split() for sounds in _SOUNDS[family])
        coda = self._rng.pick(codas) if self._rng.chance(closed) else ""
        return self._rng.pick(onsets) + self._rng.pick(vowels) + coda

    def word(self, family: str, syllables: int) -> str:
        for attempt in range(50 * _PATIENCE):
            count = syllables + attempt // _PATIENCE
            parts = [self.syllable(family, 0.7 if i == count - 1 else 0.2) for i in range(count)]
            word = "".join(parts)
            if word not in self._taken:
                self._taken.add(word)
                return word
        raise AssertionError(f"family {family} has no free word left")


def _respelled(name: str, coiner: _Coiner, family: str, used: set[str]) -> str:
    """A local spelling of a name: its first letter, a new syllable, and its third and fourth letters."""
    ending = ""
    while True:
        spelled = name[0] + coiner.syllable(family, 0.0) + name[2:4] + ending
        if spelled not in used and spelled not in NAMES:
            return spelled
        ending += name[-1]


@cache
def lexicons() -> dict[str, Lexicon]:
    """Language code -> lexicon, for all languages; the same on every machine."""
    english = _english()
    taken = set(english.forms.values())
    common: dict[str, dict[str, str]] = {}
    loans: dict[str, set[str]] = {}
    for family in FAMILIES:
        rng = Draws(generator(LEXICON_SEED, "family", family))
        coiner = _Coiner(taken, rng)
        if family == "A":
            meanings = {concept: english.forms[concept] for concept in _CONTENT}
        else:
            meanings = {concept: coiner.word(family, 2) for concept in _CONTENT}
        meanings |= {concept: coiner.word(family, 1) for concept in (*FUNCTION_WORDS, *CASE_PARTICLES)}
        common[family] = meanings
        loans[family] = {concept for concept in _CONTENT if rng.chance(LOAN_SHARE)}
    lexicon_of = {"en": english}
    for code, language in LANGUAGES.items():
        if code != "en":
            lexicon_of[code] = _lexicon(language, english, common[language.family], loans[language.family], taken)
    return lexicon_of


def _english() -> Lexicon:
    forms = {concept: concept for concept in (*_CONTENT, *FUNCTION_WORDS, *NAMES)}
    forms |= {noun: forms[model] for noun, model in HOMOGRAPHS.items()}
    return Lexicon(forms, "s")


def _lexicon(
    language: WorldLanguage, english: Lexicon, common: dict[str, str], loans: set[str], taken: set[str]
) -> Lexicon:
    rng = Draws(generator(LEXICON_SEED, "language", language.code))
    coiner = _Coiner(taken, rng)
    family, tier = language.family, RESOURCES[language.tier]
    forms: dict[str, str] = {}
    for concept in _CONTENT:
        borrowed = concept in loans and rng.chance(tier.loans)
        inherited = rng.chance(tier.cognates)
        root = coiner.word(family, 2)
        forms[concept] = english.forms[concept] if borrowed else common[concept] if inherited else root
    particles = CASE_PARTICLES if FAMILIES[family].postpositions else ()
    for concept in (*FUNCTION_WORDS, *particles):
        inherited, root = rng.chance(tier.cognates), coiner.word(family, 1)
        forms[concept] = common[concept] if inherited else root
    for name in NAMES:
        same, spelled = rng.chance(tier.names), _respelled(name, coiner, family, set(forms.values()))
        forms[name] = name if same else spelled
    forms |= {noun: forms[model] for noun, model in HOMOGRAPHS.items()}
    return Lexicon(forms, coiner.syllable(family, 0.5))
