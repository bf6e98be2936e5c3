"""Executor of `predict` stages: any system, one task, all its languages, one prediction file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.catalog import layer_in, metric_of, tasks
from adapterxfer.data.examples import Example
from adapterxfer.data.storage import StoredTask, read_task
from adapterxfer.errors import StageError
from adapterxfer.metrics import Metric, get_metric
from adapterxfer.predict.controls import CONTROLS, EMBEDDING_LAYER, ControlResult, run_control
from adapterxfer.predict.controls.base import ControlInput
from adapterxfer.predict.table import read_predictions, write_predictions
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.spent import gflop_in_all

DEFAULT_SPLIT = "test"

LANGUAGE = "language."
"""Beginning of the roles of language adapters among the inputs."""

MODEL = "model."
"""Beginning of the roles of models that answer in one language each."""


def execute(context: StageContext) -> dict[str, Any]:
    """Predict, count, write `predictions.parquet`.

    Returns:
        ``examples``, ``metric``, ``scores`` (language -> points), ``model_size`` where there is a model, and
        ``untokenized_words`` for tagging tasks; ``training_gflop`` of the trainings behind the model; ``inputs``: what
        the tokenizer made of the texts of each language, where a backbone reads them.

    Raises:
        StageError: the identity names an unknown kind of system.
    """
    identity = context.stage.identity
    task = read_task(context.inputs["data"])
    split = str(identity.get("split", DEFAULT_SPLIT))
    languages = list(identity.get("languages") or task.languages(split))
    catalogued = tasks().get(task.task)
    protocol = str(identity.get("protocol", ""))
    named = identity.get("metric") or metric_of(task.task, protocol, catalogued.metric if catalogued else None)
    metric = get_metric(named, format_name=task.format, labels=task.labels)
    system, taught = identity["system"], identity.get("supervision")
    notes: dict[str, Any] = {}
    inputs: Mapping[str, Any] = {}
    if system["kind"] == "control" and system["control"] != EMBEDDING_LAYER:
        examples: Sequence[Example] = [e for language in languages for e in task.split(split, language)]
        # The draws follow from the key of the stage, so they are the same on every machine and in every run.
        rng = np.random.default_rng(int(context.stage.key, 16))
        result = run_control(system["control"], ControlInput(task, examples, metric, rng))
        notes["control"] = CONTROLS[system["control"]].description
    else:
        examples, result, notes, inputs = _ask_model(context, task, split, languages)
    metadata = {
        "stage_key": context.stage.key,
        "task": task.task,
        "format": task.format,
        "protocol": f"{protocol}/{_supervision(taught)}" if taught else protocol,
        "metric_protocol": metric.protocol,
        "split": split,
        "system": dict(system),
        "data_fingerprint": task.fingerprint,
        **({"supervision": dict(taught)} if taught else {}),
        **notes,
    }
    write_predictions(context.scratch, examples, result.predictions, metric, metadata=metadata, counts=result.counts)
    summary = _summary(context, metric, notes)
    if inputs:
        summary["inputs"] = dict(inputs)  # beside the file, which keeps the bytes that it had before this was counted
    if models := _models(context):
        # Of models that answer in one language each, what one of them costs.
        summary["training_gflop"] = round(gflop_in_all(models) / len(models), 6)
    return summary


def _ask_model(
    context: StageContext, task: StoredTask, split: str, languages: Sequence[str]
) -> tuple[Sequence[Example], ControlResult, dict[str, Any], Mapping[str, Any]]:
    """Predictions of everything that needs a backbone, notes for their file, and counts of what was tokenized."""
    from adapterxfer.backbones.loaded import with_words
    from adapterxfer.backbones.loading import load_backbone
    from adapterxfer.backbones.rows import ids_in
    from adapterxfer.formats.inference import BATCH_TOKENS
    from adapterxfer.formats.inputs import describe_inputs
    from adapterxfer.formats.registry import get_format
    from adapterxfer.formats.tagging import untokenized_words
    from adapterxfer.predict.pools import has_pool, predict_pool
    from adapterxfer.predict.systems import (
        embedder_of_backbone,
        embedder_of_model,
        encode_test,
        predict_backbone,
        predict_each,
        predict_trained,
    )
    from adapterxfer.training.device import device_for, use_one_thread
    from adapterxfer.variants.storage import stored_size

    use_one_thread()

    identity, system = context.stage.identity, context.stage.identity["system"]
    backbone = load_backbone(identity["backbone"], context.backbone_folder, words=False)
    protocol = str(identity.get("protocol", ""))
    fmt = get_format(task.format, protocol)
    batch_tokens = int(context.settings.get("eval_batch_tokens") or BATCH_TOKENS)
    device = str(device_for(str(context.settings.get("device") or "cpu")))
    notes: dict[str, Any] = {}
    if system["kind"] == "trained":
        notes["model_size"] = stored_size(_models(context)[0])
    elif system["kind"] == "backbone":
        notes["model_size"] = {"total": backbone.parameters.total, "trainable": 0}
    layer = system.get("layer", "middle")
    layer = layer_in(protocol) if layer == "middle" else layer
    if has_pool(task):
        backbone = with_words(backbone, None)  # texts of a pool are encoded as they are embedded, and use most words
        if system["kind"] == "trained":
            model = context.inputs["model"]
            embedder = embedder_of_model(model, backbone, task, fmt, protocol, batch_tokens=batch_tokens, device=device)
        else:
            layer = 0 if system["kind"] == "control" else layer
            embedder = embedder_of_backbone(backbone, layer, fmt, batch_tokens=batch_tokens, device=device)
            notes["layer"] = layer
        queries, answers, more = predict_pool(task, languages, embedder, protocol)
        inputs = describe_inputs(queries, (), embedder.encoder, embedder.limits[0])
        return queries, ControlResult(answers), {**notes, **more}, inputs
    encoded = encode_test(task, fmt, split, languages, backbone)
    sequences = (sequence for feature in encoded.features for sequence in feature.sequences)
    backbone = with_words(backbone, np.flatnonzero(ids_in(sequences, backbone.vocabulary)))
    match system["kind"]:
        case "trained":
            if "model" not in context.inputs:
                named = {r.removeprefix(MODEL): f for r, f in context.inputs.items() if r.startswith(MODEL)}
                predictions = predict_each(
                    named, backbone, task, fmt, encoded, protocol=protocol, batch_tokens=batch_tokens, device=device
                )
            else:
                folder = context.inputs["model"]
                spoken = {r.removeprefix(LANGUAGE): f for r, f in context.inputs.items() if r.startswith(LANGUAGE)}
                predictions = predict_trained(
                    folder, backbone, task, fmt, encoded, protocol=protocol, languages=spoken,
                    batch_tokens=batch_tokens, device=device,
                )  # fmt: skip
        case "backbone":
            predictions = predict_backbone(backbone, layer, fmt, encoded, batch_tokens=batch_tokens, device=device)
        case "control":
            predictions = predict_backbone(backbone, 0, fmt, encoded, batch_tokens=batch_tokens, device=device)
            notes["control"] = "retrieval with the embedding layer of the backbone"
        case kind:
            raise StageError(
                f"predict stage {context.stage.short_key}: system kind {kind!r}; expected trained, backbone or control",
                fix="plan the recipe again with this version",
            )
    if task.format == "tagging":
        notes["untokenized_words"] = untokenized_words(encoded.examples, encoded.features)
    return encoded.examples, ControlResult(predictions), notes, encoded.inputs


def _supervision(taught: Mapping[str, Any]) -> str:
    """The part of a protocol that says what labelled data in the target language the models saw."""
    return f"{taught['label']} by {taught['by']}" if taught.get("by") else str(taught["label"])


def _models(context: StageContext) -> list[Path]:
    """Folders of the models that answer: one, or one for each language."""
    return [folder for role, folder in context.inputs.items() if f"{role}.".startswith(MODEL)]


def _summary(context: StageContext, metric: Metric, notes: dict[str, Any]) -> dict[str, Any]:
    """Scores by language, read back from the file: what is reported is what was written."""
    written = read_predictions(context.scratch)
    scores = {language: round(float(metric.score(sums)), 4) for language, sums in written.sums().items()}
    context.log({"scores": scores})
    return {"examples": len(written.gold), "metric": metric.name, "scores": scores, **notes}
