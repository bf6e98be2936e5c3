"""The output head a backbone was pretrained with, for training that continues its masked language modelling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.backbones.loading import folder_of
from adapterxfer.backbones.reading import read_file, weight_files
from adapterxfer.catalog.architectures import architecture_of

if TYPE_CHECKING:
    import torch

PREFIX = "lm_head."
"""Beginning of the head's tensors in checkpoints of XLM-R and XLM-R XL."""


def read_output_head(
    identity: Mapping[str, Any], folder: Path | None, model_type: str
) -> dict[str, torch.Tensor] | None:
    """Tensors of the pretrained head without their prefix and without the output matrix, which is the embeddings.

    Args:
        identity: of the backbone, as for `load_backbone`.
        folder: likewise.
        model_type: as in ``config.json``.

    Returns:
        None where there is none to take: an untrained twin, an architecture whose head is built otherwise, or a folder
        that holds the encoder alone.

    Raises:
        BackboneError: a file is damaged.
    """
    if identity["kind"] == "untrained" or PREFIX not in architecture_of(model_type).dropped:
        return None
    tensors: dict[str, torch.Tensor] = {}
    for path in weight_files(folder_of(identity, folder)):
        tensors |= {
            name.removeprefix(PREFIX): tensor for name, tensor in read_file(path).items() if name.startswith(PREFIX)
        }
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("decoder.")}
    return tensors or None
