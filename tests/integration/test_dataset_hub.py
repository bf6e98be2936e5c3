"""The Hub path with the real `datasets.load_dataset` over HTTP: main and converted branches, broken repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datasets")

SCRIPT = Path(__file__).with_name("hub_readings.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was read, or the errors, by data set."""
    # A process of its own: the library reads its settings when it is imported.
    root = str(Path(__file__).parents[2])
    environment = {
        **os.environ, "HF_HOME": str(tmp_path_factory.mktemp("home") / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0", "NO_PROXY": "127.0.0.1", "PYTHONPATH": root,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT)],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def test_real_load_dataset_from_a_hub_on_localhost(found: dict[str, Any]) -> None:
    assert found["xnli"] == {"n": 6, "notes": {}, "language": "sw", "text": "sw 0", "gold": "entailment"}
    assert found["xquad"]["notes"] == {"answer offsets repaired": 2}
    # One language only: the converted branch without its folder would have given eight sentences.
    assert found["masakhaner2"]["n"] == 4
    assert found["masakhaner2"]["text"] == ["yor", "2020"]
    assert found["masakhaner2"]["gold"] == ["B-PER", "O"]
    assert "cannot be loaded" in found["script"]
    assert "cambridgeltl/xcopa" in found["absent"]
    assert found["server"] > 3
    # Pinned commit first; alternates only where it cannot serve, and then with a note.
    assert found["xquad.th"]["first"]["example_id"] == "th0"
    assert "examples from the alternate google/xtreme" not in found["xquad.th"]["notes"]
    assert found["xquad.ru"]["first"]["example_id"] == "alternate-ru0"
    assert found["xquad.ru"]["notes"]["examples from the alternate google/xtreme"] == 4
    assert found["xnli.zh"]["n"] == 6
    assert (found["xnli.zh"]["first"]["text"], found["xnli.zh"]["first"]["cluster_id"]) == ("zh 0", "0")
    assert found["tatoeba.fi"]["first"]["text"] == "yksi 0"
    assert found["tatoeba.fi"]["first"]["translation"] == "one 0"
    assert "google/xquad" in found["nowhere"]
    assert "google/xtreme" in found["nowhere"]


def test_a_commit_of_the_recipe_is_read_and_no_alternate(found: dict[str, Any]) -> None:
    assert found["xnli.pinned"] == ["old 0", 6]
    assert "facebook/xnli" in found["xnli.pinned-refused"]
    assert "google/xtreme" not in found["xnli.pinned-refused"]


def test_pools_from_the_pinned_commit(found: dict[str, Any]) -> None:
    mewslix = found["mewslix"]
    assert {name: len(rows) for name, rows in mewslix.items()} == {
        "train.en": 3, "dev.en": 2, "test.ar": 3, "test.de": 3, "test-pool.all": 4,
    }  # fmt: skip
    first = mewslix["test.ar"][0]
    assert (first["example_id"], first["text"], first["relevant"]) == ("ar-Ann", "Ann: Tom saw { Ann } .", ["QAnn"])
    assert mewslix["test-pool.all"][0]["text"] == "Ann is here"
    assert mewslix["train.en"][1]["cluster_id"] == "train/QBob"
    bucc = found["bucc2018"]
    assert {name: len(rows) for name, rows in bucc.items()} == {"test.de": 4, "test-pool.de": 4}
    assert [(row["example_id"], row["text"], row["relevant"]) for row in bucc["test.de"]][:3] == [
        ("de-000000001", "a de", ["en-000000001"]), ("de-000000002", "b de", []),
        ("de-000000003", "c de", ["en-000000003"]),
    ]  # fmt: skip
    assert bucc["test-pool.de"][3] == {
        "example_id": "en-000000004",
        "cluster_id": "en-000000004",
        "language": "de",
        "text": "d en",
    }


def test_what_the_hub_lacks_is_named_with_its_origin(found: dict[str, Any]) -> None:
    assert "de-en.sample.gold" in found["bucc2018-refused"]
    assert "comparable.limsi.fr" in found["bucc2018-refused"]
    assert "protocol: cross-fitted" in found["bucc2018-refused"]
    assert "*xquad?r/de.json" in found["lareqa-refused"]
    assert "github.com/google-research-datasets/lareqa" in found["lareqa-refused"]


def test_development_data_in_the_target_languages(found: dict[str, Any]) -> None:
    xnli = found["xnli.target-dev"]
    assert {name: len(rows) for name, rows in xnli.items()} == {"dev.de": 2, "dev.sw": 2}
    assert all(row["text"].startswith(f"validation {name[4:]} ") for name, rows in xnli.items() for row in rows)
    assert [row["example_id"] for row in xnli["dev.de"]] == [row["example_id"] for row in xnli["dev.sw"]]
    masakhaner = found["masakhaner2.target-dev"]
    assert {name: {row["words"][0] for row in rows} for name, rows in masakhaner.items()} == {
        "dev.hau": {"hau"}, "dev.yor": {"yor"},
    }  # fmt: skip
    assert "no repository on the Hub holds development data" in found["udpos.target-dev-refused"]
    # The commit of the recipe has a test split alone: no other commit and no alternate is read in its place.
    assert "facebook/xnli" in found["pinned.target-dev-refused"]
    assert "google/xtreme" not in found["pinned.target-dev-refused"]
