"""Readers of original files: CoNLL-U, SQuAD's JSON, their location, hashes and choice of examples."""

from __future__ import annotations

import bz2
import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterxfer.catalog.labels import UPOS
from adapterxfer.data.conllu import read_conllu
from adapterxfer.data.files import HashCache, list_files, open_text, plain_name
from adapterxfer.data.held_out import carve, keep
from adapterxfer.data.original import read_original
from adapterxfer.data.sources import check_source, describe_source, describe_sources, locate
from adapterxfer.data.squad import gold_sentence, locate_answer, read_squad
from adapterxfer.data.storage import check_task
from adapterxfer.errors import DataError

CONLLU = """\
# newdoc id = d
# sent_id = one
# text = Im Haus
1-2\tIm\t_\t_\t_\t_\t_\t_\t_\t_
1\tIn\tin\tADP\t_\t_\t3\tcase\t_\t_
2\tdem\tder\tDET\t_\t_\t3\tdet\t_\t_
3\tHaus\tHaus\tNOUN\t_\t_\t0\troot\t_\t_
3.1\tist\tsein\tAUX\t_\t_\t_\t_\t_\t_

1\tSie\tsie\tPRON\t_\t_\t2\tnsubj\t_\t_
2\tgeht\tgehen\tVERB\t_\t_\t0\troot\t_\t_
3\t??\t_\t_\t_\t_\t_\t_\t_\t_"""

CONTEXT = (
    "Dr. Curie worked in Paris for many years. She won the Nobel Prize in 1903.[8] Her daughter, e.g. Irene, "
    "won it too! No. Nothing else is known about them here."
)


def squad_file(path: Path, entries: list[tuple[str, list[tuple[str, int]]]], context: str = CONTEXT) -> Path:
    """One paragraph for each entry ``(id, answers)``."""
    paragraphs = [
        {
            "context": context + f" This is paragraph number {name} of them all.",
            "qas": [
                {"id": name, "question": f" {name}? ", "answers": [{"text": t, "answer_start": s} for t, s in answers]}
            ],
        }
        for name, answers in entries
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "T", "paragraphs": paragraphs}]}))
    return path


@pytest.fixture
def cache(tmp_path: Path) -> HashCache:
    return HashCache(tmp_path / "cache" / "hashes.json")


def test_conllu_reads_syntactic_words_and_counts_what_it_leaves_out(tmp_path):
    path = tmp_path / "de_gsd-ud-test.conllu.gz"
    path.write_bytes(gzip.compress(CONLLU.encode()))
    notes: Counter[str] = Counter()
    first, second = read_conllu(path, "de", notes)
    assert first.words == ("In", "dem", "Haus")
    assert first.tags == ("ADP", "DET", "NOUN")
    assert first.example_id == "de_gsd-ud-test/one"
    assert second.words == ("Sie", "geht")
    assert second.example_id == "de_gsd-ud-test/1"
    assert notes == {
        "multiword ranges read as syntactic words": 1,
        "empty nodes left out": 1,
        "words without a tag left out": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [("1\tx\tx\tNOUN\n", ":1: 4 columns"), ("\n1\tx\tx\tNN\t_\t_\t0\t_\t_\t_\n", ":2: tag 'NN'")],
)
def test_a_broken_treebank_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "x.conllu"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_conllu(path, "de", Counter())


def test_the_gold_sentence_is_cut_out_and_offsets_follow(tmp_path):
    start = CONTEXT.index("1903")
    path = squad_file(tmp_path / "a.json", [("q1", [("1903", start), ("in 1903", start - 3)]), ("q2", [("Paris", 25)])])
    notes: Counter[str] = Counter()
    first, second = read_squad(path, "en", notes)
    assert first.context == "She won the Nobel Prize in 1903.[8]"
    assert first.answers == ("1903", "in 1903")
    assert [first.context[s : s + len(a)] for a, s in zip(first.answers, first.answer_starts, strict=True)] == list(
        first.answers
    )
    assert second.context == "Dr. Curie worked in Paris for many years."
    assert second.question == "q2?"
    assert second.context[second.answer_starts[0] :].startswith("Paris")
    assert notes["answer offsets repaired"] == 1
    assert first.cluster_id != second.cluster_id


