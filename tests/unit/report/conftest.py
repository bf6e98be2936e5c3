"""Fixtures of the report tests; `planted_study` becomes importable here because test folders are no packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from planted_study import PlantedStudy, plant


@pytest.fixture
def planted(tmp_path: Path) -> PlantedStudy:
    """nli helps by 12 points at every size, in every variant."""
    return plant(tmp_path, lambda *_: 12.0, seeds=(1, 2, 3))


@pytest.fixture
def null_study(tmp_path: Path) -> PlantedStudy:
    """nli changes nothing."""
    return plant(tmp_path, lambda *_: 0.0, seeds=(1, 2, 3))
