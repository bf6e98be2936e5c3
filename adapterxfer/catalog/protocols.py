"""Texts of protocols: everything beside the model that moves a score.

A protocol is one text of parts joined by ``/``. It is part of the identity of predictions, and of the examples where it
decides their words, so scores of two protocols never meet in one comparison.
"""

from __future__ import annotations

FUSED = "fused-words"
"""Part of a protocol: multiword tokens of treebanks are one word."""

AS_RELEASED = "questions-as-released"
"""Part of a protocol: XCOPA's questions are not repaired."""

CROSS_FITTED = "threshold-cross-fitted"
"""Part of a protocol: BUCC's threshold for one half of the sentences is tuned on the other half, not on the sample."""


DEV = "dev"
"""Label of the evaluation on development examples."""

_UNDER = "@"


def with_layer(protocol: str, layer: int | str) -> str:
    """The protocol with another layer: a number (0 is the embeddings), ``middle`` or ``top``."""
    replacement = f"{layer}-layer" if isinstance(layer, str) else f"layer-{layer}"
    return "/".join(replacement if is_layer(segment) else segment for segment in protocol.split("/"))


def layer_in(protocol: str) -> int | str:
    """The layer a protocol names; ``middle`` where it names none."""
    for segment in protocol.split("/"):
        if is_layer(segment):
            return int(segment[6:]) if segment.startswith("layer-") else segment.removesuffix("-layer")
    return "middle"


def target_under(task: str, label: str) -> str:
    """What a target is called under another protocol, layer or split than the recipe's first."""
    return f"{task}{_UNDER}{label}"


def base_target(target: str) -> str:
    """The task behind the name of a target."""
    return target.partition(_UNDER)[0]


def is_other_evaluation(target: str) -> bool:
    """Whether a target is another evaluation of models that have a first one; means never take it in by itself."""
    return _UNDER in target


def is_development(target: str) -> bool:
    """Whether the examples of a target are development examples."""
    return target.endswith(f"{_UNDER}{DEV}")


def is_layer(segment: str) -> bool:
    """Whether a part of a protocol names a layer."""
    return segment in ("middle-layer", "top-layer") or (segment.startswith("layer-") and segment[6:].isdigit())


def without_layer(protocol: str) -> str:
    """The protocol without the parts that name a layer."""
    return "/".join(segment for segment in protocol.split("/") if not is_layer(segment))
