"""The memory of training steps without running them: which tensors are made and freed, and what that takes.

Steps run on fake tensors, which have shapes and devices but no data, through the model's own forward, the backward pass
of autograd and the optimiser. Every storage that is made or freed on the way is noted. From these events follow two
numbers: the most bytes of tensors that live at one moment, and, since the C library does not give every freed piece of
memory out again, the most that a process on a CPU holds. For the second, the events are played to that library's own
allocator in a process of its own, whose memory is never written to, so that a machine of any size can tell.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MAPPED = 32 * 2**20
"""Pieces of this size and above are mapped by themselves whatever was freed before (glibc, 64 bit), and given back."""

ALIGNMENT = 64
"""Of tensors on a CPU (`c10/core/impl/alloc_cpu.cpp`)."""

RECORDS = (300, 96, 208)
"""Bytes of what is made before the memory of a tensor: its step in the graph, its storage, itself; roughly.

They matter by where they lie: between large pieces, which cannot be joined again when they are freed. Order and sizes
were chosen on measurements at the shape of XLM-R base; those at large (docs/memory.md) were made afterwards.
"""


class Event(NamedTuple):
    """A storage is made (``size`` in bytes), or freed (0)."""

    storage: int
    size: int


class Peaks(NamedTuple):
    """Bytes.

    Attributes:
        tensors: most that live at one moment.
        process: most that a process holds for them; 0 where the C library cannot be asked.
    """

    tensors: int
    process: int


class Trace(TorchDispatchMode):
    """Notes storages while it is entered; those of ``given`` tensors come first."""

    def __init__(self, given: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.events: list[Event] = []
        self._given: dict[int, tuple[int, StorageWeakRef]] = {}
        self._known: dict[int, tuple[int, StorageWeakRef]] = {}
        self._made = 0
        for tensor in given:
            self._see(tensor)
        self._given, self._known = self._known, {}  # nobody frees them, so nobody need look

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func.namespace == "prim":  # asks for a device or a shape
            return func(*args, **(kwargs or {}))
        self.look()
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf)
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        self.look()

    def look(self) -> None:
        """Note what has been freed; looks at all, since asking one after the other is the only way."""
        expired = torch.UntypedStorage._expired
        gone = [address for address in self._known if expired(address)]
        for address in gone:
            self.events.append(Event(self._known.pop(address)[0], 0))

    def _see(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        # A weak reference holds the address, so it is not given out again before the storage is known to be gone.
        if storage._cdata in self._known or storage._cdata in self._given or not storage.nbytes():
            return
        self._made += 1
        self._known[storage._cdata] = (self._made, StorageWeakRef(storage))
        self.events.append(Event(self._made, storage.nbytes()))


def peaks(events: Iterable[Event]) -> Peaks:
    """Both numbers of a training."""
    events = list(events)
    return Peaks(_most_alive(events), _held(events))


def _most_alive(events: Iterable[Event]) -> int:
    alive: dict[int, int] = {}
    now = most = 0
    for storage, size in events:
        now += size - alive.pop(storage, 0)
        if size:
            alive[storage] = size
        most = max(most, now)
    return most


def _held(events: Iterable[Event]) -> int:
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallinfo2"):
        return 0
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(list(events)), capture_output=True, text=True, check=True
    )
    return int(done.stdout)


class _Info(ctypes.Structure):
    """``struct mallinfo2``."""

    _fields_ = [(name, ctypes.c_size_t) for name in
                ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
                 "keepcost")]  # fmt: skip


def play(events: Iterable[Event]) -> int:
    """Most bytes that the C library takes from the system for these events, in this process."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = _Info
    library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.posix_memalign.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t]

    def taken() -> int:
        info = library.mallinfo2()
        return int(info.arena + info.hblkhd)

    pieces: dict[int, list[Any]] = {}
    mapped: dict[int, int] = {}
    alone = most = 0
    before = taken()
    for storage, size in events:
        if not size:
            alone -= mapped.pop(storage, 0)
            for piece in pieces.pop(storage):
                library.free(piece)
            continue
        pieces[storage] = [library.malloc(record) for record in RECORDS]
        if size >= MAPPED:
            mapped[storage] = size
            alone += size
        else:
            piece = ctypes.c_void_p()
            if library.posix_memalign(ctypes.byref(piece), ALIGNMENT, size):
                raise MemoryError(f"{size} bytes")
            pieces[storage].insert(0, piece)
        most = max(most, alone + taken() - before)
    return most


@contextmanager
def without_data() -> Iterator[None]:
    """Tensors made here, and all that follows from them, have no data."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    # Modules without data cannot be moved, which `skip_init` does; nothing is filled in here anyway.
    with (
        FakeTensorMode(),
        mock.patch.object(torch.nn.utils, "skip_init", lambda kind, *sizes, **how: kind(*sizes, **how)),
    ):
        yield


def traced(model: torch.nn.Module, step: Callable[[], None], *, steps: int) -> list[Event]:
    """Events of ``steps`` training steps of a model without data; inside `without_data`."""
    with Trace((*model.parameters(), *model.buffers())) as trace:
        for _ in range(steps):
            step()
    events: list[Event] = trace.events
    return events


if __name__ == "__main__":
    print(play(Event(*event) for event in json.load(sys.stdin)))
