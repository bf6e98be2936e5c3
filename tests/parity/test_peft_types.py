"""The table of the library's types is what trying them gives: neither a type that broke nor one that runs is missed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from adapterxfer.catalog.methods.peft_types import PEFT, peft_types

peft = pytest.importorskip("peft")
sys.path.append(str(Path(__file__).parents[2] / "scripts"))

import engine_trials  # noqa: E402 - what the tables share, beside it
import table_peft  # noqa: E402 - a script, with library_peft beside it

pytestmark = [
    pytest.mark.skipif(peft.__version__ != PEFT.table["version"], reason="the table is of another peft"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks"),  # FROD multiplies a sparse matrix
]


def test_the_table_names_every_type() -> None:
    assert sorted(peft_types()) == table_peft.every_type()
    assert sum(facts["runs"] for facts in peft_types().values()) >= 28


@pytest.mark.parametrize("kind", sorted(peft_types()))
def test_a_type_is_what_the_table_says(kind: str) -> None:
    trial, known = table_peft.try_type(kind), peft_types()[kind]
    assert (trial.runs, trial.stacks, trial.bundles) == (known["runs"], known["stacks"], known["bundles"]), trial
    assert list(trial.keys) == known["keys"]
    assert list(trial.fixed) == known["fixed"]
    assert trial.runs or trial.because
    if trial.runs:
        assert table_peft.merging_and_start(trial).items() <= known.items()
        assert trial.library is not None
        assert trial.library <= engine_trials.TOLERANCE
