"""The sets of the field as they are on the Hub, with the real `datasets.load_dataset` over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datasets")

SCRIPT = Path(__file__).with_name("field_readings.py")
ROWS = 24


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was read, by task and language."""
    environment = {
        **os.environ, "HF_HOME": str(tmp_path_factory.mktemp("home") / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0", "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT)],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def test_every_row_is_read_under_the_codes_of_the_study(readings: dict[str, Any]) -> None:
    for name, reading in readings.items():
        if name != "afrixnli.dev":
            assert reading["n"] == ROWS, name
            assert reading["first"]["language"] == name.partition(".")[2]
    assert readings["masakhanews.sw"]["first"]["text"] == '"swa" headline 0 he said "so"\tand then\nmore 0'
    assert readings["masakhanews.lin"]["golds"] == ["business", "entertainment", "health", "politics"]


def test_numbers_have_the_names_that_the_catalogue_gives_them(readings: dict[str, Any]) -> None:
    assert readings["nusax.ace"]["golds"] == ["negative", "neutral", "positive", "negative"]
    # The converted branch states names itself.
    assert readings["nusax.sun"]["golds"] == ["negative", "neutral", "positive", "negative"]
    assert readings["afrisenti.sw"]["golds"] == ["positive", "neutral", "negative", "positive"]
    assert readings["afrixnli.twi"]["golds"] == ["entailment", "neutral", "contradiction", "entailment"]
    assert readings["afrixnli.dev"][0] in ("entailment", "neutral", "contradiction")


def test_what_the_first_repository_lacks_comes_from_the_alternate_and_is_counted(readings: dict[str, Any]) -> None:
    assert readings["afrisenti.gaz"]["notes"] == {"examples from the alternate masakhane/afrisenti": ROWS}
    assert readings["afrisenti.gaz"]["golds"] == ["negative", "neutral", "positive", "negative"]
    assert readings["nusax.sun"]["notes"] == {"examples from the alternate indonlp/NusaX-senti": ROWS}
    assert readings["afrixnli.gaz"]["notes"] == {}


def test_choices(readings: dict[str, Any]) -> None:
    first = readings["afrimmlu.sot"]["first"]
    assert (first["question"], first["choices"], first["label"]) == (
        "sot question 0?", ["it's w", "it's x", "it's y", "it's z"], 0,
    )  # fmt: skip
    assert readings["afrimmlu.en"]["first"]["example_id"] == first["example_id"]
    assert readings["global-mmlu-lite.yo"]["golds"] == [0, 1, 2, 3]
    assert readings["belebele.ary"]["golds"] == [0, 1, 2, 3]
    assert readings["xstorycloze.my"]["golds"] == [0, 1, 0, 1]
