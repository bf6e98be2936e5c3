"""Every shape in which tables hold answers, lists and labels is read as it is meant, or refused by its line."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.catalog.labels import NER, NLI
from adapterxfer.data.check import check_folder
from adapterxfer.data.layouts import parse_layouts, read_layout
from adapterxfer.data.sources import describe_layouts
from adapterxfer.errors import DataError

QA = {"id": "id", "context": "context", "question": "question", "answers": "answer"}
SIGNS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))


def read(folder: Path, task: str, content: str, name: str = "x.csv", role: str = "train", **layout: Any) -> list[Any]:
    """Examples of one file; also what `data check` says must be the same."""
    (folder / name).write_text(content, encoding="utf-8", newline="")
    described = parse_layouts({task: {role: {"path": name, **layout}}}, "layouts.yaml")[task]
    return read_layout(described[role], task, [folder / name], "en", Counter())


def table(*rows: list[str], delimiter: str = ",") -> str:
    """A quoted table."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.text(SIGNS, max_size=12), st.text(SIGNS, min_size=1, max_size=12).filter(str.strip), st.text(SIGNS, max_size=12),
    st.sampled_from(["csv", "quoted", "jsonl", "list", "json list", "object", "objects", "python list", "nested"]),
    st.booleans(),
)  # fmt: skip
def test_an_answer_is_whole_in_every_shape(
    tmp_path_factory: pytest.TempPathFactory, before: str, answer: str, after: str, shape: str, starts: bool
) -> None:
    context = before + answer + after
    start = len(before)
    folder = tmp_path_factory.mktemp("qa")
    cells: dict[str, Any] = {
        "list": [answer],
        "json list": json.dumps([answer]),
        "python list": repr([answer]),
        "object": {"text": [answer], "answer_start": [start]},
        "objects": [{"text": answer, "answer_start": start}],
        "nested": {"text": [answer], "answer_start": [start]},
    }
    cell = cells.get(shape, answer)
    columns = {**QA, **({"answer_starts": "start"} if starts else {})}
    if shape == "nested":
        columns |= {"answers": "answer.text", "answer_starts": "answer.answer_start"}
    if shape in ("csv", "quoted", "json list", "python list"):
        sign = "\t" if shape == "quoted" else ","
        content = table(["id", "context", "question", "answer", "start"], ["q", context, "?", cell, str(start)],
                        delimiter=sign)  # fmt: skip
        kind: dict[str, Any] = {"layout": "tsv", "quoted": True} if shape == "quoted" else {"layout": "csv"}
    else:
        content = json.dumps({"id": "q", "context": context, "question": "?", "answer": cell, "start": start}) + "\n"
        kind = {"layout": "jsonl"}
    if isinstance(cell, str) and cell != answer and cell in context:
        return
    (example,) = read(folder, "squad-v1", content, columns=columns, **kind)
    assert example.answers == (answer,)
    (found,) = example.answer_starts
    assert context[found : found + len(answer)] == answer
    if starts or shape in ("object", "objects", "nested"):
        assert found == start


def test_the_key_of_an_object_is_no_answer(tmp_path: Path) -> None:
    row = {"context": "A text in Porto", "question": "?", "answer": {"text": ["Porto"], "answer_start": [10]}}
    columns = {"context": "context", "question": "question", "answers": "answer"}
    (example,) = read(tmp_path, "squad-v1", json.dumps(row), layout="jsonl", columns=columns)
    assert (example.answers, example.answer_starts) == (("Porto",), (10,))


@pytest.mark.parametrize(
    ("answer", "start", "message"),
    [
        ({"texts": ["a"]}, 0, "answers are"),
        ({"text": ["a", "b"], "answer_start": [0]}, None, "2 answers and 1 starts"),
        (["a", "b"], [0], "2 answers and 1 starts"),
        ("a", "far", "'far' is no start"),
        ("a", 1.5, "1.5 is no start"),
        ([["a"], {"x": 1}], None, "answers are"),
        (True, None, "answers are True"),
        (1.5, None, "answers are 1.5"),
        ("['a' 'b']", None, "neither in the context nor a list"),
        ("{'text': array(['a'])}", None, "neither in the context nor a list"),
    ],
)
def test_other_answers_are_refused_by_their_line(tmp_path: Path, answer: object, start: object, message: str) -> None:
    row = {"context": "a b", "question": "?", "answer": answer, "start": start}
    columns = {"context": "context", "question": "question", "answers": "answer"}
    columns |= {"answer_starts": "start"} if start is not None else {}
    with pytest.raises(DataError, match=rf"x\.csv:2: .*{message}"):
        read(tmp_path, "squad-v1", "\n" + json.dumps(row), layout="jsonl", columns=columns)


