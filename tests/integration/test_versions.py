"""One study under two versions of transformers: equal keys, equal bytes, and a store that either of them goes on with.

``scripts/test`` runs this in its second environment and names the Python of the first one. The same over a whole
recipe: ``scripts/compare_versions.py``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import tiny_study
from two_versions import adapterxfer, begun_and_finished, compared, different, stage_versions

OTHER = os.environ.get("ADAPTERXFER_OTHER_PYTHON", "")
SETTINGS = ("--set", "data_root=data")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not OTHER, reason="ADAPTERXFER_OTHER_PYTHON names no Python with another version"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with the stores ``here`` and ``there``, each made by one version from beginning to end."""
    root = tmp_path_factory.mktemp("versions") / "study"
    text = tiny_study.recipe("study", targets=("world-xnli", "world-xqa", "world-retrieval"))
    tiny_study.write_study(root, study=text)
    for store, python in (("here", sys.executable), ("there", OTHER)):
        adapterxfer(python, root, "run", "study.yaml", "--store", store, *SETTINGS)
    return root


def test_the_study_is_the_same_to_the_byte(folder: Path) -> None:
    mine, theirs = (set(stage_versions(folder / store).values()) for store in ("here", "there"))
    assert len(mine) == len(theirs) == 1
    assert mine != theirs, "both Pythons have the same transformers"
    here, there = compared(folder / "here"), compared(folder / "there")
    assert different(here, there) == []
    models = [name for name in here if name.endswith("model.safetensors")]
    kinds = {name.split("/")[0] for name in here}
    assert len(models) > 8
    assert {"pretrain", "train_intermediate", "train_target", "train_fusion", "predict"} <= kinds


@pytest.mark.parametrize("first", ["here", "there"])
def test_a_store_is_continued_by_the_other_version(folder: Path, first: str) -> None:
    pythons = (sys.executable, OTHER) if first == "here" else (OTHER, sys.executable)
    store = f"begun-{first}"
    part = ("--only", "variant=stack", "--only", "target=world-xqa")
    makers = begun_and_finished(pythons, folder, "study.yaml", store, part=part, more=SETTINGS)
    assert len(set(makers.values())) == 2
    # The report of a part of the grid is there in addition.
    whole, continued = (
        {name: content for name, content in compared(folder / root).items() if not name.startswith("report/")}
        for root in ("here", store)
    )
    assert different(whole, continued) == []
