"""One concept, one home: in how many files the code names a given method, variant or encoder.

Counted are files with a string literal that is exactly the name; docstrings do not count, nor does what stands inside a
longer text. A name that two concepts share (`rembert` is an architecture, and a series of backbones) counts for both.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

import adapterxfer
from adapterxfer.catalog import METHODS, VARIANTS
from adapterxfer.catalog.architectures import ARCHITECTURES

PACKAGE = Path(adapterxfer.__file__).parent

METHOD_LIMIT = 2
"""Its specification, and the module that computes it."""

ARCHITECTURE_LIMIT = 2
"""Its entry; and the table of pretraining text, whose series may have the same name."""

VARIANT_LIMIT = 3
"""Its specification, its builder, and one more."""

NAMES: dict[str, tuple[Iterable[str], int]] = {
    "method": (METHODS, METHOD_LIMIT),
    "architecture": (ARCHITECTURES, ARCHITECTURE_LIMIT),
    "variant": (VARIANTS, VARIANT_LIMIT),
}
"""Concept -> its names, and in how many files each may stand."""


@cache
def literals() -> dict[str, set[str]]:
    """String literal -> files that hold it."""
    holding: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
                holding.setdefault(node.value, set()).add(str(path.relative_to(PACKAGE)))
    return holding


@pytest.mark.parametrize(
    ("concept", "name"), [(concept, name) for concept, (names, _) in NAMES.items() for name in names]
)
def test_a_name_stands_in_few_files(concept: str, name: str) -> None:
    files = literals().get(name, set())
    limit = NAMES[concept][1]
    assert files, f"the {concept} '{name}' is named nowhere: the count does not see it"
    assert len(files) <= limit, f"the {concept} '{name}' stands in {len(files)} files, at most {limit}: {sorted(files)}"
