"""Prepared data keep the characters of their source and count the texts that will be composed."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.data.composing import COMPOSED_NOTE
from adapterxfer.data.sources import describe_source
from adapterxfer.data.storage import read_task
from adapterxfer.data.texts import read_texts
from adapterxfer.data.translations import describe_texts
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.prepare import execute
from adapterxfer.store.keys import Stage

SENTENCE = unicodedata.normalize("NFD", "Ọjọ́ tí ó bá wù ẹ́ ni kí o wá")


def prepare(folder: Path, identity: Mapping[str, Any], root: Path) -> dict[str, Any]:
    folder.mkdir()
    stage = Stage(kind="prepare", version=1, identity=dict(identity), inputs={})
    settings = {"data_root": str(root)}
    return execute(StageContext(stage=stage, inputs={}, scratch=folder, log=lambda line: None, settings=settings))


def test_examples_are_stored_as_they_were_and_counted(tmp_path: Path) -> None:
    def treebank(words: list[str]) -> str:
        rows = "".join(f"{n}\t{word}\t_\tNOUN\t_\t_\t0\troot\t_\t_\n" for n, word in enumerate(words, start=1))
        return f"# sent_id = 1\n{rows}\n"

    root = tmp_path / "data"
    root.mkdir()
    (root / "en_ewt-ud-train.conllu").write_text(treebank(["a", "b"]), encoding="utf-8")
    (root / "en_ewt-ud-dev.conllu").write_text(treebank(["a", "c"]), encoding="utf-8")
    (root / "yo_ytb-ud-test.conllu").write_text(treebank(SENTENCE.split()), encoding="utf-8")
    identity = {
        "what": "task", "task": "udpos", "format": "tagging", "source": describe_source("udpos", root, ["yo"]),
        "languages": ["yo"], "train_examples": None, "dev_examples": None, "test_examples": None, "seed": 0,
        "protocol": "",
    }  # fmt: skip
    result = prepare(tmp_path / "out", identity, root)
    changed = sum(not unicodedata.is_normalized("NFC", word) for word in SENTENCE.split())
    assert result["notes"] == {COMPOSED_NOTE: changed}
    stored = read_task(tmp_path / "out")
    (example,) = stored.split("test", "yo")
    assert getattr(example, "words") == tuple(SENTENCE.split())  # noqa: B009 - examples are of several types
    assert stored.notes == {COMPOSED_NOTE: changed}


def test_texts_of_masked_training_too(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "wiki").mkdir(parents=True)
    (root / "wiki" / "yo.txt").write_text(f"{SENTENCE}\nplain\n", encoding="utf-8")
    (root / "wiki" / "en.txt").write_text("one\ntwo\n", encoding="utf-8")

    def prepared(languages: list[str], name: str) -> dict[str, Any]:
        source = describe_texts(root, "wiki", languages)
        identity = {
            "what": "texts", "source": source, "folder": "wiki", "languages": languages, "lines": 10, "seed": 0,
        }  # fmt: skip
        return prepare(tmp_path / name, identity, root)

    assert prepared(["yo", "en"], "both")["notes"] == {COMPOSED_NOTE: 1}
    assert SENTENCE in read_texts(tmp_path / "both")["yo"]
    assert "notes" not in prepared(["en"], "english")
    assert json.loads((tmp_path / "english" / "texts.json").read_text())
