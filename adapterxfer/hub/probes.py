"""Stored questions with stored answers: proof that a loaded bundle is the model that was bundled.

The texts are drawn from the vocabulary of the tokenizer, not from any data set, so a bundle never republishes data.
They go the whole way, from raw text through tokenizer, encoder, adapters and head to the decoded label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from adapterxfer.data.examples import ChoiceExample, Example, PairExample, SpanExample, TaggingExample
from adapterxfer.errors import BundleError
from adapterxfer.formats.base import Batch, Format
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.hub import layout
from adapterxfer.hub.manifest import Manifest, read_json
from adapterxfer.hub.tensors import save_tensors
from adapterxfer.variants.model import TransferModel

PROBES = 4
"""Examples per head."""

TOLERANCE = 1e-5
"""Largest difference of a logit, relative to the largest stored one where that is above 1."""


def write_probes(folder: Path, model: TransferModel, protocols: Mapping[str, str], *, seed: int) -> None:
    """Ask the model and store what it says: ``probes.json`` and ``probes.safetensors``."""
    words = _words(model.loaded.tokenizer)
    rng = np.random.default_rng(seed)
    questions: dict[str, Any] = {}
    answers: dict[str, Tensor] = {}
    for head in model.composition.heads:
        fmt = get_format(head.format, protocols.get(head.task, ""))
        examples = [_draw(head.format, words, rng, index) for index in range(PROBES)]
        batch, outputs, hidden, predictions = ask(model, head.id, fmt, examples)
        answers |= {f"{head.id}.outputs": outputs, f"{head.id}.hidden": hidden}
        questions[head.id] = {
            "task": head.task,
            "format": head.format,
            "labels": list(head.labels),
            "examples": examples,
            "input_ids": batch.input_ids.tolist(),
            "attention_mask": batch.attention_mask.tolist(),
            "predictions": predictions,
        }
    text = json.dumps({"schema": 1, "probes": questions}, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / layout.PROBES).write_text(text + "\n", encoding="utf-8", newline="\n")
    save_tensors(folder / layout.PROBE_OUTPUTS, answers)


def check_probes(folder: Path, manifest: Manifest, model: TransferModel) -> float:
    """Ask the stored questions again; returns the largest difference of a logit or hidden state.

    Raises:
        BundleError: token ids, labels, numbers or predictions differ from the stored ones; says which.
    """
    content = read_json(folder / layout.PROBES)
    stored = load_file(folder / layout.PROBE_OUTPUTS)
    fix = "do not use this bundle: it is not the model that was bundled, or this machine computes something else"
    worst = 0.0
    try:
        probes = content["probes"]
        for head in manifest.composition.heads:
            where = f"{folder}: head of task '{head.task}'"
            probe = probes[head.id]
            if (probe["task"], probe["format"], probe["labels"]) != (head.task, head.format, head.labels):
                raise BundleError(
                    f"{where}: labels {head.labels}, but its probes were answered for task '{probe['task']}' with "
                    f"labels {probe['labels']}",
                    fix=fix,
                )
            fmt = get_format(head.format, head.protocol)
            batch, outputs, hidden, predictions = ask(model, head.id, fmt, probe["examples"])
            if batch.input_ids.tolist() != probe["input_ids"]:
                raise BundleError(
                    f"{where}: the tokenizer gives other token ids than the bundled one", fix=f"{fix}{_older(fmt)}"
                )
            for quantity, computed in (("logits", outputs), ("hidden states", hidden)):
                expected = stored[f"{head.id}.{'outputs' if quantity == 'logits' else 'hidden'}"]
                difference = _difference(computed, expected)
                worst = max(worst, difference)
                if not difference <= TOLERANCE:
                    raise BundleError(
                        f"{where}: {quantity} of the stored probes differ by {difference:.2g}; at most {TOLERANCE:g}",
                        fix=fix,
                    )
            if predictions != probe["predictions"]:
                raise BundleError(f"{where}: predictions of the stored probes differ", fix=fix)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise BundleError(f"{folder / layout.PROBES}: damaged ({error!r})", fix=fix) from None
    return worst


def _older(fmt: Format) -> str:
    """What else may be the reason with words: taggers of tokenizers without a prefix space read them otherwise once."""
    if fmt.name != "tagging":
        return ""
    return "; or it was bundled before words got the mark of their beginning (docs/data.md): train it anew"


def ask(
    model: TransferModel, head_id: str, fmt: Format, examples: Sequence[Mapping[str, Any]]
) -> tuple[Batch, Tensor, Tensor, list[str]]:
    """Batch, head outputs, hidden states of the first token, and decoded predictions for probe examples."""
    head = next(head for head in model.composition.heads if head.id == head_id)
    tokenizer = model.loaded.tokenizer
    typed_examples = [as_example(head.format, values, head.labels) for values in examples]
    features = fmt.encode(
        typed_examples, tokenizer, max_length=model.loaded.max_length, labels=head.labels, train=False
    )
    batch = fmt.collate(features, pad_id=encoder_for(tokenizer).pad_id)
    with torch.inference_mode():
        hidden = model(batch.input_ids, batch.attention_mask)
        outputs = model.heads[head_id](hidden, batch)
        predictions = fmt.decode(fmt.results(outputs, batch), features, typed_examples, head.labels)
    return batch, outputs.float(), hidden[:, 0].float(), predictions


def as_example(format_name: str, values: Mapping[str, Any], labels: Sequence[str]) -> Example:
    """An example of a format from its texts; where the record wants a gold answer it gets any."""
    match format_name:
        case "sequence_classification":
            pair = values["text_pair"]
            return PairExample("0", "0", "", str(values["text"]), None if pair is None else str(pair), labels[0])
        case "tagging":
            words = tuple(map(str, values["words"]))
            return TaggingExample("0", "0", "", words, (labels[0],) * len(words))
        case "span_qa":
            return SpanExample(
                example_id="0",
                cluster_id="0",
                language="",
                question=str(values["question"]),
                context=str(values["context"]),
                answers=(),
                answer_starts=(),
            )
        case "multiple_choice":
            choices = tuple(map(str, values["choices"]))
            return ChoiceExample(
                example_id="0",
                cluster_id="0",
                language="",
                context=str(values["context"]),
                question=str(values["question"]),
                choices=choices,
                label=0,
            )
    raise BundleError(
        f"models with a head of format '{format_name}' cannot be bundled yet", fix="bundle a model of another format"
    )


def _draw(format_name: str, words: Sequence[str], rng: np.random.Generator, index: int) -> dict[str, Any]:
    def text(low: int, high: int) -> str:
        return " ".join(words[i] for i in rng.integers(0, len(words), size=int(rng.integers(low, high))))

    match format_name:
        case "sequence_classification":
            return {"text": text(3, 9), "text_pair": text(3, 9) if index else None}
        case "tagging":
            return {"words": text(3, 9).split(" ")}
        case "span_qa":
            return {"question": text(3, 6), "context": text(6, 14)}
        case _:
            return {"context": text(3, 9), "question": "", "choices": [text(2, 6) for _ in range(2 + index % 2)]}


def _words(tokenizer: Any) -> list[str]:
    """Whole words of the vocabulary in the order of their ids; pieces where it has too few."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    special = set(tokenizer.all_special_tokens)
    pieces = [token for token, _ in vocabulary if token not in special]
    marked = [token.lstrip("\u2581\u0120") for token in pieces if token.startswith(("\u2581", "\u0120"))]
    words = [word for word in marked or pieces if word.isalpha()]
    if len(words) < 2:
        raise BundleError("the tokenizer has no words to draw probes from", fix="use a backbone's own tokenizer")
    return words[:5000]


def _difference(computed: Tensor, expected: Tensor) -> float:
    """Largest absolute difference, relative where stored numbers are above 1; infinite if shapes differ or NaN."""
    if computed.shape != expected.shape or computed.numel() == 0:
        return float("inf")
    scale = max(1.0, float(expected.abs().max()))
    worst = float((computed - expected).abs().max()) / scale
    return worst if worst == worst else float("inf")
