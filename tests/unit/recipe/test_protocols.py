"""A recipe may choose the protocol of a task and the layer of a retrieval."""

from __future__ import annotations

import pytest

from adapterxfer.catalog import layer_in, metric_of, protocols_of, task_specs, tasks, with_layer
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
    for name in task_specs():
        for protocol in protocols_of(name).values():
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


def test_other_evaluations_share_the_models_and_add_predictions_only() -> None:
    plain = plan("tatoeba", "tasks: {tatoeba: {protocol: xtreme, layer: 14}}")
    more = plan(
        "tatoeba",
        "tasks: {tatoeba: {protocol: xtreme, layer: 14, also: [{layer: 0}, {layer: top}, {protocol: default}]}}",
    )
    assert plain.stages.keys() - more.stages.keys() == {
        key for key, stage in plain.stages.items() if stage.kind == "report"
    }, "what was there keeps its key"
    added = [stage for key, stage in more.stages.items() if key not in plain.stages and stage.kind != "report"]
    assert {stage.kind for stage in added} == {"predict", "prepare"}
    assert {cell.target for cell in more.cells} == {
        "tatoeba", "tatoeba@layer-0", "tatoeba@top-layer", "tatoeba@default"
    }  # fmt: skip
    by_target = {cell.target: more.stages[cell.predict].identity["protocol"] for cell in more.cells}
    assert by_target == {
        "tatoeba": "tatoeba/from-english/mean-pool-special/layer-14/uncentred",
        "tatoeba@layer-0": "tatoeba/from-english/mean-pool-special/layer-0/uncentred",
        "tatoeba@top-layer": "tatoeba/from-english/mean-pool-special/top-layer/uncentred",
        "tatoeba@default": tasks()["tatoeba"].protocol,
    }


def test_development_examples_are_english_and_of_the_same_data() -> None:
    made = plan("xnli", "tasks: {xnli: {also: [{split: dev}]}}")
    stages = {cell.target: made.stages[cell.predict] for cell in made.cells if cell.intermediate == "squad-v1"}
    test, dev = stages["xnli"], stages["xnli@dev"]
    assert (test.identity["split"], dev.identity["split"]) == ("test", "dev")
    assert dev.identity["languages"] == ["en"]
    assert dev.inputs == test.inputs
    assert dev.slug == f"{test.slug}-dev"


def test_stand_ins_know_the_layers_that_every_backbone_has() -> None:
    text = "tasks: {tatoeba: {layer: 14, also: [{layer: 0}, {layer: top}, {layer: 7}, {protocol: xtreme}]}}"
    made = build_plan(parse_recipe(RECIPE.format(target="tatoeba") + text, "r", ["world=true"]))
    found = {cell.target: made.stages[cell.predict].identity["protocol"] for cell in made.cells}
    assert found["tatoeba@layer-0"] == with_layer(found["tatoeba"], 0) != found["tatoeba"]
    assert found["tatoeba@top-layer"] == with_layer(found["tatoeba"], "top")
    assert found["tatoeba@layer-7"] == found["tatoeba@xtreme"] == found["tatoeba"]


@pytest.mark.parametrize(
    ("target", "also", "part"),
    [
        ("xnli", "[{layer: 3}]", "not answered with a single layer"),
        ("xnli", "[{}]", "at least one of: protocol, layer, split"),
        ("xnli", "[{split: dev, layer: 3}]", "split stands alone"),
        ("xnli", "[{split: dev}, {split: dev}]", "the same"),
        ("tatoeba", "[{split: dev}]", "no development examples"),
        ("tatoeba", "[{protocol: xtrem}]", "did you mean 'xtreme'"),
    ],
)
def test_other_evaluations_that_cannot_be_are_refused(target: str, also: str, part: str) -> None:
    with pytest.raises(RecipeError, match=part):
        plan(target, f"tasks: {{{target}: {{also: {also}}}}}")
