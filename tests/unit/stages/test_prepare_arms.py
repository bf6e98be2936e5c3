"""Texts and translations from folders of a user, and from the world."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.data.original import read_original
from adapterxfer.data.storage import read_task
from adapterxfer.data.texts import read_texts
from adapterxfer.data.translations import describe_texts, describe_translations
from adapterxfer.errors import DataError, StageError
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.prepare import execute
from adapterxfer.store.keys import Stage
from adapterxfer.world.arm_texts import load_translations

WORLD = {"kind": "world", "generator": "w"}


def prepare(folder: Path, identity: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    folder.mkdir()
    stage = Stage(kind="prepare", version=1, identity=dict(identity), inputs={})
    return execute(StageContext(stage=stage, inputs={}, scratch=folder, log=lambda line: None, settings=settings))


def nli_rows(count: int, word: str) -> str:
    labels = ("entailment", "neutral", "contradiction")
    rows = [
        {"pairID": f"p{i}", "promptID": f"c{i // 3}", "sentence1": f"{word} {i}", "sentence2": f"{word} b {i}",
         "gold_label": labels[i % 3]}
        for i in range(count)
    ]  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for place, word in (("mnli", "english"), ("mt/de", "deutsch"), ("mt/sw", "kiswahili")):
        (root / place).mkdir(parents=True)
        (root / place / "multinli_1.0_train.jsonl").write_text(nli_rows(60, word))
    (root / "mnli" / "multinli_1.0_dev_matched.jsonl").write_text(nli_rows(6, "dev"))
    (root / "wiki").mkdir()
    (root / "wiki" / "de.txt").write_text("ein text\n\nnoch  einer\n" + "".join(f"zeile {i}\n" for i in range(50)))
    (root / "wiki" / "sw.txt.gz").write_bytes(gzip.compress(b"maandishi\nmengine\n"))
    return root


def translated(root: Path, **changes: Any) -> dict[str, Any]:
    languages = changes.get("languages", ["de", "sw"])
    return {
        "what": "translated", "task": "mnli", "format": "sequence_classification", "folder": "mt",
        "source": describe_translations("mnli", root, "mt", languages), "languages": languages, "train_examples": 20,
        "dev_examples": None, "seed": 0,
    }  # fmt: skip


def test_translations_keep_the_examples_the_original_keeps(root: Path, tmp_path: Path) -> None:
    result = prepare(tmp_path / "out", translated(root), data_root=str(root))
    assert result["examples"] == {"de": 20, "sw": 20}
    stored = read_task(tmp_path / "out")
    assert stored.labels == ("entailment", "neutral", "contradiction")
    original = read_original(
        "mnli", root, ["mnli/multinli_1.0_train.jsonl", "mnli/multinli_1.0_dev_matched.jsonl"], (),
        train_examples=20, dev_examples=None, test_examples=None, seed=0,
    )  # fmt: skip
    english: list[Any] = original.splits["train", "en"]
    for code, word in (("de", "deutsch"), ("sw", "kiswahili")):
        examples: list[Any] = stored.split("train", code)
        assert [(e.example_id, e.label) for e in examples] == [(e.example_id, e.label) for e in english]
        assert all(e.language == code and e.text.startswith(word) for e in examples)


def test_a_missing_translation_is_named(root: Path, tmp_path: Path) -> None:
    (root / "mt" / "sw" / "multinli_1.0_train.jsonl").unlink()
    with pytest.raises(DataError, match=r"mt/sw: train en .mnli.: missing, expected") as caught:
        describe_translations("mnli", root, "mt", ["de", "sw"])
    assert "mt/de" not in str(caught.value)
    with pytest.raises(DataError, match="no reader"):
        describe_translations("world-nli", root, "mt", ["de"])
    identity = translated(root, languages=["de"])
    (root / "mt" / "de" / "multinli_1.0_train.jsonl").write_text(nli_rows(60, "anders"))
    with pytest.raises(DataError, match="changed since the plan was made"):
        prepare(tmp_path / "out", identity, data_root=str(root))


def test_texts_from_files(root: Path, tmp_path: Path) -> None:
    source = describe_texts(root, "wiki", ["de", "sw"])
    assert sorted(source["files"]) == ["wiki/de.txt", "wiki/sw.txt.gz"]
    identity = {
        "what": "texts", "source": source, "folder": "wiki", "languages": ["sw", "de"], "lines": 10, "seed": 0,
    }  # fmt: skip
    result = prepare(tmp_path / "out", identity, data_root=str(root))
    assert result["lines"] == {"sw": 2, "de": 10}
    texts = read_texts(tmp_path / "out")
    assert texts["sw"] == ["maandishi", "mengine"]
    lines = (root / "wiki" / "de.txt").read_text().splitlines()
    places = [next(i for i, line in enumerate(lines) if " ".join(line.split()) == text) for text in texts["de"]]
    assert places == sorted(places)
    more = prepare(tmp_path / "more", {**identity, "lines": 1000}, data_root=str(root))
    assert more["lines"] == {"sw": 2, "de": 52}
    with pytest.raises(DataError, match=r"missing wiki/fr\.txt"):
        describe_texts(root, "wiki", ["de", "fr"])
    with pytest.raises(DataError, match="data_root is not set"):
        describe_texts(None, "wiki", ["de"])
    for folder in ("../data/wiki", str(root / "wiki")):
        with pytest.raises(DataError, match="relative to data_root"):
            describe_texts(root, folder, ["de"])


def test_the_world_stands_in_under_the_real_name(tmp_path: Path) -> None:
    source = {**WORLD, "stand_in": "world-nli", "seed": 7, "labels": ["entailment", "contradiction"]}
    base = {
        "task": "qqp", "format": "sequence_classification", "source": source, "train_examples": 30, "dev_examples": 6,
        "seed": 0,
    }  # fmt: skip
    english = {**base, "what": "task", "languages": ["en"], "test_examples": 5, "protocol": "accuracy"}
    prepare(tmp_path / "english", english)
    prepare(tmp_path / "translated", {**base, "what": "translated", "languages": ["a1", "d2"], "folder": None})
    stored, other = read_task(tmp_path / "english"), read_task(tmp_path / "translated")
    assert stored.task == other.task == "qqp"
    assert stored.labels == other.labels == ("entailment", "contradiction")
    expected = load_translations(
        "world-nli", ["en", "d2"], train_examples=30, dev_examples=6, seed=7, test_seed=7, labels=source["labels"]
    )
    assert stored.split("train", "en") == expected.splits["train", "en"]
    assert other.split("train", "d2") == expected.splits["train", "d2"]
    texts = {"what": "texts", "source": WORLD, "folder": None, "languages": ["en", "c1"], "lines": 8, "seed": 0}
    assert prepare(tmp_path / "texts", texts)["lines"] == {"en": 8, "c1": 8}


def test_a_plan_of_another_commit_is_not_carried_out(tmp_path: Path) -> None:
    identity = {"what": "task", "task": "tatoeba", "format": "retrieval", "languages": ["de"], "protocol": ""}
    identity |= {"train_examples": None, "dev_examples": None, "test_examples": None, "seed": 0}
    for number, (repository, commit) in enumerate((("google/xtreme", "6" * 40), ("mteb/tatoeba-bitext-mining", None))):
        source = {"kind": "hub", "repo": repository, "revision": commit}
        with pytest.raises(StageError) as caught:
            prepare(tmp_path / str(number), identity | {"source": source})
        assert f"planned from {repository} at" in str(caught.value)
        assert "this version reads mteb/tatoeba-bitext-mining at 69e8f12da6e31d59" in str(caught.value)
