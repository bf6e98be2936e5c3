"""Files in other layouts, described by the user."""

from __future__ import annotations

import bz2
from collections import Counter
from pathlib import Path

import pytest

from adapterxfer.data.check import check_folder
from adapterxfer.data.files import list_files
from adapterxfer.data.layouts import layout_files, layout_languages, parse_layouts, read_layout
from adapterxfer.errors import DataError


def only(content: object, task: str, role: str = "dev"):
    return parse_layouts(content, "layouts.yaml")[task][role]


def test_csv_with_other_column_names_and_labels(tmp_path: Path):
    layout = only({"mnli": {"dev": {
        "path": "some/*.csv", "layout": "csv", "columns": {"text": "a", "text_pair": "b", "label": "gold"},
        "labels": {"yes": "entailment", "no": "contradiction"},
    }}}, "mnli")  # fmt: skip
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "x.csv.bz2").write_bytes(bz2.compress(b'a,b,gold\n"x, y",z,yes\nq,r,neutral\n'))
    paths = layout_files(layout, tmp_path, "en")
    assert paths == ["some/x.csv.bz2"]
    found = read_layout(layout, "mnli", [tmp_path / paths[0]], "en", Counter())
    assert [(e.text, e.text_pair, e.label) for e in found] == [("x, y", "z", "entailment"), ("q", "r", "neutral")]


def test_records_of_lines_and_columns_by_number(tmp_path: Path):
    layout = only({"hellaswag": {"dev": {
        "path": "t.txt", "layout": "text", "record": 4, "first_label": 1,
        "columns": {"context": 0, "label": 1, "choices": [2, 3]},
    }}}, "hellaswag")  # fmt: skip
    (tmp_path / "t.txt").write_text("one\n2\na\nb\ntwo\n1\nc\nd\n")
    found = read_layout(layout, "hellaswag", [tmp_path / "t.txt"], "en", Counter())
    assert [(e.context, e.choices[e.label]) for e in found] == [("one", "b"), ("two", "c")]
    (tmp_path / "t.txt").write_text("one\n2\na\nb\ntwo\n")
    with pytest.raises(DataError, match="no records of 4"):
        read_layout(layout, "hellaswag", [tmp_path / "t.txt"], "en", Counter())


def test_lists_of_a_recipe_mean_what_those_of_a_file_mean(tmp_path: Path):
    """A recipe keeps its lists as tuples, so that nobody changes them."""
    described = {"path": "c.jsonl", "layout": "jsonl", "columns": {
        "context": "premise", "question": "question", "choices": ("choice1", "choice2"), "label": "label",
    }, "labels": ("first", "second")}  # fmt: skip
    layout = only({"xcopa": {"train": described}}, "xcopa", "train")
    record = '{"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": "second"}'
    (tmp_path / "c.jsonl").write_text(record + "\n")
    (example,) = read_layout(layout, "xcopa", [tmp_path / "c.jsonl"], "en", Counter())
    assert (example.context, example.choices, example.label) == ("p", ("a", "b"), 1)


def test_tsv_without_header_in_several_languages(tmp_path: Path):
    layout = only({"xnli": {"test": {
        "path": "{lang}.tsv", "layout": "tsv", "header": False, "columns": {"text": 0, "text_pair": 1, "label": 2},
    }}}, "xnli", "test")  # fmt: skip
    (tmp_path / "sw.tsv").write_text("a\tb\tneutral\nc\td\tentailment\n")
    (part,) = [
        part for check in check_folder(tmp_path, ["xnli"], layouts={"xnli": {"test": layout}})
        for part in check.parts if part.state == "found"
    ]  # fmt: skip
    assert (part.role, part.language, part.examples) == ("test", "sw", 2)
    (tmp_path / "sw.tsv").write_text("a\tneutral\tb\nc\tneutral\td\n")
    with pytest.raises(DataError, match=r"sw\.tsv:1: label 'b'"):
        read_layout(layout, "xnli", [tmp_path / "sw.tsv"], "sw", Counter())


