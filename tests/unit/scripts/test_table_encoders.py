"""Tiny checkpoints of every architecture have the states of the library; the page's table has a row for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from adapterxfer.backbones.quantized import LIBRARIES
from adapterxfer.backbones.special_tokens import tokenizer_problems
from adapterxfer.catalog.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def table_encoders() -> ModuleType:
    import importlib
    import sys

    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module("table_encoders")
    finally:
        sys.path.pop(0)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_states_are_those_of_the_library(model_type: str, table_encoders: ModuleType, tmp_path: Path) -> None:
    """With tokenizers of the real kinds (encoder_checkpoints): float32 within 1e-5, bfloat16 within its rounding."""
    folder = tmp_path / model_type
    table_encoders.make(folder, model_type)
    assert not tokenizer_problems(folder)
    assert table_encoders.difference(folder, model_type, "float32")[0] <= 1e-5
    error, largest = table_encoders.difference(folder, model_type, "bfloat16")
    assert error <= 8 * 2**-7 * largest


@pytest.mark.filterwarnings("ignore")  # of the libraries' own imports
@pytest.mark.parametrize("kind", LIBRARIES)
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_quantized_states_are_those_of_the_library(
    model_type: str, kind: str, table_encoders: ModuleType, tmp_path: Path
) -> None:
    for library in LIBRARIES.values():
        pytest.importorskip(library, reason="extra 'quantized' is not installed")
    folder = tmp_path / model_type
    table_encoders.make(folder, model_type)
    assert table_encoders.difference(folder, model_type, "float32", kind)[0] <= 1e-5
    error, largest = table_encoders.difference(folder, model_type, "bfloat16", kind)
    assert error <= 8 * 2**-7 * largest


def test_the_page_has_every_type(table_encoders: ModuleType) -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", table_encoders.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _ in rows} >= {a.model_type for a in ARCHITECTURES.values()}
    for name, cells in rows:
        shown = dict(zip(table_encoders.COLUMNS, cells.split(" | "), strict=True))
        assert float(shown["states"]) <= 1e-5, name
        assert float(shown["reload"]) <= 1e-5, name
        for column in ("run", "stack", "fuse", "LoRA", "merge"):
            done, _, planned = shown[column].partition(" of ")
            assert done == planned != "0", (name, column)


def test_a_table_of_two_rows(table_encoders: ModuleType) -> None:
    build: Callable[..., str] = table_encoders.table
    cells = dict.fromkeys(table_encoders.COLUMNS, "yes")
    text = build([table_encoders.Row(name, cells) for name in ("one", "two")])
    assert text.splitlines()[0].startswith("| type | states |")
    assert text.splitlines()[3] == "| `two` | " + " | ".join(["yes"] * len(table_encoders.COLUMNS)) + " |"