def test_an_answer_may_begin_with_a_bracket(tmp_path: Path) -> None:
    content = table(["context", "question", "answer"], ["He wrote [sic] there", "?", "[sic]"], ["1 [2]", "?", "[2]"])
    columns = {"context": "context", "question": "question", "answers": "answer"}
    assert [e.answers for e in read(tmp_path, "squad-v1", content, layout="csv", columns=columns)] == [
        ("[sic]",), ("[2]",),
    ]  # fmt: skip


def test_several_answers_in_a_cell_need_a_declared_separator(tmp_path: Path) -> None:
    content = table(["context", "question", "answer"], ["New York City, NYC", "?", "New York|NYC"])
    columns = {"context": "context", "question": "question", "answers": "answer"}
    (example,) = read(tmp_path, "squad-v1", content, layout="csv", columns=columns, separator="|")
    assert example.answers == ("New York", "NYC")


def test_unanswerable_questions_stay_where_they_belong_to_the_task(tmp_path: Path) -> None:
    rows = [{"c": "a b", "q": "?", "a": {"text": [], "answer_start": []}}, {"c": "a b", "q": "!", "a": ["b"]}]
    content = "\n".join(map(json.dumps, rows))
    columns = {"context": "c", "question": "q", "answers": "a"}
    assert [e.answers for e in read(tmp_path, "squad-v2", content, layout="jsonl", columns=columns)] == [(), ("b",)]
    assert [e.answers for e in read(tmp_path, "squad-v1", content, layout="jsonl", columns=columns)] == [("b",)]


TAGGED = [["Mara", "left", "Ulm"], ["B-PER", "O", "B-LOC"]]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.text("abcÄß[]'\"", min_size=1, max_size=5), st.sampled_from(NER)), min_size=1, max_size=6),
    st.sampled_from(["jsonl", "numbers", "list of names", "cells", "json cells", "column", "blanks", "bars"]),
)
def test_tags_are_mapped_in_every_layout(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], shape: str
) -> None:
    words, tags = [word for word, _ in pairs], [tag for _, tag in pairs]
    raw = [f"x{tag}" for tag in tags]
    labels: Any = {f"x{name}": name for name in NER}
    folder, columns = tmp_path_factory.mktemp("tags"), {"words": "w", "tags": "t"}
    if shape in ("numbers", "list of names"):
        numbers = [NER.index(tag) for tag in tags]
        content, kind = json.dumps({"w": words, "t": numbers}), {"layout": "jsonl"}
        labels = list(NER) if shape == "list of names" else dict(enumerate(NER))
    elif shape == "jsonl":
        content, kind = json.dumps({"w": words, "t": raw}), {"layout": "jsonl"}
    elif shape == "json cells":
        content, kind = table(["w", "t"], [json.dumps(words), json.dumps(raw)]), {"layout": "csv"}
    elif shape in ("cells", "bars"):
        sign = "|" if shape == "bars" else " "
        content, kind = table(["w", "t"], [sign.join(words), sign.join(raw)]), {"layout": "csv"}
        if shape == "bars":
            kind["separator"] = "|"
        if "".join(words)[:1] == "[":
            return  # a list of JSON, or Python's, may be meant
    else:
        sign = " " if shape == "blanks" else "\t"
        content = "\n".join(f"{word}{sign}_{sign}{tag}" for word, tag in zip(words, raw, strict=True)) + "\n\n"
        kind = {"layout": "text" if shape == "blanks" else "tsv", "record": 0}  # type: ignore[dict-item]
        columns = {"words": 0, "tags": 2}  # type: ignore[dict-item]
    (example,) = read(folder, "panx", content, labels=labels, columns=columns, **kind)
    assert (example.words, example.tags) == (tuple(words), tuple(tags))


def test_breaks_between_documents_are_no_sentences(tmp_path: Path) -> None:
    content = "-DOCSTART- -X- -X- O\n\nMara NNP B-NP B-PER\nleft VBD B-VP O\n"
    layout = {"layout": "text", "record": 0, "columns": {"words": 0, "tags": 3}}
    (example,) = read(tmp_path, "panx", content, **layout)
    assert example.tags == ("B-PER", "O")
    assert read(tmp_path, "panx", content, **layout | {"layout": "tsv", "separator": " "})[0] == example


@pytest.mark.parametrize("labels", [{0: "entailment", 1: "neutral", 2: "contradiction"}, list(NLI)])
def test_labels_as_mapping_and_as_list(tmp_path: Path, labels: object) -> None:
    content = "p,h,l\na,b,0\na,c,2\n"
    columns = {"text": "p", "text_pair": "h", "label": "l"}
    found = read(tmp_path, "mnli", content, layout="csv", columns=columns, labels=labels)
    assert [e.label for e in found] == ["entailment", "contradiction"]


