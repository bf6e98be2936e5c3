"""One number has one verdict: in the page, in every file, on the command line, in the script and on the card."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from adapterxfer.cli.main import main
from adapterxfer.hub.bundle_results import collect_results
from adapterxfer.plan import Plan, build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.store.store import Store

SCRIPTS = Path(__file__).parents[3] / "scripts"
RECIPE = """\
recipe: 1
name: small
backbones: [world-nano, world-micro, world-mini]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2, 3]
controls: false
train: {default: {learning_rate: 1e-3, steps: 1}}
statistics:
  resamples: 300
  hypotheses:
    - {id: falls, family: slopes, contrast: slope, over: {variant: full-ft}}
    - {id: helps, family: gains, contrast: gain, each: variant}
    - {id: worse, family: scores, contrast: difference, of: score, a: full-ft, b: stack, over: {backbone: world-nano}}
"""


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Finished(NamedTuple):
    recipe: Path
    store: Path
    plan: Plan
    folder: Path
    report: dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A whole study with planted predictions, and its report."""
    root = tmp_path_factory.mktemp("small")
    recipe = root / "small.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    plan = build_plan(load_recipe(recipe))
    script("planted_effects").Planter(plan, items=60).plant(root / "store", np.random.default_rng(7))
    folder = root / "report"
    assert main(["report", str(recipe), "--store", str(root / "store"), "--out", str(folder)]) == 0
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return Finished(recipe, root / "store", plan, folder, report)


AXES = ("kind", "backbone", "variant", "against", "intermediate", "target", "group_kind", "group")


def by_axes(effects: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(effect[name] for name in AXES): effect for effect in effects}


def verdict(row: dict[str, Any]) -> tuple[Any, ...]:
    p = row["p_adjusted"]
    return row.get("outcome", row["verdict"]), None if p in (None, "") else round(float(p), 5)


def zero_shot(kind: str, variant: str, **more: str) -> tuple[str, ...]:
    values = {"kind": kind, "variant": variant, "group_kind": "zero-shot", "group": "zero-shot", **more}
    return tuple(values.get(name, "") for name in AXES)


def test_a_number_that_the_recipe_declares_is_judged_there_only(finished: Finished) -> None:
    effects, tests = by_axes(finished.report["effects"]), finished.report["tests"]
    declared = {(test["hypothesis"], test["subject"]): test for test in tests}
    for variant in ("full-ft", "stack", "fuse"):
        row, test = effects[zero_shot("gain", variant)], declared["helps", variant]
        assert verdict(row) == verdict(test)
        assert row["judged_in"] == "hypothesis helps of the recipe, scope items+runs"
    assert verdict(effects[zero_shot("trend", "full-ft")]) == verdict(declared["falls", ""])
    turned = effects[zero_shot("variant difference", "stack", against="full-ft", backbone="world-nano")]
    assert verdict(turned) == verdict(declared["worse", ""])
    assert turned["estimate"] == pytest.approx(-declared["worse", ""]["estimate"])
    assert turned["low"] == pytest.approx(-declared["worse", ""]["high"])
    assert {row["family"] for row in finished.report["families"]} == {"slopes", "gains", "scores"}
    assert "mean gain" not in {row["family"] for row in finished.report["default_families"]}
    for ladder in finished.report["ladders"]:
        same = effects[zero_shot("trend" if "Trend" in ladder["text"] else "gain", ladder["subject"])]
        assert verdict(ladder) == verdict(same)


def test_equal_numbers_have_equal_verdicts(finished: Finished) -> None:
    """With one pair of tasks the mean gain at a size is the gain of a cell, and so on."""
    by_number: dict[tuple[float, float], set[tuple[Any, ...]]] = {}
    for effect in finished.report["effects"]:
        number = (abs(effect["estimate"]), effect["standard_error"])
        by_number.setdefault(number, set()).add(verdict(effect))
    assert len(by_number) < len(finished.report["effects"])
    assert all(len(verdicts) == 1 for verdicts in by_number.values())


