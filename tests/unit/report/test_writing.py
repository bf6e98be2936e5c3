"""The files of a report: reproducible to the byte, self-contained, and honest on top."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from planted_study import PlantedStudy, plant

from adapterxfer.report.content import SCHEMA, Findings
from adapterxfer.report.display import signed
from adapterxfer.report.figures import draw_figures
from adapterxfer.report.headline import headline
from adapterxfer.report.page import PANEL_LIMIT, SYNTHETIC_NOTE
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.writing import write_report
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.report import execute
from adapterxfer.store.keys import Stage

VOID = {"meta", "br", "hr", "img", "input", "link", "path", "use", "rect", "circle"}


class Page(HTMLParser):
    """Collects tags, ids and addresses, and checks that elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("href", "src", "xlink:href", "srcset", "data"):
                self.addresses.append(str(value))
        if tag not in ("meta", "br", "hr", "img", "link"):
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.stack and self.stack[-1] == tag:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlantedStudy, Path, Findings]:
    root = tmp_path_factory.mktemp("study")
    study = plant(root, lambda *_: 12.0, examples=120, seeds=(1, 2, 3))
    return study, root / "report", write(study, root / "report")


def write(study: PlantedStudy, folder: Path, **changes: Any) -> Findings:
    results = Results.from_folders(study.cells, study.folders, languages=study.languages)
    settings = ReportSettings(
        title="A <planted> study", recipe="planted", resamples=200, **{"synthetic": True, **changes}
    )
    return write_report(results, folder, settings=settings)


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_results_give_the_same_bytes(written: tuple[PlantedStudy, Path, Findings], tmp_path: Path) -> None:
    study, folder, _ = written
    write(study, tmp_path / "again")
    first, second = all_bytes(folder), all_bytes(tmp_path / "again")
    assert first == second
    assert {"report.json", "report.md", "report.html", "tables/all-effects.csv", "tables/all-scores.csv"} <= set(first)
    assert sum(name.startswith("figures/") for name in first) >= 6


def test_page_is_well_formed_and_has_the_figures_inside(written: tuple[PlantedStudy, Path, Findings]) -> None:
    page = Page()
    page.feed((written[1] / "report.html").read_text(encoding="utf-8"))
    assert page.stack == []
    drawn = {figure.name: figure for figure in draw_figures(written[2])}
    shown = [panel.name for figure in drawn.values() if figure.shown for panel in figure.panels[:PANEL_LIMIT]]
    assert page.tags.count("svg") == len(shown)
    files = {path.stem for path in (written[1] / "figures").glob("*.svg")}
    assert files == {panel.name for figure in drawn.values() for panel in figure.panels}
    assert [name for name, figure in drawn.items() if figure.shown] == [
        "gain-by-size", "forest", "gain-map", "variants-by-size", "by-language",
    ]  # fmt: skip
    assert len(page.ids) == len(set(page.ids))
    assert "script" not in page.tags


def test_controls_are_spoken_of_where_there_are_some(written: tuple[PlantedStudy, Path, Findings]) -> None:
    findings = written[2]
    plain = next(figure for figure in draw_figures(findings) if figure.name == "by-language")
    assert plain.title == "Scores by language"
    assert "controls" not in plain.caption
    rows = [s for s in findings.scores if s.group_kind == "language" and s.intermediate == "none"]
    guessed = [replace(score, backbone="", control="majority") for score in rows]
    beside = draw_figures(replace(findings, scores=(*findings.scores, *guessed)))
    (figure,) = (figure for figure in beside if figure.name == "by-language")
    assert figure.title == "Scores by language, beside the controls"
    assert "Grey marks are controls" in figure.caption


