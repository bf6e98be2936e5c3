"""What each field of a peft configuration does to the function of an adapter, field by field. Torch-free.

A field is honoured (read elsewhere), harmless (it moves a training, a file or nothing), or must have a value at which
it does nothing. A field that is in no list is from a version that nobody compared with ours: it is refused unless it is
empty. The lists are those of peft 0.21; a test walks the installed library's own configurations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from adapterxfer.catalog.methods import peft_words

HONOURED: Mapping[str, frozenset[str]] = {
    "LORA": frozenset({"r", "lora_alpha", "use_rslora", "use_dora", "init_lora_weights"}),
    "VERA": frozenset({"r"}),
    "IA3": frozenset(),
}
"""Fields read one by one, by kind of adapter, besides those of every kind."""

_EVERYWHERE = frozenset({"peft_type", "base_model_name_or_path", "revision"})

# The maps that an adapter changes and the modules saved beside it are seen in its tensors, which must be all of ours.
_SEEN_IN_TENSORS = frozenset({"target_modules", "exclude_modules", "feedforward_modules", "modules_to_save"})

HARMLESS: frozenset[str] = _EVERYWHERE | _SEEN_IN_TENSORS | frozenset({
    "task_type", "auto_mapping", "peft_version", "inference_mode", "runtime_config",
    "lora_dropout", "vera_dropout", "layers_pattern", "megatron_core", "qalora_group_size", "eva_config",
    "init_ia3_weights", "d_initial", "init_weights", "projection_prng_key", "save_projection", "ensure_weight_tying",
})  # fmt: skip
"""Fields without influence on what a loaded adapter computes.

Dropout and start values move a training only; a pattern of layers and the settings of a quantised update do nothing
without the fields they belong to, which must be empty; VeRA's projections are compared as tensors.
"""

NEUTRAL: Mapping[str, Any] = {
    "bias": "none", "fan_in_fan_out": False, "layers_to_transform": None, "layer_replication": None, "rank_pattern": {},
    "alpha_pattern": {}, "lora_bias": False, "trainable_token_indices": None, "target_parameters": None,
    "use_qalora": False, "use_bdlora": None, "alora_invocation_tokens": None, "megatron_config": None,
    "loftq_config": {}, "corda_config": None, "lora_ga_config": None, "velora_config": None, "monteclora_config": None,
    "arrow_config": None, "kasa_config": None,
}  # fmt: skip
"""Fields that change the function, and the value at which they do not."""

KEPT_BASE = (True, False, "gaussian", "orthogonal", "eva")
"""Start values of a LoRA that leave the base weights as they are.

All others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA, MiCA, and what later versions add) take something out of the base
weights, again at every loading: the saved update is then no update of the backbone that everybody else has.
"""


def differences(content: Mapping[str, Any], kind: str) -> list[str]:
    """Fields of a configuration that change the function in a way that ours has not, in words.

    Args:
        content: of ``adapter_config.json``.
        kind: its ``peft_type``.
    """
    reasons = []
    for key in sorted(content):
        value = content[key]
        if key in HARMLESS or key in HONOURED.get(kind, ()):
            continue
        if key in NEUTRAL:
            if value is not None and value != NEUTRAL[key]:
                reasons.append(f"{key} is {value!r}; ours has {NEUTRAL[key]!r}")
        elif value is not None and value is not False and value not in ("", [], {}):
            reasons.append(f"{key} is {value!r}, which nobody has compared with ours")
    start = content.get("init_lora_weights", True)
    if kind == "LORA" and not any(start is known or (isinstance(known, str) and start == known) for known in KEPT_BASE):
        reasons.append(
            f"init_lora_weights is {start!r}, which changes the base weights: on the untouched backbone its update is "
            "another function (peft's save_pretrained with path_initial_model_for_weight_conversion saves a plain LoRA)"
        )
    return reasons


def untargeted(content: Mapping[str, Any], tensors: Iterable[str]) -> list[str]:
    """Changed maps that the configuration does not name: peft leaves their tensors out when it loads the adapter.

    Args:
        content: of ``adapter_config.json``.
        tensors: names of the saved tensors of the method.
    """
    targets = content.get("target_modules")
    if targets is None or targets == "all-linear":  # the library's own choice; the tensors have to be all of ours
        return []
    words = "|".join(peft_words())
    modules = dict.fromkeys(re.sub(rf"^base_model\.model\.|\.(?:{words})_[^.]+(?:\.weight)?$", "", n) for n in tensors)
    excluded = content.get("exclude_modules") or []
    missed = [name for name in modules if not _names(targets, name) or _names(excluded, name)]
    return [f"its target_modules do not name {name}, whose update is in its weights" for name in missed[:2]]


def _names(rule: Any, module: str) -> bool:
    """Whether a rule of peft names a module: a text is a pattern for the whole name, a list holds names or endings."""
    if isinstance(rule, str):
        try:
            return re.fullmatch(rule, module) is not None
        except re.error:
            return False
    return isinstance(rule, list) and any(module == name or module.endswith(f".{name}") for name in rule)
