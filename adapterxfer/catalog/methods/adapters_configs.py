"""Configurations of the `adapters` library as adapter methods, e.g. ``adapters:par_bn``. Torch-free.

A recipe may write the library's own configuration string, ``adapters:double_seq_bn[reduction_factor=8]``, or the keys
apart, ``{method: "adapters:double_seq_bn", config: {reduction_factor: 8}}``: both are the same adapter. Which ones run,
and why the others do not, stands in ``adapters_configs.json``, written by ``scripts/table_adapters.py``.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from adapterxfer.catalog.methods.engine import Engine

ROLES = ("query", "key", "value", "ffn_in", "ffn_out")
"""Linear maps that the library's LoRA and its kin can change."""

FIXED = frozenset(
    {
        # They make another configuration of the library out of this one; that one has a name.
        "architecture", "composition_mode", "inv_adapter", "is_parallel", "mh_adapter", "output_adapter", "phm_layer",
        "use_dora", "vera_b",
        # They need what encoders here do not show, or have no weights that change nothing.
        "adapter_residual_before_ln", "cross_adapter", "cross_prefix", "encoder_prefix", "original_ln_after",
        "output_reft", "residual_before_ln", "stochastic_depth", "suffix_positions",
        # A gate averages over a whole padded text, so an answer would depend on its neighbours in the batch.
        "use_gating", "shared_gating",
        # Start values come from the seed of the training, numbers are float32.
        "init_weights", "init_weights_seed", "dtype",
    }
)  # fmt: skip
"""Keys that a recipe cannot set."""

_STRING = re.compile(r"(?P<name>[^\[\]|]+)\[(?P<keys>.*)\]", re.DOTALL)

ADAPTERS = Engine(
    library="adapters",
    kind="configuration",
    builder="adapterxfer.variants.adapters_engine:AdaptersLayer",
    file="adapters_configs.json",
    maps=ROLES,
    versions="constraints-adapters.txt",  # it goes with transformers 4.57 only
)
"""The library `adapters`."""


def split_string(method: str) -> tuple[str, dict[str, Any]]:
    """A configuration string as its name and its keys; other methods come back as they are, without keys.

    Raises:
        ValueError: the keys are not ``name=value`` with plain values.
    """
    if not method.startswith(ADAPTERS.prefix) or (match := _STRING.fullmatch(method)) is None:
        return method, {}
    # The library reads its strings so too: names of keys become texts, values are those of Python.
    text = "{" + re.sub(r"(\w+)=", r"'\1':", match["keys"]) + "}"
    try:
        keys = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        keys = None
    if not isinstance(keys, dict):
        raise ValueError(f"'{method}': expected keys as in adapters:seq_bn[reduction_factor=8]")
    return match["name"], keys
