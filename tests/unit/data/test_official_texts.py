"""Questions, offsets and tags of the official files."""

from __future__ import annotations

from collections import Counter

import pytest

from adapterxfer.data import questions, tagged
from adapterxfer.data.files import list_files
from adapterxfer.data.original import UNKNOWN_TAG, read_original
from adapterxfer.errors import DataError

from tiny_files import put, read, squad  # isort: skip


# Questions and offsets


def test_offsets_are_repaired_by_the_nearest_occurrence(tmp_path):
    context = " \u0915\u093c one two one"  # not NFC, and a leading space: both must stay
    text = squad(
        [("a", context, "q", [("one", 3)]), ("b", context, "r", [("gone", 0)]), ("c", context, "s", [("two", 8)])]
    )
    notes: Counter[str] = Counter()
    found = questions.read_answerable([put(tmp_path, "xquad.hi.json", text)], "hi", notes)
    assert [e.answer_starts for e in found] == [(4,), (8,)]
    assert all(e.context == context for e in found)
    assert notes["answer offsets repaired"] == 1
    assert notes["answers not in their context left out"] == 1


def test_squad_v2_keeps_unanswerable_questions(tmp_path):
    text = squad([("a", "one two", "q", [("two", 4)]), ("b", "one two", "r", [])])
    path = put(tmp_path, "train-v2.0.json", text)
    assert [e.answers for e in questions.read_squad_v2([path], "en", Counter())] == [("two",), ()]
    assert len(questions.read_answerable([path], "en", Counter())) == 1


def test_equal_ids_of_different_questions_are_numbered(tmp_path):
    text = squad([("0", "one two", "q", [("one", 0)]), ("0", "six two", "q", [("six", 0)]), ("0", "one two", "q", [])])
    notes: Counter[str] = Counter()
    found = questions.read_answerable([put(tmp_path, "train.json", text)], "en", notes)
    assert [e.example_id for e in found] == ["0", "0#2"]
    assert (notes["repeated ids numbered"], notes["repeated questions left out"]) == (1, 1)


def test_removed_answers_are_refused(tmp_path):
    path = put(tmp_path, "mlqa.json", squad([("a", "one", "q", [("", 0)]), ("b", "one", "q", [])]))
    for reader in (questions.read_answerable, questions.read_squad_v2):
        with pytest.raises(DataError, match="gold was removed"):
            reader([path], "ar", Counter())


def test_tydiqa_languages_are_told_by_their_ids(tmp_path):
    entries = [
        ("arabic-1", "one", "q", [("one", 0)]),
        ("english-1", "two", "r", [("two", 0)]),
        ("english-2", "six", "r", [("six", 0)]),
    ]
    put(
        tmp_path,
        "tydiqa-goldp-v1.1-train.json",
        squad([(i, f"{c} {n}", q, a) for n, (i, c, q, a) in enumerate(entries * 1)]),
    )
    put(tmp_path, "tydiqa-goldp-v1.1-dev.json", squad(entries))
    data = read_original("tydiqa", tmp_path, list_files(tmp_path), ("ar", "en"), train_examples=None, dev_examples=1,
                         test_examples=None, seed=0)  # fmt: skip
    assert {split: len(found) for split, found in data.splits.items()} == {
        ("train", "en"): 1, ("dev", "en"): 1, ("test", "ar"): 1, ("test", "en"): 2,
    }  # fmt: skip


def test_mlqa_shares_ids_between_some_languages(tmp_path):
    put(tmp_path, "train-v1.1.json", squad([("t", "one two", "q", [("one", 0)]), ("u", "six two", "q", [("six", 0)])]))
    put(tmp_path, "dev-v1.1.json", squad([("d", "one two", "q", [("one", 0)])]))
    put(tmp_path, "MLQA_V1/test/test-context-de-question-de.json", squad([("x", "eins", "q", [("eins", 0)])]))
    both = squad([("x", "uno", "q", [("uno", 0)]), ("y", "dos", "q", [("dos", 0)])])
    put(tmp_path, "MLQA_V1/test/test-context-es-question-es.json", both)
    data = read("mlqa", tmp_path, ("de", "es"))
    assert {e.example_id for e in data.splits["test", "de"]} < {e.example_id for e in data.splits["test", "es"]}


# Tags


def test_panx_cuts_at_the_first_colon_and_counts_signs_without_width(tmp_path):
    path = put(tmp_path, "de/test", "de:10:30\tO\nde:\u200b\tO\nde:Ulm\tB-LOC\n\nde:Bonn\tI-LOC\n")
    notes: Counter[str] = Counter()
    found = tagged.read_panx([path], "de", notes)
    assert [(e.words, e.tags) for e in found] == [
        (("10:30", "\u200b", "Ulm"), ("O", "O", "B-LOC")), (("Bonn",), ("I-LOC",)),
    ]  # fmt: skip
    assert notes["words that some vocabularies give no token"] == 1


def test_tags_that_were_removed_are_refused(tmp_path):
    with pytest.raises(DataError, match="removed"):
        tagged.read_panx([put(tmp_path, "panx/test-de.tsv", "Ulm\nist\n")], "de", Counter())


def test_masakhaner_dates_orphans_and_empty_words(tmp_path):
    path = put(tmp_path, "xho/train.txt", "a B-DATE\nb I-DATE\nc I-PER\nd I-PER\n O\ne I-LOC\n\n")
    notes: Counter[str] = Counter()
    (example,) = tagged.read_masakhaner([path], "xho", notes)
    assert example.words == tuple("abcde")
    assert example.tags == ("O", "O", "B-PER", "I-PER", "B-LOC")
    assert notes["tags of dates made O"] == 2
    assert notes["words without text left out"] == 1


def test_supertags_unseen_in_training_become_unknown(tmp_path):
    put(tmp_path, "ccg/train.tsv", "a b\tN N/N\nc\tN\n")
    put(tmp_path, "ccg/val.tsv", "a b\tN S\n")
    data = read("ccg", tmp_path)
    assert data.labels == ("N", "N/N", UNKNOWN_TAG)
    assert data.splits["dev", "en"][0].tags == ("N", UNKNOWN_TAG)
