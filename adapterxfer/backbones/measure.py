"""What identifies a backbone and how large it is: fingerprint and parameter counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
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
        for key, tensor in _plain(name, state[name].detach()):
            digest.update(f"{key}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
            digest.update(_bytes_of(tensor.to("cpu").contiguous()))
    return digest.hexdigest()


def stored_bytes(state: Mapping[str, torch.Tensor]) -> int:
    """Bytes of all tensors as they are held, packed ones too."""
    tensors = (tensor for name in state for _, tensor in _plain(name, state[name]))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _plain(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """A tensor; of one that a library makes of several (quantized numbers and their scales), each of these."""
    if not hasattr(tensor, "__tensor_flatten__"):
        yield name, tensor
        return
    for inner in tensor.__tensor_flatten__()[0]:
        yield from _plain(f"{name}.{inner}", getattr(tensor, inner))


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    import torch

    view: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    return view
