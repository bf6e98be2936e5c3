"""Measured time of trainings: what is added up, what is not known, and that only marked blocks of a page see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from planted_study import plant
from shelf import CPU, Shelf
from test_sizes import report_of, tell

from adapterxfer.report.display import Cell
from adapterxfer.report.hours import HoursRow, hours_csv, training_hours
from adapterxfer.report.page import hours_note
from adapterxfer.report.writing import write_findings

ON_CPU = "cpu x86_64, 1 thread"


def cell(predict: str, *, variant: str = "stack", seed: int = 1, intermediate: str = "nli", target: str = "t") -> Cell:
    axes = {"backbone": "b", "parameters": 1, "non_embedding_parameters": 1, "adapter": "", "variant": variant}
    return Cell(**axes, intermediate=intermediate, target=target, seed=seed, predict=predict)  # type: ignore[arg-type]


def hours_of(shelf: Shelf, cells: Mapping[str, Cell]) -> tuple[HoursRow, ...]:
    """Rows of a study whose predictions are those of some keys."""
    named = {key: replace(cell, predict=key) for key, cell in cells.items()}
    results: Any = SimpleNamespace(
        cells=tuple(named.values()), folders={key: shelf.folders.get(key, Path("elsewhere")) for key in named}
    )
    return training_hours(results)


def test_all_trainings_behind_a_system_count_with_their_processes(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    data = shelf.add("prepare", {}, 500.0, name="data")
    first = shelf.add("train_intermediate", {"data.nli": data}, 1800.0)
    target = shelf.add("train_target", {"data": data, "intermediate": first}, 900.0, result={"processes": 2})
    baseline = shelf.add("train_target", {"data": data}, 700.0, name="alone")
    fused = shelf.add("train_fusion", {"data": data, "target": baseline, "intermediate.nli": first}, 100.0)
    stack = shelf.add("predict", {"data": data, "model": target}, 9.0, name="stack")
    fuse = shelf.add("predict", {"data": data, "model": fused}, 9.0, name="fuse")
    soup = shelf.add("predict", {"model": shelf.add("merge", {"model.00": target, "model.01": fused}, 20.0)}, 9.0)
    rows = hours_of(
        shelf, {key: cell("", variant=name) for key, name in ((stack, "stack"), (fuse, "fuse"), (soup, "s"))}
    )
    assert [row.hours for row in rows] == pytest.approx([1.0, 2600 / 3600, (20 + 3600 + 2600) / 3600])
    assert {row.devices for row in rows} == {(ON_CPU,)}


def test_seeds_trained_together_share_their_time(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    group = shelf.add("train_together", {}, 1200.0, seeds=[0, 1, 2], result={"seeds": {"0": {}, "1": {}, "2": {}}})
    again = shelf.add(
        "train_together", {}, 90.0, seeds=[0, 1, 2], name="again", result={"seeds": {"0": {"resumed_at": 7}}}
    )
    cells = {}
    for seed, together in enumerate((group, group, group, again)):
        before = shelf.add("train_intermediate", {}, 60.0, name=f"i{seed}")
        taken = shelf.add("train_target", {"together": together, "intermediate": before}, 0.1, name=f"s{seed}")
        cells[shelf.add("predict", {"model": taken}, 1.0, name=f"p{seed}")] = cell("", seed=seed)
    (row,) = hours_of(shelf, cells)
    assert row.hours == pytest.approx((400 + 60) / 3600)
    assert (row.systems, row.measured) == (4, 3)


def test_what_was_interrupted_or_trained_elsewhere_is_not_known(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    reused = shelf.add("reuse_intermediate", {}, 2.0)
    models = {
        "resumed": shelf.add("train_target", {}, 30.0, name="a", result={"resumed_at": 100}),
        "imported": shelf.add("train_target", {}, None, name="b"),
        "reused": shelf.add("train_target", {"intermediate": reused}, 30.0, name="c"),
        "absent": shelf.add("train_target", {"intermediate": "0" * 64}, 30.0, name="d"),
    }
    cells = {
        shelf.add("predict", {"model": key}, 1.0, name=name): cell("", variant=name) for name, key in models.items()
    }
    rows = hours_of(shelf, {**cells, "f" * 64: cell("", variant="without a record")})
    assert [(row.variant, row.hours, row.measured) for row in rows] == [
        (name, None, 0) for name in (*models, "without a record")
    ]
    assert hours_note(rows).startswith("Time of training is not known")
    assert hours_csv(rows).splitlines()[1] == "b,resumed,,1,0,"


def test_medians_are_over_the_targets_that_all_variants_have(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    cells = {}
    for number, (variant, target, seconds) in enumerate(
        [("full-ft", "t", 30.0), ("full-ft", "t", 50.0), ("full-ft", "retrieval", 1.0), ("fuse", "t", 80.0)]
    ):
        gpu = {"device": "cuda:0", "accelerator": "a card"} if variant == "fuse" else CPU
        model = shelf.add("train_target", {}, seconds, name=str(number), provenance=gpu)
        key = shelf.add("predict", {"model": model}, 1.0, name=str(number))
        cells[key] = cell("", variant=variant, target=target, seed=number)
    cells[shelf.add("predict", {}, 1.0, name="none")] = cell("", intermediate="none")
    rows = hours_of(shelf, cells)
    assert [(row.variant, row.systems, row.devices) for row in rows] == [
        ("full-ft", 2, (ON_CPU,)),
        ("fuse", 1, ("a card",)),
    ]
    assert rows[0].hours == pytest.approx(40 / 3600)
    note = hours_note(rows)
    assert "in minutes, on a card; cpu x86_64, 1 thread" in note
    assert "full-ft: b 0.667; fuse: b 1.33." in note


def test_only_the_marked_blocks_of_the_page_depend_on_hours(tmp_path: Path) -> None:
    sizes = {"tiny-1": (200_000, 60_000), "tiny-2": (800_000, 240_000)}
    planted = plant(tmp_path, lambda *_: 12.0, examples=40, targets=("xnli",), sizes=sizes)
    for folder in planted.folders.values():
        tell(folder, {"total": 200_000, "trainable": 4_000})
    findings = report_of(planted, tmp_path / "report")
    marks = {(score.backbone, score.shown) for score in findings.scores if not score.control}
    pages, rest = [], []
    for factor in (1.0, 2.0, 0.0):
        rows = tuple(
            HoursRow(backbone=b, variant=v, hours=factor * (1 + n), systems=2, measured=2, devices=(ON_CPU,))
            for n, (b, v) in enumerate(sorted(marks))
        )
        folder = tmp_path / str(factor)
        write_findings(findings, folder, hours=rows if factor else ())
        pages.append((folder / "report.html").read_text(encoding="utf-8"))
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        measured = {name for name in files if name.startswith("measured/")}
        assert measured == ({"measured/hours.csv", "measured/cost-hours.svg"} if factor else set())
        rest.append({name: data for name, data in files.items() if name not in {*measured, "report.html"}})
    assert rest[0] == rest[1] == rest[2]
    assert "figures/cost-operations.svg" not in rest[0], "nothing is known about operations here"
    assert "time of all trainings in hours, cpu x86_64, 1 thread" in pages[0]
    assert len(set(pages)) == 3
    block = r"<!-- measured on one machine: begin -->.*?<!-- measured on one machine: end -->"
    assert len({re.sub(block, "", page, flags=re.DOTALL) for page in pages}) == 1
