"""A recipe may choose the protocol of a task and the layer of a retrieval."""

from __future__ import annotations

import pytest

from adapterxfer.catalog import PROTOCOLS, layer_in, metric_of, tasks, with_layer
from adapterxfer.errors import RecipeError
from adapterxfer.metrics import METRICS
from adapterxfer.plan import build_plan
from adapterxfer.recipe import parse_recipe

RECIPE = """
recipe: 1
name: p
backbones: [xlm-r-base]
intermediate_tasks: [none, squad-v1]
target_tasks: [{target}]
variants: [full-ft]
seeds: [1]
controls: false
train: {{default: {{steps: 5, learning_rate: 1e-3}}}}
"""


def plan(target: str, options: str = ""):
    return build_plan(parse_recipe(RECIPE.format(target=target) + options))


def identities(target: str, options: str = "") -> dict[str, dict]:
    return {stage.slug: dict(stage.identity) for stage in plan(target, options).stages.values()}


def test_every_protocol_has_a_task_and_a_metric() -> None:
    for name, known in PROTOCOLS.items():
        for protocol in known.values():
            assert protocol.metric in METRICS
            assert protocol.text != tasks()[name].protocol
            assert protocol.note


def test_the_protocol_is_part_of_examples_and_predictions() -> None:
    plain, chosen = identities("udpos"), identities("udpos", "tasks: {udpos: {protocol: xtreme}}")
    assert plain.keys() == chosen.keys()
    different = [slug for slug in plain if plain[slug] != chosen[slug] and "cells" not in plain[slug]]
    assert {plain[slug]["protocol"] for slug in different} == {"pos/token-accuracy/first-piece"}
    assert {chosen[slug]["protocol"] for slug in different} == {"udpos/seqeval-0.0.12/fused-words/first-piece"}


def test_an_absent_option_leaves_every_key() -> None:
    assert plan("tatoeba").stages.keys() == plan("tatoeba", "tasks: {tatoeba: {languages: null}}").stages.keys()


def test_layers_are_written_into_the_protocol() -> None:
    text = next(
        entry["protocol"]
        for slug, entry in identities("tatoeba", "tasks: {tatoeba: {protocol: xtreme, layer: 14}}").items()
        if slug.startswith("xlm-r-base-tatoeba")
    )
    assert text == "tatoeba/from-english/mean-pool-special/layer-14/uncentred"
    assert metric_of("tatoeba", text, None) == "retrieval_accuracy"
    assert (layer_in(text), layer_in("a/top-layer"), layer_in("accuracy")) == (14, "top", "middle")
    assert with_layer("accuracy", 3) == "accuracy"


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("udpos", "tasks: {udpos: {protocol: xtrem}}", "did you mean 'xtreme'"),
        ("xnli", "tasks: {xnli: {protocol: xtreme}}", "task 'xnli' has one protocol"),
        ("xnli", "tasks: {xnli: {layer: 3}}", "not answered with a single layer"),
        ("tatoeba", "tasks: {tatoeba: {layer: deep}}", "layer"),
    ],
)
def test_mistakes_are_named(target: str, options: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        plan(target, options)
    assert message in str(error.value)
