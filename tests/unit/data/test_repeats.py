"""Repeated items, items of the training data in the test, and parallel languages, as `data check` prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterxfer.catalog import ClusterRule
from adapterxfer.cli.main import main
from adapterxfer.data.check import TaskCheck, check_folder
from adapterxfer.data.examples import ChoiceExample, Example, PairExample, SpanExample, TaggingExample
from adapterxfer.data.layouts import parse_layouts
from adapterxfer.data.repeats import content_of, item_of, parallel_by, repeated


def columns(*sentences: str) -> str:
    return "".join("".join(f"{word}\tO\n" for word in text.split()) + "\n" for text in sentences)


def put(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def checked(root: Path, task: str, **options: object) -> TaskCheck:
    return check_folder(root, [task], **options)[0]  # type: ignore[arg-type]


def test_repeats_and_overlap_are_counted_by_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, "panx/train-en.tsv", columns("a b", "c", "a b"))
    put(tmp_path, "panx/test-de.tsv", columns("a b", "d", "d", "d"))
    put(tmp_path, "panx/test-en.tsv", columns("e", "c", "f"))
    parts = {(p.role, p.language): p for p in checked(tmp_path, "panx").parts if p.state == "found"}
    assert {key: (part.repeated, part.in_training) for key, part in parts.items()} == {
        ("train", "en"): (1, 0), ("test", "de"): (2, 1), ("test", "en"): (0, 1),
    }  # fmt: skip
    assert main(["data", "check", "--data-root", str(tmp_path), "--task", "panx"]) == 0
    printed = capsys.readouterr().out
    assert "panx: panx test de: 2 of 4 examples (50.0 %) repeat another one" in printed
    assert "panx: panx test en: 1 of 3 examples (33.3 %) are in the training data" in printed
    assert "parallel" not in printed


def test_a_parallel_layout_says_by_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ("entailment", "neutral", "contradiction")
    for code in ("de", "fr"):
        rows = "".join(f"p{i // 3},h{i},{labels[i % 3]}\n" for i in range(30))
        put(tmp_path, f"mine-{code}.csv", "premise,hypothesis,label\n" + rows)
    test = {
        "path": "mine-{lang}.csv", "layout": "csv",
        "columns": {"text": "premise", "text_pair": "hypothesis", "label": "label"},
    }  # fmt: skip
    layouts = parse_layouts({"xnli": {"test": test}}, "layouts")
    assert checked(tmp_path, "xnli", layouts=layouts).parallel_by == "rows"
    put(tmp_path, "mine-fr.csv", (tmp_path / "mine-fr.csv").read_text().replace("h0,entailment", "h0,neutral"))
    assert checked(tmp_path, "xnli", layouts=layouts).parallel_by == ""
    put(tmp_path, "layouts.yaml", "xnli: {test: {path: 'mine-{lang}.csv', layout: csv, columns: {text: premise, "
        "text_pair: hypothesis, label: label}}}\n")  # fmt: skip
    put(tmp_path, "mine-fr.csv", (tmp_path / "mine-de.csv").read_text())
    arguments = ["data", "check", "--data-root", str(tmp_path), "--task", "xnli"]
    assert main([*arguments, "--layouts", str(tmp_path / "layouts.yaml")]) == 0
    assert "xnli: test languages are parallel by rows: they are resampled together" in capsys.readouterr().out


def test_what_tells_items_of_languages_apart() -> None:
    def pairs(code: str, names: str) -> list[Example]:
        return [PairExample(f"{names}{i}", "c", code, f"{code} {i}", None, "ab"[i % 2]) for i in range(4)]

    ids, rows = {"de": pairs("de", "x"), "fr": pairs("fr", "x")}, {"de": pairs("de", "d"), "fr": pairs("fr", "f")}
    parallel, form = ClusterRule(unit="text", parallel=True), "sequence_classification"
    assert parallel_by(ids, parallel, form) == "ids"
    assert parallel_by(rows, parallel, form) == "rows"
    assert parallel_by({**rows, "fr": rows["fr"][::-1]}, parallel, form) == ""
    assert parallel_by({**rows, "fr": rows["fr"][:3]}, parallel, form) == ""
    assert parallel_by(ids, ClusterRule(unit="text"), form) == ""
    assert parallel_by(ids, ClusterRule(unit="text", same_items="rows"), form) == "rows"
    assert parallel_by(rows, ClusterRule(unit="text", same_items="ids"), form) == ""
    assert parallel_by({"de": rows["de"]}, parallel, form) == ""


def test_one_premise_with_three_hypotheses_is_no_repeat() -> None:
    examples = [PairExample(str(i), "0", "en", "premise", f"hypothesis {i}", "neutral") for i in range(3)]
    assert repeated(examples) == 0
    assert repeated([*examples, examples[0]]) == 1
    assert len({content_of(example) for example in examples}) == 1
    span = SpanExample(
        example_id="a",
        cluster_id="0",
        language="en",
        question="q",
        context="context",
        answers=("c",),
        answer_starts=(0,),
    )
    choice = ChoiceExample(
        example_id="b", cluster_id="0", language="en", context="", question="what?", choices=("x", "y"), label=0
    )
    tagged = TaggingExample("c", "0", "en", ("a", "b"), ("O", "O"))
    assert [item_of(e) for e in (span, choice, tagged)] == ["context\nq", "\nwhat?\nx\ny", "a b"]
    assert [content_of(e) for e in (span, choice, tagged)] == ["context", "what?\nx\ny", "a b"]
