"""The encoders that can be loaded, and decoders that serve as such, by ``model_type``. Torch-free.

Only classes of `transformers` itself are named here: code that lies beside downloaded weights is never run.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adapterxfer.catalog.architectures.bert_family import BERT_FAMILY, PRETRAINED
from adapterxfer.catalog.architectures.decoders import DECODERS
from adapterxfer.catalog.architectures.encoders import OTHER_ENCODERS
from adapterxfer.catalog.architectures.spec import Architecture, Place, Pooling, SumSite
from adapterxfer.errors import BackboneError

__all__ = [
    "ARCHITECTURES",
    "PRETRAINED",
    "Architecture",
    "Place",
    "Pooling",
    "SumSite",
    "architecture_of",
    "encoder_part",
]


_NESTED = {"t5gemma2": ("encoder", "text_config")}
"""Type of a model of several parts -> where the configuration of its text encoder is."""


@cache
def _models() -> Path | None:
    """Folder of the models of `transformers`, looked up without importing it."""
    spec = find_spec("transformers")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "models"


def _installed(architecture: Architecture) -> bool:
    models = _models()
    return not architecture.library or models is None or (models / architecture.library).is_dir()


ARCHITECTURES: dict[str, Architecture] = {
    architecture.model_type: architecture
    for architecture in (*BERT_FAMILY, *OTHER_ENCODERS, *DECODERS)
    if _installed(architecture)
}
"""By ``model_type``; those that the installed `transformers` has."""


def encoder_part(content: Any) -> dict[str, Any]:
    """The configuration of the encoder in the content of a ``config.json``; models of several parts nest it.

    What is no object gives an empty one.
    """
    inner: dict[str, Any] = content if isinstance(content, dict) else {}
    for key in _NESTED.get(str(inner.get("model_type")), ()):
        nested = inner.get(key)
        inner = nested if isinstance(nested, dict) else {}
    return inner


def architecture_of(model_type: str, *, where: str = "config.json") -> Architecture:
    """The architecture of a ``config.json``.

    Raises:
        BackboneError: it is not known here.
    """
    architecture = ARCHITECTURES.get(model_type)
    if architecture is None:
        raise BackboneError(
            f"{where}: model_type {model_type!r}; expected one of {', '.join(ARCHITECTURES)}",
            fix="choose a backbone of one of these architectures",
        )
    return architecture
