"""What each command prints and returns; nothing is trained."""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.cli.main import entry, main
from adapterxfer.engines import inline
from adapterxfer.engines.events import Outcome, StageEvent
from adapterxfer.plan import Plan
from adapterxfer.store.failures import Failure
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

RECIPES = Path(__file__).parents[3] / "recipes"
QUICKSTART = str(RECIPES / "quickstart.yaml")
SCALING = str(RECIPES / "xtreme-r-scaling.yaml")

OWN = """\
recipe: 1
name: own
backbones: [tiny]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
controls: false
train: {default: {learning_rate: 1e-3, steps: 5}}
pretrain:
  corpus: {languages: [en]}
  series: {tiny: {hidden: 8, layers: 1, heads: 1}}
  tokens: 10
  dtype: fp32
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recipe that can run, with its store beside it and its text file found."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data" / "text"
    data.mkdir(parents=True)
    (data / "en.txt").write_text("a few words\n", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "own.yaml").write_text(OWN + "data_root: data\n", encoding="utf-8")
    return "own.yaml"


def commit(store: Store, stage: Stage) -> Path:
    """Put an empty result into the store."""
    with store.scratch(stage) as scratch:
        (scratch / "report.html").write_text("x", encoding="utf-8")
        return store.commit(stage, scratch, result={}, provenance={"seconds": 2.0})


Runner = Callable[..., Outcome]


def engine(*, fail: str = "", interrupt: int = 0) -> Runner:
    """An engine that commits empty results in plan order."""

    def run_plan(
        plan: Plan,
        store: Store,
        *,
        jobs: int,
        listener: Any,
        settings: Mapping[str, Any],
        retry_failed: bool = False,
    ) -> Outcome:
        store.open()
        assert jobs >= 1
        assert settings["data_root"] == str(Path("data").absolute())
        finished, reused, failed, folders = [], [], {}, {}
        for key, stage in plan.stages.items():
            found = store.find(stage)
            if found is not None:
                reused.append(key)
                folders[key] = found
                listener(StageEvent("reused", stage))
                continue
            listener(StageEvent("started", stage))
            if stage.kind == fail:
                failed[key] = Failure(stage=stage, error="DataError", what="no such file", fix="look again")
                listener(StageEvent("failed", stage, detail={"error": "DataError", "what": "no such file"}))
                break
            listener(StageEvent("progress", stage, detail={"step": 1, "steps": 2, "loss": 0.61}))
            folders[key] = commit(store, stage)
            finished.append(key)
            listener(StageEvent("finished", stage, seconds=3.0))
            if interrupt and len(finished) == 3:
                break
        return Outcome(
            finished=tuple(finished),
            reused=tuple(reused),
            failed=failed,
            blocked={},
            folders=folders,
            interrupted=interrupt,
            seconds=161.0,
        )

    return run_plan


def test_run_prints_lines_and_the_place_of_the_report(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "run_plan", engine())
    assert main(["run", recipe, "--store", "out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run own: 15 stages, 0 done, store out"
    assert lines[1].startswith("synthetic demonstration")
    wanted = "train_target tiny stack world-nli>world-xnli seed 1"
    (line,) = [line for line in lines if wanted in line]
    assert line.startswith("[")
    assert "/15]" in line
    assert "loss 0.61" in line
    assert line.endswith("3.0 s")
    assert lines[-2] == "done: 15 stages, 0 failed, 2 min 41 s"
    assert lines[-1].startswith("Report: out/report/own-")
    assert main(["run", recipe, "--store", "out"]) == 0
    again = capsys.readouterr().out.splitlines()
    assert "done: 15 stages already in the store" in again
    assert not any(line.startswith("[") for line in again)


def test_a_failed_stage_is_exit_code_1_and_status_shows_it(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "run_plan", engine(fail="train_intermediate"))
    assert main(["run", recipe, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["finished"] > 0
    assert found["report"] is None
    (text,) = found["failed"].values()
    assert "DataError: no such file\n  fix: look again" in text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_an_interrupted_run(
    recipe: str, number: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "run_plan", engine(interrupt=number))
    assert main(["run", recipe]) == code
    assert "run the same command again" in capsys.readouterr().err


def test_status_and_plan_see_what_is_done(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "run_plan", engine(interrupt=signal.SIGINT))
    main(["run", recipe])
    capsys.readouterr()
    assert main(["status", recipe, "--json"]) == 0
    kinds = json.loads(capsys.readouterr().out)["kinds"]
    assert sum(row["done"] for row in kinds) == 3
    assert main(["plan", recipe, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["stages"] == 15
    rows = {row["kind"]: row for row in plan["kinds"]}
    assert sum(row["done"] for row in rows.values()) == 3
    assert rows["prepare"]["basis"] in ("measured", "")
    assert rows["train_intermediate"]["basis"] == "unknown"
    assert main(["status", recipe]) == 0
    assert "own: 3 of 15 stages done" in capsys.readouterr().out


def test_status_lists_failures_with_their_fix(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    from adapterxfer.plan import build_plan
    from adapterxfer.recipe import load_recipe

    stage = next(s for s in build_plan(load_recipe(recipe)).stages.values() if s.kind == "pretrain")
    Store("store").failures.write(
        Failure(stage=stage, error="StageError", what="the loss is not finite", fix="lower learning_rate")
    )
    assert main(["status", recipe]) == 0
    out = capsys.readouterr().out
    assert f"failed: pretrain tiny ({stage.short_key}): StageError: the loss is not finite" in out
    assert "  fix: lower learning_rate" in out


def test_run_refuses_what_is_not_available(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    assert main(["run", SCALING, "--store", str(store), "--only", "backbone=xlm-r-base"]) == 2
    err = capsys.readouterr().err
    assert "no source named" in err
    assert "backbone xlm-r-base" in err
    assert "Traceback" not in err
    assert not store.exists()


def test_run_lists_missing_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = f"data_root={tmp_path}"
    assert main(["run", str(RECIPES / "real-text.yaml"), "--store", str(tmp_path / "s"), "--set", change]) == 2
    err = capsys.readouterr().err
    assert "en_ewt-ud-train.conllu" in err
    assert "de.txt" in err


def test_explain_names_what_differs_from_the_nearest_stage(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "run_plan", engine())
    main(["run", recipe])
    capsys.readouterr()
    change = "--set=train.target.steps=7"
    assert main(["plan", recipe, change]) == 0
    from adapterxfer.plan import build_plan
    from adapterxfer.recipe import load_recipe

    stages = build_plan(load_recipe(recipe, ["train.target.steps=7"])).stages.values()
    stage = next(s for s in stages if s.labels.get("variant") == "stack" and s.kind == "predict")
    capsys.readouterr()
    assert main(["explain", f"predict-{stage.short_key}", "--recipe", recipe, change, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["difference"] == {"inputs.model.settings.steps": {"this": 7, "nearest": 5}}
    assert not found["done"]
    assert main(["explain", stage.short_key[:8], "--recipe", recipe, change]) == 0
    assert "  inputs.model.settings.steps: 5 -> 7" in capsys.readouterr().out


def test_show_a_stage_and_a_recipe(
    recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "run_plan", engine())
    main(["run", recipe])
    folder = next((Path("store") / "pretrain").iterdir())
    capsys.readouterr()
    assert main(["show", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["stage"]["kind"] == "pretrain"
    assert main(["show", recipe, "--json"]) == 0
    resolved = json.loads(capsys.readouterr().out)["recipe"]
    assert resolved["pretrain"]["mask"] == 0.2
    assert {"clip", "dtype", "selection"} <= resolved["train"]["default"].keys()
    assert resolved["tasks"]["world-xnli"]["test_examples"] > 0
    assert main(["show", "0000"]) == 2
    assert "no stage '0000'" in capsys.readouterr().err
    assert main(["explain", "x y"]) == 2


@pytest.mark.parametrize("what", ["backbones", "capabilities", "tasks", "variants", "methods", "languages", "controls"])
def test_ls(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", what]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert main(["ls", what, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    # Cells of the capability table that agree share a row.
    assert len(entries) == len(rows) - 1 or (what == "capabilities" and len(entries) > len(rows))
    assert main(["ls", what, "--available", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["entries"]) <= len(entries)


def test_check_reports_problems_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("recipe: 1\nnam: x\n", encoding="utf-8")
    assert main(["check", str(bad)]) == 2
    assert "unknown key 'nam' (did you mean 'name'?)" in capsys.readouterr().err
    assert main(["check", QUICKSTART, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_debug_shows_the_error_itself(tmp_path: Path) -> None:
    from adapterxfer.errors import RecipeError

    with pytest.raises(RecipeError):
        main(["check", str(tmp_path / "absent.yaml"), "--debug"])


def test_usage_errors_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["run", QUICKSTART, "--jobs", "0"], ["nothing"], ["--debug"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    capsys.readouterr()


def test_ctrl_c_outside_the_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adapterxfer.cli.check.load_recipe", stop)
    assert main(["check", QUICKSTART]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_compare_and_report_need_finished_cells(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", recipe, "--a", "stack", "--b", "full-ft"]) == 2
    assert "run the recipe first" in capsys.readouterr().err
    assert main(["compare", recipe, "--a", "stack", "--b", "stack"]) == 2
    assert main(["report", recipe]) == 2
    assert main(["compare", recipe, "--a", "stak", "--b", "full-ft"]) == 2
    assert "did you mean 'stack'" in capsys.readouterr().err


def test_power_plans_without_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--items", "1190", "--seeds", "1", "--discordance", "0.2", "--effect", "2", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["detectable"] == pytest.approx(3.63, abs=0.01)
    assert row["power"] == pytest.approx(row["exact_power"], abs=0.01)
    assert main(["power", "--items", "1190", "--tests", "99"]) == 0
    printed = capsys.readouterr().out
    assert "runs are held fixed" in printed  # one row: without a spread over seeds, more of them say nothing
    assert printed.count("1,190") == 1
    assert main(["power", "--items", "1190", "--seeds", "5"]) == 2
    assert "--seeds without --seed-sd" in capsys.readouterr().err
    assert main(["power", "--items", "1190", "--seed-sd", "0.8", "--json"]) == 0
    errors = [row["standard_error"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert len(set(errors)) == 4
    assert errors == sorted(errors, reverse=True)
    assert main(["power", "--items", "1190", "--tests", "99"]) == 0
    assert "99 tests" in capsys.readouterr().out
    assert main(["power", "--items", "200", "--discordance", "0.02"]) == 0
    printed = capsys.readouterr().out
    assert " none" in printed
    assert "With this discordance it is 2 points at most" in printed
    study = ["power", "--items", "1190", "--seed-sd", "1.5", "--seeds", "5", "--effect", "4", "--json"]
    powers = []
    for tests in ("1", "10"):
        assert main([*study, "--tests", tests]) == 0
        (row,) = json.loads(capsys.readouterr().out)["rows"]
        powers.append((row["power"], row["detectable"]))
    assert powers[0][0] > powers[1][0]
    assert powers[0][1] < powers[1][1]
    assert main(["power"]) == 2
    assert "neither a recipe nor --items" in capsys.readouterr().err
    assert main(["power", "--items", "100", "--discordance", "1.5"]) == 2


def test_check_and_verdicts_of_declared_hypotheses(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    claim = "statistics.hypotheses=[{id: H1, contrast: gain}]"
    assert main(["check", recipe, "--set", claim]) == 0
    assert "warning: hypothesis H1: one seed says nothing about retraining" in capsys.readouterr().out
    assert main(["check", recipe, "--set", claim, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 1
    assert main(["report", recipe, "--verdicts"]) == 2
    assert "no hypothesis is declared" in capsys.readouterr().err
    assert main(["report", recipe, "--verdicts", "--set", claim]) == 2
    assert "no cell is finished" in capsys.readouterr().err
    assert main(["power", recipe, "--items", "100"]) == 2
    assert "--items plans a study ahead" in capsys.readouterr().err
    assert main(["power", recipe]) == 2
    assert main(["compare", recipe, "--a", "stack", "--b", "full-ft", "--over", "resource"]) == 2


@pytest.mark.parametrize("words", [["ls", "variants"], ["--version"], ["plan", "nowhere.yaml"]], ids=" ".join)
def test_the_end_of_a_command_looks_for_no_cycles(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["adapterxfer", *words])
    before = gc.get_freeze_count()
    try:
        with pytest.raises(SystemExit):
            entry()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
