"""Worker processes of the inline engine: started once, fed over a pipe, ended with their driver.

Not `concurrent.futures`: there one killed worker breaks the pool and takes the stages of all others with it. Fresh
interpreters instead of forks (torch does not survive a fork) and instead of multiprocessing's spawn (which imports the
caller's main script again), so this works from scripts, notebooks and tests alike.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    # One kernel for each shape of a product; a worker that meets more shapes than it keeps makes them again and again.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "4096",
    # glibc hands freed memory back from 128 KiB on (twice the largest piece, later), so a step of a small model asked
    # for its activations page by page: 670 page faults a step, 5 % of the time.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20),
}
"""Read by numerical libraries when they are imported, so they must be set before the process starts."""

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); from adapterxfer.engines.worker import serve; serve()"
)

Inbox = SimpleQueue[tuple["Worker | None", dict[str, Any] | None]]
"""Messages of all workers; None instead of a message when a worker ended; no worker for the driver's own signals."""


class Worker:
    """One worker process.

    Args:
        number: shown to people, from 0.
        inbox: where its answers go, as ``(worker, message)``.
        gpus: what it sees of them (``CUDA_VISIBLE_DEVICES``); None for what this process sees.
    """

    def __init__(self, number: int, inbox: Inbox, gpus: str | None = None) -> None:
        self.number, self.gpus = number, gpus
        self._inbox = inbox
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        gpu_environment = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**os.environ, **ONE_THREAD, "TOKENIZERS_PARALLELISM": "false", **gpu_environment},
            process_group=0,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def process_id(self) -> int:
        """The operating system's number of the process."""
        return self._process.pid

    def send(self, message: Mapping[str, Any]) -> None:
        """Give it work; a worker that is already dead is reported through the inbox instead."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def ask_to_stop(self) -> None:
        """Let its stage save where it is and end; it answers ``stopped``, or dies where nothing can be saved."""
        self._process.terminate()

    def stop(self) -> None:
        """End it now, whatever it does, and wait until it is gone and its locks are free."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)  # its own group: what it started ends with it
            else:
                self._process.kill()
        self._process.wait()
        self._listener.join(timeout=5.0)
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._words.close()

    def last_words(self, lines: int) -> list[str]:
        """Last lines it or its libraries printed."""
        with suppress(OSError, ValueError):
            self._words.seek(0, os.SEEK_END)
            self._words.seek(max(0, self._words.tell() - 65_536))
            return self._words.read().decode(errors="replace").splitlines()[-lines:]
        return []

    def cause_of_death(self) -> str:
        """How the process ended, for people."""
        code = self._process.wait()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._inbox.put((self, json.loads(line)))
        self._inbox.put((self, None))
