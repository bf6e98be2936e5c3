"""Two processes train what one process trains, with the same effective batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.errors import StageError
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import read_train_task

SCRIPT = Path(__file__).with_name("two_processes.py")
SHARDS = Path(__file__).with_name("two_shards.py")


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(world: Path, out: Path, count: int, *more: str, script: Path = SCRIPT) -> list[int]:
    """Run the script in ``count`` processes as `accelerate launch` does: ranks and address in the environment."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port()), "GLOO_SOCKET_IFNAME": "lo"}
    started = []
    for rank in range(count):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        if count > 1:
            ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            environment |= address | {name: str(value) for name, value in ranks.items()}
            environment |= {"ACCELERATE_USE_CPU": "true", "ACCELERATE_CPU_COMM_BACKEND": "gloo"}
        command = [sys.executable, str(script), str(world), str(out), *more]
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


def differing(one: Path, other: Path) -> list[str]:
    """Names of tensors that differ by more than the order of additions explains."""
    left, right = load_file(one), load_file(other)
    assert left.keys() == right.keys()
    # Key biases cancel in the softmax, and Adam makes steps of their rounding noise.
    return [n for n, t in left.items() if not n.endswith("self.key.bias") and (t - right[n]).abs().max().item() > 2e-5]


def test_shards_are_refused_where_they_gain_nothing(world: Path, backbone: LoadedBackbone) -> None:
    tasks = [read_train_task(world / "pos", "pos", "tagging", backbone, max_length=32, dev=False)]
    settings = TrainSettings(learning_rate=1e-3, batch_size=8, steps=1, max_length=32)

    def go(mode: str, **changes: object) -> None:
        model = build_single(
            backbone, tasks, mode=mode, composition="fresh", adapter={"method": "seq_bn", "bottleneck_size": 4},
            intermediate=None, seed=1,
        )  # fmt: skip
        train(model, tasks, replace(settings, **changes), seed=1, log=lambda _: None, sharding="fsdp")  # type: ignore[arg-type]

    for mode, variant in (("adapter", "adapter"), ("head", "head-only")):
        with pytest.raises(StageError, match=f"sharding: fsdp with variant '{variant}'.*frozen"):
            go(mode)
    with pytest.raises(StageError, match="compile: true is not supported"):
        go("full", compile=True)
    go("full")  # a process alone has nothing to share out


@pytest.mark.slow
def test_two_shards_train_the_same_model(world: Path, tmp_path: Path) -> None:
    """Own and library encoders, all selections, recomputing; parts of a batch differ between the processes."""
    assert launch(world, tmp_path / "one", 1, script=SHARDS) == [0]
    assert launch(world, tmp_path / "two", 2, script=SHARDS) == [0, 0]
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two"))
    for case, alone in one.items():
        assert (alone["processes"], alone["sharding"]) == (1, "")
        assert (two[case]["processes"], two[case]["sharding"]) == (2, "fsdp")
        assert 0.45 < two[case]["share"] < 0.55, "each holds half of the backbone"
        assert (two[case]["tokens"], two[case]["steps"]) == (alone["tokens"], alone["steps"])
        assert abs(two[case]["last_loss"] - alone["last_loss"]) < 1e-5
        assert two[case]["dev_score"] == alone["dev_score"]
        assert differing(tmp_path / "one" / f"{case} 0.safetensors", tmp_path / "two" / f"{case} 0.safetensors") == []
        first, second = (load_file(tmp_path / "two" / f"{case} {rank}.safetensors") for rank in (0, 1))
        assert all(bool((tensor == second[name]).all()) for name, tensor in first.items())

    # Stopped and gone on: weights, moments, sums of the mean and the random states of both processes.
    assert launch(world, tmp_path / "two", 2, "stop", script=SHARDS) == [75, 75]
    assert launch(world, tmp_path / "two", 2, "go on", script=SHARDS) == [0, 0]
    whole, resumed = (load_file(tmp_path / "two" / f"{name}.safetensors") for name in ("noisy", "resumed"))
    assert all(bool((tensor == resumed[name]).all()) for name, tensor in whole.items())