def test_abbreviations_and_short_sentences_do_not_end_a_context():
    def sentence(answer: str) -> str:
        start = CONTEXT.index(answer)
        left, right = gold_sentence(CONTEXT, start, start + len(answer))
        return CONTEXT[left:right]

    assert sentence("Irene") == "Her daughter, e.g. Irene, won it too!"
    assert sentence("No.") == "No. Nothing else is known about them here."
    assert sentence("years. She") == "Dr. Curie worked in Paris for many years. She won the Nobel Prize in 1903.[8]"


@given(st.text(alphabet="aB .?!\n\u3002", max_size=60), st.data())
def test_any_span_lies_in_its_sentence(context, data):
    start = data.draw(st.integers(0, len(context)))
    end = data.draw(st.integers(start, len(context)))
    left, right = gold_sentence(context, start, end)
    assert 0 <= left <= start <= end <= right <= len(context)


def test_offsets_are_repaired_to_the_nearest_occurrence():
    assert locate_answer("a b a", "a", 4) == 4
    assert locate_answer("xx ab ab", "ab", 7) == 6
    assert locate_answer("xx ab ab", "ab", 2) == 3
    assert locate_answer("xx", "ab", 0) is None


def test_hidden_gold_is_an_error_and_absent_answers_are_counted(tmp_path):
    hidden = squad_file(tmp_path / "h.json", [("q1", [("", 0)]), ("q2", [("", 0)])])
    with pytest.raises(DataError, match="all 2 answers are empty"):
        read_squad(hidden, "fi", Counter())
    notes: Counter[str] = Counter()
    mixed = squad_file(tmp_path / "m.json", [("q1", [("nowhere to find", 3)]), ("q2", [("Paris", 20)])])
    assert [e.example_id for e in read_squad(mixed, "en", notes)] == ["q2"]
    assert notes["questions without an answer left out"] == 1
    assert notes["answers not in their context left out"] == 1
    broken = tmp_path / "b.json"
    broken.write_text('{"data": [{}]}')
    with pytest.raises(DataError, match="SQuAD's JSON"):
        read_squad(broken, "en", Counter())


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)])
def test_packed_files_read_alike(tmp_path, ending, pack):
    path = tmp_path / f"x.txt{ending}"
    path.write_bytes(pack("gr\u00fc\u00df\n".encode()))
    with open_text(path) as file:
        assert file.read() == "gr\u00fc\u00df\n"
    assert plain_name(f"a/b/x.txt{ending}") == "x.txt"


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "x.txt.gz"
    path.write_bytes(gzip.compress(b"hello" * 1000)[:20])
    with pytest.raises(DataError, match="cannot be read"), open_text(path) as file:
        file.read()


def study(root: Path) -> Path:
    """A folder with all files of a small study, in folders of no particular name."""
    ids = [f"q{i}" for i in range(40)]
    start = CONTEXT.index("1903")
    squad_file(root / "somewhere" / "train-v1.1.json", [(name, [("1903", start)]) for name in ids])
    for code in ("en", "de"):
        squad_file(root / f"xquad.{code}.json", [(name, [("Paris", 20)]) for name in ids])
    for name in ("en_ewt-ud-train", "en_ewt-ud-dev", "en_ewt-ud-test", "de_gsd-ud-test", "de_pud-ud-test"):
        (root / "ud").mkdir(exist_ok=True)
        (root / "ud" / f"{name}.conllu.gz").write_bytes(gzip.compress(CONLLU.encode()))
    return root


def test_sources_are_found_by_official_names_and_hashed(tmp_path, cache):
    root = study(tmp_path / "data")
    source = describe_source("udpos", root, ["de", "en"], cache=cache)
    assert sorted(source["files"]) == [
        f"ud/{name}.conllu.gz"
        for name in ("de_gsd-ud-test", "de_pud-ud-test", "en_ewt-ud-dev", "en_ewt-ud-test", "en_ewt-ud-train")
    ]
    assert check_source(str(root), source) == root
    changed = root / "ud" / "de_pud-ud-test.conllu.gz"
    changed.write_bytes(gzip.compress(b"\n"))
    with pytest.raises(DataError, match="changed since"):
        check_source(str(root), source)
    assert describe_source("udpos", root, ["de", "en"], cache=cache) != source


