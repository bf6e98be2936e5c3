"""What the library `adapters` itself computes with the weights of our adapters, beside what is computed here.

from library_adapters import averaged, bundles, fused, library_states, stacked
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from engine_trials import HIDDEN, LAYERS, TOLERANCE, batch, hidden_of, largest, states
from safetensors.torch import save_file
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog.methods.adapters_configs import ADAPTERS
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter
from adapterxfer.variants.adapters_engine import configuration
from adapterxfer.variants.adapters_files import engine_adapters_config, engine_from_adapters, engine_to_adapters
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.library import fusion_to_library
from adapterxfer.variants.library_modules import inside_library

ONE_BLOCK = ("ffn",)
"""Where AdapterFusion mixes, and nothing else."""


def library_model(loaded: LoadedBackbone, name: str, config: str, adapters: Sequence[Adapter]) -> Any:
    """The library's own model of the whole encoder, with the weights of our adapters as ``a0``, ``a1``..."""
    import adapters as library

    model: Any = copy.deepcopy(loaded.model)
    with inside_library(0):
        library.init(model)
        for number, adapter in enumerate(adapters):
            model.add_adapter(f"a{number}", config=configuration(ADAPTERS.prefix + name, config))
            ours = engine_to_adapters(adapter, f"a{number}")
            left = model.load_state_dict(ours, strict=False)
            assert not left.unexpected_keys, left.unexpected_keys
            weights = dict(model.named_parameters(remove_duplicate=False))
            filled = {id(weights.get(key)) for key in ours}
            missing = [key for key in left.missing_keys if f"a{number}" in key.split(".")]
            assert all(id(weights[key]) in filled for key in missing if key in weights), missing
    return model.eval()


def library_states(
    loaded: LoadedBackbone, name: str, config: str, adapters: Sequence[Adapter], *, active: Any = "a0"
) -> Tensor:
    """Hidden states of the library's model."""
    model = library_model(loaded, name, config, adapters)
    model.set_active_adapters(active)
    return hidden_of(model)


def stacked(loaded: LoadedBackbone, name: str, config: str, both: list[Adapter]) -> float:
    from adapters.composition import Stack

    try:
        theirs = library_states(loaded, name, config, both, active=Stack("a0", "a1"))
    except (ValueError, RuntimeError):  # the library cannot stack it: maps of other widths do not fit each other
        return float("inf")
    return largest(theirs, states(loaded, both))


def fused(loaded: LoadedBackbone, name: str, config: str, both: list[Adapter], places: tuple[str, ...]) -> float | None:
    """Difference of a fusion of two; None where there is more to fuse than bottlenecks after the feed-forward block."""
    if places != ONE_BLOCK:
        return None
    from adapters.composition import Fuse

    fusion = Fusion(LAYERS, HIDDEN, dropout=0.0, generator=torch.Generator().manual_seed(8)).eval()
    with torch.no_grad():
        for weight in fusion.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(9)))
    model = library_model(loaded, name, config, both)
    model.add_adapter_fusion(["a0", "a1"])
    model.load_state_dict(fusion_to_library(fusion, ["a0", "a1"]), strict=False)
    model.set_active_adapters(Fuse("a0", "a1"))
    tokens, mask = batch()
    with torch.no_grad():
        ours = encode(loaded.model, tokens, mask, fusion.places(both))[mask.bool()]
    return largest(hidden_of(model), ours)


def averaged(loaded: LoadedBackbone, name: str, config: str, both: list[Adapter], empty: Adapter) -> float | None:
    """Difference of an average of weights from the library's; None where it has no such form."""
    model = library_model(loaded, name, config, both)
    shares = (0.3, 0.7)
    try:
        model.average_adapter("mean", ["a0", "a1"], weights=list(shares), combine_strategy="linear")
    except (ValueError, KeyError, AttributeError):
        return None
    model.set_active_adapters("mean")
    first, second = (adapter.state_dict() for adapter in both)
    empty.load_state_dict({key: shares[0] * first[key] + shares[1] * second[key] for key in first})
    return largest(hidden_of(model), states(loaded, [empty]))


def bundles(loaded: LoadedBackbone, adapter: Adapter, after: Tensor, fixed: tuple[str, ...]) -> bool:
    """Whether the files of a bundle come back here, and through the library's own call, to the same numbers."""
    import adapters as library

    method = adapter.shape.method
    saved = engine_to_adapters(adapter, "t00")
    state = engine_from_adapters(saved, "t00", method, loaded.architecture, fixed)
    if state.keys() != adapter.state_dict().keys():
        return False
    with tempfile.TemporaryDirectory() as folder:
        description = engine_adapters_config(adapter, "t00", base="tiny")
        (Path(folder) / "adapter_config.json").write_text(json.dumps(description), encoding="utf-8")
        tensors = {key: tensor.detach().contiguous().clone() for key, tensor in saved.items()}
        save_file(tensors, str(Path(folder) / "adapter.safetensors"), metadata={"format": "pt"})
        model: Any = copy.deepcopy(loaded.model)
        with inside_library(12):
            library.init(model)
            try:
                model.load_adapter(folder, set_active=True, use_safetensors=True)
            except (RuntimeError, ValueError, VariantError):
                return False
        return largest(hidden_of(model), after) <= TOLERANCE
