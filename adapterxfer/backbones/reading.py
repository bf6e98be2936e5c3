"""Read the encoder of a folder that holds `config.json` and `model.safetensors`."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Collection, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.backbones.config_values import check_known, translated
from adapterxfer.backbones.lean import is_lean, leave_out_unneeded, without_collections, without_shards
from adapterxfer.catalog.architectures import ARCHITECTURES, PRETRAINED, Architecture, architecture_of, encoder_part
from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

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


def library_class(name: str) -> Any:
    """A class of `transformers`, or of a module in it; some use what torch calls outdated, which no user can change."""
    with without_collections(), warnings.catch_warnings():
        with without_shards():
            import transformers

        leave_out_unneeded()
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.script", category=DeprecationWarning)
        module, _, short = name.rpartition(".")
        return getattr(import_module(f"transformers.{module}") if module else transformers, short)


def read_config(folder: Path, *, attention: str) -> PretrainedConfig:
    """The configuration of the encoder in ``folder`` with the attention implementation set.

    Raises:
        BackboneError: no configuration, an unknown architecture or attention implementation, or one that the installed
            `transformers` would not compute as the file says.
    """
    content = encoder_part(read_json(folder / "config.json"))
    where = str(folder / "config.json")
    architecture = architecture_of(content.get("model_type", PRETRAINED), where=where)
    if attention not in ATTENTION:
        raise BackboneError(f"attention {attention!r}; expected one of {', '.join(ATTENTION)}", fix="change the recipe")
    kind = library_class(architecture.config)
    check_known(content, vars(kind()).keys() | kind.attribute_map.keys(), where=where)
    content = translated(content, where=where)
    # Code named in the file is never run: neither that of `auto_map`, nor that of private keys, which can name an
    # implementation of attention (CVE-2026-4372 of transformers before 5.3).
    content = {name: value for name, value in content.items() if name != "auto_map" and not name.startswith("_")}
    content |= dict(architecture.settings)
    config: PretrainedConfig = kind.from_dict(content)
    config._attn_implementation = architecture.attention_for(attention)
    return config


def empty_model(config: PretrainedConfig, *, words: bool = True) -> PreTrainedModel:
    """The bare encoder of ``config`` without pooling layer; its weights are to be filled in by the caller.

    Args:
        words: with its word matrix; otherwise with a stump of it, to be replaced.
    """
    import torch

    architecture = architecture_of(config.model_type)
    vocabulary = config.vocab_size
    stump = vocabulary if words else int(config.pad_token_id or 0) + 1
    if architecture.own_encoder and is_lean():
        from adapterxfer.backbones.plain import PlainEncoder

        plain: Any = PlainEncoder(config, architecture, words=stump).eval()
        bare: PreTrainedModel = plain  # whoever runs it knows no other methods
        return bare
    config.vocab_size = stump
    try:
        # The constructor draws start values nobody uses: keep them out of the caller's random stream.
        with torch.random.fork_rng(devices=[]):
            model: PreTrainedModel = library_class(architecture.model)(config, **architecture.arguments)
    finally:
        config.vocab_size = vocabulary
    model.config = config
    model.eval()
    return model


def read_weights(folder: Path, architecture: Architecture = ARCHITECTURES[PRETRAINED]) -> dict[str, torch.Tensor]:
    """Tensors of the encoder by name of the bare model; heads of a language model and poolers are dropped.

    They are mapped, not copied: what is never looked at is never read.

    Raises:
        BackboneError: a file is absent or damaged.
    """
    state: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        stored = read_file(path)
        for name, full_name in encoder_names(stored, architecture).items():
            state |= _parts(name, stored[full_name], architecture)
    return state


def _parts(name: str, tensor: torch.Tensor, architecture: Architecture) -> dict[str, torch.Tensor]:
    """A stored tensor, in equal parts where the model has one for each."""
    for stored, parts in architecture.splits.items():
        if stored in name:
            chunks = tensor.chunk(len(parts))
            return {name.replace(stored, ours): chunk for ours, chunk in zip(parts, chunks, strict=True)}
    return {name: tensor}


def encoder_names(stored: Iterable[str], architecture: Architecture) -> dict[str, str]:
    """Names of tensors in the bare model -> their stored names, without those of heads and poolers."""
    names = {}
    for full_name in stored:
        name = full_name
        for prefix in architecture.prefixes:
            name = name.removeprefix(prefix)
        # As the first checkpoints of BERT, multilingual BERT among them, still name them.
        name = re.sub(r"(?<=LayerNorm\.)gamma\Z", "weight", name)
        name = re.sub(r"(?<=LayerNorm\.)beta\Z", "bias", name)
        if not name.startswith(architecture.dropped):
            for stored_part, ours in architecture.renames.items():
                name = name.replace(stored_part, ours)
            names[name] = full_name
    return names


def home_of(folder: Path, names: Collection[str], architecture: Architecture) -> tuple[Path, str] | None:
    """File and stored name of a tensor of the bare model, under any of its names; None where no file has it."""
    for path in weight_files(folder):
        stored = encoder_names(read_file(path), architecture)
        for name in names:
            if name in stored:
                return path, stored[name]
    return None


def weight_files(folder: Path) -> list[Path]:
    """The one file of weights, or all parts that the index of a large model names."""
    index = folder / "model.safetensors.index.json"
    single = folder / "model.safetensors"
    if single.is_file() or not index.is_file():
        return [single]
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise BackboneError(f"{index}: names no files", fix="restore the file from its source")
    parts = sorted({str(name) for name in names.values()})
    if any(Path(name).name != name for name in parts):
        raise BackboneError(f"{index}: names files outside its folder", fix="do not use this folder")
    return [folder / name for name in parts]


def read_file(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of one file, by their stored names; refused where it is absent or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise BackboneError(f"{path}: not found", fix="give a folder that holds a whole backbone in safetensors")
    try:
        stored: dict[str, torch.Tensor] = load_file(path)
    except SafetensorError as error:
        raise BackboneError(f"{path}: cannot be read ({error})", fix="restore the file from its source") from None
    return stored


def fill(model: PreTrainedModel, state: dict[str, torch.Tensor], where: str) -> None:
    """Copy weights into ``model``; every parameter must be there with its shape, and nothing else.

    Raises:
        BackboneError: names are missing or left over, or a shape differs.
    """
    targets = model.state_dict()
    # Tied tables are stored once, under any of their names.
    tied: dict[int, list[str]] = {}
    for name, tensor in targets.items():
        tied.setdefault(tensor.data_ptr(), []).append(name)
    for names in tied.values():
        if present := [name for name in names if name in state]:
            state.update({name: state[present[0]] for name in names if name not in state})
    missing, extra = sorted(targets.keys() - state.keys()), sorted(state.keys() - targets.keys())
    # Old checkpoints also store the constant position index of the embeddings.
    extra = [name for name in extra if not name.endswith("embeddings.position_ids")]
    wrong = [
        f"{name} {tuple(state[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in targets.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if missing or extra or wrong:
        parts = {"missing": missing, "unknown": extra, "shape": wrong}
        shown = "; ".join(f"{word} {', '.join(names[:3])}" for word, names in parts.items() if names)
        raise BackboneError(f"{where}: weights do not fit the configuration: {shown}", fix="restore the folder")
    for name, tensor in targets.items():
        tensor.copy_(state[name])
