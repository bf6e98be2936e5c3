"""Supervised targets in a study: draws averaged in their run, items paired with the zero-shot ones, nothing mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapterxfer.report.content import Effect
from adapterxfer.report.display import Cell
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.study import TARGET_LANGUAGES, build_study
from adapterxfer.report.tables_supervision import supervision_tables
from adapterxfer.statistics import ScoreCell
from tests.unit.report.planted_study import LANGUAGES, write_accuracy

ITEMS = 120
POINTS = {"xnli": 50.0, "xnli@few-shot-16": 60.0, "xnli@sources-en+a1": 55.0}
SPOKEN = {"xnli": ("en", "a1", "c1"), "xnli@few-shot-16": ("a1", "c1"), "xnli@sources-en+a1": ("c1",)}


def planted(root: Path, *, draws: int = 2, seeds: tuple[int, ...] = (1, 2, 3)) -> Results:
    rng = np.random.default_rng(0)
    difficulty = {code: rng.random(ITEMS) for code in ("en", "a1", "c1")}
    cells, folders = [], {}
    for target, points in POINTS.items():
        for intermediate in ("none", "nli"):
            for seed in seeds:
                for draw in range(draws if "few" in target else 1):
                    name = f"{target}-{intermediate}-{seed}-{draw}".replace("@", "_")
                    level = (points + (4.0 if intermediate == "nli" else 0.0) + rng.normal(0, 2)) / 100
                    correct = {code: (difficulty[code] < level).astype(int) for code in SPOKEN[target]}
                    write_accuracy(root / name, correct, target="xnli")
                    folders[name] = root / name
                    cells.append(
                        Cell(
                            backbone="tiny-1", variant="full-ft", intermediate=intermediate, target=target, seed=seed,
                            parameters=2, non_embedding_parameters=1, predict=name, draw=draw,
                        )
                    )  # fmt: skip
    return Results.from_folders(cells, folders, languages=LANGUAGES)


def settings() -> ReportSettings:
    return ReportSettings.from_identity({"recipe": "taught", "statistics": {"resamples": 200, "seed": 0}})


def test_the_draws_of_a_run_are_one_value(tmp_path: Path) -> None:
    results = planted(tmp_path)
    study = build_study(results)
    system = study.systems["tiny-1", "full-ft", "none", "xnli@few-shot-16"]
    cell = ScoreCell(system, "xnli@few-shot-16", "a1")
    assert study.table.seeds(cell) == (1, 2, 3)
    data = results.target("xnli@few-shot-16")
    by_seed = {
        seed: np.mean([
            data.scores_by_language(c.predict)["a1"] for c in data.cells if (c.seed, c.intermediate) == (seed, "none")
        ])
        for seed in (1, 2, 3)
    }  # fmt: skip
    assert [study.table.scores[row] for row in study.table.cells[cell]] == pytest.approx(list(by_seed.values()))


def test_items_are_drawn_with_the_zero_shot_ones_in_whichever_languages(tmp_path: Path) -> None:
    table = build_study(planted(tmp_path)).table
    domains: dict[str, set[str]] = {}
    for row in table.rows:
        domains.setdefault(row.cell.language, set()).add(row.domain)
    assert all(len(names) == 1 for names in domains.values()), domains


def test_the_mean_of_a_supervised_target_is_not_called_zero_shot(tmp_path: Path) -> None:
    groups = build_study(planted(tmp_path)).groups
    assert next((g.kind, g.name) for g in groups["xnli"]) == ("zero-shot", "zero-shot")
    for target in ("xnli@few-shot-16", "xnli@sources-en+a1"):
        assert (groups[target][0].kind, groups[target][0].name) == ("target", TARGET_LANGUAGES)
        assert "zero-shot" not in {group.kind for group in groups[target]}


def effects(results: Results, kind: str) -> dict[tuple[str, str], Effect]:
    return {(e.target, e.group): e for e in find(results, settings()).effects if e.kind == kind}


def test_arms_are_held_against_zero_shot_in_their_languages(tmp_path: Path) -> None:
    results = planted(tmp_path)
    rows = effects(results, "supervision difference")
    assert set(rows) == {
        ("xnli@few-shot-16", TARGET_LANGUAGES), ("xnli@few-shot-16", "a1"), ("xnli@few-shot-16", "c1"),
        ("xnli@sources-en+a1", TARGET_LANGUAGES),
    }, "one language is its own mean"  # fmt: skip
    study = build_study(results)

    def mean(target: str, code: str) -> float:
        return study.table.score(ScoreCell(study.systems["tiny-1", "full-ft", "none", target], target, code))

    few = rows["xnli@few-shot-16", TARGET_LANGUAGES]
    expected = np.mean([mean("xnli@few-shot-16", code) - mean("xnli", code) for code in ("a1", "c1")])
    assert few.estimate == pytest.approx(expected)
    sources = rows["xnli@sources-en+a1", TARGET_LANGUAGES]
    assert sources.estimate == pytest.approx(mean("xnli@sources-en+a1", "c1") - mean("xnli", "c1"))
    assert few.against == "xnli"
    assert few.seeds == 3


def test_gains_within_an_arm_and_against_zero_shot_add_up(tmp_path: Path) -> None:
    results = planted(tmp_path)
    gains, changes = effects(results, "supervised gain"), effects(results, "gain change")
    plain = effects(results, "gain")
    for target, codes in (("xnli@few-shot-16", ("a1", "c1")), ("xnli@sources-en+a1", ("c1",))):
        change = changes[target, TARGET_LANGUAGES]
        zero_shot = np.mean([plain["xnli", code].estimate for code in codes if ("xnli", code) in plain] or [np.nan])
        within = gains[target, TARGET_LANGUAGES].estimate
        if np.isfinite(zero_shot):
            assert change.estimate == pytest.approx(within - zero_shot)
        assert change.kind == "gain change"
    assert not [target for target, _ in plain if "@" in target], "no default gain takes a supervised target in"


def test_a_study_without_arms_reads_as_before(tmp_path: Path) -> None:
    results = planted(tmp_path)
    alone = results.select(target="xnli")
    assert not alone.cells[0].labels().get("draw")
    kinds = {effect.kind for effect in find(alone, settings()).effects}
    assert not kinds & {"supervision difference", "supervised gain", "gain change"}
    with_arms = [e for e in find(results, settings()).effects if "@" not in e.target]
    assert with_arms == list(find(alone, settings()).effects)


def test_tables_name_the_language_of_an_arm_that_has_one(tmp_path: Path) -> None:
    tables = {table.name: table for table in supervision_tables(find(planted(tmp_path), settings()))}
    assert list(tables) == ["supervision", "supervised-gain", "draws"]
    rows = {(row[1], row[4]): row for row in tables["supervision"].rows}
    assert set(rows) == {("few-shot-16", "mean"), ("few-shot-16", "a1"), ("few-shot-16", "c1"), ("sources-en+a1", "c1")}
    score, zero_shot, difference = rows["few-shot-16", "mean"][5:8]
    assert isinstance(score, tuple)
    assert score[0] - zero_shot == pytest.approx(difference)  # type: ignore[operator]
    assert [row[-1] for row in tables["draws"].rows] == [2, 2, 1, 1]
