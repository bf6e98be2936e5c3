"""Weights of a model as the files of a bundle, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from adapterxfer.backbones.measure import untied_state
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.catalog.methods import METHODS
from adapterxfer.hub import layout
from adapterxfer.hub.layout import Layout
from adapterxfer.hub.manifest import Manifest
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.adapters_files import engine_from_adapters, engine_to_adapters
from adapterxfer.variants.library import (
    adapter_from_library,
    adapter_to_library,
    fusion_from_library,
    fusion_to_library,
)
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.peft_files import engine_from_peft, engine_to_peft
from adapterxfer.variants.peft_names import adapter_from_peft, adapter_to_peft

_METADATA = {"format": "pt"}


def write_tensors(folder: Path, model: TransferModel, layouts: Mapping[str, Layout], *, encoder: bool) -> int:
    """Write every weight file; returns how many numbers they hold.

    Args:
        layouts: of the adapters, by id.
        encoder: include the encoder, trained or not.
    """
    files: dict[str, dict[str, Tensor]] = {}
    ids = [adapter.id for adapter in model.composition.adapters]
    for part_id in ids:
        adapter: Any = model.adapters[part_id]
        kind = layouts[part_id]
        files[f"{part_id}/{layout.ADAPTER_FILES[kind][-1]}"] = _adapter_tensors(adapter, part_id, kind, model)
    if model.fusion is not None:
        name = f"{layout.fusion_folder(ids)}/{layout.FUSION_FILES[1]}"
        files[name] = model.fusion.state_dict() if model.fusion.rank else fusion_to_library(model.fusion, ids)
    files[layout.HEADS] = _without_prefix(model.state_dict(), "heads.")
    if encoder:
        files[layout.ENCODER_FILES[1]] = untied_state(model.backbone)
    numbers = 0
    for name, tensors in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        save_tensors(path, tensors)
        numbers += sum(tensor.numel() for tensor in tensors.values())
    return numbers


def read_tensors(folder: Path, manifest: Manifest) -> dict[str, Tensor]:
    """All tensors of an inspected bundle by the names of `TransferModel.own_state`.

    Raises:
        VariantError: an adapter or the fusion is incomplete.
    """
    state: dict[str, Tensor] = {}
    architecture = architecture_of(manifest.backbone.model_type)
    for adapter in manifest.composition.adapters:
        stored = load_file(folder / adapter.id / layout.ADAPTER_FILES[adapter.layout][-1])
        match adapter.layout:
            case "adapters" if METHODS[adapter.method].engine:
                tensors = engine_from_adapters(stored, adapter.id, adapter.method, architecture)
            case "adapters":
                tensors = adapter_from_library(stored, adapter.id, adapter.method)
            case "peft" if METHODS[adapter.method].engine:
                tensors = engine_from_peft(stored, adapter.method, architecture)
            case "peft":
                shape = AdapterShape(adapter.method, adapter.bottleneck_size, config=adapter.config)
                tensors = adapter_from_peft(stored, shape, architecture)
            case _:
                tensors = stored
        state |= _with_prefix(tensors, f"adapters.{adapter.id}.")
    if manifest.fused:
        joined = layout.fusion_folder(manifest.adapter_ids)
        stored = load_file(folder / joined / layout.FUSION_FILES[1])
        own_names = manifest.composition.fusion_rank > 0
        state |= _with_prefix(stored if own_names else fusion_from_library(stored, manifest.adapter_ids), "fusion.")
    state |= _with_prefix(load_file(folder / layout.HEADS), "heads.")
    if manifest.full:
        state |= _with_prefix(load_file(folder / layout.ENCODER_FILES[1]), "backbone.")
    return state


def _adapter_tensors(adapter: Adapter, part_id: str, kind: Layout, model: TransferModel) -> dict[str, Tensor]:
    match kind:
        case "adapters" if adapter.method.engine:
            return engine_to_adapters(adapter, part_id)
        case "adapters":
            return adapter_to_library(adapter, part_id)
        case "peft" if adapter.method.engine:
            return engine_to_peft(adapter, model.loaded.architecture)
        case "peft":
            return adapter_to_peft(adapter, model.loaded.architecture)
        case _:
            return untied_state(adapter)


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file with the mark that other libraries look for."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, path, metadata=_METADATA)


def _with_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def _without_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
