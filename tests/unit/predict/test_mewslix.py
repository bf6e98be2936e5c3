"""Mewsli-X: marked mentions are linked to descriptions of entities."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from pool_files import entity, mention, mewslix, write

from adapterxfer.data.files import list_files
from adapterxfer.data.mewsli import entity_text, mention_text
from adapterxfer.data.original import read_original
from adapterxfer.errors import DataError


def test_mewsli_marks_the_mention_and_escapes_braces():
    text = "A {b} c. He saw Tom {x} at home."
    spans = [{"start": 0, "end": 8}, {"start": 9, "end": len(text)}]
    start = text.index("Tom")
    assert mention_text({"text": text, "sentence_spans": spans}, {"start": start, "end": start + 3}) == (
        "Tom: He saw { Tom } (x) at home."
    )
    assert mention_text({"text": text, "sentence_spans": spans}, {"start": 6, "end": 12}) is None
    assert entity_text(entity("Q", "one\ntwo  three")) == "one two three"


def test_mewsli_without_entities_is_refused(tmp_path):
    mewslix(tmp_path)
    path = tmp_path / "wikinews_mentions-test.jsonl"
    path.write_text(path.read_text().replace('"Q0"', '""').replace('"Q1"', '""'))
    sizes = {"train_examples": None, "dev_examples": None, "test_examples": None}
    with pytest.raises(DataError, match="labels were removed"):
        read_original("mewslix", tmp_path, list_files(tmp_path), ["de"], seed=0, **sizes)


def test_notes_count_mentions_that_cross_sentences(tmp_path):
    from adapterxfer.data.mewsli import read_mewsli_mentions

    row = mention("a", "de", "the tom ran", "tom", "Q0")
    row["context"]["sentence_spans"] = [{"start": 0, "end": 5}]
    other = mention("b", "de", "the dog ran", "dog", "Q1")
    write(tmp_path / "m.jsonl", json.dumps(row) + "\n" + json.dumps(other) + "\n")
    notes: Counter[str] = Counter()
    found = read_mewsli_mentions([tmp_path / "m.jsonl"], "de", notes)
    assert [e.example_id for e in found] == ["b"]
    assert notes == {"mentions that cross a sentence left out": 1}
