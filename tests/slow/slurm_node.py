"""A real SLURM of one node on this machine, from Debian's packages, with its own configuration and processes.

Needs root and ``apt-get install --no-install-recommends slurm-wlm munge``. Nothing of an installed SLURM is touched:
key, sockets, ports, state and logs lie in one folder, and every process is ended by its number.

As a script it runs a command in such a queue: ``python tests/slow/slurm_node.py FOLDER COMMAND...``
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")

CONFIGURATION = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=5,sched_interval=5
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=5
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory=4096 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Programs that this needs and that are not installed."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return [name for name in NEEDED if shutil.which(name, path=path) is None]


class SlurmNode:
    """A running queue.

    Args:
        folder: of key, state and logs.
        processors: that the node offers.
    """

    def __init__(self, folder: Path, processors: int = 2) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("state", "spool"):
            (folder / name).mkdir(exist_ok=True)
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.configuration = folder / "slurm.conf"
        self.configuration.write_text(
            CONFIGURATION.format(
                host=socket.gethostname().split(".")[0],
                controller_port=free_port(),
                node_port=free_port(),
                folder=folder,
                processors=processors,
            )
        )
        self.environment = {**os.environ, "SLURM_CONF": str(self.configuration)}

    def start(self) -> None:
        """Start everything and wait until the node takes jobs."""
        folder = self.folder
        words = ["--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key"]
        words += [f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed", "--num-threads=2"]
        self.launch("munged", words)
        wait(lambda: (folder / "munge.socket").exists(), "munged")
        self.launch("slurmctld", ["-D", "-f", str(self.configuration)])
        self.start_node()

    def start_node(self) -> None:
        """Start the daemon that runs jobs; also after `stop_node`."""
        self.launch("slurmd", ["-D", "-f", str(self.configuration)])
        wait(lambda: self.ask("sinfo", "--noheader", "--format=%T").strip() in ("idle", "mixed"), "the node")

    def launch(self, program: str, words: list[str]) -> None:
        """Start one daemon in the foreground of its own session."""
        place = shutil.which(program, path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
        assert place is not None, program
        with (self.folder / f"{program}.log").open("ab") as log:
            self.processes[program] = subprocess.Popen(
                [place, *words], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def ask(self, *command: str) -> str:
        """Output of a client command; empty where it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=30)
        return done.stdout if done.returncode == 0 else ""

    def stop(self) -> None:
        """Cancel every job, then end the daemons by their numbers."""
        self.ask("scancel", "--user=root", "--full", "--signal=KILL")
        self.ask("scancel", "--user=root")
        for name in ("slurmd", "slurmctld", "munged"):
            process = self.processes.get(name)
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait(condition: object, what: str, seconds: float = 30.0) -> None:
    """Until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not start in {seconds} s")
        time.sleep(0.2)


@contextmanager
def running(folder: Path, processors: int = 2) -> Iterator[SlurmNode]:
    """A queue that is ended at the end of the block."""
    node = SlurmNode(folder, processors)
    try:
        node.start()
        yield node
    finally:
        node.stop()


if __name__ == "__main__":
    with running(Path(sys.argv[1]).absolute()) as queue:
        sys.exit(subprocess.run(sys.argv[2:], env=queue.environment, check=False).returncode)
