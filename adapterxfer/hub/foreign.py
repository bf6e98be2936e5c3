"""What an adapter of another tool says of itself: ``adapter_config.json`` of AdapterHub or peft. Torch-free.

Such a file names no fingerprint of its backbone and may ask for things that our modules do not do, so everything that
moves the function is compared with what the recipe asks for, and every difference is reported at once. What only moves
a training (dropout, start values) is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adapterxfer.catalog import METHODS
from adapterxfer.catalog.methods.configured import SETTINGS
from adapterxfer.hub import peft_keys
from adapterxfer.hub.library_files import SEQ_BN_CONFIG, bottleneck_config

_FUNCTION = (
    "mh_adapter", "output_adapter", "non_linearity", "original_ln_before", "original_ln_after", "ln_before", "ln_after",
    "is_parallel", "scaling", "use_gating", "residual_before_ln", "adapter_residual_before_ln", "inv_adapter",
    "cross_adapter", "leave_out", "phm_layer",
)  # fmt: skip
"""Fields of a bottleneck's configuration that decide what it computes."""

_NO_DEFAULT = ("mh_adapter", "output_adapter")

MORE = {"swish": "silu", "SiLU": "silu"}


@dataclass(slots=True, kw_only=True)
class Foreign:
    """What an adapter of another tool says of itself, and how it differs from the method of the recipe.

    Attributes:
        library: whose file it is.
        name: of the adapter in its file; peft uses none.
        base: the backbone it names; empty if it names none.
        revision: of the backbone, where it is stated.
        model_type: of the backbone, where it is stated.
        hidden_size: of the backbone, where it is stated.
        size: bottleneck or rank; None where it could not be read.
        factor: what the second matrix of an update has to be multiplied with to be ours.
        differences: what is not as wanted.
    """

    library: Literal["adapters", "peft"]
    name: str = ""
    base: str = ""
    revision: str | None = None
    model_type: str | None = None
    hidden_size: int | None = None
    size: int | None = None
    factor: float = 1.0
    differences: list[str] = field(default_factory=list)


def describe(content: Mapping[str, Any], method: str, config: str = "") -> Foreign:
    """Read an ``adapter_config.json`` and compare it with an adapter method of ours.

    Args:
        config: what the recipe says beyond the method, as JSON. Settings of a method of ours are compared with nothing
            here: an adapter that another tool has published is taken with the defaults alone.

    A method that is the library's own is compared by the library, before the adapter is built.
    """
    foreign = _peft(content, method) if "peft_type" in content else _adapters(content, method)
    if config and method in SETTINGS:
        foreign.differences.append(f"the recipe sets {config}; an adapter of another tool is taken with the defaults")
    return foreign


def _adapters(content: Mapping[str, Any], method: str) -> Foreign:
    hidden = content.get("hidden_size")
    foreign = Foreign(
        library="adapters",
        name=str(content.get("name") or ""),
        base=str(content.get("model_name") or ""),
        model_type=content.get("model_type") if isinstance(content.get("model_type"), str) else None,
        hidden_size=hidden if type(hidden) is int and hidden > 0 else None,
    )
    if METHODS[method].engine == foreign.library:
        return foreign
    expected = bottleneck_config(method)
    if not expected:
        foreign.differences.append(f"a bottleneck of AdapterHub; the recipe asks for {method}")
        return foreign
    config = content.get("config")
    if isinstance(config, str):
        abbreviated = _abbreviated(config)
        if abbreviated is None:
            foreign.differences.append(f"configuration '{config}'; the recipe asks for {method}")
            return foreign
        config = abbreviated
    if not isinstance(config, Mapping):
        foreign.differences.append("its configuration cannot be read")
        return foreign
    for key in _FUNCTION:
        default = None if key in _NO_DEFAULT else _default(key)
        value = config.get(key, default)
        if _plain(value) != _plain(expected[key]):
            foreign.differences.append(f"{key} is {value!r}; {method} has {expected[key]!r}")
    for key in sorted(config.keys() - expected.keys() - {"reduction_factor", "architecture"}):
        if config[key] not in (None, False, "", [], {}):
            foreign.differences.append(f"{key} is {config[key]!r}, which nobody has compared with ours")
    if config.get("architecture") is not None:
        foreign.differences.append(f"architecture is {config['architecture']!r}; {method} is a bottleneck")
    factor = config.get("reduction_factor")
    if isinstance(factor, Mapping):
        factor = factor.get("default") if set(factor) == {"default"} else None
    if isinstance(factor, int | float) and not isinstance(factor, bool) and factor > 0 and foreign.hidden_size:
        foreign.size = int(foreign.hidden_size // factor)
    else:
        foreign.differences.append(f"its size cannot be read (reduction_factor {config.get('reduction_factor')!r})")
    return foreign


def _abbreviated(config: str) -> dict[str, Any] | None:
    """The configuration that AdapterHub abbreviates by a name; None where it has no such name."""
    for name, method in METHODS.items():
        if method.adapters is not None and config in method.adapters.abbreviations:
            return {**bottleneck_config(name), "reduction_factor": method.adapters.abbreviations[config]}
    return None


def _default(key: str) -> Any:
    """What the library assumes for a field that an old file does not have."""
    return {"non_linearity": "relu", "original_ln_before": False}.get(key, SEQ_BN_CONFIG[key])


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return MORE.get(value, value.lower())
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _peft(content: Mapping[str, Any], method: str) -> Foreign:
    revision = content.get("revision")
    foreign = Foreign(
        library="peft",
        base=str(content.get("base_model_name_or_path") or ""),
        revision=revision if isinstance(revision, str) and revision else None,
    )
    files = METHODS[method].peft
    if files is None:
        foreign.differences.append(f"a {content['peft_type']} adapter of peft; the recipe asks for {method}")
        return foreign
    for key in ("peft_type", "use_rslora", "use_dora"):
        if key in files.config and content.get(key, False) != files.config[key]:
            foreign.differences.append(f"{key} is {content.get(key, False)!r}; {method} has {files.config[key]!r}")
    foreign.differences += peft_keys.differences(content, str(files.config["peft_type"]))
    if not files.has_rank:
        foreign.size = 1
        return foreign
    size = content.get("r")
    if type(size) is int and size > 0:
        foreign.size = size
    else:
        foreign.differences.append(f"its rank cannot be read (r {size!r})")
    if files.alpha is not None:
        alpha = content.get("lora_alpha", files.alpha)
        if isinstance(alpha, int | float) and not isinstance(alpha, bool) and 0 < alpha < math.inf:
            foreign.factor = float(alpha) / files.alpha
        else:
            foreign.differences.append(f"its scale cannot be read (lora_alpha {alpha!r})")
    return foreign


def same_base(stated: str, base: str) -> bool:
    """Whether two names mean the same backbone: equal, or equal without the owner where one of them has none.

    Old names of the Hub have no owner (``xlm-roberta-base``), and the Hub redirects them.
    """
    first, second = stated.lower().strip("/"), base.lower()
    if first == second:
        return True
    return ("/" not in first or "/" not in second) and first.rpartition("/")[2] == second.rpartition("/")[2]
