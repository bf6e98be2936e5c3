"""The JSON files that the `adapters` library reads beside the weights, written without importing it. Torch-free.

A folder of a bundle is what the library's `save_adapter_setup` writes, so its `load_adapter_setup` reads it. A test
compares both, file by file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from adapterxfer.hub import layout
from adapterxfer.hub.inspection import setup_of

_SEQ_BN: Mapping[str, Any] = {
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


def write_library_files(
    folder: Path, adapters: Sequence[tuple[str, int]], *, fused: bool, hidden_size: int, base: str
) -> None:
    """Write all JSON files of the library into a bundle.

    Args:
        adapters: id and bottleneck size, bottom first.
        fused: whether a fusion mixes them.
        base: name of the backbone; never a path.
    """
    library = f"adapters.{version('adapters')}"
    common = {
        "hidden_size": hidden_size,
        "model_class": "XLMRobertaModel",
        "model_name": base,
        "model_type": "xlm-roberta",
        "version": library,
    }
    ids = [part_id for part_id, _ in adapters]
    for part_id, size in adapters:
        config = {**_SEQ_BN, "reduction_factor": reduction_factor(hidden_size, size)}
        _write(folder / part_id / layout.ADAPTER_FILES[0], {**common, "name": part_id, "config": config})
    if fused:
        joined = layout.fusion_folder(ids)
        content = {**common, "name": joined, "adapter_names": ids, "config": dict(_FUSION)}
        _write(folder / joined / layout.FUSION_FILES[0], content)
    _write(folder / layout.SETUP, {"adapter_setup": setup_of(ids, fused), "head_setup": None, "version": library})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
