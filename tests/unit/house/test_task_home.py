"""One home for every task: how many files of code name it."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import adapterxfer
from adapterxfer.catalog import data_sets, task_specs
from adapterxfer.world.task_list import TASKS as WORLD_TASKS

PACKAGE = Path(adapterxfer.__file__).parent
MOST = 1


def names_in(path: Path, names: set[str]) -> set[str]:
    """Names that stand in strings of a file, alone or as a word of a table; words of documentation do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
            table = "|" in node.value or "\n" in node.value
            words = set(node.value.replace("|", " ").split()) if table else {node.value}
            found |= words & names
    return found


def files_by_name() -> dict[str, set[str]]:
    """Task or data set -> the files of code that name it."""
    names = {*task_specs(), *data_sets(), *WORLD_TASKS}
    table: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in names_in(path, names):
            table[name].add(str(path.relative_to(PACKAGE)))
    return table


def test_one_file_of_code_names_a_task() -> None:
    table = files_by_name()
    scattered = {name: sorted(files) for name, files in table.items() if len(files) > MOST}
    assert not scattered
    assert set(task_specs()) | set(WORLD_TASKS) <= set(table)


def test_the_count_sees_a_second_file(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text('"""About xnli."""\nif task == "xnli":\n    x = "one | mnli"\n', encoding="utf-8")
    assert names_in(path, {"xnli", "mnli", "udpos"}) == {"xnli", "mnli"}
