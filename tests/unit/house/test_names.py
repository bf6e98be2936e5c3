"""Names say what they hold: few variables are called by a word that fits anything."""

from __future__ import annotations

import ast
import symtable
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapterxfer

PACKAGE = Path(adapterxfer.__file__).parent

VAGUE = frozenset(
    {"asked", "entry", "found", "given", "made", "one", "own", "part", "place", "thing", "wanted", "what"}
)
"""Words that name no term of the field: which part, which place, found where?"""

LIMIT = 0.001
"""Largest share of the variables and parameters of all functions. Lower it whenever names get better; never raise it.

Libraries of the same kind (mteb, torchtune, peft) measured by the same count stay below 0.007.
"""

ROLES = frozenset({"__init__.py", "__main__.py", "registry.py"})
"""Files that play the same part in every room, so that their equal names help a reader."""


def variables(source: str) -> Iterator[str]:
    """Names bound in functions, comprehensions and lambdas: variables and parameters, once for each scope."""

    def walk(table: symtable.SymbolTable) -> Iterator[str]:
        if table.get_type() == "function":
            for symbol in table.get_symbols():
                name = symbol.get_name()
                if symbol.is_local() and (symbol.is_parameter() or symbol.is_assigned()) and not name.startswith("."):
                    yield name
        for child in table.get_children():
            yield from walk(child)

    yield from walk(symtable.symtable(source, "<source>", "exec"))


def test_few_variables_have_a_name_that_fits_anything() -> None:
    total, rooms = 0, Counter[str]()
    for path in PACKAGE.rglob("*.py"):
        names = list(variables(path.read_text(encoding="utf-8")))
        total += len(names)
        rooms[path.relative_to(PACKAGE).parts[0]] += sum(name in VAGUE for name in names)
    share = rooms.total() / total
    assert share <= LIMIT, f"{share:.4f} of {total} names, by room: {rooms.most_common()}"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("part = 1\nclass A:\n    part: int = 2\n", []),
        ("def f(part, *own, what=1, **found): pass\n", ["part", "own", "what", "found"]),
        ("def f():\n    global part\n    part = 1\n    made = found.own\n", ["made"]),
        ("def f(y):\n    x = [one for one in y if (given := one)]\n", ["y", "x", "one", "given"]),
        # From 3.12 on (PEP 709) the table of what holds a comprehension has its names: here the module's, not counted.
        ("x = [one for one in y if (given := one)]\n", ["one"] if sys.version_info < (3, 12) else []),
        ("f = lambda asked: asked\n", ["asked"]),
        ("def f():\n    for entry in x:\n        with y as place: pass\n", ["entry", "place"]),
    ],
)
def test_what_counts_as_a_variable(source: str, names: list[str]) -> None:
    assert sorted(variables(source)) == sorted(names)


def test_a_public_class_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path.relative_to(PACKAGE).as_posix())
    assert len(homes) > 100
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_files_of_one_name_stand_in_three_rooms_at_most() -> None:
    rooms = Counter(path.name for path in PACKAGE.rglob("*.py"))
    assert {name: number for name, number in rooms.items() if number > 3 and name not in ROLES} == {}
