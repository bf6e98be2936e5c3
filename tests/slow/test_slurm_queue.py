"""A real SLURM queue of one node: same results, time limits, requeues, dead jobs, a lost node, a dead driver."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from engine_fakes import REGISTRY, FakePlan, diamonds, stage
from slurm_node import SlurmNode, missing, running

from adapterxfer.engines import inline, slurm
from adapterxfer.engines.events import Outcome, StageEvent
from adapterxfer.engines.queue import Queue
from adapterxfer.errors import AdapterxferError
from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

pytest.importorskip("submitit", reason="extra 'slurm' is not installed")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or bool(missing()), reason="needs root, slurm-wlm and munge"
)

FAKES = Path(__file__).parents[1] / "unit" / "engines"


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmNode]:
    with running(tmp_path_factory.mktemp("slurm")) as node:
        yield node


@pytest.fixture(autouse=True)
def here(queue: SlurmNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(queue.configuration))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKES), *(path for path in sys.path if path)]))
    monkeypatch.setattr(slurm, "Queue", partial(Queue, ask_s=1.0))


class Study:
    """One store, run through the queue."""

    def __init__(self, folder: Path) -> None:
        self.store, self.runs, self.events = Store(folder / "store"), folder / "runs", list[StageEvent]()

    def run(self, plan: FakePlan, **settings: str) -> Outcome:
        return slurm.run_plan(
            plan,
            self.store,
            jobs=4,
            listener=self.events.append,
            settings={"runs": str(self.runs)},
            registry=REGISTRY,
            slurm_settings=slurm.SlurmSettings.of(settings),
        )

    def values(self) -> dict[str, bytes]:
        return {key: (folder / "value.txt").read_bytes() for key, folder in self.store.completed().items()}

    def made(self) -> Counter[str]:
        return Counter(self.runs.read_text().split())

    def causes(self) -> list[str]:
        return [str(event.detail["cause"]) for event in self.events if event.kind == "retried"]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def meanwhile(condition: Callable[[], bool], action: Callable[[], object]) -> threading.Thread:
    """Do something as soon as something has happened, beside the run."""

    def watch() -> None:
        deadline = time.monotonic() + 60
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.1)
        action()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def job_numbers(queue: SlurmNode) -> list[str]:
    return queue.ask("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i").split()


def test_the_same_bytes_as_inline(study: Study, tmp_path: Path) -> None:
    plan = diamonds(2)
    assert study.run(plan).exit_code == 0
    assert audit(study.store).damaged == ()
    beside = Store(tmp_path / "inline")
    inline.run_plan(plan, beside, jobs=1, settings={"runs": str(tmp_path / "others")}, registry=REGISTRY)
    assert study.values() == {key: (folder / "value.txt").read_bytes() for key, folder in beside.completed().items()}
    assert set(study.made().values()) == {1}
    folder = study.store.root / ".slurm"
    assert folder.stat().st_mode & 0o077 == 0
    assert not list(folder.glob("*_result.pkl"))


def test_a_dead_job_is_submitted_again(study: Study) -> None:
    once, always, good = stage("die_once", "once"), stage("die", "always"), stage("work", "good")
    child = stage("work", "child", always)
    outcome = study.run(FakePlan([once, always, good, child]))
    assert set(outcome.finished) == {once.key, good.key}
    assert outcome.blocked == {child.key: always.key}
    failure = outcome.failed[always.key]
    assert (failure.error, failure.attempts) == ("WorkerDied", 3)
    assert "FAILED" in failure.what
    assert len(study.causes()) == 3


def test_a_job_out_of_time_is_queued_again_and_finishes(study: Study) -> None:
    slow = stage("slow_once", "slow")
    started = time.perf_counter()
    outcome = study.run(FakePlan([slow]), timeout_min="1", signal_s="20")
    assert (outcome.exit_code, outcome.finished) == (0, (slow.key,))
    assert time.perf_counter() - started < 200
    assert study.causes() == []
    assert audit(study.store).left_behind == 0


def test_a_training_out_of_time_saves_and_goes_on(study: Study) -> None:
    long = stage("patient", "long", step_s=3.0)
    outcome = study.run(FakePlan([long]), timeout_min="1", signal_s="20", requeues="0")
    assert (outcome.exit_code, outcome.finished) == (0, (long.key,)), outcome.failed
    assert 5 < study.store.read(long).result["started_at"] < 40
    assert not study.store.resume_folder(long).exists()
    assert study.causes() == []


def test_a_job_out_of_time_too_often_fails_with_a_fix(study: Study) -> None:
    slow = stage("slow_once", "slow")
    outcome = study.run(FakePlan([slow]), timeout_min="1", signal_s="20", requeues="0")
    assert "timeout_min" in outcome.failed[slow.key].fix
    assert "timed-out too many times" in outcome.failed[slow.key].what


def test_a_requeued_job_and_a_lost_node_cost_the_stage_in_flight(study: Study, queue: SlurmNode) -> None:
    plan = diamonds(2, sleep_s=4.0)
    requeue = meanwhile(
        lambda: bool(job_numbers(queue)), lambda: queue.ask("scontrol", "requeue", job_numbers(queue)[0])
    )

    def lose() -> None:
        name = queue.ask("hostname").strip()
        queue.ask("scontrol", "update", f"nodename={name}", "state=down", "reason=test")
        time.sleep(3)
        queue.ask("scontrol", "update", f"nodename={name}", "state=resume")

    lost = meanwhile(lambda: study.runs.exists() and len(study.made()) >= 2 and bool(job_numbers(queue)), lose)
    outcome = study.run(plan)
    requeue.join()
    lost.join()
    assert outcome.exit_code == 0, outcome.failed
    assert set(outcome.folders) == set(plan.stages)
    assert audit(study.store).damaged == ()
    assert max(study.made().values()) <= 2


DRIVER = """
import sys
from functools import partial
from engine_fakes import REGISTRY, diamonds
from adapterxfer.engines import slurm
from adapterxfer.store.store import Store
outcome = slurm.run_plan(diamonds(2, sleep_s=2.0), Store(sys.argv[1]), jobs=4, settings={"runs": sys.argv[2]},
                         registry=REGISTRY, slurm_settings=slurm.SlurmSettings())
sys.exit(outcome.exit_code)
"""


def test_a_dead_driver_is_started_again(study: Study) -> None:
    plan = diamonds(2, sleep_s=2.0)
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(study.store.root), str(study.runs)])
    deadline = time.monotonic() + 60
    while not study.store.completed() and time.monotonic() < deadline:
        time.sleep(0.2)
    driver.kill()
    driver.wait()
    kept = set(study.store.completed())
    assert kept
    outcome = study.run(plan)
    assert outcome.exit_code == 0
    # Jobs of the dead driver go on: whoever finds the lock taken waits for the result.
    assert set(study.made().values()) == {1}
    assert kept < {key[:16] for key in outcome.reused} | {key[:16] for key in outcome.finished}


def test_what_sbatch_refuses_is_said(study: Study) -> None:
    with pytest.raises(AdapterxferError, match="invalid partition"):
        study.run(diamonds(1), partition="nowhere")
