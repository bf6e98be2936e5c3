"""The Ray engine over a stand-in for Ray, and settings of both cluster engines: no extra is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_fakes import REGISTRY, FakePlan, diamonds, stage

from adapterxfer.engines import ray as engine
from adapterxfer.engines.events import Outcome
from adapterxfer.engines.ray import RaySettings
from adapterxfer.engines.slurm import SlurmSettings
from adapterxfer.errors import AdapterxferError
from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store


class RayError(Exception):
    """Ray's own errors."""


class AuthenticationError(RayError):
    """What Ray raises where a token is missing."""


class OneAtATime:
    """Stands for the module `ray`: runs a task when its answer is asked for, and counts what it holds."""

    def __init__(self) -> None:
        self.exceptions = SimpleNamespace(RayError=RayError, AuthenticationError=AuthenticationError)
        self.held: dict[int, tuple[Any, Any]] = {}
        self.largest = 0
        self.submitted: list[dict[str, Any]] = []

    def remote(self, **options: Any) -> Any:
        def wrap(function: Any) -> Any:
            def submit(message: dict[str, Any]) -> int:
                number = len(self.submitted)
                self.submitted.append({**options, "stage": message["stage"]})
                self.held[number] = (function, message)
                self.largest = max(self.largest, len(self.held))
                return number

            return SimpleNamespace(options=lambda **_named: SimpleNamespace(remote=submit))

        return wrap

    def wait(self, references: list[int], **options: Any) -> tuple[list[int], list[int]]:
        assert set(references) <= set(self.held)
        return (references[:1], references[1:]) if options["num_returns"] == 1 else ([], references)

    def get(self, reference: int) -> Any:
        function, message = self.held.pop(reference)
        if message["stage"]["kind"] == "die":
            raise RayError("The worker died unexpectedly")
        return function(message)

    def cancel(self, reference: int, *, force: bool) -> None:
        del self.held[reference]


def run(ray: OneAtATime, plan: FakePlan, folder: Path, **settings: Any) -> tuple[Store, Outcome]:
    store = Store(folder / "store")
    store.open()
    handed = {"store": str(store.root), "settings": {"runs": str(folder / "runs")}, "registry": REGISTRY}
    chosen = RaySettings(address="somewhere", **settings)
    return store, engine._Pass(ray, plan, store, lambda _event: None, handed, chosen).run()


def test_what_ray_holds_does_not_grow_with_the_plan(tmp_path: Path) -> None:
    ray, plan = OneAtATime(), diamonds(12)
    store, outcome = run(ray, plan, tmp_path, in_flight=5)
    assert (outcome.exit_code, set(outcome.finished)) == (0, set(plan.stages))
    assert ray.largest == 5
    assert ray.held == {}
    assert audit(store).damaged == ()
    # A stage is handed over after its inputs were finished.
    place = {submitted["stage"]["key"]: number for number, submitted in enumerate(ray.submitted)}
    assert all(place[other] < place[key] for key, one in plan.stages.items() for other in one.inputs.values())


def test_a_stage_that_ray_gave_up_blocks_its_dependents_only(tmp_path: Path) -> None:
    dead, good = stage("die", "dead"), stage("work", "good")
    child = stage("work", "child", dead)
    ray = OneAtATime()
    _, outcome = run(ray, FakePlan([dead, good, child]), tmp_path)
    assert (outcome.finished, outcome.blocked) == ((good.key,), {child.key: dead.key})
    assert (outcome.failed[dead.key].error, outcome.failed[dead.key].given_up) == ("WorkerDied", True)
    assert [submitted["stage"]["slug"] for submitted in ray.submitted] == ["dead", "good"]


def test_a_stage_gets_the_places_it_asks_for(tmp_path: Path) -> None:
    small = stage("work", "small")
    large = stage("work", "large")
    large = replace(large, resources={"gpus": 2, "memory_gb": 4})
    ray = OneAtATime()
    run(ray, FakePlan([small, large]), tmp_path, memory_gb=1.5)
    asked = {submitted["stage"]["slug"]: submitted for submitted in ray.submitted}
    assert (asked["small"]["num_gpus"], asked["small"]["memory"]) == (0, int(1.5 * 1024**3))
    assert asked["small"]["runtime_env"]["env_vars"]["CUDA_VISIBLE_DEVICES"] == ""
    assert (asked["large"]["num_gpus"], asked["large"]["memory"]) == (2, 4 * 1024**3)
    assert "CUDA_VISIBLE_DEVICES" not in asked["large"]["runtime_env"]["env_vars"]
    assert {submitted["max_retries"] for submitted in ray.submitted} == {2}


@pytest.mark.parametrize("raised", ["at once", "wrapped"])
def test_a_cluster_that_wants_a_token_says_so(raised: str) -> None:
    def init(**_options: Any) -> None:
        if raised == "at once":
            raise AuthenticationError("no token")
        try:
            raise RuntimeError("Failed to connect to GCS: AuthenticationError: token is missing")
        except RuntimeError as error:
            raise ConnectionError("Failed to connect") from error

    ray = SimpleNamespace(init=init, exceptions=OneAtATime().exceptions)
    with pytest.raises(AdapterxferError, match="wants a token") as caught:
        engine._connect(ray, RaySettings(address="head:6379"), jobs=1)
    assert "RAY_AUTH_MODE=token" in caught.value.fix


def test_a_cluster_that_is_not_there_says_so() -> None:
    def init(**_options: Any) -> None:
        raise ConnectionError("refused")

    ray = SimpleNamespace(init=init, exceptions=OneAtATime().exceptions)
    with pytest.raises(AdapterxferError, match="no cluster at 'head:6379'"):
        engine._connect(ray, RaySettings(address="head:6379"), jobs=1)


@pytest.mark.parametrize(
    ("kind", "key", "value", "words"),
    [
        (RaySettings, "colour", "blue", "no setting colour"),
        (RaySettings, "memory_gb", "much", "memory_gb: could not convert"),
        (RaySettings, "memory_gb", "-1", "memory_gb: -1 is no number from 0"),
        (RaySettings, "memory_gb", "nan", "is no number from 0"),
        (RaySettings, "in_flight", "0", "in_flight: expected at least 1"),
        (SlurmSettings, "colour", "blue", "no setting colour"),
        (SlurmSettings, "timeout_min", "soon", "timeout_min: invalid literal"),
        (SlurmSettings, "timeout_min", "0", "timeout_min: expected at least 1"),
        (SlurmSettings, "signal_s", "-3", "signal_s: -3 is no number from 0"),
        (SlurmSettings, "cluster", "pbs", "expected slurm or local"),
    ],
)
def test_settings_are_checked(kind: Any, key: str, value: str, words: str) -> None:
    with pytest.raises(AdapterxferError, match=words) as caught:
        kind.of({key: value})
    assert caught.value.fix


def test_settings_are_read() -> None:
    assert RaySettings.of({"memory_gb": "2.5", "in_flight": "7"}) == RaySettings("", 2.5, 7)
    assert SlurmSettings.of({"partition": "gpu", "timeout_min": "5"}) == SlurmSettings(partition="gpu", timeout_min=5)
