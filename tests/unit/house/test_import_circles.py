"""No module needs, even at second hand, one that needs it: every file can be read, tested and moved on its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import adapterxfer

PACKAGE = Path(adapterxfer.__file__).parent


class Imports(ast.NodeVisitor):
    """Imports of a file, those inside functions too; not those that only type checkers read."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def visit_Import(self, node: ast.Import) -> None:
        self.names += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.module is not None, "relative imports are not read here"
        self.names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)


def modules_of(package: Path) -> dict[str, Path]:
    """Dotted name -> file; a package is called by its own name, not by that of its ``__init__``."""
    paths = {path: path.relative_to(package.parent).with_suffix("").parts for path in package.rglob("*.py")}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): path for path, parts in paths.items()}


def graph(package: Path) -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports, with the packages that these lie in.

    The packages around the importing module itself do not count: they are being imported already.
    """
    modules = modules_of(package)
    needed: dict[str, set[str]] = {}
    for name, path in modules.items():
        imports = Imports()
        imports.visit(ast.parse(path.read_text(encoding="utf-8")))
        direct = {imported for imported in imports.names if imported in modules}
        needed[name] = {module for imported in direct for module in (imported, *around(imported))}
        needed[name] -= {name, *around(name)} - direct
        # `from package import submodule` names the package too, which runs in any case.
        needed[name] -= {parent for parent in around(name) if any(child.startswith(f"{parent}.") for child in direct)}
    return needed


def around(module: str) -> Iterator[str]:
    """The packages that a module lies in."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def circle(needed: Mapping[str, set[str]]) -> list[str]:
    """Modules of one circle, the first of them again at the end; empty where there is none."""
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_is_part_of_a_circle() -> None:
    needed = graph(PACKAGE)
    assert len(needed) > 300, "the walk does not see the package"
    assert sum(map(len, needed.values())) > 1500, "the walk does not see its imports"
    assert not circle(needed)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a": "from house import b\n", "b": "import house.c\n", "c": "x = 1\n"}, set()),
        ({"a": "from house import b\n", "b": "from house.a import x\n"}, {"house.a", "house.b"}),
        ({"a": "from house.b import x\n", "b": "def f():\n    import house.a\n"}, {"house.a", "house.b"}),
        ({"a": "from house.b import x\n", "b": "if TYPE_CHECKING:\n    from house.a import y\n"}, set()),
        ({"a": "if TYPE_CHECKING:\n    x = 1\nelse: import house.b", "b": "import house.a"}, {"house.a", "house.b"}),
        ({"a": "import house.room.b\n", "room/__init__": "import house.a\n", "room/b": ""}, {"house.a", "house.room"}),
        ({"__init__": "from house.a import x\n", "a": "import house.b\n", "b": ""}, set()),
        ({"__init__": "from house.a import x\n", "a": "from house import x\n"}, {"house", "house.a"}),
    ],
)  # fmt: skip
def test_what_counts_as_a_circle(files: dict[str, str], expected: set[str], tmp_path: Path) -> None:
    for name, source in files.items():
        path = tmp_path / "house" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    (tmp_path / "house" / "__init__.py").touch()
    assert set(circle(graph(tmp_path / "house"))) == expected
