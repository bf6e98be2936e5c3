"""Composed text and the way back to the original, over every kind of letter that composes, moves or decomposes."""

import gzip
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterxfer.data.composing import (
    compose,
    compose_with_way_back,
    count_uncomposed,
    holds_uncomposed,
    is_composed,
)
from adapterxfer.data.examples import SpanExample, TaggingExample

LETTERS = (
    "aeoODdnsu 1.=<\n"  # signs that compose with U+0338, too
    "\u0300\u0301\u0302\u0303\u0306\u0309\u030a\u031b\u0323\u0328\u0338\u0344"  # marks above and below
    "\u00e9\u1ecd\u1edb\u1ef1\u01b0\u0111"  # composed Vietnamese and Yoruba
    "\u1100\u1112\u1161\u1175\u11a8\u11c2\uac00\uac01\ud7a3"  # Jamo, and Hangul with and without a final
    "\u0915\u0921\u0928\u0930\u093c\u094d\u093f\u0958\u095c\u0929\u0931"  # nukta: exclusions, and two that compose
    "\u0b47\u0b3e\u0bc6\u0bbe\u0cca\u0d4a\u0ddc"  # vowel signs that compose though they are no marks
    "\u0628\u0651\u064e\u0655\u0627\u0653"  # Arabic marks that change places
    "\u0f71\u0f72\u0f73\u2126\u212b\uf900\U0001d15e\U00011131\U00011127\U0002f800"
)
TEXTS = st.text(st.sampled_from(LETTERS), max_size=24)


@given(TEXTS)
def test_the_text_is_the_normal_form_and_every_character_has_a_way_back(text):
    made = compose_with_way_back(text)
    assert made.text == compose(text) == unicodedata.normalize("NFC", text)
    assert made.original(0, len(made.text)) == (0, len(text))
    for start in range(len(made.text) + 1):
        assert made.original(start, start) == (made.original(start, start)[0],) * 2
        for end in range(start + 1, len(made.text) + 1):
            begin, stop = made.original(start, end)
            # The characters of the original hold what the span holds, and nothing that composes with outside.
            assert made.text[start:end] in compose(text[begin:stop])
            assert compose(text[:begin]) + compose(text[begin:stop]) + compose(text[stop:]) == made.text


@given(TEXTS)
def test_spans_of_neighbours_cover_the_original_in_order(text):
    made = compose_with_way_back(text)
    spans = [made.original(i, i + 1) for i in range(len(made.text))]
    assert sorted(spans) == spans
    assert {i for begin, stop in spans for i in range(begin, stop)} == set(range(len(text)))


@given(TEXTS)
def test_composed_text_keeps_its_characters_one_to_one(text):
    composed = unicodedata.normalize("NFC", text)
    made = compose_with_way_back(composed)
    assert is_composed(composed)
    assert made.text == composed
    assert all(made.original(i, j) == (i, j) for i in range(len(composed)) for j in range(i, len(composed) + 1))


def test_two_marks_of_one_letter_and_the_text_around_it():
    text = unicodedata.normalize("NFD", "b\u1ecd\u0301 b\u1ecd\u0301")
    made = compose_with_way_back(text)
    assert made.text == "b\u1ecd\u0301 b\u1ecd\u0301"
    assert text[slice(*made.original(5, 6))] == "o\u0323\u0301"  # half of the letter covers all of it
    assert made.original(3, 4) == (4, 5)


def test_an_excluded_letter_becomes_two_that_share_its_place():
    made = compose_with_way_back("a\u0958b")
    assert made.text == "a\u0915\u093cb"
    assert made.original(1, 2) == made.original(2, 3) == made.original(1, 3) == (1, 2)
    assert made.original(3, 4) == (2, 3)


def test_texts_are_counted_and_not_ids_labels_or_answers():
    decomposed = "e\u0301"
    tagged = TaggingExample(decomposed, decomposed, "en", ("a", decomposed, "\u00e9"), ("A", "B", "C"))
    asked = SpanExample(
        example_id="1", cluster_id="1", language="en", question=decomposed, context=f"x {decomposed}",
        answers=(decomposed,), answer_starts=(2,),
    )  # fmt: skip
    assert count_uncomposed([tagged]) == (1, 3)
    assert count_uncomposed([tagged, asked]) == (3, 5)


@pytest.mark.parametrize(
    ("content", "changed"),
    [
        ("plain", False),
        ("\u00e9 \u1ecd\u0301", False),
        ("e\u0301", True),
        ("\u0958", True),
        (json.dumps("\u00e9 \U0001d15f"[:1]), False),
        (json.dumps("e\u0301"), True),
        (json.dumps("\U0001d15e"), True),  # an exclusion beyond the first plane, written as a pair of escapes
        (json.dumps("\U0001f600"), False),
        (r"\\u is no escape", False),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_tells_whether_composing_changes_it(tmp_path, content, changed, packed):
    path = tmp_path / ("x.json.gz" if packed else "x.json")
    raw = content.encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    assert holds_uncomposed(path) is changed


def test_files_that_cannot_be_read_are_left_to_their_reader(tmp_path):
    (tmp_path / "x.gz").write_bytes(b"no archive")
    assert not holds_uncomposed(tmp_path / "x.gz")
    assert not holds_uncomposed(tmp_path / "absent")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfee")
    assert not holds_uncomposed(tmp_path / "bad.txt")


@pytest.mark.parametrize("block", [1, 3, 7, 1 << 20])
@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("eins\nzwei\no\u0323\u0300ro\u0323\n", True),
        ("eins\n\u0301zwei\ndrei", False),  # a mark composes with no line end before it
        ("\u00e4\u00f6\n\u00e9k\u00f2\n\u65e5\u672c\n", False),
        ('{"a": "o\\u0301"}\n', True),
        ("\n\n\n", False),
        ("", False),
    ],
)
def test_a_file_is_looked_at_in_parts_that_end_with_a_line(
    block: int, text: str, changes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapterxfer.data.composing.BLOCK", block)
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    assert holds_uncomposed(path) == changes