def test_the_hash_cache_notices_changes_and_survives_damage(tmp_path):
    path, file = tmp_path / "c.json", tmp_path / "x"
    file.write_text("one")
    first = HashCache(path)
    value = first.sha256(file)
    first.save()
    assert HashCache(path).sha256(file) == value
    file.write_text("two")
    os.utime(file, ns=(1, 1))
    assert HashCache(path).sha256(file) != value
    path.write_text("{")
    assert HashCache(path).sha256(file) != value


def test_a_cache_file_is_read_once_by_a_process_until_another_writes_it(tmp_path, monkeypatch):
    path, file = tmp_path / "c.json", tmp_path / "x"
    file.write_text("one")
    first = HashCache(path)
    value = first.sha256(file)
    first.save()
    read = []
    load = json.loads
    monkeypatch.setattr("adapterxfer.data.files.json.loads", lambda text: (read.append(text), load(text))[1])
    assert [HashCache(path).sha256(file) for _ in range(3)] == [value] * 3
    assert not read, "it wrote the file itself"
    key = str(file.resolve())
    state = file.stat()
    path.with_suffix(".new").write_text(json.dumps({key: [state.st_size, state.st_mtime_ns, "of another process"]}))
    path.with_suffix(".new").replace(path)
    assert [HashCache(path).sha256(file) for _ in range(3)] == ["of another process"] * 3
    assert len(read) == 1


def test_everything_missing_is_one_error_by_task(tmp_path, cache):
    root = study(tmp_path / "data")
    with pytest.raises(DataError) as caught:
        describe_sources(
            [("udpos", ["de", "fi"]), ("xquad-gold-sentence", ["de", "ru"]), ("corpus", ["en"])], root, cache=cache
        )
    text = str(caught.value)
    assert text.index("udpos:") < text.index("fi_*-ud-test.conllu") < text.index("xquad-gold-sentence:")
    assert "xquad.ru.json" in text
    assert "en.txt" in text
    assert "xquad.de" not in text
    with pytest.raises(DataError, match="en_ewt-ud-train"):
        describe_sources([("udpos", ["de"])], None)
    with pytest.raises(DataError, match="no folder"):
        describe_source("udpos", tmp_path / "none", ["de"], cache=cache)
    with pytest.raises(DataError, match="no reader"):
        describe_source("world-nli", root, [], cache=cache)


def test_ambiguous_files_are_reported_but_exact_names_and_text_folders_win():
    _, problems = locate("squad-gold-sentence", ["a/train-x-v1.1.json", "b/train_y-v1.1.json.gz"], [])
    assert "2 files match" in problems[0]
    found, problems = locate("squad-gold-sentence", ["a/train-x-v1.1.json", "b/train-v1.1.json.gz"], [])
    assert [entry.path for entry in found] == ["b/train-v1.1.json.gz"]
    found, problems = locate("corpus", ["notes/de.txt", "text/de.txt.gz", "text/SOURCES.tsv"], ["de"])
    assert [(entry.language, entry.path) for entry in found] == [("de", "text/de.txt.gz"), ("", "text/SOURCES.tsv")]
    assert not problems


