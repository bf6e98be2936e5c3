from collections import Counter

import pytest

from adapterxfer.world.concepts import HOMOGRAPHS, NAMES
from adapterxfer.world.documents import said
from adapterxfer.world.grammar import Event, Phrase, Utterance
from adapterxfer.world.languages import FAMILIES, LANGUAGES, RESOURCES, ZERO_SHOT
from adapterxfer.world.lexicon import lexicons

EVENT = Event(
    verb="carry",
    subject=Phrase("Tom", "person"),
    object=Phrase("book", "thing", adjective="red"),
    place=Phrase("Paris", "city"),
)


def order(language: str) -> str:
    """Subject, verb and object in the order in which a language says them."""
    letters = {"subject": "S", "object": "O"}
    words = said(Utterance(EVENT), language)
    found = ["V" if w.pos == "VERB" else letters.get(w.role, "") for w in words if w.pos in ("VERB", "NOUN", "PROPN")]
    return "".join(found)


def test_families_and_tiers_are_crossed() -> None:
    counts = Counter((LANGUAGES[code].family, LANGUAGES[code].tier) for code in ZERO_SHOT)
    assert len(counts) == 12
    assert set(counts.values()) == {1}


def test_facts_of_a_language_agree_with_its_family_and_tier() -> None:
    for code, language in LANGUAGES.items():
        assert language.code == code
        assert language.order == FAMILIES[language.family].order
        assert language.documents == RESOURCES[language.tier].documents


@pytest.mark.parametrize("code", LANGUAGES)
def test_word_order(code: str) -> None:
    assert order(code) == LANGUAGES[code].order


@pytest.mark.parametrize("code", LANGUAGES)
def test_adjectives_adpositions_and_case(code: str) -> None:
    family = FAMILIES[LANGUAGES[code].family]
    words = said(Utterance(EVENT), code)
    tags = [word.pos for word in words]
    assert (tags.index("ADJ") < tags.index("NOUN")) == family.adjective_first
    place = [word.pos for word in words if word.role == "place"]
    assert place == (["PROPN", "ADP"] if family.postpositions else ["ADP", "PROPN"])
    assert ("DET" in tags) == family.articles
    assert ("CASE" in tags) == family.postpositions


def test_negation_stands_before_the_verb_everywhere() -> None:
    negated = Event(verb="sleep", subject=Phrase("Tom", "person"), negated=True)
    for code in LANGUAGES:
        tags = [word.pos for word in said(Utterance(negated), code)]
        assert tags.index("NEG") == tags.index("VERB") - 1


def test_questions_open_with_the_question_word_unless_it_stays_in_place() -> None:
    question = Utterance(EVENT, act="question", asked="object")
    for code, language in LANGUAGES.items():
        words = said(question, code)
        assert (words[0].pos == "PRON") == FAMILIES[language.family].fronted_questions
        assert all(word.pos != "ADJ" for word in words)
        assert words[-1].form == "?"


def test_richer_languages_share_more_words_with_english() -> None:
    english = lexicons()["en"].forms
    for family in FAMILIES:
        shares = []
        for tier in ("high", "mid", "low"):
            (code,) = [c for c in ZERO_SHOT if (LANGUAGES[c].family, LANGUAGES[c].tier) == (family, tier)]
            forms = lexicons()[code].forms
            shares.append(sum(forms[concept] == form for concept, form in english.items()) / len(english))
        assert shares[0] > shares[1] > shares[2]


def test_words_of_a_language_are_different_but_for_the_homographs() -> None:
    for lexicon in lexicons().values():
        forms = {concept: form for concept, form in lexicon.forms.items() if concept not in HOMOGRAPHS}
        assert len(set(forms.values())) == len(forms)
        for noun, model in HOMOGRAPHS.items():
            assert lexicon.forms[noun] == lexicon.forms[model]
        assert set(NAMES) <= set(lexicon.forms)
