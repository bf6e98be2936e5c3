"""Only data with texts that are not in NFC have a new identity; what composing changes in them is counted."""

from __future__ import annotations

import gzip
import unicodedata
from pathlib import Path

import pytest

from adapterxfer.cli.main import main
from adapterxfer.data.check import check_folder
from adapterxfer.data.composing import COMPOSED_NOTE, note_uncomposed
from adapterxfer.data.examples import TaggingExample, TaskData
from adapterxfer.data.sources import COMPOSED, describe_layouts, describe_source
from adapterxfer.data.target_dev import describe_target_dev
from adapterxfer.data.translations import describe_texts
from adapterxfer.plan import build_plan
from adapterxfer.recipe import parse_recipe

WORDS = ["Ọjọ́", "tí", "ó", "bá"]


def treebank(words: list[str]) -> str:
    rows = "".join(f"{n}\t{word}\t_\tNOUN\t_\t_\t0\troot\t_\t_\n" for n, word in enumerate(words, start=1))
    return f"# sent_id = 1\n{rows}\n"


def decomposed(words: list[str]) -> list[str]:
    return [unicodedata.normalize("NFD", word) for word in words]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "en_ewt-ud-train.conllu").write_text(treebank(["a", "b"]), encoding="utf-8")
    (tmp_path / "en_ewt-ud-dev.conllu").write_text(treebank(["a", "c"]), encoding="utf-8")
    (tmp_path / "yo_ytb-ud-test.conllu.gz").write_bytes(gzip.compress(treebank(decomposed(WORDS)).encode()))
    (tmp_path / "wo_wtb-ud-test.conllu").write_text(treebank(WORDS), encoding="utf-8")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "yo.txt").write_text(" ".join(decomposed(WORDS)) + "\n", encoding="utf-8")
    (tmp_path / "text" / "en.txt").write_text("a b\n", encoding="utf-8")
    return tmp_path


def test_files_that_composing_changes_have_a_new_identity(root: Path) -> None:
    assert describe_source("udpos", root, ["yo"])[COMPOSED] is True
    assert COMPOSED not in describe_source("udpos", root, ["wo"])
    layout = {"test": {"path": "{lang}_wtb-ud-test.conllu", "layout": "conllu"}}
    assert COMPOSED not in describe_layouts("udpos", root, ["wo"], layout)
    layout = {"test": {"path": "{lang}_ytb-ud-test.conllu.gz", "layout": "conllu"}}
    assert describe_layouts("udpos", root, ["yo"], layout)[COMPOSED] is True


def test_texts_and_development_data_too(root: Path) -> None:
    assert describe_texts(root, "text", ["en", "yo"])[COMPOSED] is True
    assert COMPOSED not in describe_texts(root, "text", ["en"])
    (root / "yo_ytb-ud-dev.conllu").write_text(treebank(decomposed(WORDS)), encoding="utf-8")
    (root / "wo_wtb-ud-dev.conllu").write_text(treebank(WORDS), encoding="utf-8")
    assert describe_target_dev("udpos", root, ["yo"], "", tested={}).source[COMPOSED] is True
    assert COMPOSED not in describe_target_dev("udpos", root, ["wo"], "", tested={}).source


def test_own_pretraining_text_is_composed_by_its_own_tokenizer(root: Path) -> None:
    assert COMPOSED not in describe_source("corpus", root, ["yo"])


def test_data_of_the_hub_count_as_changed() -> None:
    recipe = parse_recipe(
        "recipe: 1\nname: s\nbackbones: [xlm-r-base]\nintermediate_tasks: [none]\ntarget_tasks: [xnli]\n"
        "variants: [full-ft]\nseeds: [1]\ntrain: {default: {learning_rate: 1e-3, steps: 1}}\n"
    )
    (data,) = [stage for stage in build_plan(recipe).stages.values() if stage.kind == "prepare"]
    assert data.identity["source"][COMPOSED] is True
    (earlier,) = [stage for stage in build_plan(recipe, generation=1).stages.values() if stage.kind == "prepare"]
    assert COMPOSED not in earlier.identity["source"]
    assert earlier.key != data.key


def test_prepared_data_count_their_texts_and_keep_them() -> None:
    words = tuple(decomposed(WORDS))
    example = TaggingExample("1", "1", "yo", words, ("NOUN",) * len(words))
    data = TaskData("udpos", "tagging", ("NOUN", "VERB"), {("test", "yo"): [example]}, {"more": 1})
    note_uncomposed(data)
    assert data.notes == {"more": 1, COMPOSED_NOTE: 4}
    assert data.splits["test", "yo"][0].words == words
    plain = TaskData(
        "udpos", "tagging", ("NOUN",), {("test", "wo"): [TaggingExample("1", "1", "wo", ("a",), ("NOUN",))]}
    )
    note_uncomposed(plain)
    assert plain.notes == {}


def test_the_check_of_data_says_what_changes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checked,) = check_folder(root, ["udpos"])
    by_language = {part.language: part for part in checked.parts if part.role == "test" and part.state == "found"}
    assert (by_language["yo"].texts, by_language["yo"].uncomposed) == (4, 4)
    assert ("U+006F U+0323 U+0301 > U+1ECD U+0301", 1) in by_language["yo"].composing
    assert (by_language["wo"].texts, by_language["wo"].uncomposed, by_language["wo"].composing) == (4, 0, ())
    assert main(["data", "check", "--data-root", str(root), "--task", "udpos"]) == 0
    printed = capsys.readouterr().out
    assert "test yo: 4 of 4 texts (100.0 %) are not in Unicode NFC" in printed
    assert "test wo: " not in printed
