"""Measuring once, and running with what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapterxfer import api
from adapterxfer.engines import choice, probe
from adapterxfer.engines.events import Outcome
from adapterxfer.errors import AdapterxferError
from adapterxfer.plan import Sources, build_plan
from adapterxfer.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[3]
REAL_TEXT = ROOT / "recipes" / "real-text.yaml"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A probe that answers at once, and what it was asked."""
    made: list[dict[str, Any]] = []

    def measure(shapes: dict[str, Any], **options: Any) -> dict[str, Any]:
        made.append({"shapes": shapes, **options})
        return {"tokens_per_second": dict.fromkeys(shapes, 1000.0), "dtype": "fp32", "processes": options["jobs"]}

    monkeypatch.setattr(probe, "measure_tokens_per_second", measure)
    return made


def test_a_budget_is_measured_once_and_for_all_sizes_alike(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    recipe = load_recipe(REAL_TEXT, ["pretrain.minutes_fp32=10"])
    for _ in range(2):
        found = api.measure(recipe, tmp_path, jobs=8)
        assert found.pretrain is not None
        assert found.pretrain.tokens == dict.fromkeys(recipe.series, 600_000)
        assert found.pretrain.dtype == "fp32"
    assert len(calls) == 1
    assert calls[0]["jobs"] == len(recipe.series), "no more processes than sizes"
    assert set(calls[0]["shapes"]) == set(recipe.series)


def test_declared_tokens_need_no_probe(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    recipe = load_recipe(REAL_TEXT, ["pretrain.tokens=5000", "pretrain.dtype=bf16"])
    assert api.measure(recipe, tmp_path, jobs=2) is recipe
    assert not calls
    assert not list(tmp_path.iterdir())


def test_a_refused_run_measures_nothing(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    with pytest.raises(AdapterxferError, match="data_root is not set"):
        api.run(REAL_TEXT, store=tmp_path)
    with pytest.raises(AdapterxferError, match="no source named"):
        api.run(ROOT / "recipes" / "phang2020.yaml", store=tmp_path)
    assert not calls


def test_keys_depend_on_the_measured_budget(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    recipe = load_recipe(REAL_TEXT)

    def keys(chosen: Recipe) -> set[str]:
        sources = Sources(chosen, files=lambda asked, root: {name: {"kind": "files"} for name, _ in asked})
        plan = build_plan(chosen, sources=sources)
        assert plan.needs_measurement == chosen.needs_measurement
        return {key for key, stage in plan.stages.items() if stage.kind == "train_target"}

    measured = api.measure(recipe, tmp_path, jobs=2)
    untrained = {"small-untrained", "mid-untrained"}
    assert untrained < set(recipe.backbones)
    assert keys(recipe) != keys(measured)
    assert keys(recipe) & keys(measured), "untrained twins wait for no budget"


def test_stages_get_an_absolute_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node of a cluster runs stages in a folder of its own."""
    handed: list[dict[str, Any]] = []

    def run_plan(_plan: Any, *, settings: dict[str, Any], **_options: Any) -> Outcome:
        handed.append(settings)
        return Outcome(finished=(), reused=(), failed={}, blocked={}, folders={}, interrupted=0, seconds=0.0)

    monkeypatch.setattr(choice, "choose_engine", lambda _name, _settings: run_plan)
    monkeypatch.chdir(tmp_path)
    quickstart = ROOT / "recipes" / "quickstart.yaml"
    api.run(load_recipe(quickstart, ["data_root=texts"]), store=tmp_path / "store", jobs=1)
    api.run(load_recipe(quickstart), store=tmp_path / "store", jobs=1)
    assert [settings["data_root"] for settings in handed] == [str(tmp_path / "texts"), None]
