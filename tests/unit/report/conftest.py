"""Fixtures of the report tests; `planted_study` becomes importable here because test folders are no packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from planted_hypotheses import GAINS, results_of
from planted_study import PlantedStudy, plant

from adapterxfer.report.results import Results


@pytest.fixture
def planted(tmp_path: Path) -> PlantedStudy:
    """nli helps by 12 points at every size, in every variant."""
    return plant(tmp_path, lambda *_: 12.0, seeds=(1, 2, 3))


@pytest.fixture
def null_study(tmp_path: Path) -> PlantedStudy:
    """nli changes nothing."""
    return plant(tmp_path, lambda *_: 0.0, seeds=(1, 2, 3))


@pytest.fixture(scope="session")
def falling(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """With full-ft nli gives 20, 12 and 4 points on xnli at three sizes and nothing on panx; stack gives nothing."""

    def planted(backbone: str, variant: str, _task: str, target: str, _code: str) -> float:
        return GAINS[backbone] if variant == "full-ft" and target == "xnli" else 0.0

    root = tmp_path_factory.mktemp("falling")
    return results_of(plant(root, planted, examples=400, seeds=(1, 2, 3), variants=("full-ft", "stack")))
