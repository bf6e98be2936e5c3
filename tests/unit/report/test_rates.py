"""What a report says of learning rates: choices, ends of grids, one rate for several sizes, trends at common rates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from planted_study import PlantedStudy

from adapterxfer.report.content import Findings
from adapterxfer.report.findings import find
from adapterxfer.report.rates import RateFacts, read_rates
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.tables_rates import rate_tables
from adapterxfer.report.writing import write_findings

SETTINGS = ReportSettings(title="planted", recipe="planted", resamples=200, seed=3)
ABOUT = {"phase": "target", "backbone": "tiny-1", "variant": "full-ft", "adapter": "", "intermediate": "none",
         "target": "xnli"}  # fmt: skip


def results(study: PlantedStudy) -> Results:
    return Results.from_folders(study.cells, study.folders, languages=study.languages)


def choice(folder: Path, *, edge: dict[str, float]) -> Path:
    folder.mkdir()
    rows = [
        {"values": {"learning_rate": 1e-3, "steps": 5}, "by_seed": {"0": 60.0}, "dev_score": 60.0},
        {"values": {"learning_rate": 1e-3, "steps": 9}, "by_seed": {"0": 62.0}, "dev_score": 62.0},
        {"values": {"learning_rate": 1e-2, "steps": 5}, "by_seed": {"0": None}, "dev_score": None},
        {"values": {"learning_rate": 1e-2, "steps": 9}, "by_seed": {"0": None}, "dev_score": None},
    ]
    grid = {"learning_rate": [1e-3, 1e-2], "steps": [5, 9]}
    chosen = {"learning_rate": 1e-3, "steps": 9}
    (folder / "choice.json").write_text(
        json.dumps({"grid": grid, "chosen": chosen, "edge": edge, "candidates": rows, "by": "dev"})
    )
    return folder


def findings(study: PlantedStudy, rates: RateFacts | None = None) -> Findings:
    return find(results(study), SETTINGS, rates=rates)


def cautions(found: Findings) -> dict[str, str]:
    return {caution.check: caution.text for caution in found.cautions}


def test_choices_have_a_table_and_ends_of_grids_a_caution(planted: PlantedStudy, tmp_path: Path) -> None:
    identity: dict[str, Any] = {"choices": [{"role": "choice.0", **ABOUT}, {"role": "choice.1", **ABOUT}]}
    folders = {"choice.0": choice(tmp_path / "c", edge={"learning_rate": 1e-4})}
    facts = read_rates(identity, {}, folders, "en")
    rate, steps = facts.chosen  # the second choice is not made yet
    assert (rate.value, rate.grid, rate.scores, rate.beyond) == (1e-3, (1e-3, 1e-2), (62.0, None), 1e-4)
    assert (steps.value, steps.scores, steps.beyond) == (9, (60.0, 62.0), None)
    found = findings(planted, facts)
    (table,) = rate_tables(found)
    assert table.texts()[0][-3:] == ["0.001", "0.001: 62.0; 0.01: diverged", "0.0001"]
    said = cautions(found)["end of a grid"]
    assert "1 of 2 choices" in said
    assert "full-ft on xnli, tiny-1: learning_rate 0.001 of 0.001, 0.01, next 0.0001" in said
    untrained = replace(rate, backbone="tiny-1-untrained")
    assert "end of a grid" not in cautions(findings(planted, RateFacts((untrained,))))
    said = cautions(findings(planted, RateFacts((*facts.chosen, untrained))))["end of a grid"]
    assert said.startswith("1 of 2 choices for pretrained backbones are"), "what is counted is what is counted of"
    assert found.as_json()["chosen"][0]["variant"] == "full-ft"


def test_one_rate_for_several_sizes_is_a_caution_where_a_trend_is_judged(planted: PlantedStudy) -> None:
    shared = ({"phase": "target", "variant": "stack", "rate": 1e-3, "backbones": ["tiny-1", "tiny-2"]},)
    check = "one learning rate for several sizes"
    said = cautions(findings(planted, RateFacts(shared=shared)))[check]
    assert "stack 0.001 (target, 2 backbones)" in said
    assert "choose: [...], by: dev" in said
    assert check not in cautions(findings(planted))
    one = results(planted)
    alone = one.select(backbone=one.cells[0].backbone)
    assert check not in cautions(find(alone, SETTINGS, rates=RateFacts(shared=shared)))


def test_trends_at_common_rates_have_intervals_and_no_verdict(planted: PlantedStudy, tmp_path: Path) -> None:
    whole = results(planted)
    facts = RateFacts(studies=(({"full-ft": 1e-3, "adapters": 4e-3}, whole),))
    found = findings(planted, facts)
    chosen = {row.variant: row for row in found.common_trends if not row.rates}
    common = {row.variant: row for row in found.common_trends if row.rates}
    assert set(chosen) == set(common) == {"full-ft", "stack", "fuse"}
    for variant, row in common.items():  # the same cells: the same numbers
        assert (row.estimate, row.low, row.high) == (
            chosen[variant].estimate, chosen[variant].low, chosen[variant].high
        )  # fmt: skip
    (table,) = rate_tables(found)
    assert [column.label for column in table.columns] == ["variant", "learning rates", "trend", "interval"]
    assert "full-ft 0.001, adapters 0.004" in {row[1] for row in table.texts()}
    assert found.effects == findings(planted).effects
    write_findings(found, tmp_path / "report")
    assert "The trend with size at each learning rate" in (tmp_path / "report" / "report.html").read_text()


def test_a_trend_names_the_rates_that_its_trainings_took_and_no_others(planted: PlantedStudy) -> None:
    rates = {"full-ft": 1e-3, "adapters": 4e-3, "nli.full-ft": 3e-5}
    blocks = {"full-ft": ["nli.full-ft", "full-ft"], "stack": ["adapters"]}
    found = findings(planted, RateFacts(studies=((rates, results(planted)),), blocks=blocks))
    assert [(row.variant, row.rates) for row in found.common_trends] == [
        ("full-ft", {}),
        ("full-ft", {"full-ft": 1e-3, "nli.full-ft": 3e-5}),
        ("stack", {}),
        ("stack", {"adapters": 4e-3}),
    ], "fuse takes no common rate here: its trainings are those of the study itself"
    assert read_rates({}, {"common_blocks": blocks}, {}, "en").blocks == blocks


def test_an_unfinished_common_study_is_left_out(planted: PlantedStudy) -> None:
    labels = [{**cell.labels(), "predict": cell.predict} for cell in planted.cells]
    identity = {"common_rates": [{"rates": {"default": 1e-3}, "cells": labels}], "languages": planted.languages}
    assert len(read_rates(identity, {}, planted.folders, "en").studies) == 1
    part = dict(planted.folders)
    part.pop(planted.cells[0].predict)
    assert read_rates(identity, {}, part, "en").studies == ()
