"""Settings of this project's own adapter methods, with the names, defaults and meaning of the library they come from.

A recipe gives them as ``config`` of an adapter; those that keep their defaults leave no trace in an identity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from adapterxfer.catalog.methods.spec import CONFIG, MethodSpec

LINEAR_ROLES = ("query", "key", "value", "qkv", "ffn_in", "ffn_out")
"""Linear maps of a layer that an update can change, in the order in which start values are drawn."""

NON_LINEARITIES = ("relu", "swish", "gelu", "gelu_new", "tanh", "leakyrelu", "sigmoid")
"""Names of `adapters` for them; ``swish`` is SiLU, ``gelu_new`` the approximation by tanh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a method.

    Attributes:
        kind: ``number`` (above ``above``, below ``below``), ``choice``, ``switch``, ``roles`` (a list of
            `LINEAR_ROLES`) or ``ranks`` (role -> rank).
        default: what the method does without it.
        about: one line.
        source: where the default is from.
        ours: whether the library's files have no such field, because only the start of a training depends on it.
    """

    kind: Literal["number", "choice", "switch", "roles", "ranks"]
    default: Any
    about: str
    source: str
    above: float = 0.0
    below: float = 1e6
    least: bool = False
    ours: bool = False

    def problem(self, value: Any) -> str:
        """What is wrong with a value, or an empty text."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.kind == "number":
            low = value >= self.above if self.least and number else number and value > self.above
            start = "from" if self.least else "above"
            return (
                "" if low and value < self.below else f"expected a number {start} {self.above:g}, below {self.below:g}"
            )
        if self.kind == "choice":
            return "" if value in NON_LINEARITIES else f"expected one of {', '.join(NON_LINEARITIES)}"
        if self.kind == "switch":
            return "" if isinstance(value, bool) else "expected true or false"
        if self.kind == "roles":
            listed = list(value) if isinstance(value, list | tuple) else []
            fine = bool(listed) and len(set(map(str, listed))) == len(listed) and set(listed) <= set(LINEAR_ROLES)
            return "" if fine else f"expected a list of {', '.join(LINEAR_ROLES)}, each once"
        ranks = value if isinstance(value, Mapping) else {"": 0}
        fine = all(
            role in LINEAR_ROLES and isinstance(rank, int) and not isinstance(rank, bool) and 1 <= rank <= 4096
            for role, rank in ranks.items()
        )
        return "" if fine else f"expected ranks from 1 to 4096 by {', '.join(LINEAR_ROLES)}"


_SEQ, _DOUBLE, _PAR = (f"{name} of adapters 1.3" for name in ("SeqBnConfig", "DoubleSeqBnConfig", "ParBnConfig"))
_PEFT = "LoraConfig of peft 0.21"
_STD = "init_bert_weights of adapters 1.3: normal with 0.02"


def _bottleneck(source: str, *, non_linearity: str, before: bool, scaling: float = 1.0) -> dict[str, Setting]:
    return {
        "non_linearity": Setting(
            kind="choice", default=non_linearity, about="between the two projections", source=source
        ),
        "original_ln_before": Setting(
            kind="switch", default=before, source=source,
            about="the bottleneck reads the block's normalised sum; else the block's output before the sum",
        ),
        "residual_before_ln": Setting(
            kind="switch", default=True, source=source,
            about="what is added to the bottleneck's output is the block's output; else what the bottleneck reads",
        ),
        "scaling": Setting(kind="number", default=scaling, about="factor of the bottleneck's output", source=source),
    }  # fmt: skip


_INIT_STD = Setting(
    kind="number", default=0.02, below=10.0, ours=True, source=_STD, about="standard deviation of the start weights"
)