def test_a_mapped_label_is_gold_whatever_it_looks_like(tmp_path: Path) -> None:
    columns = {"text": "p", "text_pair": "h", "label": "l"}
    labels = {-1: "contradiction", 0: "neutral", 1: "entailment"}
    found = read(tmp_path, "mnli", "p,h,l\na,b,-1\na,c,1\n", layout="csv", columns=columns, labels=labels)
    assert [e.label for e in found] == ["contradiction", "entailment"]


@pytest.mark.parametrize("labels", [{"A": 0, "B": 1}, ["A", "B"]])
def test_labels_of_choices(tmp_path: Path, labels: object) -> None:
    columns = {"context": "c", "choices": ["x", "y"], "label": "l"}
    rows = "c,x,y,l\none,a,b,B\ntwo,d,e,A\n"
    found = read(tmp_path, "hellaswag", rows, layout="csv", columns=columns, labels=labels)
    assert [e.label for e in found] == [1, 0]
    with pytest.raises(DataError, match=r"x\.csv:2: label 'B' means choice 5 of 2"):
        read(tmp_path, "hellaswag", rows, layout="csv", columns=columns, labels={"A": 0, "B": 5})
    with pytest.raises(DataError, match=r"x\.csv:2: choices is the text 'a', no list"):
        read(tmp_path, "hellaswag", rows, layout="csv", columns={**columns, "choices": "x"}, labels=labels)


@pytest.mark.parametrize("cell", [["a", "b"], {"a": 1}])
@pytest.mark.parametrize("field", ["p", "h", "l", "i"])
def test_lists_in_cells_of_text_are_refused(tmp_path: Path, cell: object, field: str) -> None:
    row = {"p": "a", "h": "b", "l": "neutral", "i": "1", field: cell}
    columns = {"text": "p", "text_pair": "h", "label": "l", "id": "i"}
    with pytest.raises(DataError, match=r"x\.csv:1: "):
        read(tmp_path, "mnli", json.dumps(row), layout="jsonl", columns=columns)


PAIR = {"text": "a", "label": "l"}


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"path": "/data/x.csv"}, "not below the data root"),
        ({"path": ""}, "not below the data root"),
        ({"path": "../x.csv"}, "not below the data root"),
        ({"path": "{language}.csv"}, "braces hold"),
        ({"path": "{a,b}.csv"}, "braces hold"),
        ({"path": "{}.csv"}, "braces hold"),
        ({"path": "{lang.csv"}, "braces hold"),
        ({"path": "a**/x.csv"}, "whole folder name"),
        ({"path": "a/**"}, "whole folder name"),
        ({"labels": "entailment"}, "labels are 'entailment'"),
        ({"labels": {"a": ["neutral"]}}, "label 'a' means"),
        ({"labels": ["yes", "no"]}, "no label 'yes'"),
        ({"separator": "|"}, "'separator' would change nothing"),
        ({"first_label": 1}, "'first_label' would change nothing"),
        ({"header": "no"}, "header is 'no'"),
        ({"record": 2}, "'record' means nothing for layout csv"),
        ({"layout": "tsv", "record": "two"}, "record is 'two'"),
        ({"layout": "text", "record": 0}, "word per line, for tags"),
        ({"layout": "text", "record": -1}, "record is -1"),
        ({"layout": "tsv", "delimiter": ";"}, "'delimiter' would change nothing"),
        ({"delimiter": ";;"}, "give one sign|delimiter is ';;'"),
        ({"layout": "squad", "columns": PAIR}, "'columns' means nothing for layout squad"),
        ({"columns": {"text": ["a", "b"], "label": "l"}}, "column of 'text'"),
        ({"columns": {"text": True, "label": "l"}}, "column of 'text'"),
    ],
)
def test_what_could_not_be_read_or_would_be_ignored_is_refused(layout: dict[str, Any], message: str) -> None:
    whole = {"path": "x.csv", "layout": "csv", "columns": PAIR, **layout}
    with pytest.raises(DataError, match=message):
        parse_layouts({"mnli": {"dev": whole}}, "layouts.yaml")


