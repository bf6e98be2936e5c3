"""Repeated items, items of the training data in the test, and parallel languages, as `data check` prints them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.catalog import ClusterRule, data_sets
from adapterxfer.cli.main import main
from adapterxfer.data.check import TaskCheck, check_folder
from adapterxfer.data.examples import ChoiceExample, Example, PairExample, SpanExample, TaggingExample
from adapterxfer.data.layouts import parse_layouts
from adapterxfer.data.readers import load_function, reader_of
from adapterxfer.data.repeats import as_sampled, content_of, item_of, joined_clusters, parallel_by, repeated
from adapterxfer.data.tagged import read_masakhapos, read_panx, read_udpos
from adapterxfer.errors import DataError
from adapterxfer.report.score_files import read_scores


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
    trained = "\n".join(f"{n}\tp{n}\th{n}\t{labels[n % 3]}" for n in range(30))
    for name in ("train", "dev_matched"):
        put(tmp_path, f"MNLI/{name}.tsv", f"index\tsentence1\tsentence2\tgold_label\n{trained}\n")
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


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=25))
def test_clusters_that_hold_equal_items_are_joined(rows: list[tuple[int, int]]) -> None:
    """Two rows are together exactly if a chain of equal clusters and equal items leads from one to the other."""
    clusters, items = [f"c{cluster}" for cluster, _ in rows], [item for _, item in rows]
    joined = joined_clusters(clusters, items)
    reach = [{number} for number in range(len(rows))]
    for _ in rows:
        for a, one in enumerate(rows):
            for b, other in enumerate(rows):
                if one[0] == other[0] or one[1] == other[1]:
                    reach[a] = reach[b] = reach[a] | reach[b]
    for a in range(len(rows)):
        for b in range(len(rows)):
            assert (joined[a] == joined[b]) == (b in reach[a])
        assert joined[a] == clusters[min(reach[a])], "named after the first row"


@pytest.mark.parametrize("name", sorted(data_sets()))
def test_readers_give_joined_clusters_and_stages_the_sampled_ones(name: str) -> None:
    """Users take clusters from readers to tables of scores; what is stored keeps the bytes that it had."""
    data = data_sets()[name]
    for split in data.files:
        public = load_function(data.reader_of(split))
        assert as_sampled(public) is not public, "decorate it with equal_together, outermost"
        assert reader_of(data, split) is as_sampled(public)


@pytest.mark.parametrize(
    ("read", "name", "content"),
    [
        (read_panx, "test-de.tsv", columns("a b", "c", "a b", "c")),
        (read_udpos, "de-ud-test.conllu", "".join(
            f"# sent_id = s{n}\n1\t{word}\t_\tNOUN" + "\t_" * 6 + "\n\n" for n, word in enumerate("acac"))),
        (read_masakhapos, "test.txt", "".join(f"{word} NOUN\n\n" for word in "acac")),
    ],
)  # fmt: skip
def test_equal_sentences_are_one_cluster_of_a_reader(tmp_path: Path, read: Any, name: str, content: str) -> None:
    put(tmp_path, name, content)
    examples = read([tmp_path / name], "de", Counter())
    ids = [example.example_id for example in examples]
    assert [example.cluster_id for example in examples] == [ids[0], ids[1], ids[0], ids[1]]
    assert [example.cluster_id for example in as_sampled(read)([tmp_path / name], "de", Counter())] == ids


def test_a_table_of_scores_with_texts(tmp_path: Path) -> None:
    """Equal texts of a language are one cluster, whatever the table says of clusters; of two languages they are two."""
    lines = ["target,language,example,cluster,text,variant,score"]
    for variant in ("a", "b"):
        for code in ("de", "fr"):
            lines += [f"panx,{code},{n},{code}{n},{text},{variant},{(n + len(variant)) % 2}"
                      for n, text in enumerate(["x y", "z", "x y", "", "", "z"])]  # fmt: skip
    put(tmp_path, "scores.csv", "\n".join(lines) + "\n")
    frame = read_scores(tmp_path / "scores.csv").target("panx").frame
    assert frame.cluster.tolist() == [
        "de0",
        "de1",
        "de0",
        "de3",
        "de4",
        "de1",
        "fr0",
        "fr1",
        "fr0",
        "fr3",
        "fr4",
        "fr1",
    ]
    put(tmp_path, "scores.csv", "\n".join(lines).replace("panx,fr,5,fr5,z,b", "panx,fr,5,fr5,zz,b") + "\n")
    with pytest.raises(DataError, match="the text of example '5' in fr is 'zz'"):
        read_scores(tmp_path / "scores.csv")
