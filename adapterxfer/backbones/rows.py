"""Rows of the word matrix that texts use; the others stay on the disk.

Most weights of a small multilingual encoder are its word matrix (96 of the 118 millions of a 12-layer encoder 384
wide), and the texts of a stage use a few per cent of its rows. Whatever is never looked up has no gradient, no moments
and, without weight decay, no change, so computing with the rows in use gives the same numbers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adapterxfer.backbones.headers import read_header
from adapterxfer.backbones.reading import home_of
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LARGE = 2_000_000
"""Numbers in a word matrix from which on its rows in use alone are carried; below 8 MB there is nothing to save."""

CHUNK = 8192
"""Rows that are converted at a time where a whole matrix is read through."""

AT_ONCE = 1_000_000
"""Token ids that are looked at together: 8 MB."""

TokenIds = NDArray[np.int64]
"""Ids of tokens, ascending, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSource:
    """Where the word matrix of a backbone lies, to be read row by row.

    The file is read and not mapped: pages of a mapped file count as memory of the process, and around every row that is
    looked at the kernel maps some 60 KB.

    Attributes:
        path: a safetensors file.
        begin: where in it the matrix begins, in bytes.
        stored: kind of numbers there.
        names: names of the matrix in the state of the module; more than one where it is tied.
        vocabulary, width: its shape.
        padding_id: token id whose row gets no gradient; None for none.
        dtype: of the module; numbers of other kinds are converted.
        stamp: size and time of the file when it was first read.
    """

    path: Path
    begin: int
    stored: torch.dtype
    names: tuple[str, ...]
    vocabulary: int
    width: int
    padding_id: int | None
    dtype: torch.dtype
    stamp: tuple[int, int]

    def read(self, ids: TokenIds | None) -> Tensor:
        """Rows of these ids, or all, shape ``(ids, width)``.

        Args:
            ids: ascending.

        Raises:
            BackboneError: the file is gone, or is not the one that was first read.
        """
        import torch

        if ids is None:
            ids = np.arange(self.vocabulary)
        rows = torch.empty((len(ids), self.width), dtype=self.dtype)
        with self._opened() as file:
            for start in range(0, len(ids), CHUNK):
                some = ids[start : start + CHUNK]
                rows[start : start + CHUNK] = self._rows(file, some).float()
        return rows

    def chunks(self) -> Iterator[Tensor]:
        """The whole matrix, some rows at a time."""
        with self._opened() as file:
            for start in range(0, self.vocabulary, CHUNK):
                some = np.arange(start, min(start + CHUNK, self.vocabulary))
                yield self._rows(file, some).float().to(self.dtype)

    def check(self) -> None:
        """Refuse a file that is not the one that was first read.

        Raises:
            BackboneError: it is gone, or is another one.
        """
        if stamp_of(self.path) != self.stamp:
            raise BackboneError(
                f"{self.path}: changed while it was in use", fix="restore the file, and run the same command again"
            )

    def _opened(self) -> IO[bytes]:
        self.check()
        return self.path.open("rb", buffering=0)

    def _rows(self, file: IO[bytes], ids: TokenIds) -> Tensor:
        import torch

        rows = torch.empty((len(ids), self.width), dtype=self.stored)
        raw = rows.view(torch.uint8).reshape(-1).numpy().data
        size = self.width * rows.element_size()
        breaks = np.flatnonzero(np.diff(ids) != 1) + 1  # rows that follow each other are read at once
        for start, end in zip([0, *breaks.tolist()], [*breaks.tolist(), len(ids)], strict=True):
            file.seek(self.begin + int(ids[start]) * size)
            if file.readinto(raw[start * size : end * size]) != (end - start) * size:  # type: ignore[attr-defined]
                raise BackboneError(f"{self.path}: ends in the middle", fix="restore the file from its source")
        return rows


def words_apart(model: Any, state: dict[str, Tensor], folder: Path, dtype: torch.dtype) -> WordSource | None:
    """Where the word matrix lies; in the state, only its first rows stay, as many as the model has room for.

    Args:
        model: made with ``words=False``.
        state: mapped from the files of ``folder``.
        dtype: that the model will have.

    Raises:
        BackboneError: it has not the shape of the configuration.
    """
    from adapterxfer.backbones.lookup import matrix_names

    names, stump = matrix_names(model), model.get_input_embeddings()
    home = home_of(folder, names, architecture_of(model.config.model_type))
    if home is None:
        return None  # `fill` says what is missing
    shape = (int(model.config.vocab_size), int(stump.weight.shape[1]))
    whole = next(state[name] for name in names if name in state)
    for name in names:
        if name in state and tuple(state[name].shape) != shape:
            raise BackboneError(
                f"{folder}: weights do not fit the configuration: shape {name} {tuple(state[name].shape)} for {shape}",
                fix="restore the folder",
            )
    state |= {name: state[name][: len(stump.weight)] for name in names if name in state}
    header, begin = read_header(home[0])
    return WordSource(
        path=home[0],
        begin=begin + int(header[home[1]]["data_offsets"][0]),
        stored=whole.dtype,
        names=names,
        vocabulary=shape[0],
        width=shape[1],
        padding_id=stump.padding_idx,
        dtype=dtype,
        stamp=stamp_of(home[0]),
    )


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change of a file, by which one that was read is known again; zeros where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return (0, 0)
    return (facts.st_size, facts.st_mtime_ns)


def ids_in(sequences: Iterable[Sequence[int]], vocabulary: int) -> NDArray[np.bool_]:
    """Which token ids occur, shape ``(vocabulary,)``."""
    used = np.zeros(vocabulary, dtype=np.bool_)
    flat = chain.from_iterable(sequences)
    while len(some := np.fromiter(islice(flat, AT_ONCE), dtype=np.int64)):
        used[some] = True
    return used
