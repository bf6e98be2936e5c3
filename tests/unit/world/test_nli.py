from dataclasses import replace

import pytest

from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.grammar import Event, Phrase
from adapterxfer.world.nli import LABELS, inference_pair, judge

TOM = Phrase("Tom", "person")
DOG = Phrase("dog", "animal")
SEES = Event(verb="see", subject=TOM, object=DOG)


def with_object(**changes: str) -> Event:
    return replace(SEES, object=replace(DOG, **changes))


@pytest.mark.parametrize(
    ("given", "claim", "label"),
    [
        (SEES, SEES, "entailment"),
        (with_object(adjective="big"), SEES, "entailment"),
        (SEES, with_object(noun="animal"), "entailment"),
        (replace(SEES, place=Phrase("Paris", "city")), SEES, "entailment"),
        (SEES, with_object(adjective="big"), "neutral"),
        (SEES, replace(SEES, subject=Phrase("Anna", "person")), "neutral"),
        (SEES, replace(SEES, verb="love"), "neutral"),
        (with_object(noun="animal"), SEES, "neutral"),
        (with_object(adjective="big"), with_object(adjective="small"), "contradiction"),
        (with_object(adjective="black"), with_object(adjective="white"), "contradiction"),
        (with_object(adjective="big"), with_object(adjective="black"), "neutral"),
        (with_object(numeral="2"), with_object(numeral="3"), "contradiction"),
        (replace(SEES, place=Phrase("Paris", "city")), replace(SEES, place=Phrase("Oslo", "city")), "contradiction"),
        (SEES, replace(SEES, negated=True), "contradiction"),
        (with_object(adjective="big"), replace(SEES, negated=True), "contradiction"),
        (SEES, replace(with_object(adjective="big"), negated=True), "neutral"),
        (replace(SEES, negated=True), replace(with_object(adjective="big"), negated=True), "entailment"),
        (replace(with_object(adjective="big"), negated=True), replace(SEES, negated=True), "neutral"),
        (replace(SEES, negated=True), with_object(adjective="big"), "contradiction"),
    ],
)
def test_judge(given: Event, claim: Event, label: str) -> None:
    assert judge(given, claim) == label


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("telling", [False, True])
def test_premises_stand_in_the_relation_they_are_made_for(label: str, telling: bool) -> None:
    rng = Draws(generator("test", label))
    for _ in range(150):
        made, claim = inference_pair(label, rng, telling=telling)
        assert judge(made, claim) == label


def test_premises_of_all_labels_are_negated_equally_often() -> None:
    rng = Draws(generator("test", "negation"))
    shares = []
    for label in LABELS:
        made = [inference_pair(label, rng)[0] for _ in range(800)]
        shares.append(sum(event.negated for event in made) / len(made))
    assert max(shares) - min(shares) < 0.08  # standard error of one share is 0.014
