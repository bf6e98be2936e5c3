"""Calls that say what they pass: records of more than six fields are keyword-only, and no call has seven positions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import adapterxfer

PACKAGE = Path(adapterxfer.__file__).parent
MOST = 6
"""Positions that a reader can still count."""

ROOT = PACKAGE.parent
FILES = [*sorted(PACKAGE.rglob("*.py")), *sorted((ROOT / "scripts").rglob("*.py"))]


def long_calls(tree: ast.AST) -> list[str]:
    """Calls with seven positional arguments or more; a starred argument counts as one."""
    return [
        f"line {node.lineno}: {ast.unparse(node.func)} with {len(node.args)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and len(node.args) > MOST
    ]


def positional_records(tree: ast.AST) -> list[str]:
    """Dataclasses of more than six fields of their own that can be built by position."""
    return [
        f"line {node.lineno}: {node.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if "dataclass" in ast.unparse(decorator) and "kw_only=True" not in ast.unparse(decorator)
        if sum(isinstance(line, ast.AnnAssign) for line in node.body) > MOST
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arguments_are_named(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not long_calls(tree), "name the arguments"
    assert not positional_records(tree), "kw_only=True"


def test_the_check_can_fail() -> None:
    tree = ast.parse(
        "f(1, 2, 3, 4, 5, 6, 7)\n@dataclass(frozen=True)\nclass A:\n" + "".join(f"  a{n}: int\n" for n in range(7))
    )
    assert long_calls(tree) == ["line 1: f with 7"]
    assert positional_records(tree) == ["line 3: A"]
    assert not long_calls(ast.parse("f(1, 2, 3, 4, 5, 6, seventh=7)"))