def test_a_word_per_line(tmp_path: Path):
    layout = only({"panx": {"test": {
        "path": "{lang}.tsv", "layout": "tsv", "record": 0, "columns": {"words": 0, "tags": 1},
    }}}, "panx", "test")  # fmt: skip
    (tmp_path / "de.tsv").write_text("Ulm\tB-LOC\nist\tO\n\nda\tO\n")
    found = read_layout(layout, "panx", [tmp_path / "de.tsv"], "de", Counter())
    assert [(e.words, e.tags) for e in found] == [(("Ulm", "ist"), ("B-LOC", "O")), (("da",), ("O",))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"nothing": {}}, "no task 'nothing'"),
        ({"mnli": {"later": {}}}, "not a role"),
        ({"mnli": {"dev": {"path": "x", "layout": "xml"}}}, "layout"),
        ({"mnli": {"dev": {"path": "x", "layout": "csv", "columns": {"text": "a"}}}}, "column of 'label'"),
        ({"mnli": {"dev": {"path": "x", "layout": "csv", "columns": {"text": 1, "label": 2, "tags": 3}}}}, "no field"),
        ({"mnli": {"dev": {"path": "x", "layout": "csv", "colums": {}}}}, "unknown key"),
    ],
)
def test_mistakes_name_their_place(content, message):
    with pytest.raises(DataError, match=message):
        parse_layouts(content, "layouts.yaml")


NLI_COLUMNS = {"text": "premise", "text_pair": "hypothesis", "label": "label"}


def linked_root(root: Path, elsewhere: Path) -> None:
    """A data root of links: to a folder elsewhere, from there to a third, and two loops."""
    (elsewhere / "nli").mkdir(parents=True)
    (elsewhere / "third").mkdir()
    (elsewhere / "nli" / "mnli_dev.csv").write_text("premise,hypothesis,label\na,b,neutral\nc,d,entailment\n")
    (elsewhere / "third" / "dev-de.tsv").write_text("a\tb\tneutral\nc\td\tentailment\n")
    (elsewhere / "third" / "dev-gsw.tsv").write_text("a\tb\tneutral\nc\td\tentailment\n")
    (elsewhere / "nli" / "xnli").symlink_to(elsewhere / "third")
    (elsewhere / "nli" / "loop").symlink_to(elsewhere / "nli")
    root.mkdir()
    (root / "data").symlink_to(elsewhere / "nli")
    (root / "up").symlink_to(root)


@pytest.mark.parametrize("path", ["**/mnli_dev.csv", "**/*.csv", "data/**/mnli_*.csv", "./**/mnli_dev.csv*"])
def test_patterns_follow_links_to_folders_as_official_names_do(tmp_path: Path, path: str):
    root = tmp_path / "root"
    linked_root(root, tmp_path / "elsewhere")
    layout = only({"mnli": {"dev": {"path": path, "layout": "csv", "columns": NLI_COLUMNS}}}, "mnli")
    assert layout_files(layout, root, "en") == ["data/mnli_dev.csv"]
    assert layout_files(layout, root, "en") == [name for name in list_files(root) if name.endswith(".csv")]


@pytest.mark.parametrize("path", ["**/xnli/dev-{lang}.tsv", "**/dev-{lang}.tsv", "data/**/dev-{lang}.tsv"])
def test_languages_behind_links_are_found(tmp_path: Path, path: str):
    root = tmp_path / "root"
    linked_root(root, tmp_path / "elsewhere")
    block = {"path": path, "layout": "tsv", "header": False, "columns": {"text": 0, "text_pair": 1, "label": 2}}
    layout = only({"xnli": {"test": block}}, "xnli", "test")
    assert layout_files(layout, root, "de") == ["data/xnli/dev-de.tsv"]
    assert layout_languages(layout, root) == ["de", "gsw"]
    (root / "dev-sw.tsv").write_text("a\tb\tneutral\nc\td\tentailment\n")
    assert layout_languages(layout, root) == (["de", "gsw", "sw"] if path == "**/dev-{lang}.tsv" else ["de", "gsw"])


def test_a_file_behind_two_links_is_read_once(tmp_path: Path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (elsewhere / "nli").mkdir(parents=True)
    (elsewhere / "nli" / "mnli_dev.csv").write_text("premise,hypothesis,label\na,b,neutral\n")
    (root / "z").mkdir(parents=True)
    (root / "z" / "nli").symlink_to(elsewhere / "nli")
    layout = only({"mnli": {"dev": {"path": "**/nli/*.csv", "layout": "csv", "columns": NLI_COLUMNS}}}, "mnli")
    assert layout_files(layout, root, "en") == ["z/nli/mnli_dev.csv"]
    (root / "a").symlink_to(elsewhere)
    assert layout_files(layout, root, "en") == ["z/nli/mnli_dev.csv"]
