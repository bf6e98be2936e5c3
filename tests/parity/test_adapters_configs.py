"""The table of the library's configurations is what trying them gives: none that broke and none that runs is missed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from adapterxfer.catalog.methods.adapters_configs import ADAPTERS

pytest.importorskip("adapters")
sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from importlib.metadata import version

import table_adapters  # with library_adapters beside it

pytestmark = pytest.mark.skipif(version("adapters") != ADAPTERS.table["version"], reason="a table of another adapters")


def test_the_table_names_every_configuration() -> None:
    assert sorted(ADAPTERS.kinds) == table_adapters.every_config()
    assert sum(facts["runs"] for facts in ADAPTERS.kinds.values()) >= 20


@pytest.mark.parametrize("name", sorted(ADAPTERS.kinds))
def test_a_configuration_is_what_the_table_says(name: str) -> None:
    trial, known = table_adapters.try_config(name), ADAPTERS.kinds[name]
    fresh = table_adapters.content([trial])["types"][name]
    # Measured sizes stand in some reasons.
    assert {**fresh, "because": bool(fresh["because"])} == {**known, "because": bool(known["because"])}
    if trial.runs:
        assert trial.library is not None
        assert trial.library <= table_adapters.TOLERANCE
        assert trial.neutral != "never" or "keys_values" in trial.places
