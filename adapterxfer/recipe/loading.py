"""Read a recipe file: YAML, `--set` changes, schema and cross checks, with every problem in one error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapterxfer.catalog import UNTRAINED, backbones, tasks
from adapterxfer.catalog.arms import ARMS, arm_of
from adapterxfer.errors import Problem, RecipeError
from adapterxfer.recipe.arm_options import add_arms
from adapterxfer.recipe.checks import cross_problems
from adapterxfer.recipe.fields import MULTI
from adapterxfer.recipe.hypotheses import frozen
from adapterxfer.recipe.including import include_hypotheses
from adapterxfer.recipe.layouts_file import include_layouts
from adapterxfer.recipe.messages import problems_of
from adapterxfer.recipe.own_tasks import declared_names
from adapterxfer.recipe.recipe import Recipe
from adapterxfer.recipe.shipped import given_name, recipe_file, shipped_recipes
from adapterxfer.recipe.stand_ins import use_world
from adapterxfer.recipe.task_files import include_tasks
from adapterxfer.recipe.yaml_core import Document, parse_yaml
from adapterxfer.recipe.yaml_core import Path as KeyPath


def load_recipe(path: str | Path, set_: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        path: the YAML file, or the name of a recipe that comes with the package, e.g. ``quickstart``.
        set_: changes such as ``train.default.steps=50`` or ``seeds=[1, 2]``, read by the same YAML rules.

    Raises:
        RecipeError: the file cannot be read, or anything in it is wrong; all problems are listed with their positions.
    """
    file = recipe_file(path)
    source = str(file)
    try:
        text = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fix = f"give the path of a recipe file, or one of {', '.join(shipped_recipes())}"
        raise RecipeError(source, [Problem(1, 1, f"cannot be read: {reason}")], fix=fix) from None
    return parse_recipe(text, source, set_).called(given_name(path))


def parse_recipe(text: str | bytes, source: str = "recipe", set_: Sequence[str] = ()) -> Recipe:
    """As `load_recipe`, from text."""
    document = parse_yaml(text, source)
    for change in set_:
        _apply(document, change, source)
    include_tasks(document, source)
    include_layouts(document, source)
    if not isinstance(document.value, dict):
        problem = Problem(1, 1, "a recipe is a block of keys: recipe: 1, name: ..., backbones: [...], ...")
        raise RecipeError(source, [*document.problems, problem])
    _unfold_reuse(document)
    include_hypotheses(document, source)
    use_world(document.value)
    add_arms(document.value)
    problems = list(document.problems)
    recipe: Recipe | None = None
    try:
        recipe = Recipe.model_validate(frozen(document.value), context=_context(document.value))
    except ValidationError as error:
        problems += problems_of(error.errors(include_url=False), document, Recipe)
    if recipe is not None:
        problems += cross_problems(recipe, document)
    if problems or recipe is None:
        raise RecipeError(source, sorted(set(problems)))
    return recipe


def _unfold_reuse(document: Document) -> None:
    """Split ``{name: mnli, from: ...}`` among the intermediate tasks into the name and an entry of ``reuse``.

    Positions go with them, so that messages point at what was written. Anything else stays for the schema to refuse.
    """
    tasks, reuse = document.value.get("intermediate_tasks"), document.value.get("reuse", {})
    if not isinstance(tasks, list) or not isinstance(reuse, dict):
        return
    for index, task in enumerate(tasks):
        if not isinstance(task, dict) or not isinstance(task.get("name"), str) or "from" not in task:
            continue
        name = task["name"]
        here: KeyPath = ("intermediate_tasks", index)
        for places in (document.values, document.keys):
            for path in [path for path in places if path[:2] == here and len(path) > 2 and path[2] != "name"]:
                places[("reuse", name, *path[2:])] = places[path]
        reuse[name] = {key: value for key, value in task.items() if key != "name"}
        tasks[index] = name
    if reuse:
        document.value["reuse"] = reuse


def _context(value: dict[str, Any]) -> dict[str, Any]:
    """Names that depend on the file: backbones of its own series, tasks that it declares, and blocks of `train`."""
    pretrain = value.get("pretrain")
    series = pretrain.get("series") if isinstance(pretrain, dict) else None
    pretrained = [name for name in series if isinstance(name, str)] if isinstance(series, dict) else []
    sources = value.get("backbone_sources")
    elsewhere = [name for name in sources if isinstance(name, str)] if isinstance(sources, dict) else []
    names = tuple(dict.fromkeys((*pretrained, *(name + UNTRAINED for name in pretrained), *elsewhere, *backbones())))
    lists = (value.get(key) for key in ("backbones", "intermediate_tasks", "target_tasks"))
    used = [name for listed in lists if isinstance(listed, list) for name in listed if isinstance(name, str)]
    multi = value.get("multi")
    more = multi.get("tasks") if isinstance(multi, dict) else None
    used += [name for name in more if isinstance(name, str)] if isinstance(more, list) else []
    fusion = value.get("fusion_task")
    used += [fusion] if isinstance(fusion, str) else []
    # Blocks of names that the recipe does not use are allowed: `--set` may have removed them from their axis.
    declared = declared_names(value.get("tasks"))
    plain = (MULTI, *declared, *tasks())
    known = (*plain, *(arm_of(name, arm) for arm in ARMS for name in plain), *names)
    blocks = dict.fromkeys(name for name in (*(n for n in used if n in known), *known))
    return {"backbones": names, "train": tuple(blocks), "declared": declared}


def _apply(document: Document, change: str, source: str) -> None:
    """Write one ``a.b=c`` into the document."""
    name, equals, text = change.partition("=")
    label = f"--set {change if len(change) <= 60 else change[:57] + '...'}"
    parts = name.strip().split(".")
    if not equals or not all(parts):
        raise RecipeError(source, [Problem(1, 1, f"{label}: expected key=value, e.g. train.default.steps=50")])
    try:
        parsed = parse_yaml(text, source)
    except RecipeError as error:
        raise RecipeError(source, [Problem(1, 1, f"{label}: {p.message}") for p in error.problems]) from None
    document.problems += [Problem(1, 1, f"{label}: {p.message}") for p in parsed.problems]
    if document.value is None:
        document.value = {}
    here: Any = document.value
    path: KeyPath = ()
    for index, step in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(here, list) and step.isdecimal() and len(step) < 6 and int(step) < len(here):
            key: str | int = int(step)
        elif isinstance(here, dict):
            key = step
            if not last and not isinstance(here.get(step), dict | list):
                here[step] = {}
        else:
            raise RecipeError(
                source, [Problem(1, 1, f"{label}: nothing can be set at '{'.'.join(parts[: index + 1])}'")]
            )
        path = (*path, key)
        if last:
            here[key] = parsed.value
        else:
            here = here[key]
    stale = [known for known in document.values if known[: len(path)] == path and len(known) > len(path)]
    for known in stale:
        document.values.pop(known, None)
        document.keys.pop(known, None)
