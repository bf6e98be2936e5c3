"""The JSON files that `adapters` and `peft` read beside the weights, written without importing them. Torch-free.

Which library reads an adapter follows from its method's entry in the catalogue, and from whether the library has the
same function: bottlenecks go to `adapters` on encoders that it supports, the LoRA family goes to `peft`. Everything
else is stored under own names only. A folder of bottlenecks is what `save_adapter_setup` writes, so
`load_adapter_setup` reads it; a folder of the LoRA family is what `PeftModel.save_pretrained` writes. Tests compare
both with the libraries, file by file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from adapterxfer.catalog import METHODS
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.catalog.methods.configured import SETTINGS
from adapterxfer.catalog.methods.engines import bundled_by
from adapterxfer.hub import layout
from adapterxfer.hub.inspection import setup_of
from adapterxfer.hub.layout import Layout

SEQ_BN_CONFIG: Mapping[str, Any] = {
    "adapter_residual_before_ln": False,
    "cross_adapter": False,
    "dropout": 0.0,
    "factorized_phm_W": True,
    "factorized_phm_rule": False,
    "hypercomplex_nonlinearity": "glorot-uniform",
    "init_weights": "bert",
    "init_weights_seed": None,
    "inv_adapter": None,
    "inv_adapter_reduction_factor": None,
    "is_parallel": False,
    "learn_phm": True,
    "leave_out": [],
    "ln_after": False,
    "ln_before": False,
    "mh_adapter": False,
    "non_linearity": "relu",
    "original_ln_after": True,
    "original_ln_before": True,
    "output_adapter": True,
    "phm_bias": True,
    "phm_c_init": "normal",
    "phm_dim": 4,
    "phm_init_range": 0.0001,
    "phm_layer": False,
    "phm_rank": 1,
    "residual_before_ln": True,
    "scaling": 1.0,
    "shared_W_phm": False,
    "shared_phm_rule": True,
    "stochastic_depth": 0.0,
    "use_gating": False,
}
"""`SeqBnConfig` of adapters 1.3, all fields."""

_FUSION: Mapping[str, Any] = {
    "dropout_prob": None,
    "key": True,
    "query": True,
    "query_before_ln": False,
    "regularization": True,
    "residual_before": False,
    "temperature": False,
    "value": True,
    "value_before_softmax": True,
    "value_initialized": True,
}
"""The "dynamic" fusion configuration of adapters 1.3, all fields."""


def reduction_factor(hidden_size: int, bottleneck_size: int) -> int | float:
    """A factor from which the library computes this bottleneck, as ``int(hidden_size // factor)``."""
    if hidden_size % bottleneck_size == 0:
        return hidden_size // bottleneck_size
    factor = hidden_size / bottleneck_size
    # Rounding may put the quotient just below the whole number: aim between it and the next one.
    return factor if int(hidden_size // factor) == bottleneck_size else hidden_size / (bottleneck_size + 0.5)


class AdapterFiles(NamedTuple):
    """One adapter to be described.

    Attributes:
        size: bottleneck or rank.
        maps: role -> path inside a layer of the linear maps that the method changes; empty for bottlenecks.
        config: of a library's own method, as its file says it; empty for others.
        settings: of a method of ours, where they are not the defaults.
    """

    id: str
    method: str
    size: int
    layout: Layout
    maps: Mapping[str, str]
    config: Mapping[str, Any] = MappingProxyType({})
    settings: Mapping[str, Any] = MappingProxyType({})


def bottleneck_config(method: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The configuration of a method in `adapters` 1.3, all fields but the size; empty where it has no such method.

    Args:
        settings: that are not the defaults.
    """
    files = METHODS[method].adapters
    named = {name: value for name, value in (settings or {}).items() if not SETTINGS[method][name].ours}
    return {} if files is None else {**SEQ_BN_CONFIG, **files.config, **named}


def layout_for(method: str, model_type: str, *, stacked: bool) -> Layout:
    """Which library reads an adapter of this method on this encoder.

    Args:
        stacked: the model has several adapters.
    """
    spec = METHODS[method]
    if spec.adapters is not None and architecture_of(model_type).in_adapters:
        return "adapters" if spec.adapters.stacks_alike or not stacked else "own"
    if spec.engine:
        return bundled_by(method) or "own"
    return "own" if spec.peft is None else "peft"


def write_library_files(
    folder: Path, adapters: Sequence[AdapterFiles], *, fused: bool, hidden_size: int, model_type: str, base: str,
    revision: str | None = None,
) -> None:  # fmt: skip
    """Write all JSON files of the libraries into a bundle.

    Args:
        adapters: bottom first.
        fused: whether a fusion mixes them.
        base: name of the backbone; never a path.
        revision: of the backbone, where it is on the Hub.
    """
    ids = [adapter.id for adapter in adapters]
    library = f"adapters.{installed('adapters')}"
    common = {
        "hidden_size": hidden_size,
        "model_class": architecture_of(model_type).model,
        "model_name": base,
        "model_type": model_type,
        "version": library,
    }
    for adapter in adapters:
        if adapter.layout == "adapters":
            config = {
                **bottleneck_config(adapter.method, adapter.settings),
                "reduction_factor": reduction_factor(hidden_size, adapter.size),
            }
            content = adapter.config or {**common, "name": adapter.id, "config": config}
            _write(folder / adapter.id / "adapter_config.json", content)
        elif adapter.layout == "peft":
            content = adapter.config or peft_config(adapter, model_type=model_type, base=base, revision=revision)
            _write(folder / adapter.id / "adapter_config.json", content)
    if layout.has_setup([adapter.layout for adapter in adapters]):
        if fused:
            joined = layout.fusion_folder(ids)
            content = {**common, "name": joined, "adapter_names": ids, "config": dict(_FUSION)}
            _write(folder / joined / layout.FUSION_FILES[0], content)
        _write(folder / layout.SETUP, {"adapter_setup": setup_of(ids, fused), "head_setup": None, "version": library})


def peft_config(adapter: AdapterFiles, *, model_type: str, base: str, revision: str | None) -> dict[str, Any]:
    """Content of the ``adapter_config.json`` that peft reads."""
    files = METHODS[adapter.method].peft
    assert files is not None, "the layout of an adapter follows from its method"
    content: dict[str, Any] = {
        "base_model_name_or_path": base,
        "fan_in_fan_out": False,
        "inference_mode": True,
        "peft_version": installed("peft"),
        "revision": revision,
        "task_type": None,
        **files.config,
    }
    if files.factors:
        layers = re.escape(architecture_of(model_type).layers)
        every = "|".join(re.escape(path) for path in adapter.maps.values())
        content["target_modules"] = rf"{layers}\.\d+\.({every})"
        content["feedforward_modules"] = rf"{layers}\.\d+\.{re.escape(adapter.maps['ffn_out'])}"
        return content
    leaves = sorted({path.rpartition(".")[2] for path in adapter.maps.values()})
    content |= {"r": adapter.size, "bias": "none", "target_modules": leaves}
    settings = dict(adapter.settings)
    if settings.pop("target_modules", None):
        # Last names are not enough here: several maps of a layer are called "dense".
        every = "|".join(re.escape(path) for path in adapter.maps.values())
        content["target_modules"] = rf"{re.escape(architecture_of(model_type).layers)}\.\d+\.({every})"
    if ranks := settings.pop("rank_pattern", None):
        content["rank_pattern"] = {re.escape(adapter.maps[role]): rank for role, rank in ranks.items()}
    return content | settings


def installed(library: str) -> str:
    """Version of a library, for the files that name it; 0 where it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "0"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
