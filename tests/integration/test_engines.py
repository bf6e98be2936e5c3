"""Every engine gives the same stages and bytes, and fails in the same way. Skipped where an extra is absent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.engines.choice import choose_engine
from adapterxfer.engines.events import Outcome, StageEvent
from adapterxfer.errors import AdapterxferError
from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

FAKES = Path(__file__).parents[1] / "unit" / "engines"
sys.path.append(str(FAKES))

from engine_fakes import REGISTRY, FakePlan, diamonds, stage  # noqa: E402

ENGINES = {"inline": {}, "ray": {}, "slurm": {"cluster": "local"}}


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """Stage processes inherit what this process can import."""
    old = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    yield
    if old is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = old


@pytest.fixture(scope="module", params=[name for name in ENGINES if name != "inline"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    name = str(request.param)
    library = pytest.importorskip({"ray": "ray", "slurm": "submitit"}[name], reason=f"extra '{name}' is not installed")
    if name == "ray":  # one cluster for all tests: starting it takes seconds
        library.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=80 * 1024 * 1024,
        )
    yield name
    if name == "ray":
        library.shutdown()


def run(name: str, plan: FakePlan, folder: Path, listener: Any = None, **settings: Any) -> tuple[Store, Outcome]:
    store = Store(folder / "store")
    outcome = choose_engine(name, ENGINES[name])(
        plan,
        store,
        jobs=2,
        listener=listener or (lambda _event: None),
        settings={"runs": str(folder / "runs"), **settings},
        registry=REGISTRY,
    )
    return store, outcome


def values(store: Store) -> dict[str, bytes]:
    return {key: (folder / "value.txt").read_bytes() for key, folder in store.completed().items()}


def test_the_same_keys_and_bytes_as_inline(engine: str, tmp_path: Path) -> None:
    plan = diamonds(2)
    found = {}
    for name in ("inline", engine):
        (tmp_path / name).mkdir()
        store, outcome = run(name, plan, tmp_path / name)
        assert (outcome.exit_code, set(outcome.finished)) == (0, set(plan.stages))
        assert audit(store).damaged == ()
        found[name] = values(store)
    assert found[engine] == found["inline"]
    _, again = run(engine, plan, tmp_path / engine)
    assert (again.finished, set(again.reused)) == ((), set(plan.stages))
    assert (tmp_path / engine / "runs").read_text().count("\n") == len(plan.stages)


def test_failures_block_their_dependents_only(engine: str, tmp_path: Path) -> None:
    bad, dead, good = stage("refuse", "bad"), stage("die", "dead"), stage("work", "good")
    child, orphan = stage("work", "child", bad), stage("work", "orphan", dead)
    grandchild = stage("work", "grandchild", child, good)
    events: list[StageEvent] = []
    plan = FakePlan([bad, dead, good, child, orphan, grandchild])
    store, outcome = run(engine, plan, tmp_path, listener=events.append)
    assert (outcome.exit_code, outcome.finished) == (1, (good.key,))
    assert outcome.failed[bad.key].what == "data/x.txt: not there"
    assert (outcome.failed[dead.key].error, outcome.failed[dead.key].given_up) == ("WorkerDied", True)
    assert outcome.blocked == {child.key: bad.key, grandchild.key: bad.key, orphan.key: dead.key}
    assert sorted(event.stage.slug for event in events if event.kind == "failed") == ["bad", "dead"]
    assert set(store.failures.read()) == {bad.short_key, dead.short_key}
    assert list((store.root / ".scratch").iterdir()) == []


def test_unknown_engines_and_settings_are_named() -> None:
    with pytest.raises(AdapterxferError, match="expected inline, ray or slurm"):
        choose_engine("dask", {})
    for name in ENGINES:
        with pytest.raises(AdapterxferError, match="colour"):
            choose_engine(name, {"colour": "blue"})
    with pytest.raises(AdapterxferError, match="invalid literal"):
        choose_engine("slurm", {"timeout_min": "soon"})
