"""Counts of tokenized texts in the report: by tokenizer, target and language; old results say that there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from planted_study import PlantedStudy, plant

from adapterxfer.report.content import Findings
from adapterxfer.report.inputs import NOT_RECORDED, InputRow, input_table, unmarked
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.writing import write_report

COUNTS = {"texts": 40, "words": 100, "characters": 500, "pieces": 150, "unknown": 3, "cut": 2, "composed": 0}


def record(**changes: Any) -> dict[str, Any]:
    counts = {**COUNTS, **changes}
    return {"max_length": 128, "tokenizer": "t", "marks_words": True, "languages": {"en": counts, "de": {**COUNTS}}}


def report_of(planted: PlantedStudy, folder: Path) -> Findings:
    results = Results.from_folders(planted.cells, planted.folders, languages=planted.languages)
    return write_report(results, folder, settings=ReportSettings(recipe="planted", resamples=200))


@pytest.fixture
def small(tmp_path: Path) -> PlantedStudy:
    sizes = {"tiny-1": (200_000, 60_000), "tiny-2": (400_000, 160_000), "tiny-3": (800_000, 400_000)}
    return plant(tmp_path, lambda *_: 12.0, examples=40, targets=("xnli",), sizes=sizes, intermediates=("none", "nli"))


def tell(monkeypatch: pytest.MonkeyPatch, of_backbone: dict[str, dict[str, Any]]) -> None:
    """Give predictions the results that their stages would have."""

    def result(folder: Path) -> dict[str, Any]:
        return next(({"inputs": told} for name, told in of_backbone.items() if f"{name}-" in folder.name), {})

    monkeypatch.setattr("adapterxfer.report.input_counts.stage_result", result)


def test_equal_tokenizers_share_rows(small: PlantedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = {**record(), "tokenizer": "the same in another file"}
    tell(monkeypatch, {"tiny-1": record(), "tiny-2": same, "tiny-3": record(pieces=300, composed=10)})
    findings = report_of(small, tmp_path / "report")
    assert [(row.backbones, row.language) for row in findings.inputs] == [
        (("tiny-1", "tiny-2"), "en"), (("tiny-1", "tiny-2"), "de"), (("tiny-3",), "en"), (("tiny-3",), "de"),
    ]  # fmt: skip
    first, _, other, _ = findings.inputs
    assert (first.pieces_per_word, first.pieces_per_character, first.unknown, first.cut) == (1.5, 0.3, 0.02, 0.05)
    assert (other.pieces_per_word, other.composed, first.texts, first.max_length) == (3.0, 0.25, 40, 128)
    told = json.loads((tmp_path / "report" / "report.json").read_text())["inputs"]
    assert told[2]["pieces_per_word"] == 3.0
    table = (tmp_path / "report" / "tables" / "inputs.csv").read_text().splitlines()
    assert table[0].endswith("pieces per character,unknown pieces,cut texts,composed texts")
    assert table[1] == 'xnli,"tiny-1, tiny-2",en,40,1.50,0.30,2.0%,5.0%,0.0%'
    full = (tmp_path / "report" / "tables" / "all-inputs.csv").read_text().splitlines()
    assert full[1] == "xnli,tiny-1 | tiny-2,en,40,128,1.5,0.3,0.02,0.05,0,"
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Texts as the tokenizer reads them" in page
    assert "Texts as the tokenizer reads them" in (tmp_path / "report" / "report.md").read_text()


def test_older_predictions_say_so(small: PlantedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {"tiny-1": record()})
    findings = report_of(small, tmp_path / "report")
    assert [row.language for row in findings.inputs] == ["en", "de", NOT_RECORDED]
    assert findings.inputs[2].backbones == ("tiny-2", "tiny-3")
    assert "not recorded" in (tmp_path / "report" / "report.html").read_text()


def test_words_without_their_mark_are_a_caution(
    small: PlantedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(monkeypatch, {"tiny-1": record(marked=99), "tiny-2": record(marked=98), "tiny-3": record(marked=4)})
    findings = report_of(small, tmp_path / "report")
    (caution,) = [caution for caution in findings.cautions if caution.check == "word starts"]
    assert "xnli on tiny-2 (from 98%)" in caution.text
    assert "xnli on tiny-3 (from 4%)" in caution.text
    assert "tiny-1" not in caution.text
    for file in ("report.html", "report.md"):
        assert "begin with the mark of a word" in (tmp_path / "report" / file).read_text()


def test_vocabularies_without_marks_need_none() -> None:
    rows = [InputRow(target="udpos", backbones=("b",), language="en", texts=1)]
    assert unmarked(rows) == []
    labels = [column.label for column in input_table(rows).columns]
    assert labels == ["target", "language", "texts", "pieces per word", "pieces per character"]


def test_what_is_the_same_everywhere_stands_in_the_note() -> None:
    row = InputRow(target="udpos", backbones=("b",), language="en", texts=1, max_length=64, unknown=0.0, cut=0.0)
    note = input_table([row]).note
    assert "In all rows no piece is unknown and no text is cut. The longest input has 64 tokens." in note
    longer = InputRow(target="udpos", backbones=("c",), language="en", texts=1, max_length=96, unknown=0.0, cut=0.5)
    table = input_table([row, longer])
    assert [column.label for column in table.columns][-2:] == ["cut texts", "longest input"]
    assert "In all rows no piece is unknown." in table.note
    assert "Not recorded" not in table.note


def test_equal_studies_give_equal_reports(small: PlantedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {"tiny-1": record(), "tiny-2": record(), "tiny-3": record(pieces=300)})
    for name in ("one", "two"):
        report_of(small, tmp_path / name)
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes(), path
