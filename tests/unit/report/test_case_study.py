"""The published case study: its tables of items give the verdicts of its report, and its page has its scores."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.cli.main import main

ROOT = Path(__file__).parents[3]
STUDY = ROOT / "docs" / "case-study"
RECIPE = ROOT / "recipes" / "real-backbone.yaml"
NUMBERS = (
    "estimate", "standard_error", "low", "high", "p", "p_adjusted", "adjusted_low", "adjusted_high", "detectable",
)  # fmt: skip


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((STUDY / "report" / "report.json").read_text(encoding="utf-8"))
    return content


def test_its_verdicts_can_be_computed_again(report: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["significance", str(STUDY / "items" / "udpos.parquet"), "--hypotheses", str(RECIPE), "--json"]) == 0
    again = {test["hypothesis"]: test for test in json.loads(capsys.readouterr().out)["verdicts"]}
    assert [test["hypothesis"] for test in report["tests"]] == list(again) == ["H1", "H2", "H3", "H4", "H5"]
    for test in report["tests"]:
        mine = again[test["hypothesis"]]
        assert mine["verdict"] == test["verdict"]
        assert {name: mine[name] for name in NUMBERS} == pytest.approx({name: test[name] for name in NUMBERS})


def test_every_effect_of_its_report_can_be_computed_again(tmp_path: Path) -> None:
    """All intervals, p-values and verdicts, from the tables of items alone."""
    tables = [str(path) for path in sorted((STUDY / "items").glob("*.parquet"), reverse=True)]
    assert main(["significance", *tables, "--hypotheses", str(RECIPE), "--out", str(tmp_path / "report")]) == 0
    again, published = (effects_of(folder / "tables") for folder in (tmp_path / "report", STUDY / "report"))
    assert len(published) > 1000
    assert again.keys() == published.keys()
    assert {key for key in again if again[key] != published[key]} == set()


def effects_of(tables: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """Rows of a full table by everything that says which difference it is."""
    names = (
        "kind", "hypotheses", "backbone", "variant", "intermediate", "target", "against", "group_kind", "group",
        "pair_kind",
    )  # fmt: skip
    with (tables / "all-effects.csv").open(encoding="utf-8") as file:
        return {tuple(row[name] for name in names): row for row in csv.DictReader(file)}


def test_every_target_has_its_items(report: dict[str, Any]) -> None:
    targets = {target["name"] for target in report["targets"]}
    assert {path.stem for path in (STUDY / "items").glob("*.parquet")} == targets


def test_what_is_published_is_a_finished_study_of_real_data(report: dict[str, Any]) -> None:
    assert report["finished"] == report["planned"]
    assert report["missing"] == []
    assert report["synthetic"] is False


ROWS = {
    "tags: full fine-tuning": ("full-ft", "none", "udpos"),
    "tags: full fine-tuning, after inference": ("full-ft", "mnli", "udpos"),
    "tags: adapter": ("adapter baseline", "none", "udpos"),
    "tags: stack, inference below": ("stack", "mnli", "udpos"),
    "tags: fuse, with inference": ("fuse", "mnli", "udpos"),
    "names: full fine-tuning": ("full-ft", "none", "panx"),
    "names: full fine-tuning, after inference": ("full-ft", "mnli", "panx"),
    "names: adapter": ("adapter baseline", "none", "panx"),
    "names: stack, inference below": ("stack", "mnli", "panx"),
    "names: fuse, with inference": ("fuse", "mnli", "panx"),
    "Tatoeba: untouched backbone": ("untouched backbone", "none", "tatoeba"),
    "Tatoeba: full fine-tuning on inference": ("full-ft", "mnli", "tatoeba"),
    "Tatoeba: adapter of inference": ("stack", "mnli", "tatoeba"),
}


def test_the_scores_of_the_page_are_those_of_the_report() -> None:
    with (STUDY / "report" / "tables" / "scores.csv").open(encoding="utf-8") as file:
        names = ("target", "backbone", "system", "intermediate")
        made = {tuple(row[name] for name in names): row["zero-shot"] for row in csv.DictReader(file)}
    page = (STUDY / "README.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    shown = {cells[0]: cells[1:] for cells in lines}
    for label, (system, intermediate, target) in ROWS.items():
        for depth, score in zip((3, 6, 9, 12), shown[label], strict=True):
            theirs = made[target, f"e5-small-4bit-l{depth}", system, intermediate]
            assert score == theirs.replace("±", "+-"), (label, depth)


def test_an_undecided_hypothesis_shows_what_would_have_been_found(report: dict[str, Any]) -> None:
    page = (STUDY / "report" / "report.md").read_text(encoding="utf-8")
    open_tests = [test for test in report["tests"] if test["outcome"] == "inconclusive"]
    assert open_tests
    for test in open_tests:
        assert f"smallest effect we would find {test['detectable']:.2f};" in page, test["hypothesis"]
    assert page.count("smallest effect we would find") == len(open_tests) + 1  # and the note below them


def test_no_interval_contradicts_its_verdict(report: dict[str, Any]) -> None:
    judged = [row for row in (*report["effects"], *report["tests"]) if row["adjusted_low"] is not None]
    assert len(judged) > 500
    for row in judged:
        outside = row["adjusted_low"] > 0.0 or row["adjusted_high"] < 0.0
        assert outside == (row["p_adjusted"] <= 0.05), row
