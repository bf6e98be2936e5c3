"""What runs on what: architecture x adapter method x composition, as data. Torch-free.

The rows are what tests do with a tiny random encoder of each architecture: a row that works is built, trained and
judged by every assertion; a row that does not is refused with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

ARCHITECTURES: dict[str, str] = {
    "world": "xlm-roberta",
    "xlm-r-base": "xlm-roberta",
    "xlm-r-large": "xlm-roberta",
    "xlm-r-xl": "xlm-roberta-xl",
    "xlm-r-xxl": "xlm-roberta-xl",
    "mdeberta-v3-base": "deberta-v2",
    "mmbert-small": "modernbert",
    "mmbert-base": "modernbert",
    "rembert": "rembert",
    "mt5-small-encoder": "mt5",
    "mt5-base-encoder": "mt5",
    "mt5-large-encoder": "mt5",
    "mt5-xl-encoder": "mt5",
    "mt5-xxl-encoder": "mt5",
}
"""Backbone -> architecture; ``world`` stands for all backbones of the world and of recipes."""

BARE = ("full-ft", "head-only")
ADAPTED = ("sequential", "stack", "fuse", "merge")
LANGUAGE = "language"
"""A language's own adapter, below those of tasks."""
COMPOSITIONS = (*BARE, *ADAPTED, LANGUAGE)
_MODEL_TYPES = tuple(dict.fromkeys(ARCHITECTURES.values()))
LANGUAGE_METHODS = ("seq_bn_inv", "seq_bn")
"""Adapter methods a language's adapter may have; the first is the one of MAD-X."""
_BUILT = (
    "seq_bn",
    "seq_bn_inv",
    "double_seq_bn",
    "par_bn",
    "compacter",
    "prefix",
    "loreft",
    "lora",
    "rslora",
    "dora",
    "ia3",
    "vera",
)
_ONLY_XLM_R = ("prefix",)
_NO_PREFIX = "keys and values can be put before the tokens in the own forward pass of XLM-R only"
_NARROW = "the map is as wide as the layers, the embeddings of RemBERT are narrower"
_NO_MASKED_LM = {
    "rembert": "its embeddings are narrower than its layers, so no output matrix can be tied to them",
    "mt5": "its tokenizer has no mask token, so it cannot be trained to fill masks",
}
MERGED = ("seq_bn", "double_seq_bn", "par_bn", "lora", "rslora", "ia3")
_NO_SUM = "its changes are no sum over its weights, so averaged weights are not an averaged change"
_NO_FUSION = (
    "AdapterFusion mixes single bottlenecks after the feed-forward block; this method is more than that, or another"
)


@dataclass(frozen=True, slots=True)
class Capability:
    """One cell of the table.

    Attributes:
        architecture: ``model_type`` of the encoder.
        method: adapter method; empty for compositions without adapters.
        composition: way of reusing weights.
        works: whether it runs.
        because: why it does not.
        nearest: what to use instead, as ``composition/method``.
    """

    architecture: str
    method: str
    composition: str
    works: bool
    because: str = ""
    nearest: str = ""


@cache
def capabilities() -> dict[tuple[str, str, str], Capability]:
    """All cells by (architecture, method, composition)."""
    cells = []
    for architecture in _MODEL_TYPES:
        cells += [Capability(architecture, "", composition, True) for composition in BARE]
        for method in _BUILT:
            also = (LANGUAGE,) if method in LANGUAGE_METHODS else ()
            cells += [_cell(architecture, method, composition) for composition in (*ADAPTED, *also)]
    return {(cell.architecture, cell.method, cell.composition): cell for cell in cells}


def _cell(architecture: str, method: str, composition: str) -> Capability:
    if composition == LANGUAGE:
        if architecture in _NO_MASKED_LM:
            return Capability(architecture, method, composition, False, _NO_MASKED_LM[architecture], "stack/seq_bn")
        return Capability(architecture, method, composition, True)
    if method == "seq_bn_inv" and architecture == "rembert":
        return Capability(architecture, method, composition, False, _NARROW, f"{composition}/seq_bn")
    if method in _ONLY_XLM_R and architecture != "xlm-roberta":
        return Capability(architecture, method, composition, False, _NO_PREFIX, f"{composition}/seq_bn")
    if composition == "fuse" and method != "seq_bn":
        return Capability(architecture, method, composition, False, _NO_FUSION, f"stack/{method}")
    if composition == "merge" and method not in MERGED:
        nearest = "merge/lora" if method in ("dora", "vera") else f"stack/{method}"
        return Capability(architecture, method, composition, False, _NO_SUM, nearest)
    return Capability(architecture, method, composition, True)


def architecture_of(backbone: str) -> str:
    """``model_type`` of a backbone of the catalogue; what the catalogue does not know is pretrained by a recipe."""
    return ARCHITECTURES.get(backbone, ARCHITECTURES["world"])


def capability(architecture: str, method: str, composition: str) -> Capability:
    """One cell; ``method`` is ignored for compositions without adapters.

    Raises:
        KeyError: no such architecture, method or composition.
    """
    method = "" if composition in BARE else method
    return capabilities()[architecture, method, composition]
