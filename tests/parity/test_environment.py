"""The second environment of ``scripts/test`` has what its tests would otherwise be skipped for."""

from __future__ import annotations

import os
from importlib.metadata import version

import pytest


@pytest.mark.skipif(not os.environ.get("ADAPTERXFER_OTHER_PYTHON"), reason="not the second environment of scripts/test")
def test_the_second_environment_has_the_library_adapters() -> None:
    import adapters

    assert version("adapters").startswith("1.3.")
    assert version("transformers").startswith("4.57.")
    assert hasattr(adapters, "init")
