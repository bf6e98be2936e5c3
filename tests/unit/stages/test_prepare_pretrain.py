"""The prepare and pretrain executors on a folder of a few hundred lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapterxfer.catalog.lengths import OWN_SERIES
from adapterxfer.data.files import HashCache
from adapterxfer.data.sources import CORPUS, describe_source
from adapterxfer.data.storage import read_task
from adapterxfer.engines.worker import run_stage
from adapterxfer.errors import DataError, StageError, StageStopped
from adapterxfer.stages import prepare, pretrain
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

IDENTITY = {
    "tokens": 6000,
    "shape": {"hidden": 16, "layers": 1, "heads": 2},
    "batch_sequences": 8,
    "learning_rate": 5e-3,
    "warmup_fraction": 0.1,
    "weight_decay": 0.01,
    "mask": 0.2,
    "tlm_share": 0.4,
    "initialisation": "relative-offset",
    "dtype": "fp32",
    "seed": 0,
}


def run(
    module: Any, kind: str, identity: Mapping[str, Any], scratch: Path, **more: Any
) -> tuple[dict[str, Any], list[Any]]:
    scratch.mkdir()
    lines: list[Any] = []
    stage = Stage(kind=kind, version=1, identity=identity, inputs=dict.fromkeys(more.get("inputs", {}), "0" * 64))
    context = StageContext(
        stage=stage, inputs=more.get("inputs", {}), scratch=scratch, log=lines.append, settings=more.get("settings", {})
    )
    return module.execute(context), lines


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for code in ("en", "de"):
        rng = np.random.default_rng(1)
        stems = [f"{code}{stem}" for stem in ("haus", "baum", "wasser", "stein", "garten")]
        rows = [" ".join(stems[k] for k in rng.integers(5, size=8)) + f" {i}" for i in range(300)]
        (folder / f"{code}.txt").write_text("\n".join(rows) + "\n")
    (folder / "SOURCES.tsv").write_text("lang\tsources\nen\tNTREX-128/en: 300\nde\tNTREX-128/de: 300\n")
    return folder


def corpus_identity(root: Path, cache: Path, **changes: Any) -> dict[str, Any]:
    source = describe_source(CORPUS, root, ["en", "de"], cache=HashCache(cache))
    values = {"vocabulary": 300, "alphabet": 60, "holdout": 0.1, "sequence_length": 16, "pairs": True, "seed": 0}
    return {"what": "corpus", "source": source, "languages": ["en", "de"], **values, **changes}


@pytest.fixture(scope="module")
def corpus(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stages")
    identity = corpus_identity(root, place / "hashes.json")
    result, _ = run(prepare, "prepare", identity, place / "corpus", settings={"data_root": str(root)})
    assert result["tokens"]["parallel"] > 1000
    return place / "corpus"


def test_a_prepared_corpus_is_the_same_twice(root, corpus, tmp_path):
    identity = corpus_identity(root, tmp_path / "hashes.json")
    run(prepare, "prepare", identity, tmp_path / "again", settings={"data_root": str(root)})
    names = sorted(path.name for path in corpus.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (corpus / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_pretraining_stores_backbone_tokenizer_and_record(corpus, tmp_path):
    result, lines = run(pretrain, "pretrain", IDENTITY, tmp_path / "a", inputs={"corpus": corpus})
    found = {} if torch.cuda.is_available() else {"device": "auto"}  # only the processor repeats every bit
    run(pretrain, "pretrain", IDENTITY, tmp_path / "b", inputs={"corpus": corpus}, settings=found)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()
    record = json.loads((tmp_path / "a" / "pretraining.json").read_text())
    assert [point["fraction"] for point in record["curve"]] == [0.125, 0.25, 0.5, 1.0]
    assert record["heldout"] == result["heldout"]
    assert {"mlm", "unigram", "shuffled", "uses_context"} <= set(record["heldout"])
    assert record["settings"]["shares"] == {"mono": 0.6, "parallel": 0.4}
    assert any("heldout" in line for line in lines)
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["max_position_embeddings"] == OWN_SERIES + 2
    assert (tmp_path / "a" / "tokenizer.json").exists()


def test_the_untrained_twin_shares_start_values_and_tokenizer(corpus, tmp_path):
    result, _ = run(pretrain, "pretrain", {**IDENTITY, "tokens": 0}, tmp_path / "a", inputs={"corpus": corpus})
    assert result["steps"] == 0
    assert not result["heldout"]["uses_context"]
    assert (tmp_path / "a" / "model.safetensors").exists()


def test_a_share_of_pairs_needs_pairs(root, tmp_path):
    identity = corpus_identity(root, tmp_path / "hashes.json", pairs=False)
    run(prepare, "prepare", identity, tmp_path / "corpus", settings={"data_root": str(root)})
    with pytest.raises(DataError, match="parallel"):
        run(pretrain, "pretrain", IDENTITY, tmp_path / "a", inputs={"corpus": tmp_path / "corpus"})
    run(pretrain, "pretrain", {**IDENTITY, "tlm_share": 0}, tmp_path / "b", inputs={"corpus": tmp_path / "corpus"})


def test_prepare_refuses_changed_files_and_unknown_work(root, tmp_path):
    identity = corpus_identity(root, tmp_path / "hashes.json")
    with pytest.raises(DataError, match="data_root is not set"):
        run(prepare, "prepare", identity, tmp_path / "a")
    broken = {**identity, "source": {"kind": "files", "files": {"en.txt": "0" * 64}}}
    with pytest.raises(DataError, match="changed since"):
        run(prepare, "prepare", broken, tmp_path / "b", settings={"data_root": str(root)})
    with pytest.raises(StageError, match="expected task, corpus, texts, translated, target-dev or target-train"):
        run(prepare, "prepare", {"what": "cake"}, tmp_path / "c")


def test_prepare_writes_a_task_of_the_world(tmp_path):
    identity = {
        "what": "task", "task": "world-ner", "format": "tagging", "source": {"kind": "world", "generator": "x"},
        "languages": ["en", "a1"], "train_examples": 5, "dev_examples": 4, "test_examples": 3,
        "seed": 0, "protocol": "p",
    }  # fmt: skip
    result, _ = run(prepare, "prepare", identity, tmp_path / "task")
    stored = read_task(tmp_path / "task")
    assert result["fingerprint"] == stored.fingerprint
    assert stored.languages("test") == ("en", "a1")
    assert len(stored.split("train", "en")) == 5
    assert stored.extra["protocol"] == "p"


def test_a_stopped_pretrain_stage_goes_on_in_the_next_run(corpus: Path, tmp_path: Path) -> None:
    """Through `run_stage`: exit code 75, a folder in `.resume` that the commit removes, and the same artefacts."""
    stage = Stage(kind="pretrain", version=1, identity=IDENTITY, inputs={"corpus": "0" * 64}, slug="small")
    plain, store = Store(tmp_path / "plain"), Store(tmp_path / "stopped")
    for place in (plain, store):
        place.open()
    run_stage(stage, store=plain, settings={}, inputs={"corpus": corpus})
    asked = iter([False] * 20 + [True] * 2)
    with pytest.raises(StageStopped) as caught:
        run_stage(stage, store=store, settings={}, inputs={"corpus": corpus}, stop=lambda: next(asked, True))
    assert caught.value.exit_code == 75
    assert any(store.resume_folder(stage).iterdir())
    assert store.find(stage) is None
    run_stage(stage, store=store, settings={}, inputs={"corpus": corpus})
    assert not store.resume_folder(stage).exists()
    result = store.read(stage).result
    assert result["resumed_at"] > 0
    assert "resumed_at" not in plain.read(stage).result
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (store.folder(stage) / name).read_bytes() == (plain.folder(stage) / name).read_bytes(), name
    one, other = (json.loads((place.folder(stage) / "pretraining.json").read_text()) for place in (plain, store))
    assert {**one, "provenance": 0} == {**other, "provenance": 0}
