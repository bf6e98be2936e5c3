"""What to do about errors that are not ours: which belong to the store, and what helps against the others."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from adapterxfer.errors import AdapterxferError, StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS}

_FIXES = {
    "MemoryError": "memory ran out: fewer --jobs, a smaller batch_size, or a machine with more memory",
    "OutOfMemoryError": "the accelerator's memory ran out: a smaller batch_size, or dtype: bf16",
    "UncompletedJobError": "the time limit of its jobs ended it too often: raise --engine-set timeout_min or requeues",
    "ModuleNotFoundError": "install the missing package into this environment",
    "ImportError": "reinstall the named package with -c constraints.txt",
    "ConnectionError": "there is no connection: prepare the files before and set data_root",
    "PermissionError": "let this user read the named file",
    "FileNotFoundError": "put the named file there, or run again if another program removed it",
}
"""Class name of an error, or of one of its bases -> what helps."""

ANY_FIX = "the traceback is in failed/ in the store; mend the cause, then run again with --retry-failed"


def store_fault(error: BaseException) -> StoreError | None:
    """The error as one of the store, if it says that nothing can be written: no stage is to blame for that."""
    for cause in _chain(error):
        if isinstance(cause, AdapterxferError):
            continue
        number = cause.errno if isinstance(cause, OSError) else None
        # Libraries written in other languages keep only the words of the system.
        words = str(cause)
        if number in _FULL or "os error 28" in words or "No space left on device" in words:
            return StoreError("the disk of the store is full", fix="free space, then run the same command again")
        if number in _READ_ONLY or "os error 30" in words or "Read-only file system" in words:
            return StoreError(
                "the store became read-only", fix="make it writable or choose another --store, then run again"
            )
    return None


def fix_for(error: BaseException) -> str:
    """One line that helps against an error of a library or of Python."""
    for kind in type(error).__mro__:
        if kind.__name__ in _FIXES:
            return _FIXES[kind.__name__]
    return ANY_FIX


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
