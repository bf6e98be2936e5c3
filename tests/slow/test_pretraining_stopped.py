"""A driver is asked to stop while a stage pretrains on a cluster: exit code 75, saved, the same bytes afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiny_study
from slurm_node import missing, running

from adapterxfer.store.store import Store

DRIVER = """
import sys
from engine_fakes import FakePlan
from adapterxfer.engines.choice import choose_engine
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.store.store import Store
store, engine = sys.argv[1:]
recipe = load_recipe("tiny.yaml", ["data_root=data", "pretrain.tokens=1500000"])
wanted = [s for s in build_plan(recipe).stages.values() if s.kind == "pretrain" or s.identity.get("what") == "corpus"]
outcome = choose_engine(engine, {})(FakePlan(wanted), Store(store), jobs=1, settings={"data_root": "data"})
sys.exit(outcome.exit_code)
"""


@pytest.fixture(params=["ray", "slurm"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The name of an engine that works here."""
    if request.param == "ray":
        if find_spec("ray") is None:
            pytest.skip("extra 'ray' is not installed")
        yield "ray"
        return
    if find_spec("submitit") is None:
        pytest.skip("extra 'slurm' is not installed")
    if sys.platform != "linux" or os.geteuid() != 0 or missing():
        pytest.skip("needs root, slurm-wlm and munge")
    with running(tmp_path_factory.mktemp("slurm")) as node:
        monkeypatch.setenv("SLURM_CONF", str(node.configuration))
        yield "slurm"


def start(folder: Path, store: str, engine: str) -> subprocess.Popen[bytes]:
    """A driver that pretrains one backbone and nothing else."""
    command = [sys.executable, "-c", DRIVER, store, engine]
    return subprocess.Popen(command, cwd=folder, env=tiny_study.environment())


def pretrains(store: Path) -> bool:
    """Whether a pretraining in flight has told of its loss."""
    return any('"loss"' in log.read_text() for log in (store / ".scratch").glob("*/log.jsonl"))


def test_a_pretraining_that_is_asked_to_stop_goes_on(engine: str, tmp_path: Path) -> None:
    tiny_study.write_study(tmp_path, tiny=tiny_study.recipe("stopped"))
    root = tmp_path / "stopped"
    driver = start(tmp_path, "stopped", engine)
    deadline = time.monotonic() + 240
    while not pretrains(root):
        assert driver.poll() is None, "the driver ended before it was asked"
        assert time.monotonic() < deadline, "the pretraining never began"
        time.sleep(0.1)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(timeout=120) == 75
    saved = list((root / ".resume").iterdir())
    assert len(saved) == 1
    assert any(saved[0].iterdir())
    assert not any(folder.parent.name == "pretrain" for folder in Store(root).folders())
    assert start(tmp_path, "stopped", engine).wait(timeout=300) == 0
    assert start(tmp_path, "undisturbed", "inline").wait(timeout=300) == 0
    (made,) = [folder for folder in Store(root).folders() if folder.parent.name == "pretrain"]
    assert Store(root).read(made).result["resumed_at"] > 0
    assert not saved[0].exists()
    assert tiny_study.contents(root) == tiny_study.contents(tmp_path / "undisturbed")
