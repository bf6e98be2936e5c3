"""Hypotheses from a file of their own: `statistics.include` of a recipe, or `--set statistics.include=PATH`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapterxfer.errors import Problem, RecipeError
from adapterxfer.recipe.hypotheses import HypothesisFile, frozen
from adapterxfer.recipe.messages import problems_of
from adapterxfer.recipe.yaml_core import Document, parse_yaml

KEY = ("statistics", "include")


def include_hypotheses(document: Document, source: str) -> None:
    """Replace `statistics.include` by the hypotheses and families of the files that it names.

    Paths are looked up beside the recipe, then in the current folder. Only the content of the files counts for any
    result, not their place.

    Raises:
        RecipeError: a file cannot be read or anything in it is wrong, with positions in that file.
    """
    statistics = document.value.get("statistics") if isinstance(document.value, dict) else None
    if not isinstance(statistics, dict) or "include" not in statistics:
        return
    named = statistics.pop("include")
    names = named if isinstance(named, list) else [named]
    position = document.values.get(KEY) or document.keys.get(KEY) or (1, 1)
    if not names or not all(isinstance(name, str) and name for name in names):
        document.problems.append(
            Problem(*position, "statistics.include should be the path of a file, or a list of paths")
        )
        return
    for name in names:
        included = read_hypothesis_file(_find(name, source, position))
        listed = statistics.setdefault("hypotheses", [])
        families = statistics.setdefault("multiplicity", {})
        if isinstance(listed, list):
            listed += [hypothesis.identity() for hypothesis in included.hypotheses]
        for family, method in included.multiplicity.items() if isinstance(families, dict) else ():
            if families.setdefault(family, method) != method:
                other = families[family]
                text = f"statistics.include: {name} adjusts family '{family}' by {method}, the recipe by {other}"
                document.problems.append(Problem(*position, text))


def included_files(path: Path) -> tuple[Path, ...]:
    """The files of hypotheses that a recipe file includes from beside itself."""
    document = parse_yaml(path.read_bytes(), str(path))
    statistics = document.value.get("statistics") if isinstance(document.value, dict) else None
    named = statistics.get("include", ()) if isinstance(statistics, dict) else ()
    return tuple(path.parent / name for name in ([named] if isinstance(named, str) else named))


def is_recipe(path: Path) -> bool:
    """Whether a file is a recipe, which may declare hypotheses itself; False for one that cannot be read."""
    try:
        value = parse_yaml(path.read_bytes(), str(path)).value
    except (OSError, RecipeError):
        return False
    return isinstance(value, dict) and "recipe" in value and "hypotheses_file" not in value


def read_hypothesis_file(path: Path) -> HypothesisFile:
    """Read and check one file of hypotheses.

    Raises:
        RecipeError: the file cannot be read, or anything in it is wrong.
    """
    source = str(path)
    try:
        document = parse_yaml(path.read_bytes(), source)
    except OSError as error:
        raise RecipeError(source, [Problem(1, 1, f"cannot be read: {error.strerror}")]) from None
    problems = list(document.problems)
    value: Any = frozen(document.value)
    if not isinstance(value, dict):
        raise RecipeError(source, [*problems, Problem(1, 1, "expected hypotheses_file: 1 and a list of hypotheses")])
    try:
        content = HypothesisFile.model_validate(value)
    except ValidationError as error:
        problems += problems_of(error.errors(include_url=False), document, HypothesisFile)
        raise RecipeError(source, sorted(set(problems))) from None
    if problems:
        raise RecipeError(source, problems)
    return content


def _find(name: str, source: str, position: tuple[int, int]) -> Path:
    candidates = [Path(source).parent / name, Path(name)]
    for path in candidates:
        if path.is_file():
            return path
    message = f"statistics.include: no file '{name}' beside the recipe or in the current folder"
    raise RecipeError(source, [Problem(*position, message)], fix="give a path such as hypotheses/phang2020.yaml")