def _low_rank(maps: tuple[str, ...], *, dropout: bool) -> dict[str, Setting]:
    settings = {
        "lora_alpha": Setting(
            kind="number",
            default=8.0,
            source=_PEFT,
            about="numerator of the scale of an update, over the rank (or its root)",
        ),
        "target_modules": Setting(
            kind="roles",
            default=maps,
            about="the linear maps that are changed",
            source=f"{_PEFT}, for BERT-like encoders",
        ),
        "rank_pattern": Setting(
            kind="ranks", default={}, about="ranks of single maps, where they differ", source=_PEFT
        ),
    }
    if dropout:
        settings["lora_dropout"] = Setting(
            kind="number",
            default=0.0,
            below=1.0,
            least=True,
            source=_PEFT,
            about="on the inputs of an update, in training",
        )
    return settings


_QUERY_VALUE = ("query", "value", "qkv")

SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "seq_bn": {**_bottleneck(_SEQ, non_linearity="relu", before=True), "init_std": _INIT_STD},
    "double_seq_bn": {**_bottleneck(_DOUBLE, non_linearity="swish", before=False), "init_std": _INIT_STD},
    "par_bn": {
        name: setting
        for name, setting in _bottleneck(_PAR, non_linearity="relu", before=False, scaling=4.0).items()
        if name in ("non_linearity", "scaling")
    },
    "lora": _low_rank(_QUERY_VALUE, dropout=True),
    "rslora": _low_rank(_QUERY_VALUE, dropout=True),
    "dora": _low_rank(_QUERY_VALUE, dropout=False),
}
"""Method -> its settings. A method that is not here has none."""


def settings_problem(method: str, config: Mapping[str, Any]) -> str:
    """What is wrong with the settings of a method, or an empty text."""
    known = SETTINGS.get(method, {})
    for name, value in config.items():
        if name not in known:
            return f"has no setting '{name}'; it has: {', '.join(known) or 'none'}"
        if wrong := known[name].problem(value):
            return f"{name}: {wrong}, not {value!r}"
    pattern, targets = config.get("rank_pattern") or {}, effective(method, config).get("target_modules", ())
    if left := [role for role in pattern if role not in targets]:
        return f"rank_pattern: '{left[0]}' is none of target_modules ({', '.join(targets)})"
    return ""


def differing(method: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not the defaults, as JSON values: maps in the order of `LINEAR_ROLES`."""
    known = SETTINGS.get(method, {})
    result: dict[str, Any] = {}
    for name, value in sorted(config.items()):
        if known[name].kind == "roles":
            if set(value) != set(known[name].default):
                result[name] = [role for role in LINEAR_ROLES if role in value]
        elif known[name].kind == "ranks":
            if value:
                result[name] = {role: value[role] for role in LINEAR_ROLES if role in value}
        elif value != known[name].default:
            result[name] = float(value) if known[name].kind == "number" else value
    return result


def effective(method: str, config: Mapping[str, Any] | str = "") -> dict[str, Any]:
    """All settings of a method, those of a configuration (or its JSON) in the place of the defaults."""
    values = json.loads(config) if isinstance(config, str) and config else config or {}
    return {name: setting.default for name, setting in SETTINGS.get(method, {}).items()} | dict(values)


def changed_roles(spec: MethodSpec, config: Mapping[str, Any] | str = "") -> tuple[str, ...]:
    """Roles of the linear maps that an adapter changes, in the order in which start values are drawn."""
    if spec.name not in SETTINGS or not spec.maps:
        return spec.maps
    return tuple(effective(spec.name, config)["target_modules"])


def spec_with(spec: MethodSpec, config: str) -> MethodSpec:
    """The specification of a method with settings: without the block's output no weights change nothing."""
    if not config or spec.name not in SETTINGS:
        return spec
    values = effective(spec.name, config)
    kept = values.get("residual_before_ln", True) or not values.get("original_ln_before")
    return spec if kept else replace(spec, neutral="moved")


def settings_of(adapter: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings that an adapter of a recipe or an identity gives to a method of ours; none for others."""
    return (adapter.get(CONFIG) or {}) if str(adapter.get("method")) in SETTINGS else {}
