"""XTREME's conversion of treebanks, rule by rule, on the smallest CoNLL-U that shows it.

The rules and lists stand here a second time, written down from the description of the conversion, not from the code.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from adapterxfer.data.fused import read_fused
from adapterxfer.data.sources import locate

DEFAULT = "VERB NOUN PROPN PRON ADJ NUM ADV INTJ AUX ADP DET PART CCONJ SCONJ X PUNCT"
SPANISH = "VERB AUX PRON ADP DET"
FRENCH = "VERB AUX PRON NOUN ADJ ADV ADP DET PART SCONJ"
ITALIAN = "VERB AUX ADV PRON ADP DET INTJ"
PAIRS = [
    (code, *pair)
    for code, order in (("de", DEFAULT), ("ar", DEFAULT), ("es", SPANISH), ("fr", FRENCH), ("it", ITALIAN))
    for pair in pairwise(order.split())
]


Read = tuple[list[tuple[tuple[str, ...], tuple[str, ...]]], Counter[str]]


def read(folder: Path, text: str, code: str = "de") -> Read:
    """Words and tags of each sentence; ``text`` has a line per row: number, form, tag, head."""
    rows = []
    for line in text.strip().splitlines():
        cells = line.strip().split("|")
        columns = [cells[0], cells[1], "_", cells[2], "_", "_", cells[3], "_", "_", "_"]
        rows.append("\t".join(columns) if cells[0] else "")
    path = folder / f"{code}_x-ud-test.conllu"
    path.write_text("\n".join(rows) + "\n\n", encoding="utf-8")
    notes: Counter[str] = Counter()
    return [(e.words, e.tags) for e in read_fused(path, code, notes)], notes  # type: ignore[attr-defined]


@pytest.mark.parametrize(("code", "higher", "lower"), PAIRS)
@pytest.mark.parametrize("first", [True, False])
def test_of_equally_high_parts_the_tag_that_stands_first_in_the_list_wins(tmp_path, code, higher, lower, first):
    one, two = (higher, lower) if first else (lower, higher)
    found, _ = read(tmp_path, f"1-2|ab|_|_\n1|a|{one}|3\n2|b|{two}|3\n3|c|VERB|0", code)
    assert found == [(("ab", "c"), (higher, "VERB"))]


def test_a_single_highest_part_wins_whatever_its_tag(tmp_path):
    found, _ = read(tmp_path, "1-2|ab|_|_\n1|a|PUNCT|3\n2|b|VERB|1\n3|c|NOUN|0")
    assert found == [(("ab", "c"), ("PUNCT", "NOUN"))]


def test_the_parts_disappear_and_the_fused_form_stays_as_written(tmp_path):
    found, notes = read(tmp_path, "1|Er|PRON|2\n2|geht|VERB|0\n3-4|Zum|_|_\n3|zu|ADP|5\n4|dem|DET|5\n5|Arzt|NOUN|2")
    assert found == [(("Er", "geht", "Zum", "Arzt"), ("PRON", "VERB", "ADP", "NOUN"))]
    assert notes["multiword ranges read as one word"] == 1


def test_a_range_of_three_parts_and_two_ranges_in_one_sentence(tmp_path):
    found, _ = read(
        tmp_path,
        "1-3|damelo|_|_\n1|da|VERB|0\n2|me|PRON|1\n3|lo|PRON|1\n4-5|del|_|_\n4|de|ADP|6\n5|el|DET|6\n6|bar|NOUN|1",
        "es",
    )  # fmt: skip
    assert found == [(("damelo", "del", "bar"), ("VERB", "ADP", "NOUN"))]


def test_empty_nodes_are_no_words_even_with_a_tag(tmp_path):
    found, notes = read(tmp_path, "1|a|NOUN|0\n1.1|b|VERB|_\n2|c|PUNCT|1")
    assert found == [(("a", "c"), ("NOUN", "PUNCT"))]
    assert notes["empty nodes left out"] == 1


def test_sentences_of_hidden_words_are_dropped(tmp_path):
    found, notes = read(tmp_path, "1|_|NOUN|0\n2|_|VERB|1\n|||\n1|a|NOUN|0\n2|b|VERB|1")
    assert found == [(("a", "b"), ("NOUN", "VERB"))]
    assert notes["sentences with hidden words left out"] == 1


def test_words_without_a_tag_are_dropped(tmp_path):
    found, notes = read(tmp_path, "1|a|NOUN|0\n2|b|_|1\n3|c|VERB|1")
    assert found == [(("a", "c"), ("NOUN", "VERB"))]
    assert notes["words without a tag or text left out"] == 1


def test_spaces_inside_words_go(tmp_path):
    assert read(tmp_path, "1|10 000|NUM|2\n2|km|NOUN|0")[0] == [(("10000", "km"), ("NUM", "NOUN"))]


def test_zero_width_non_joiners_go(tmp_path):
    found, _ = read(tmp_path, "1|\u0645\u06cc\u200c\u0631\u0648\u062f|VERB|0\n2|.|PUNCT|1", "fa")
    assert found[0][0] == ("\u0645\u06cc\u0631\u0648\u062f", ".")


def test_treebanks_are_chosen_by_the_code_before_the_first_underscore():
    files = [
        "a/el_gdt-ud-test.conllu", "a/grc_perseus-ud-test.conllu", "a/fr_gsd-ud-test.conllu",
        "a/fro_srcmf-ud-test.conllu",
        "a/zh_gsd-ud-test.conllu", "a/lzh_kyoto-ud-test.conllu", "a/de_gsd-ud-test.conllu", "a/gsw_uzh-ud-test.conllu",
        "a/ru_pud-ud-test.conllu", "a/orv_rnc-ud-test.conllu", "a/en_ewt-ud-train.conllu", "a/en_ewt-ud-dev.conllu",
    ]  # fmt: skip
    found, problems = locate("udpos/fused", files, ["el", "fr", "zh", "de", "ru"])
    assert not problems
    assert {(entry.language, entry.path) for entry in found if entry.role == "test"} == {
        ("el", "a/el_gdt-ud-test.conllu"), ("fr", "a/fr_gsd-ud-test.conllu"), ("zh", "a/zh_gsd-ud-test.conllu"),
        ("de", "a/de_gsd-ud-test.conllu"), ("ru", "a/ru_pud-ud-test.conllu"),
    }  # fmt: skip
