"""The library's model around the tensors of an encoder that was built without the library's code."""

from __future__ import annotations

from typing import Any

import torch

from adapterxfer.backbones.plain import PlainEncoder
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import architecture_of


def as_library(encoder: Any) -> Any:
    """The library's model around the same tensors, for another library that wants to put something into it.

    Returns:
        the encoder itself, where it is the library's. Otherwise it is not fit to run: its constants have no values.
    """
    if not isinstance(encoder, PlainEncoder):
        return encoder
    architecture = architecture_of(encoder.config.model_type)
    with torch.device("meta"):
        model = library_class(architecture.model)(encoder.config, **architecture.arguments)
    model.embeddings.word_embeddings = encoder.get_input_embeddings()
    model.load_state_dict(encoder.state_dict(keep_vars=True), assign=True)
    return model.requires_grad_(False).eval()
