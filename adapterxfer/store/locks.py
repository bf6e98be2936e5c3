"""Locks of a store: one per stage for whoever makes it, one per driver; the kernel lets go of them with their process.

ROOT/.locks/<key16>.lock       held by the process that makes the stage
ROOT/.runs/<random>.lock       held by every driver while it runs a plan
ROOT/.runs/<random>.stop       made by a driver that asks its stages to save and end
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from adapterxfer.errors import StoreError


class StageBusyError(StoreError):
    """Another process is making this stage right now."""


class Locks:
    """The lock files of one store.

    Args:
        root: of the store.
        unwritable: turns an error of the system into one that names the store.
    """

    def __init__(self, root: Path, unwritable: Callable[[OSError], StoreError]) -> None:
        self.stages = root / ".locks"
        self._runs = root / ".runs"
        self._unwritable = unwritable

    @contextmanager
    def held(self, key: str, wait_s: float) -> Iterator[None]:
        """Hold the lock of one stage; see `Store.locked`."""
        try:
            self.stages.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.stages / f"{key}.lock", timeout=wait_s)
            lock.acquire()
        except Timeout as error:
            raise StageBusyError(f"stage {key}: another process is making it", fix="wait for it to end") from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Tell others that a driver works on this store, and remove what drivers that are gone left."""
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._runs / f"{secrets.token_hex(6)}.lock")
            lock.acquire()
        except OSError as error:
            raise self._unwritable(error) from error
        for left in self._runs.glob("*.lock"):
            with suppress(Timeout, OSError), FileLock(left, timeout=0):
                left.unlink()
        try:
            yield
        finally:
            with suppress(OSError):
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    @contextmanager
    def stop_file(self) -> Iterator[Path]:
        """A name that no file has yet; the file is removed at the end."""
        self._runs.mkdir(parents=True, exist_ok=True)
        path = self._runs / f"{secrets.token_hex(6)}.stop"
        try:
            yield path
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def busy(self) -> list[str]:
        """Short keys of stages in flight, and ``run`` for every driver."""
        held: list[str] = []
        for folder, word in ((self.stages, ""), (self._runs, "run")):
            # Not FileLock, which makes the file it looks at: reading must work where nothing may be written.
            paths = sorted(folder.glob("*.lock")) if folder.is_dir() else []
            held += [word or path.stem for path in paths if _is_locked(path)]
        return held

    def forget(self, key: str) -> None:
        """Remove the lock file of a stage while holding it: whoever waits for it looks for the result."""
        with suppress(OSError):
            (self.stages / f"{key}.lock").unlink()


def _is_locked(path: Path) -> bool:
    """Whether a process holds this lock file; False where it vanished or locks cannot be asked for (Windows)."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, FileNotFoundError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