def test_tasks_have_english_dev_parallel_tests_and_no_paragraph_twice(tmp_path, cache):
    root = study(tmp_path / "data")
    files = describe_source("xquad-gold-sentence", root, ["en", "de"], cache=cache)["files"]
    options = {"train_examples": 20, "dev_examples": 5, "test_examples": 7, "seed": 3}
    data = read_original("xquad-gold-sentence", root, files, ["en", "de"], **options)
    check_task(data)
    assert {key: len(rows) for key, rows in data.splits.items()} == {
        ("train", "en"): 20, ("dev", "en"): 5, ("test", "en"): 7, ("test", "de"): 7,
    }  # fmt: skip
    assert [e.example_id for e in data.splits[("test", "en")]] == [e.example_id for e in data.splits[("test", "de")]]
    assert not {e.cluster_id for e in data.splits[("train", "en")]} & {e.cluster_id for e in data.splits[("dev", "en")]}
    again = read_original("xquad-gold-sentence", root, files, ["en", "de"], **options)
    assert again == data
    pos = read_original(
        "udpos", root, list_files(root), ["de"], train_examples=None, dev_examples=None, test_examples=None, seed=0
    )
    check_task(pos)
    assert pos.labels == UPOS
    assert len(pos.splits[("test", "de")]) == 4  # two treebanks
    squad = read_original(
        "squad-gold-sentence",
        root,
        list_files(root),
        [],
        train_examples=None,
        dev_examples=4,
        test_examples=None,
        seed=0,
    )
    assert set(squad.splits) == {("train", "en"), ("dev", "en")}
    half = read_original(
        "squad-gold-sentence", root, list_files(root), [], train_examples=15, dev_examples=5, test_examples=None, seed=3
    )
    both = {e.example_id for e in half.splits[("train", "en")]} & {e.example_id for e in data.splits[("train", "en")]}
    assert not both  # 15 and 20 of 35: intermediate and target training share no question


def test_more_examples_include_the_fewer(tmp_path):
    path = squad_file(tmp_path / "a.json", [(f"q{i}", [("Paris", 20)]) for i in range(30)])
    examples = read_squad(path, "en", Counter())
    few, more = keep(examples, 5, 0), keep(examples, 12, 0)
    assert set(few) < set(more)
    assert keep(examples, 5, 1) != few
    assert keep(examples, None, 0) == examples
    rest, dev = carve(examples, 6, 0)
    assert sorted(e.example_id for e in rest + dev) == sorted(e.example_id for e in examples)
    with pytest.raises(DataError, match="cannot give"):
        carve(examples, 30, 0)


def test_the_files_of_all_tydiqa_languages_are_split_by_id(tmp_path):
    entries = [("finnish-1", [("Paris", 20)]), ("russian-1", [("1903", CONTEXT.index("1903"))])]
    squad_file(tmp_path / "tydiqa-goldp-v1.1-dev.json", entries)
    train = [(f"english-{i}", [("Paris", 20)]) for i in range(20)]
    squad_file(tmp_path / "tydiqa-goldp-v1.1-train.json", [*train, ("russian-2", [("Paris", 20)])])
    data = read_original(
        "tydiqa-gold-sentence", tmp_path, list_files(tmp_path), ["fi", "ru"],
        train_examples=None, dev_examples=4, test_examples=None, seed=0,
    )  # fmt: skip
    assert [e.example_id for e in data.splits[("test", "fi")]] == ["finnish-1"]
    assert [e.example_id for e in data.splits[("test", "ru")]] == ["russian-1"]
    assert len(data.splits[("train", "en")]) == 16


def test_tydiqa_training_is_tested_on_xquad_where_its_own_gold_was_removed(tmp_path):
    # that copy numbers its training questions within passages: ids repeat
    squad_file(tmp_path / "tydiqa.goldp.en.train.json", [(str(i % 4), [("Paris", 20)]) for i in range(20)])
    squad_file(tmp_path / "tydiqa.goldp.fi.dev.json", [("finnish-1", [("", 0)])])
    for code in ("en", "de"):
        squad_file(tmp_path / f"xquad.{code}.json", [("x1", [("Paris", 20)]), ("x2", [("Paris", 20)])])
    data = read_original(
        "tydiqa-xquad-gold-sentence", tmp_path, list_files(tmp_path), ["en", "de"],
        train_examples=None, dev_examples=4, test_examples=None, seed=0,
    )  # fmt: skip
    check_task(data)
    trained = [e.example_id for e in data.splits[("train", "en")] + data.splits[("dev", "en")]]
    assert len(trained) > 16
    assert set(trained) <= {*"0123", *(f"{i}#{n}" for i in range(4) for n in range(2, 6))}
    assert data.notes["repeated ids numbered"] == 16
    assert [e.example_id for e in data.splits[("test", "de")]] == ["x1", "x2"]
    with pytest.raises(DataError, match="the gold was removed"):
        read_original(
            "tydiqa-gold-sentence", tmp_path, list_files(tmp_path), ["fi"],
            train_examples=None, dev_examples=4, test_examples=None, seed=0,
        )  # fmt: skip
