"""One study under two versions of transformers: equal keys, equal bytes, and a store that either of them goes on with.

``scripts/test`` runs this in its second environment and names the Python of the first one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import tiny_study

ROOT = Path(__file__).parents[2]
OTHER = os.environ.get("ADAPTERXFER_OTHER_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not OTHER, reason="ADAPTERXFER_OTHER_PYTHON names no Python with another version"),
]


def adapterxfer(python: str, folder: Path, *words: str) -> str:
    """Standard output of a command, run by a Python with its own libraries and this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    options = ["--set", "data_root=data"]
    done = subprocess.run(
        [python, "-m", "adapterxfer.cli", words[0], "study.yaml", *options, *words[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def study(folder: Path) -> Path:
    text = tiny_study.recipe("study", targets=("world-xnli", "world-xqa", "world-retrieval"))
    tiny_study.write_study(folder, study=text)
    return folder


def compared(store: Path) -> dict[str, bytes]:
    """Every file of every stage but for seconds and the names of versions."""
    files = {}
    for name, content in tiny_study.contents(store).items():
        if name.endswith(".csv") or not name.startswith("report/"):
            files[name] = content
        if name.endswith("/config.json"):
            values = json.loads(content)
            del values["transformers_version"]
            files[name] = json.dumps(values).encode()
    return files


def versions(store: Path) -> set[str]:
    """Of transformers, by which the stages of a store were made."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in store.rglob("stage.json")]
    return {record["provenance"]["libraries"]["transformers"] for record in records}


def different(one: Mapping[str, bytes], two: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with the stores ``here`` and ``there``, each made by one version from beginning to end."""
    root = study(tmp_path_factory.mktemp("versions") / "study")
    for store, python in (("here", sys.executable), ("there", OTHER)):
        adapterxfer(python, root, "run", "--store", store)
    return root


def test_the_study_is_the_same_to_the_byte(folder: Path) -> None:
    assert len(versions(folder / "here")) == 1
    assert len(versions(folder / "here") | versions(folder / "there")) == 2, "both Pythons have the same transformers"
    here, there = compared(folder / "here"), compared(folder / "there")
    assert different(here, there) == []
    models = [name for name in here if name.endswith("model.safetensors")]
    kinds = {name.split("/")[0] for name in here}
    assert len(models) > 8
    assert {"pretrain", "train_intermediate", "train_target", "train_fusion", "predict"} <= kinds


@pytest.mark.parametrize("first", ["here", "there"])
def test_a_store_is_continued_by_the_other_version(folder: Path, first: str) -> None:
    pythons = {"here": sys.executable, "there": OTHER}
    begins, goes_on = pythons[first], pythons["there" if first == "here" else "here"]
    store = f"begun-{first}"
    adapterxfer(begins, folder, "run", "--store", store, "--only", "variant=stack", "--only", "target=world-xqa")
    begun = set(compared(folder / store))
    assert begun
    adapterxfer(goes_on, folder, "run", "--store", store)
    assert len(versions(folder / store)) == 2
    assert begun < set(compared(folder / store))
    # The report of a part of the grid is there in addition.
    whole, continued = (
        {name: content for name, content in compared(folder / root).items() if not name.startswith("report/")}
        for root in ("here", store)
    )
    assert different(whole, continued) == []
    state = json.loads(adapterxfer(begins, folder, "status", "--store", store, "--json"))
    assert all(kind["done"] == kind["count"] > 0 for kind in state["kinds"])
    adapterxfer(begins, folder, "report", "--store", store)