def test_files_page_and_verdicts_say_the_same(finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["report", str(finished.recipe), "--store", str(finished.store), "--verdicts", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"] == finished.report["tests"]
    effects = by_axes(finished.report["effects"])
    with (finished.folder / "tables" / "all-effects.csv").open(encoding="utf-8", newline="") as file:
        rows = by_axes(list(csv.DictReader(file)))
    assert {key: verdict(row) for key, row in rows.items()} == {key: verdict(row) for key, row in effects.items()}
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    for test in finished.report["tests"]:
        assert test["verdict"] in page


@pytest.mark.parametrize("of", ["score", "gain"])
def test_compare_repeats_the_verdicts_of_the_report(
    finished: Finished, of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    asked = ["compare", str(finished.recipe), "--store", str(finished.store), "--json", "--of", of]
    assert main([*asked, "--a", "full-ft", "--b", "stack"]) == 0
    told = json.loads(capsys.readouterr().out)
    kind = "variant difference" if of == "score" else "gain kept"
    reported = by_axes(finished.report["effects"])
    compared = 0
    for effect in told["effects"]:
        assert (effect["kind"], effect["variant"], effect["against"]) == (kind, "full-ft", "stack")
        turned = reported.get(tuple({**effect, "variant": "stack", "against": "full-ft"}[name] for name in AXES))
        if turned is not None:
            compared += 1
            assert verdict(effect) == verdict(turned)
            assert effect["estimate"] == pytest.approx(-turned["estimate"], abs=2e-6)
    assert compared >= 4
    whole = next(effect for effect in told["effects"] if not effect["backbone"] and not effect["target"])
    (test,) = told["verdicts"]
    assert verdict(test) == verdict(whole)
    assert test["estimate"] == pytest.approx(whole["estimate"])
    assert "Judged as" in test["remark"]


def test_compare_prints_the_intervals_that_belong_to_its_verdicts(
    finished: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    asked = ["compare", str(finished.recipe), "--store", str(finished.store), "--a", "stack", "--b", "full-ft"]
    asked += ["--each", "backbone"]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert main(asked) == 0
    text = capsys.readouterr().out
    wider = [row for row in (*told["verdicts"], *told["effects"]) if row["adjusted_low"] not in (None, row["low"])]
    assert any("verdict" in row and "rungs" in row for row in wider)
    assert any("judged_in" in row for row in wider)
    for test in told["verdicts"]:
        low, high = (test["low"], test["high"]) if test["adjusted_low"] is None else (
            test["adjusted_low"], test["adjusted_high"]
        )  # fmt: skip
        assert f"{test['estimate']:+.2f} points ({low:+.2f} to {high:+.2f}) over" in text
    for effect in wider:
        if "judged_in" in effect:
            assert f"{effect['adjusted_low']:+.1f} to {effect['adjusted_high']:+.1f}" in text


def test_compare_narrows_its_rows_too(finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    asked = ["compare", str(finished.recipe), "--store", str(finished.store), "--a", "stack", "--b", "full-ft"]
    assert main([*asked, "--json", "--over", "resource=low", "--over", "backbone=world-nano"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {(effect["group_kind"], effect["group"]) for effect in told["effects"]} == {("resource", "low")}
    assert {effect["backbone"] for effect in told["effects"]} == {"world-nano"}
    mean = next(effect for effect in told["effects"] if not effect["target"])
    assert mean["estimate"] == pytest.approx(told["verdicts"][0]["estimate"])
    assert main([*asked, "--over", "colour=red"]) == 2


def test_the_script_says_the_same(finished: Finished, tmp_path: Path) -> None:
    module = script("significance_report")
    out = tmp_path / "out"
    assert module.main([str(finished.store), "--recipe", str(finished.recipe), "--out", str(out)]) == 0
    told = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert told["tests"] == finished.report["tests"]
    assert told["effects"] == finished.report["effects"]


def test_the_card_says_the_same(finished: Finished) -> None:
    cell = next(
        cell for cell in finished.plan.cells
        if (cell.backbone, cell.variant, cell.intermediate, cell.seed) == ("world-mini", "stack", "world-nli", 1)
    )  # fmt: skip
    key = finished.plan.stages[cell.predict].inputs["model"]
    (gain,) = collect_results(finished.plan, Store(finished.store), key)["gains"]
    effects = [
        effect for effect in finished.report["effects"]
        if effect["hypotheses"] == "gain of each cell"
        and (effect["backbone"], effect["variant"], effect["group_kind"]) == ("world-mini", "stack", "zero-shot")
    ]  # fmt: skip
    assert verdict(gain) == verdict(effects[0])
    assert gain["estimate"] == pytest.approx(effects[0]["estimate"])