def test_tables_with_other_delimiters_and_without_header(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"text": 0, "text_pair": 1, "label": 2}
    found = read(tmp_path, "mnli", '"a;1";b;neutral\nc;d;entailment\n', layout="csv", delimiter=";", header=False,
                 columns=columns)  # fmt: skip
    assert [(e.text, e.label) for e in found] == [("a;1", "neutral"), ("c", "entailment")]
    quoted = read(tmp_path, "mnli", '"a\t1"\tb\tneutral\nc\td\tentailment\n', layout="tsv", quoted=True, header=False,
                  columns=columns)  # fmt: skip
    assert [e.text for e in quoted] == ["a\t1", "c"]
    with pytest.raises(DataError, match=r"x\.csv:2: 1 fields; expected 3"):
        read(tmp_path, "mnli", "a;b;neutral\nc\n", layout="csv", delimiter=";", header=False, columns=columns)


TREE = "# sent_id = 1\n1\tMara\t_\tPROPN\t_\t_\t0\troot\t_\t_\n\n"
SQUAD = {"data": [{"paragraphs": [{"context": "In Ulm", "qas": [
    {"id": "1", "question": "?", "answers": [{"text": "Ulm", "answer_start": 3}]}]}]}]}  # fmt: skip


def test_official_formats_under_other_names_and_in_other_languages(tmp_path: Path) -> None:
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "tree.xx.conllu.txt").write_text(TREE)
    (tmp_path / "my" / "q-gsw.json").write_text(json.dumps(SQUAD))
    layouts = {
        "udpos": {"test": {"path": "my/tree.{lang}.conllu.txt", "layout": "conllu"}},
        "xquad": {"test": {"path": "my/q-{lang}.json", "layout": "squad"}},
    }
    checks = check_folder(tmp_path, list(layouts), layouts=parse_layouts(layouts, "layouts.yaml"))
    found = {(part.dataset.split()[0], part.language): part.examples for check in checks for part in check.parts
             if part.state == "found"}  # fmt: skip
    assert found == {("udpos", "xx"): 1, ("xquad", "gsw"): 1}
    with pytest.raises(DataError, match="not of format span_qa"):
        parse_layouts({"xquad": {"test": layouts["udpos"]["test"]}}, "layouts.yaml")


@pytest.mark.parametrize(
    "answers", [{"text": ["Ulm"], "answer_start": [3]}, [{"text": "Ulm"}], [{"text": "Ulm", "answer_start": "x"}],
                [{"text": ["Ulm"], "answer_start": 3}], None, ["Ulm"]],
)  # fmt: skip
def test_other_answers_in_a_file_like_squads_are_refused(tmp_path: Path, answers: object) -> None:
    content = json.loads(json.dumps(SQUAD))
    content["data"][0]["paragraphs"][0]["qas"][0]["answers"] = answers
    with pytest.raises(DataError, match=r"x\.json: question '1' has the answers"):
        read(tmp_path, "squad-v1", json.dumps(content), name="x.json", layout="squad")


def test_a_repeated_id_is_refused_before_a_run(tmp_path: Path) -> None:
    (tmp_path / "en_ewt-ud-train.conllu").write_text(TREE * 2)
    (tmp_path / "en_ewt-ud-dev.conllu").write_text(TREE)
    (tmp_path / "fi_tdt-ud-test.conllu").write_text(TREE)
    (check,) = check_folder(tmp_path, ["udpos"])
    (refused,) = [part for part in check.parts if part.state == "refused"]
    assert not check.runnable
    assert refused.message.startswith("en_ewt-ud-train.conllu: ")
    assert "id 'en_ewt-ud-train/1' is used twice" in refused.message


def test_a_task_with_two_files_for_one_is_not_ready(tmp_path: Path) -> None:
    for name in ("en_ewt-ud-train.conllu", "en_ewt-ud-dev.conllu", "fi_tdt-ud-test.conllu", "old/en_ewt-ud-dev.conllu"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TREE)
    (check,) = check_folder(tmp_path, ["udpos"])
    (refused,) = [part for part in check.parts if part.state == "refused"]
    assert "2 files match (en_ewt-ud-dev.conllu, old/en_ewt-ud-dev.conllu)" in refused.message
    assert not check.runnable
    for name in ("en_ewt-ud-dev.conllu", "old/en_ewt-ud-dev.conllu"):
        (tmp_path / name).unlink()
    (check,) = check_folder(tmp_path, ["udpos"])
    assert not check.runnable, "the task is not run without its development set"


def test_one_file_is_not_the_test_of_several_languages(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(SQUAD))
    (tmp_path / "train-v1.1.json").write_text(json.dumps(SQUAD))
    layouts = {"test": {"path": "x.json", "layout": "squad"}}
    describe_layouts("xquad", tmp_path, ["de"], layouts)
    with pytest.raises(DataError, match=r"test: x\.json is one file for 2 languages"):
        describe_layouts("xquad", tmp_path, ["de", "el"], layouts)
