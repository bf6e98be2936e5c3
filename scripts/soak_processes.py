"""Processes that `soak_kill.py` looks for and starts: stage processes of an engine, and a Ray cluster that stays."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OF_RAY = (b"ray::IDLE", b"ray::DashboardAgent", b"ray::RuntimeEnvAgent")
"""Titles of Ray's own processes; one that runs a task has the task's name there."""

START_S = 120.0
"""How long a cluster may take to answer on a busy machine."""


def stage_processes(*roots: int) -> list[int]:
    """Processes below these that run stages now: workers of the inline engine, or busy ones of Ray."""
    below: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold spaces: state and parent.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        below.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    queue = [child for root in roots for child in below.get(root, [])]
    while queue:
        process = queue.pop()
        queue += below.get(process, [])
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        if b"engines.worker" in words or (words.startswith(b"ray::") and not words.startswith(OF_RAY)):
            found.append(process)
    return sorted(found)


class Cluster:
    """A Ray cluster of one node on this machine that outlives its drivers.

    Attributes:
        address: for ``--engine-set address=``.
        environment: what processes need to reach it: a token of its own, so that nobody else does.
        process_id: the process whose descendants run the stages.
    """

    def __init__(self, address: str, environment: dict[str, str], process_id: int) -> None:
        self.address, self.environment, self.process_id = address, environment, process_id


@contextmanager
def ray_cluster(folder: Path, jobs: int) -> Iterator[Cluster]:
    """Start it with ``jobs`` processors and end it and everything below it.

    Args:
        folder: for its log; Ray's own files have a short path, because the names of sockets are limited.

    Raises:
        RuntimeError: it does not answer.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    short = Path(tempfile.gettempdir()) / f"soak-{port}"
    paths = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port", str(port)]
    command += ["--node-ip-address", "127.0.0.1", "--num-cpus", str(jobs), "--include-dashboard", "false"]
    command += ["--object-store-memory", str(80 * 1024 * 1024), "--temp-dir", str(short)]
    said = folder / "cluster.log"
    with said.open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **token, "PYTHONPATH": paths}, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_S
            while b"Ray runtime started" not in said.read_bytes():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Ray did not start; see {said}")
                time.sleep(0.2)
            yield Cluster(f"127.0.0.1:{port}", token, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(short, ignore_errors=True)
