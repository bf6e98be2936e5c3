"""Write a pretrained backbone as a folder that `transformers` opens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import XLMRobertaForMaskedLM

_DTYPES = {"fp16": torch.float16, "fp32": torch.float32}

CONFIGURATION = (
    "attention_probs_dropout_prob",
    "bos_token_id",
    "classifier_dropout",
    "eos_token_id",
    "hidden_act",
    "hidden_dropout_prob",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "position_embedding_type",
    "transformers_version",
    "type_vocab_size",
    "use_cache",
    "vocab_size",
)
"""What is written of a configuration: which keys the library itself writes depends on its version."""


def save_backbone(
    folder: Path,
    model: XLMRobertaForMaskedLM,
    tokenizer: Tokenizer | None,
    record: Mapping[str, Any],
    dtype: Literal["fp16", "fp32"] = "fp32",
) -> None:
    """Write ``config.json``, ``model.safetensors``, ``tokenizer.json`` and ``pretraining.json``.

    The output matrix is the embedding table and is not written twice; the small rest of the output head is kept, so
    that the folder opens as an encoder and as a masked language model. Names are those of ``XLMRobertaForMaskedLM``.

    Args:
        folder: must exist.
        model: diagnostics belong before this call: ``fp16`` rounds.
        tokenizer: ``None`` leaves it out (several backbones share one).
        record: `Pretrained.record`.
        dtype: of the stored weights.
    """
    kept = {
        name: tensor.detach().to("cpu", _DTYPES[dtype]).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("lm_head.decoder.")
    }
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    known = {**model.config.to_dict(), "position_embedding_type": "absolute"}
    config = {name: known[name] for name in CONFIGURATION}
    config |= {"architectures": ["XLMRobertaForMaskedLM"], "torch_dtype": str(_DTYPES[dtype]).removeprefix("torch.")}
    _write_json(folder / "config.json", config)
    _write_json(folder / "pretraining.json", record)
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
        tokens = {
            "bos": "<s>",
            "eos": "</s>",
            "cls": "<s>",
            "sep": "</s>",
            "unk": "<unk>",
            "pad": "<pad>",
            "mask": "<mask>",
        }
        settings = {f"{name}_token": token for name, token in tokens.items()}
        limit = known["max_position_embeddings"] - known["pad_token_id"] - 1
        _write_json(
            folder / "tokenizer_config.json",
            {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": limit, **settings},
        )


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
