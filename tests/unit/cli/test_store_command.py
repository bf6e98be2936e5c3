"""`adapterxfer store ...` and what `status` says about failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.cli.main import main
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.store.failures import Failure
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

RECIPE = str(Path(__file__).parents[3] / "recipes" / "world-scores.yaml")


@pytest.fixture
def stages() -> list[Stage]:
    return list(build_plan(load_recipe(RECIPE)).stages.values())


def commit(store: Store, stage: Stage, content: str = "weights") -> Path:
    with store.locked(stage), store.scratch(stage) as scratch:
        (scratch / "model.bin").write_text(content)
        return store.commit(stage, scratch, result={}, provenance={})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: list[Stage]) -> Store:
    """Three stages of the recipe and one that no recipe references."""
    monkeypatch.chdir(tmp_path)
    made = Store("store")
    made.open()
    for stage in [*stages[:3], Stage(kind="prepare", version=1, identity={"what": "old"}, inputs={}, slug="old")]:
        commit(made, stage)
    return made


def test_verify_names_damage_and_sets_it_aside(
    store: Store, stages: list[Stage], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["store", "verify"]) == 0
    assert "4 stages, 8 files" in capsys.readouterr().out
    (store.folder(stages[1]) / "model.bin").write_text("weightS")
    assert main(["store", "verify", "--json"]) == 3
    (found,) = json.loads(capsys.readouterr().out)["damaged"]
    assert found == {"path": f"{stages[1].kind}/{stages[1].folder_name}", "what": "model.bin: sha256 does not match"}
    assert main(["store", "verify", "--set-aside"]) == 3
    assert "set aside: 1 stage" in capsys.readouterr().out
    assert main(["store", "verify"]) == 0
    assert main(["store", "verify", "--store", "none"]) == 3


def test_gc_removes_only_on_request(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "gc", RECIPE]) == 0
    out = capsys.readouterr().out
    assert "prepare/old-" in out
    assert "1 unreferenced item" in out
    assert "nothing was removed" in out
    assert len(store.completed()) == 4
    assert main(["store", "gc", RECIPE, "--delete", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["removed"]) == 1
    assert len(store.completed()) == 3


def test_results_go_to_another_store_and_are_compared_there(
    store: Store, stages: list[Stage], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["store", "export", RECIPE, "--to", "x.tar"]) == 0
    assert "x.tar: 3 stages" in capsys.readouterr().out
    other = Store("other")
    other.open()
    commit(other, stages[0], "other weights")
    assert main(["store", "import", "x.tar", "--store", "other"]) == 1
    captured = capsys.readouterr()
    assert "2 stages added" in captured.out
    assert f"differs: {stages[0].kind} {stages[0].folder_name}: model.bin differ" in captured.err
    assert main(["store", "verify", "--store", "other"]) == 0
    assert main(["store", "export", RECIPE, "--to", "y.tar", "--store", "none"]) == 3
    Path("z.tar").write_bytes(b"nothing")
    assert main(["store", "import", "z.tar", "--store", "other"]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_status_shows_log_attempts_and_what_is_blocked(
    store: Store, stages: list[Stage], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = stages[3]
    store.failures.write(
        Failure(stage=failed, error="StageError", what="diverged", fix="lower it", attempts=3, log=["a", "b", "c", "d"])
    )
    assert main(["status", RECIPE, "--watch"]) == 0, "nothing runs: shown once"
    out = capsys.readouterr().out
    assert "3 attempts, not tried again" in out
    assert "  log: d" in out
    assert "log: a\n" not in out
    assert "--retry-failed" in out
    assert main(["status", RECIPE, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["failures"]
    assert (found["attempts"], found["tried_again"], found["log"]) == (3, False, ["a", "b", "c", "d"])
    assert found["blocks"] >= 1


@pytest.mark.parametrize("entry", ["address", "=auto", "colour=blue"])
def test_settings_of_an_engine_are_checked_before_anything_runs(
    entry: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", RECIPE, "--store", str(tmp_path / "s"), "--engine-set", entry]) == 2
    assert "fix:" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()
