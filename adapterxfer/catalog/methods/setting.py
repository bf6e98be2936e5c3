"""One setting of an adapter method, and those that several methods share, as the libraries name and default them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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


_PEFT = "LoraConfig of peft 0.21"
_STD = "init_bert_weights of adapters 1.3: normal with 0.02"


def bottleneck_settings(source: str, *, non_linearity: str, before: bool) -> dict[str, Setting]:
    """Settings of a bottleneck that has no special place.

    Args:
        source: where the defaults are from.
        before: whether it reads the normalised sum.
    """
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
        "scaling": _scaling(source, 1.0),
    }  # fmt: skip


def parallel_settings(source: str, *, scaling: float) -> dict[str, Setting]:
    """Settings of a bottleneck beside a block: what it reads and adds to is fixed."""
    return {
        "non_linearity": Setting(kind="choice", default="relu", about="between the two projections", source=source),
        "scaling": _scaling(source, scaling),
    }


def _scaling(source: str, default: float) -> Setting:
    return Setting(kind="number", default=default, about="factor of the bottleneck's output", source=source)


INIT_STD = Setting(
    kind="number", default=0.02, below=10.0, ours=True, source=_STD, about="standard deviation of the start weights"
)


def low_rank_settings(maps: tuple[str, ...], *, alpha: float, dropout: bool) -> dict[str, Setting]:
    """Settings of a low-rank update.

    Args:
        maps: that it changes by default.
        alpha: the default numerator of its scale.
        dropout: whether its inputs can be dropped in training.
    """
    settings = {
        "lora_alpha": Setting(
            kind="number",
            default=float(alpha),
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
