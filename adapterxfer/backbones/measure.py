"""What identifies a backbone and how large it is: fingerprint and parameter counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import nn

    from adapterxfer.backbones.rows import WordSource


class ParameterCount(NamedTuple):
    """Sizes of one backbone, in parameters.

    Attributes:
        total: all parameters.
        non_embedding: without the tables of `nn.Embedding` (tokens, positions, types), which grow with the vocabulary
            and not with the network.
    """

    total: int
    non_embedding: int


def count_parameters(model: nn.Module) -> ParameterCount:
    """Count each parameter once, shared ones included."""
    from torch import nn

    sizes = {id(p): p.numel() for p in model.parameters()}
    tables = {id(p): p.numel() for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    total = sum(sizes.values())
    return ParameterCount(total, total - sum(tables.values()))


def untied_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state of a module with each tied table under its first name only; files hold it once."""
    once = {name for name, _ in model.named_parameters()}
    tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - once
    return {name: tensor for name, tensor in model.state_dict().items() if name not in tied}


def state_fingerprint(state: Mapping[str, torch.Tensor], words: WordSource | None = None) -> str:
    """sha256 over names, dtypes, shapes and bytes of all tensors, in the order of their names.

    Equal weights give equal fingerprints on any machine of the same byte order; one changed bit changes it.

    Args:
        words: the whole word matrix, in place of what the state has of it.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        if words is not None and name in words.names:
            digest.update(f"{name}:{words.dtype}:{(words.vocabulary, words.width)};".encode())
            for rows in words.chunks():
                digest.update(_bytes_of(rows))
            continue
        tensor = state[name].detach().to("cpu").contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    import torch

    view: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    return view