def test_the_first_lines_answer_with_numbers(written: tuple[PlantedStudy, Path, Findings]) -> None:
    page, markdown = ((written[1] / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    first = headline(written[2])
    assert [row.variant for row in first.rows] == list(written[2].variants)
    for effect in (effect for row in first.rows for effect in row.cells if effect is not None):
        assert f"<b>{signed(effect.estimate)}</b>" in page
        assert f"**{signed(effect.estimate)}**" in markdown
    assert page.index(first.sentence.partition("(")[0]) < page.index('class="headline"') < page.index('id="scores"')
    for text in (page, markdown):
        said = re.sub(r'class="[^"]*"', "", text).partition("How it was computed</h2>")[0].partition("## How it was")[0]
        assert "inconclusive" not in said
        assert "trained models alone" not in said


def test_a_pull_request_can_hold_the_markdown(written: tuple[PlantedStudy, Path, Findings]) -> None:
    assert (written[1] / "report.md").stat().st_size < 40_000


def test_page_refers_to_nothing_outside(written: tuple[PlantedStudy, Path, Findings]) -> None:
    text = (written[1] / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
    assert {address[1:] for address in page.addresses} <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    assert "@import" not in text
    assert not re.findall(r"url\((?!#)", text)
    assert not re.findall(r"(?:https?:)?//[a-z]", re.sub(r'xmlns="[^"]*"', "", text))


def test_figures_are_xml_without_a_date(written: tuple[PlantedStudy, Path, Findings]) -> None:
    for path in (written[1] / "figures").glob("*.svg"):
        root = ET.parse(path).getroot()
        assert root.tag.endswith("svg")
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
        assert "metadata" not in path.read_text(encoding="utf-8")


def test_banner_stands_on_top_only_of_synthetic_studies(
    written: tuple[PlantedStudy, Path, Findings], tmp_path: Path
) -> None:
    study, folder, _ = written
    page, markdown = ((folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert page.index(SYNTHETIC_NOTE) < page.index("<h1>")
    assert markdown.startswith(f"> **{SYNTHETIC_NOTE}**")
    write(study, tmp_path / "real", synthetic=False)
    assert SYNTHETIC_NOTE not in (tmp_path / "real" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "real" / "report.md").read_text(encoding="utf-8").startswith("# A <planted> study")


def test_titles_are_escaped(written: tuple[PlantedStudy, Path, Findings]) -> None:
    text = (written[1] / "report.html").read_text(encoding="utf-8")
    assert "<planted>" not in text
    assert "<h1>A &lt;planted&gt; study</h1>" in text


def test_json_carries_schema_and_rounded_floats(written: tuple[PlantedStudy, Path, Findings]) -> None:
    value = json.loads((written[1] / "report.json").read_text(encoding="utf-8"))
    assert value["schema"] == SCHEMA == 2
    assert len(value["effects"]) == len(written[2].effects)
    for effect in value["effects"]:
        assert effect["estimate"] == round(effect["estimate"], 6)
        assert effect["resampled"]
    text = json.dumps(value)
    assert "NaN" not in text
    assert "Infinity" not in text


def test_csv_tables_hold_every_score_and_effect(written: tuple[PlantedStudy, Path, Findings]) -> None:
    with (written[1] / "tables" / "all-effects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(written[2].effects)
    assert float(rows[0]["estimate"]) == pytest.approx(written[2].effects[0].estimate, abs=1e-6)


def test_partial_report_says_so(written: tuple[PlantedStudy, Path, Findings], tmp_path: Path) -> None:
    study = written[0]
    kept = {name: place for name, place in study.folders.items() if "panx" not in name}
    write(PlantedStudy(study.cells, kept, study.languages), tmp_path / "partial")
    text = (tmp_path / "partial" / "report.html").read_text(encoding="utf-8")
    assert "Unfinished study: 54 of 108 cells have predictions" in text


def test_empty_report_is_written_too(written: tuple[PlantedStudy, Path, Findings], tmp_path: Path) -> None:
    study = written[0]
    write(PlantedStudy(study.cells, {}, study.languages), tmp_path / "empty")
    assert "Nothing is finished yet." in (tmp_path / "empty" / "report.html").read_text(encoding="utf-8")


def test_report_stage_needs_identity_and_inputs_only(
    written: tuple[PlantedStudy, Path, Findings], tmp_path: Path
) -> None:
    study = written[0]
    roles = {name: f"predict.{index}" for index, name in enumerate(study.folders)}
    identity = {
        "recipe": "planted",
        "title": "A planted study",
        "synthetic": True,
        "statistics": {"resamples": 200, "seed": 0, "confidence": 0.9},
        "cells": [{**labels, "predict": roles[labels["predict"]]} for labels in study.labels],
        "languages": study.languages,
    }
    pretrained = tmp_path / "pretrain"
    pretrained.mkdir()
    losses = {"heldout": {"mlm": 5.0, "unigram": 5.0, "shuffled": 5.0}}
    (pretrained / "pretraining.json").write_text(json.dumps(losses), encoding="utf-8")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    inputs = {roles[name]: folder for name, folder in study.folders.items()}
    result = execute(
        StageContext(
            stage=Stage(kind="report", version=1, identity=identity, inputs=dict.fromkeys(inputs, "k")),
            inputs={**inputs, "pretrain.tiny-1": pretrained},
            scratch=scratch,
            log=lambda _: None,
            settings={},
        )
    )
    assert result["cells"] == len(study.cells)
    assert result["missing"] == 0
    assert "backbone uses no context" in result["cautions"]
    assert result["summary"][0].startswith("An English intermediate task helps")
    assert json.loads((scratch / "report.json").read_text(encoding="utf-8"))["settings"]["level"] == 0.9
