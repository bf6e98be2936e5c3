"""`task_files: [FILE]` in a recipe: declarations of tasks, kept beside the data or shared by several recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adapterxfer.errors import Problem, RecipeError
from adapterxfer.recipe.hypotheses import frozen
from adapterxfer.recipe.messages import problems_of
from adapterxfer.recipe.own_task_checks import declaration_problems
from adapterxfer.recipe.own_tasks import OwnTask
from adapterxfer.recipe.yaml_core import Document, parse_yaml

KEY = "task_files"

_FILE = TypeAdapter(dict[str, OwnTask])


def include_tasks(document: Document, source: str) -> None:
    """Read the files that ``task_files`` names into ``tasks``; what the recipe itself says of a task wins, key by key.

    Files are looked up beside the recipe, then in the current folder. They may declare more tasks than the recipe uses,
    and everything in them is checked.

    Raises:
        RecipeError: a file cannot be read or anything in it is wrong, with positions in that file.
    """
    if not isinstance(document.value, dict) or KEY not in document.value:
        return
    named = document.value.pop(KEY)
    line, column = document.values.get((KEY,)) or document.keys.get((KEY,)) or (1, 1)
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        document.problems.append(Problem(line, column, f"{KEY} should be the path of a file, or a list of paths"))
        return
    entries = document.value.setdefault("tasks", {})
    origin: dict[str, str] = {}
    for name in names:
        for task, declaration in _read(name, source, (line, column)).items():
            if task in origin:
                text = f"{KEY}: {name} declares '{task}' again, as {origin[task]} does: give one of them another name"
                document.problems.append(Problem(line, column, text))
            origin[task] = name
            if isinstance(entries, dict) and isinstance(entries.setdefault(task, {}), dict):
                entries[task] = {**declaration, **entries[task]}


def _read(name: str, source: str, position: tuple[int, int]) -> dict[str, Any]:
    beside = Path(source).parent / name
    try:
        document = parse_yaml((beside if beside.is_file() else Path(name)).read_bytes(), name)
    except OSError as error:
        text = f"{KEY}: '{name}' cannot be read, beside the recipe or in the current folder: {error.strerror or error}"
        raise RecipeError(source, [Problem(*position, text)], fix="give the path of a YAML file") from None
    problems = list(document.problems)
    if not isinstance(document.value, dict) or not document.value:
        raise RecipeError(
            name, [*problems, Problem(1, 1, "expected tasks: NAME: {format: ..., ...}; see own-tasks.md")]
        )
    try:
        for task, declaration in _FILE.validate_python(frozen(document.value), context={}).items():
            for path, message in declaration_problems(task, declaration):
                problems.append(Problem(*document.nearest((task, *path)), f"{_named(task, path)}{message}"))
    except ValidationError as error:
        problems += problems_of(error.errors(include_url=False), document, OwnTask)
    if problems:
        raise RecipeError(name, sorted(set(problems)))
    return dict(document.value)


def _named(task: str, path: tuple[str | int, ...]) -> str:
    return f"{'.'.join(map(str, (task, *path)))}: "
