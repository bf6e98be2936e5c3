"""Read the encoder of a folder that holds `config.json` and `model.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

MODEL_TYPES = ("xlm-roberta",)
"""Architectures whose layers the variants know; the value of `model_type` in config.json."""

ATTENTION = ("sdpa", "eager")
DTYPES = ("float32", "bfloat16", "float16")


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object, or a `BackboneError` that names the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BackboneError(f"{path}: not found", fix="give a folder that holds a whole backbone") from None
    except ValueError as error:
        raise BackboneError(f"{path}: not valid JSON ({error})", fix="restore the file from its source") from None
    if not isinstance(value, dict):
        raise BackboneError(f"{path}: not a JSON object", fix="restore the file from its source")
    return value


def read_config(folder: Path, *, attention: str) -> XLMRobertaConfig:
    """The configuration of the encoder in ``folder`` with the attention implementation set.

    Raises:
        BackboneError: no configuration, an unknown architecture, or an unknown attention implementation.
    """
    from transformers import XLMRobertaConfig

    content = read_json(folder / "config.json")
    if content.get("model_type", "xlm-roberta") not in MODEL_TYPES:
        raise BackboneError(
            f"{folder / 'config.json'}: model_type {content['model_type']!r}; expected one of {', '.join(MODEL_TYPES)}",
            fix="choose a backbone of the XLM-R architecture",
        )
    if attention not in ATTENTION:
        raise BackboneError(f"attention {attention!r}; expected one of {', '.join(ATTENTION)}", fix="change the recipe")
    config = XLMRobertaConfig.from_dict(content)
    config._attn_implementation = attention
    return config


def empty_model(config: XLMRobertaConfig) -> XLMRobertaModel:
    """The bare encoder of ``config`` without pooling layer; its weights are to be filled in by the caller."""
    import torch
    from transformers import XLMRobertaModel

    # The constructor draws start values nobody uses: keep them out of the caller's random stream.
    with torch.random.fork_rng(devices=[]):
        model = XLMRobertaModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]
    model.eval()  # type: ignore[no-untyped-call]
    return model


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Tensors of the encoder by name of the bare model; heads of a language model and poolers are dropped.

    Raises:
        BackboneError: the file is absent or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise BackboneError(f"{path}: not found", fix="give a folder that holds a whole backbone in safetensors")
    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise BackboneError(f"{path}: cannot be read ({error})", fix="restore the file from its source") from None
    state = {}
    for full_name, tensor in stored.items():
        name = full_name.removeprefix("roberta.")
        if not name.startswith(("lm_head.", "pooler.", "classifier.")):
            state[name] = tensor
    return state


def fill(model: XLMRobertaModel, state: dict[str, torch.Tensor], where: str) -> None:
    """Copy weights into ``model``; every parameter must be there with its shape, and nothing else.

    Raises:
        BackboneError: names are missing or left over, or a shape differs.
    """
    own = model.state_dict()
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    # Old checkpoints also store the constant position index of the embeddings.
    extra = [name for name in extra if not name.endswith("embeddings.position_ids")]
    wrong = [
        f"{name} {tuple(state[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if missing or extra or wrong:
        parts = {"missing": missing, "unknown": extra, "shape": wrong}
        found = "; ".join(f"{word} {', '.join(names[:3])}" for word, names in parts.items() if names)
        raise BackboneError(f"{where}: weights do not fit the configuration: {found}", fix="restore the folder")
    for name, tensor in own.items():
        tensor.copy_(state[name])
