"""Words that treebanks hide for their licence are neither trained on nor tested; only such treebanks have new keys."""

from __future__ import annotations

import bz2
import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.data.check import check_folder
from adapterxfer.data.conllu import SIGNS, hides_words, read_conllu
from adapterxfer.data.examples import TaggingExample
from adapterxfer.data.fused import read_fused
from adapterxfer.data.sources import READING, describe_layouts, describe_source
from adapterxfer.data.target_dev import describe_target_dev

PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}
WORD = st.tuples(st.sampled_from(["_", "_", "Mara", "left"]), st.sampled_from(["NOUN", "VERB", "PUNCT", "SYM"]))


def treebank(*sentences: list[tuple[str, str]]) -> str:
    return "".join(
        f"# sent_id = {number}\n"
        + "".join(f"{k}\t{form}\t_\t{tag}\t_\t_\t0\troot\t_\t_\n" for k, (form, tag) in enumerate(words, start=1))
        + "\n"
        for number, words in enumerate(sentences)
    )


SEEN = [("Mara", "PROPN"), ("left", "VERB")]
HIDDEN = [("_", "PROPN"), ("_", "VERB"), ("_", "PUNCT")]
SIGN = [("a", "NOUN"), ("_", "SYM"), ("b", "NOUN")]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.lists(WORD, min_size=1, max_size=5), min_size=1, max_size=4), st.sampled_from(sorted(PACK)))
def test_no_hidden_word_is_an_example(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]], ending: str
) -> None:
    path = tmp_path_factory.mktemp("ud") / f"ar_x-ud-test.conllu{ending}"
    path.write_bytes(PACK[ending](treebank(*sentences).encode()))
    notes: Counter[str] = Counter()
    examples = [example for example in read_conllu(path, "ar", notes) if isinstance(example, TaggingExample)]
    words = [pair for example in examples for pair in zip(example.words, example.tags, strict=True)]
    assert not [pair for pair in words if pair[0] == "_" and pair[1] not in SIGNS]
    assert all(set(example.words) != {"_"} for example in examples)
    visible = [pair for sentence in sentences for pair in sentence if pair[0] != "_"]
    lonely = [
        pair for sentence in sentences for pair in sentence
        if pair[0] != "_" and sum(form != "_" for form, _ in sentence) == 1
    ]  # fmt: skip
    assert len([pair for pair in words if pair[0] != "_"]) >= len(visible) - len(lonely)
    changed = len(words) != sum(map(len, sentences))
    assert changed == bool(notes["sentences with hidden words left out"] or notes["hidden words left out"])
    assert hides_words(path) == changed
    # XTREME's words leave out at least the sentences that this reader leaves out whole.
    fused = {example.example_id for example in read_fused(path, "ar", Counter())}
    assert fused <= {example.example_id for example in examples} or notes["hidden words left out"]


def folder(root: Path, *test: list[tuple[str, str]]) -> Path:
    for name in ("en_ewt-ud-train", "en_ewt-ud-dev"):
        (root / f"{name}.conllu").write_text(treebank(SEEN))
    (root / "fi_tdt-ud-test.conllu").write_text(treebank(*test))
    return root


def test_only_treebanks_that_hide_words_have_a_new_identity(tmp_path: Path) -> None:
    assert "reading" not in describe_source("udpos", folder(tmp_path, SEEN, SIGN), ["fi"])
    assert describe_source("udpos", folder(tmp_path, SEEN, HIDDEN), ["fi"])["reading"] == READING
    assert "reading" not in describe_source("udpos/fused", tmp_path, ["fi"]), "they never were words there"
    layout = {"test": {"path": "fi_tdt-ud-test.conllu", "layout": "conllu"}}
    assert describe_layouts("udpos", tmp_path, ["fi"], layout)["reading"] == READING


def test_development_data_of_the_oracle(tmp_path: Path) -> None:
    folder(tmp_path, SEEN)
    (tmp_path / "fi_tdt-ud-dev.conllu").write_text(treebank(SEEN[:1], SEEN))
    assert "reading" not in describe_target_dev("udpos", tmp_path, ["fi"], "", tested={}).source
    (tmp_path / "fi_tdt-ud-dev.conllu").write_text(treebank(SEEN, HIDDEN))
    assert describe_target_dev("udpos", tmp_path, ["fi"], "", tested={}).source["reading"] == READING


def test_they_are_counted_and_a_language_without_others_is_refused(tmp_path: Path) -> None:
    (check,) = check_folder(folder(tmp_path, SEEN, HIDDEN, [*SEEN, ("_", "NOUN")]), ["udpos"])
    assert check.notes == {"sentences with hidden words left out": 1, "hidden words left out": 1}
    assert [(part.language, part.examples) for part in check.parts if part.role == "test" and part.examples] == [
        ("fi", 2)
    ]
    (check,) = check_folder(folder(tmp_path, HIDDEN), ["udpos"])
    (refused,) = [part for part in check.parts if part.state == "refused"]
    assert "no example" in refused.message
