"""`layouts: FILE` in a recipe: descriptions of data in other layouts, kept beside the data instead of in the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapterxfer.catalog import tasks
from adapterxfer.errors import Problem, RecipeError
from adapterxfer.recipe.own_tasks import declared_names
from adapterxfer.recipe.yaml_core import Document, parse_yaml


def include_layouts(document: Document, source: str) -> None:
    """Read the file that ``layouts`` names into the options of the tasks it describes; what the recipe says wins.

    The file is looked up beside the recipe, then in the current folder, as files of hypotheses are. It may describe
    more tasks than the recipe uses: it belongs to a folder of data, not to a recipe.
    """
    if not isinstance(document.value, dict) or "layouts" not in document.value:
        return
    name = document.value.pop("layouts")
    if name is None:
        return
    line, column = document.values.get(("layouts",), (1, 1))
    if not isinstance(name, str):
        document.problems.append(Problem(line, column, "layouts should be the path of a file: see docs/data.md"))
        return
    try:
        beside = Path(source).parent / name
        described = parse_yaml((beside if beside.is_file() else Path(name)).read_bytes(), name)
    except OSError as error:
        text = f"layouts '{name}' cannot be read, beside the recipe or in the current folder: {error.strerror or error}"
        raise RecipeError(source, [Problem(line, column, text)], fix="give the path of a YAML file") from None
    if described.problems:
        raise RecipeError(name, described.problems)
    content = described.value if isinstance(described.value, dict) else {}
    used, declared = _named_tasks(document.value), declared_names(document.value.get("tasks"))
    if not content:
        document.problems.append(Problem(line, column, f"layouts '{name}' describes no task: see docs/data.md"))
    options = document.value.setdefault("tasks", {})
    for task, roles in content.items():
        if task not in tasks() and task not in declared:
            document.problems.append(Problem(*described.keys.get((task,), (1, 1)), f"{name}: no task '{task}'"))
        elif task in used and isinstance(options, dict) and isinstance(options.setdefault(task, {}), dict):
            options[task].setdefault("layout", roles)


def _named_tasks(value: dict[str, Any]) -> set[str]:
    """Tasks that a recipe names anywhere."""
    multi = value.get("multi")
    lists = [value.get(key) for key in ("intermediate_tasks", "target_tasks")]
    lists.append(multi.get("tasks") if isinstance(multi, dict) else None)
    named = {name for names in lists if isinstance(names, list) for name in names if isinstance(name, str)}
    fusion = value.get("fusion_task")
    return named | ({fusion} if isinstance(fusion, str) else set())
