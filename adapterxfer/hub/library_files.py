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
from typing import Any, NamedTuple

from adapterxfer.backbones.architectures import architecture_of
from adapterxfer.catalog import METHODS
from adapterxfer.hub import layout
from adapterxfer.hub.inspection import setup_of
from adapterxfer.hub.layout import Layout

ADAPTERS_ENCODERS = {"xlm-roberta": "XLMRobertaModel", "deberta-v2": "DebertaV2Model"}
"""Encoders that `adapters` 1.3 supports with bottlenecks at the places of ours; model_type -> class."""

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

BOTTLENECKS: Mapping[str, Mapping[str, Any]] = {
    "seq_bn": _SEQ_BN,
    "double_seq_bn": {**_SEQ_BN, "mh_adapter": True, "non_linearity": "swish", "original_ln_before": False},
    "par_bn": {
        **_SEQ_BN,
        "init_weights": "mam_adapter",
        "is_parallel": True,
        "original_ln_before": False,
        "scaling": 4.0,
    },
}
"""Method -> its configuration in `adapters` 1.3, all fields but the size."""

LORA_ALPHA = 8
"""Numerator of our scales, see `variants.lowrank`; a test compares both."""

PEFT: Mapping[str, Mapping[str, Any]] = {
    "lora": {"peft_type": "LORA", "lora_alpha": LORA_ALPHA, "use_rslora": False, "use_dora": False},
    "rslora": {"peft_type": "LORA", "lora_alpha": LORA_ALPHA, "use_rslora": True, "use_dora": False},
    "dora": {"peft_type": "LORA", "lora_alpha": LORA_ALPHA, "use_rslora": False, "use_dora": True},
    "vera": {"peft_type": "VERA", "save_projection": True, "projection_prng_key": 0, "vera_dropout": 0.0},
    "ia3": {"peft_type": "IA3"},
}
"""Method -> what makes it this method in peft; every other field keeps the library's default."""

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
    """

    id: str
    method: str
    size: int
    layout: Layout
    maps: Mapping[str, str]


ALONE = ("par_bn",)
"""Bottlenecks whose stack is another function in `adapters`: there the upper one sees the output of the lower one
in place of the input of the block."""


def layout_for(method: str, model_type: str, *, stacked: bool) -> Layout:
    """Which library reads an adapter of this method on this encoder.

    Args:
        stacked: the model has several adapters.
    """
    library = METHODS[method].library if method in METHODS else ""
    if library == "adapters" and method in BOTTLENECKS and model_type in ADAPTERS_ENCODERS:
        return "own" if stacked and method in ALONE else "adapters"
    return "peft" if library == "peft" and method in PEFT else "own"


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
    ids = [part.id for part in adapters]
    library = f"adapters.{installed('adapters')}"
    common = {
        "hidden_size": hidden_size,
        "model_class": ADAPTERS_ENCODERS.get(model_type, ""),
        "model_name": base,
        "model_type": model_type,
        "version": library,
    }
    for part in adapters:
        if part.layout == "adapters":
            config = {**BOTTLENECKS[part.method], "reduction_factor": reduction_factor(hidden_size, part.size)}
            _write(folder / part.id / "adapter_config.json", {**common, "name": part.id, "config": config})
        elif part.layout == "peft":
            content = peft_config(part, model_type=model_type, base=base, revision=revision)
            _write(folder / part.id / "adapter_config.json", content)
    if layout.has_setup([part.layout for part in adapters]):
        if fused:
            joined = layout.fusion_folder(ids)
            content = {**common, "name": joined, "adapter_names": ids, "config": dict(_FUSION)}
            _write(folder / joined / layout.FUSION_FILES[0], content)
        _write(folder / layout.SETUP, {"adapter_setup": setup_of(ids, fused), "head_setup": None, "version": library})


def peft_config(part: AdapterFiles, *, model_type: str, base: str, revision: str | None) -> dict[str, Any]:
    """Content of the ``adapter_config.json`` that peft reads."""
    facts = PEFT[part.method]
    content: dict[str, Any] = {
        "base_model_name_or_path": base,
        "fan_in_fan_out": False,
        "inference_mode": True,
        "peft_version": installed("peft"),
        "revision": revision,
        "task_type": None,
        **facts,
    }
    if facts["peft_type"] == "IA3":
        layers = re.escape(architecture_of(model_type).layers)
        every = "|".join(re.escape(path) for path in part.maps.values())
        content["target_modules"] = rf"{layers}\.\d+\.({every})"
        content["feedforward_modules"] = rf"{layers}\.\d+\.{re.escape(part.maps['ffn_out'])}"
        return content
    leaves = sorted({path.rpartition(".")[2] for path in part.maps.values()})
    content |= {"r": part.size, "bias": "none", "target_modules": leaves}
    return content


def installed(library: str) -> str:
    """Version of a library, for the files that name it; 0 where it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "0"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
