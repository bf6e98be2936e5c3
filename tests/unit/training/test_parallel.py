"""Two processes train what one process trains, with the same effective batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("two_processes.py")


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(world: Path, out: Path, count: int, *more: str) -> list[int]:
    """Run the script in ``count`` processes as `accelerate launch` does: ranks and address in the environment."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port()), "GLOO_SOCKET_IFNAME": "lo"}
    started = []
    for rank in range(count):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        if count > 1:
            ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            environment |= address | {name: str(value) for name, value in ranks.items()}
            environment |= {"ACCELERATE_USE_CPU": "true", "ACCELERATE_CPU_COMM_BACKEND": "gloo"}
        command = [sys.executable, str(SCRIPT), str(world), str(out), *more]
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    errors = [process.communicate(timeout=240)[1] for process in started]
    assert all(process.returncode in (0, 75) for process in started), "\n".join(errors)
    return [process.returncode for process in started]


@pytest.mark.slow
def test_two_processes_train_the_same_model(world: Path, tmp_path: Path) -> None:
    assert launch(world, tmp_path / "one", 1) == [0]
    assert launch(world, tmp_path / "two", 2) == [0, 0]
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two"))
    assert (one["processes"], two["processes"]) == (1, 2)
    for case in ("adapter", "full", "two tasks"):
        for fact in ("tokens", "steps_by_task", "steps"):
            assert one[case][fact] == two[case][fact]
        assert abs(one[case]["last_loss"] - two[case]["last_loss"]) < 1e-5
        assert two[case]["lines"] == one[case]["lines"] == 1, "only the first process logs"
        left, right = (load_file(tmp_path / name / f"{case}.safetensors") for name in ("one", "two"))
        assert left.keys() == right.keys()
        for name, tensor in left.items():
            # Key biases cancel in the softmax, and Adam makes steps of their rounding noise.
            if not name.endswith("self.key.bias"):
                assert (tensor - right[name]).abs().max().item() < 2e-5, (case, name)
    # All processes stop at the same step, and go on to the same bits, each with its own dropout.
    assert launch(world, tmp_path / "two", 2, "stop") == [75, 75]
    assert launch(world, tmp_path / "two", 2, "go on") == [0, 0]
    whole, resumed = (load_file(tmp_path / "two" / f"{name}.safetensors") for name in ("noisy", "resumed"))
    assert all(bool((tensor == resumed[name]).all()) for name, tensor in whole.items())
