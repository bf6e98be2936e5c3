"""The metadata block of a card, in the Hub's own words. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapterxfer.hub.licences import OTHER
from adapterxfer.hub.manifest import Manifest

PIPELINES = {
    "sequence_classification": "text-classification",
    "tagging": "token-classification",
    "span_qa": "question-answering",
    "multiple_choice": "multiple-choice",
    "retrieval": "sentence-similarity",
}
"""Format -> the Hub's task."""


def card_metadata(manifest: Manifest, results: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as JSON values, in a fixed order."""
    from huggingface_hub import ModelCardData
    from huggingface_hub.repocard_data import EvalResult

    values: dict[str, Any] = {
        "license": manifest.license,
        "library_name": _library(manifest),
        "tags": tags(manifest),
    }
    if manifest.license == OTHER:
        values["license_name"] = "see-training-data"
    if (language := real_languages(results)) and not manifest.synthetic:
        values["language"] = language
    if manifest.backbone.kind == "hub":
        values["base_model"] = str(manifest.backbone.identity.get("repo"))
        # Said outright instead of left to the Hub's guess from file names.
        values["base_model_relation"] = "adapter" if manifest.adapter_ids else "finetune"
    if datasets := sorted({row["hub"] for row in results["training"] if row["hub"]}):
        values["datasets"] = datasets
    formats = {head.task: head.format for head in manifest.composition.heads}
    first = manifest.composition.heads[0].format
    values["pipeline_tag"] = PIPELINES[first]
    stand_ins = results.get("stand_ins", {})
    evaluations = [
        EvalResult(
            task_type=PIPELINES.get(formats.get(row["target"], ""), "feature-extraction"),
            # A made-up task must not claim a score on the data set whose name it bears.
            dataset_type=stand_ins.get(row["target"], row["target"]),
            dataset_name=f"{stand_ins.get(row['target'], row['target'])} ({row['language']})",
            dataset_config=row["language"],
            dataset_split="test",
            metric_type=row["metric"],
            metric_name=f"{row['metric']} (points)",
            metric_value=round(float(row["score"]), 2),
        )
        for row in results["scores"]
        if row["score"] is not None and not row["secondary"]
    ]
    if evaluations:
        values |= {"model_name": manifest.name, "eval_results": evaluations}
    content: dict[str, Any] = ModelCardData(**values).to_dict()  # type: ignore[no-untyped-call]
    return content


def _library(manifest: Manifest) -> str:
    """The Hub's name of the library whose own call loads the encoder part."""
    if manifest.library:
        return "peft" if manifest.library == "peft" else "adapter-transformers"
    return "adapterxfer" if manifest.adapter_ids else "transformers"


def tags(manifest: Manifest) -> list[str]:
    """Tags of the card, sorted so that the same bundle always has the same card."""
    variant = manifest.composition.variant
    names = {"adapterxfer", "cross-lingual-transfer", "zero-shot-transfer", f"variant:{variant}"}
    names.add(manifest.backbone.model_type)
    names |= {adapter.method for adapter in manifest.composition.adapters}
    if manifest.composition.intermediate:
        names.add("intermediate-training")
    names |= {manifest.library} - {""}
    if manifest.synthetic:
        names.add("synthetic")
    return sorted(names)


def real_languages(results: Mapping[str, Any]) -> list[str]:
    """Codes of real languages the model was evaluated in; a made-up language must not claim a real code."""
    return sorted(row["code"] for row in results["languages"] if not row["synthetic"])
