"""Nothing in the package is there for tests alone: every definition is reached from commands, public API or scripts.

The walk goes by names: a definition lives when something that lives says its name. That spares what only shares its
name with something used, so whatever the walk reports is surely unused.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import adapterxfer

PACKAGE = Path(adapterxfer.__file__).parent
SCRIPTS = PACKAGE.parent / "scripts"

ROOTS = ("__init__.py", "__main__.py", "cli/__main__.py", "cli/main.py")
"""Modules whose every name is used from outside: the public API and the command."""

LIBRARY = "statistics/"
"""A room that is a library of its own, whose public functions users call (docs/statistics.md)."""

DOCUMENTED = re.compile(r"`\.(\w+)|\.(\w+)\(")
"""Methods of records that users hold, as the pages show them: ``bundle.classify(...)``, ``.excludes_zero``."""

ALLOWED: dict[str, str] = {}
"""Definition -> why it stays although nothing in the package or in scripts reaches it."""

_HARMLESS = {"abstractmethod", "cache", "cached_property", "classmethod", "overload", "property", "staticmethod"}
"""Decorators that register nothing."""

NOTEBOOK = "_repr_html_"
"""What notebooks call to show an object."""

_POINTER = re.compile(r"[\w.]*\w:(\w+)$|\bimport (\w+)")
"""A builder named as a string, ``adapterxfer.formats.tagging:Tagging``, or code for another process."""


@dataclass(slots=True)
class Definition:
    """A function, class, method or constant.

    Attributes:
        place: ``file:line name``.
        says: names in its body; of a class those of its bases, decorators and fields.
        lives_with: the class of a method that nobody need call by name (special methods, hooks of a library).
    """

    name: str
    place: str
    says: set[str]
    lives_with: str = ""


def names_in(*nodes: ast.AST | None) -> set[str]:
    """Identifiers, attributes, imported names, and strings that point to a definition."""
    names: set[str] = set()
    for top in nodes:
        for node in ast.walk(top) if top is not None else ():
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.alias):
                names |= {node.name.split(".")[-1]}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names |= {name for pair in _POINTER.findall(node.value) for name in pair}
                if node.value.isidentifier():
                    names.add(node.value)  # getattr, __all__, a lazy export
    return names


def _external(base: ast.expr, known: set[str]) -> bool:
    """Whether a base class comes from a library, which calls methods of its own accord."""
    name = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
    return name not in known and name not in {"Protocol", "ABC", "NamedTuple", "Enum", "Generic", ""}


def definitions(path: Path, known: set[str]) -> Iterator[Definition]:
    """Of one module, methods too; and its statements, which run whenever it is imported."""
    relative = path.relative_to(PACKAGE).as_posix()

    def place(node: ast.stmt, name: str) -> str:
        return f"{relative}:{node.lineno} {name}"

    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lives_with = "" if {*map(_decorator, node.decorator_list)} <= _HARMLESS else "module"
            yield Definition(node.name, place(node, node.name), names_in(node), lives_with)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
                    yield Definition(target.id, place(node, target.id), names_in(node.value, annotation))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname:
                    yield Definition(alias.asname, "", {alias.name})
        elif isinstance(node, ast.Expr | ast.For | ast.With):  # runs with the import, such as a registration
            yield Definition("", place(node, "statement"), names_in(node), "module")
        elif isinstance(node, ast.ClassDef):
            fields = [item for item in node.body if not isinstance(item, ast.FunctionDef)]
            yield Definition(
                node.name, place(node, node.name), names_in(*node.bases, *node.decorator_list, *node.keywords, *fields)
            )
            hooks = any(_external(base, known) for base in node.bases)
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    registered = not {*map(_decorator, item.decorator_list)} <= _HARMLESS
                    hook = hooks or registered or item.name.startswith("__") or item.name == NOTEBOOK
                    yield Definition(
                        item.name,
                        place(item, f"{node.name}.{item.name}"),
                        names_in(item),
                        node.name if hook else "",
                    )


def _decorator(node: ast.expr) -> str:
    inner = node.func if isinstance(node, ast.Call) else node
    return inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""


def unreached(roots: set[str], every: list[Definition]) -> list[Definition]:
    """Definitions that no living one names."""
    alive: set[str] = set(roots)
    left = every
    while True:
        reached = [d for d in left if d.lives_with == "module" or (d.lives_with or d.name) in alive]
        if not reached:
            return left
        left = [d for d in left if d.lives_with != "module" and (d.lives_with or d.name) not in alive]
        for definition in reached:
            alive |= definition.says


def test_every_definition_is_reached() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    known = {
        node.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    every = [definition for path in files for definition in definitions(path, known)]
    outside = [*(PACKAGE / name for name in ROOTS), *SCRIPTS.rglob("*.py")]
    roots = names_in(*(ast.parse(path.read_text(encoding="utf-8")) for path in outside))
    roots |= {"__all__", "__getattr__", "__dir__"}
    for page in (PACKAGE.parent / "README.md", *(PACKAGE.parent / "docs").glob("*.md")):
        roots |= {name for pair in DOCUMENTED.findall(page.read_text(encoding="utf-8")) for name in pair}
    left = {re.sub(r":\d+", "", dead.place) for dead in unreached(roots, every) if dead.place}
    left = {place for place in left if not place.startswith(LIBRARY)}
    assert left - ALLOWED.keys() == set(), "reached by tests alone, or by nobody: delete it, or move it to the tests"
    assert ALLOWED.keys() <= left, "reached after all, or gone: take it off the list"


def test_the_walk_sees_what_nobody_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "room.py").write_text(
        "register(built)\n\ndef built(): ...\n\nLIMIT: Size = 3\nSize = int\nUNUSED = 4\n\n"
        "def used():\n    return Kept().method() + LIMIT\n\n"
        "def dead():\n    return only_from_dead()\n\ndef only_from_dead(): ...\n\n"
        "class Kept:\n    def __len__(self): return helper()\n    def method(self): ...\n    def lost(self): ...\n\n"
        "def helper(): ...\n\ndef served(): ...\n\nclass Hook(Library):\n    def called_back(self): ...\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    every = list(definitions(tmp_path / "room.py", {"Kept", "Hook"}))
    roots = names_in(ast.parse("used()\nrun('from room import served; served()')\nload('room:Hook')"))
    left = [definition.place.split()[1] for definition in unreached(roots, every)]
    assert left == ["UNUSED", "dead", "only_from_dead", "Kept.lost"]
