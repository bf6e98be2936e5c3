"""Estimates of time and memory: from a probe of this machine, from nominal speeds, and none where nothing is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.api.timing import measure_speed
from adapterxfer.errors import StoreError
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.devices import ASSUMED_SHARE, DEVICES
from adapterxfer.plan.remaining import START_S, KindEstimate, estimate
from adapterxfer.plan.speed import FILE, FROZEN, FULL, PASSES, PREDICT, gflops, read_speed, write_speed
from adapterxfer.recipe import load_recipe
from adapterxfer.store.store import Store

RECIPES = Path(__file__).parents[3] / "recipes"
RATES = {hidden: {FULL: 10.0, FROZEN: 20.0, PREDICT: 40.0} for hidden in (48, 64, 96)}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build_plan(load_recipe(RECIPES / "quickstart.yaml"))


def rows_of(plan: Plan, store: Path, device: str = "") -> dict[str, KindEstimate]:
    return {row.kind: row for row in estimate(plan, Store(store), device=DEVICES[device] if device else None)}


def costs(plan: Plan, kind: str, mode: str = "") -> list[float]:
    return [
        stage.resources["cost"]
        for stage in plan.stages.values()
        if stage.kind == kind and (not mode or (stage.identity.get("mode") == "full") == (mode == "full"))
    ]


def test_nothing_is_known_of_a_new_machine_but_memory(plan: Plan, tmp_path: Path) -> None:
    rows = rows_of(plan, tmp_path)
    assert (rows["train_target"].seconds, rows["train_target"].basis) == (None, "unknown")
    assert rows["prepare"].basis == "assumed"
    assert 0.5 < rows["train_target"].memory_gb < 2.0
    assert rows["train_target"].as_json()["estimated_peak_memory_gb"] == rows["train_target"].memory_gb
    assert list(tmp_path.iterdir()) == []


def test_a_probe_gives_seconds_by_way_of_working(plan: Plan, tmp_path: Path) -> None:
    write_speed(tmp_path, RATES, processes=2)
    rows = rows_of(plan, tmp_path)
    fusions = costs(plan, "train_fusion")
    assert rows["train_fusion"].seconds == pytest.approx(sum(fusions) / 20.0 + START_S * len(fusions))
    whole, frozen = (costs(plan, "train_target", mode) for mode in ("full", "adapter"))
    expected = sum(whole) / 10.0 + sum(frozen) / 20.0 + START_S * (len(whole) + len(frozen))
    assert rows["train_target"].seconds == pytest.approx(expected)
    assert rows["train_target"].basis == rows["predict"].basis == "probe"
    assert all(row.seconds is not None for row in rows.values())


def test_a_device_counts_by_its_nominal_speed_alone(plan: Plan, tmp_path: Path) -> None:
    write_speed(tmp_path, RATES, processes=2)
    row = rows_of(plan, tmp_path, "l4")["train_fusion"]
    assert row.basis == "nominal"
    rate = DEVICES["l4"].tflops * 1000 * ASSUMED_SHARE
    assert row.seconds == pytest.approx(sum(costs(plan, "train_fusion")) / rate + START_S * row.count)


def test_unknown_numbers_of_examples_make_an_estimate_partial(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / "xtreme-r-scaling.yaml", ["seeds=[1]", "backbones=[xlm-r-base]"])
    row = rows_of(build_plan(recipe), tmp_path, "a100-80gb")["train_target"]
    assert row.basis == "nominal, in part"
    assert row.seconds is not None


def test_what_was_measured_is_kept_by_width_and_kind_of_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_speed(tmp_path, {48: RATES[48]}, processes=2)
    write_speed(tmp_path, {64: RATES[64]}, processes=2)
    assert read_speed(tmp_path) == {48: RATES[48], 64: RATES[64]}
    monkeypatch.setattr("adapterxfer.plan.speed.host_facts", lambda: {"processors": 99})
    assert read_speed(tmp_path) == {}


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    write_speed(tmp_path, RATES, processes=2)
    record = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    record["gflops"]["48"]["full"] = 1e9
    (tmp_path / FILE).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(StoreError, match="damaged record") as caught:
        read_speed(tmp_path)
    assert "plan --measure" in caught.value.fix


def test_measuring_asks_for_the_widths_of_the_plan(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[int], int]] = []

    def measure_work(widths: list[int], *, jobs: int, **_: object) -> dict[int, dict[str, float]]:
        asked.append((widths, jobs))
        return {hidden: dict.fromkeys(PASSES, 1000.0) for hidden in widths}

    monkeypatch.setattr("adapterxfer.engines.probe.measure_work", measure_work)
    measure_speed(plan, tmp_path, jobs=3)
    assert asked == [([48, 64, 96], 3)]
    assert read_speed(tmp_path)[96][FULL] == pytest.approx(gflops(FULL, 96, 1000.0), abs=0.01)


def test_operations_are_counted_as_costs_are() -> None:
    layers = 2 * (12 * 96 * 96 + 13 * 96)
    assert gflops(PREDICT, 96, 1e9) == pytest.approx(2 * layers + 4 * 2 * 96 * 64)
    assert gflops(FULL, 96, 1.0) == pytest.approx(3 * gflops(PREDICT, 96, 1.0))
