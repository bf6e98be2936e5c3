"""Tasks that a recipe declares, read from a Hub on localhost at a pinned commit, from `check` to the report."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from own_references import reference

SCRIPT = Path(__file__).with_name("own_tasks_hub.py")
READ = [
    *("hub-news ha", "hub-news yo", "hub-inference sw", "hub-inference ewe"),
    *("hub-names sw", "hub-questions sw", "hub-questions yo", "hub-choices sw"),
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    # A process of its own: the library reads its settings when it is imported.
    root = tmp_path_factory.mktemp("own-hub")
    environment = {
        **os.environ, "HF_HOME": str(root / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0", "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT), str(root)],
        env=environment, capture_output=True, text=True, check=False, timeout=550,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def test_it_is_read_trained_and_tested(ran: dict[str, Any]) -> None:
    assert (ran["check"], ran["failed"]) == (0, 0)
    assert sorted(ran["scored"]) == sorted(READ)
    sizes = {name: len(golds) for name, (_, _, golds, _) in ran["scored"].items()}
    assert sizes["hub-news ha"] == 17
    assert sizes["hub-questions yo"] == 9
    declared = {facts["name"]: facts for facts in ran["declared"]}
    assert (declared["hub-news"]["hub"], declared["hub-news"]["licence"]) == ("my-org/my-news", "afl-3.0")


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("name", READ)
def test_scores_are_those_of_the_libraries(ran: dict[str, Any], name: str) -> None:
    metric, predictions, golds, score = ran["scored"][name]
    assert score == pytest.approx(reference(metric, predictions, golds), abs=1e-9)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("config", "my-org/my-news.*en-news"),
        ("split", "my-org/my-news.*development"),
        ("column", "no column 'title'; it has headline, text, category"),
        ("label", "label 'sports'; expected business health sport"),
        ("commit", "my-org/my-news.*1111111"),
        ("repository", "my-org/no-news"),
    ],
)
def test_what_the_hub_does_not_hold_is_refused_by_check(ran: dict[str, Any], mistake: str, message: str) -> None:
    code, said = ran["refused"][mistake]
    assert code == 2
    assert re.search(rf"tasks\.hub-news: .*{message}", said.replace("\n", " ")), said
    assert "fix: " in said
