"""Checks of language adapters: who asks for them, whose language has one, which backbone can have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapterxfer.catalog import known_languages, world_languages
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.capabilities import LANGUAGE, capability
from adapterxfer.recipe.arm_options import WORLD
from adapterxfer.recipe.messages import one_of
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe


def language_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """Adapters that ask for languages nobody trains, languages without an adapter, backbones that cannot have one."""
    asking = [index for index, spec in enumerate(recipe.adapters) if spec.language]
    option = recipe.language_adapters
    if option is None:
        example = "language_adapters: {reduction_factor: 2, texts: FOLDER}"
        return [(("adapters", at, "language"), f"needs the option language_adapters, e.g. {example}") for at in asking]
    if not asking:
        return []
    problems: list[tuple[Path, str]] = []
    known = world_languages() if recipe.speaks_world else tuple(known_languages())
    if not recipe.world and recipe.speaks_world != (option.texts == WORLD):
        needed = WORLD if recipe.speaks_world else "a folder below data_root"
        problems.append((("language_adapters", "texts"), f"texts is '{option.texts}'; the tasks need {needed}"))
    for index, code in enumerate(option.languages or ()):
        if not recipe.world and code not in known:
            problems.append(
                (("language_adapters", "languages", index), f"language '{code}' {one_of(code, tuple(known))}")
            )
    problems += [(("language_adapters", "languages"), message) for message in _missing(recipe)]
    for index, backbone in enumerate(recipe.backbones):
        architecture = recipe.architecture(backbone)
        if architecture and architecture not in ARCHITECTURES:
            continue  # an error of its own
        cell = capability(architecture, option.method, LANGUAGE)
        if not cell.works:
            message = (
                f"backbone '{backbone}' cannot have language adapters ({cell.because}); nearest that runs: "
                f"{cell.nearest} without language"
            )
            problems.append((("backbones", index), message))
    for name in recipe.reuse or {}:
        message = f"'{name}' was published without a language adapter below it; leave 'language' out of adapters"
        problems.append((("reuse", name, "from"), message))
    for name in recipe.intermediate_tasks:
        if arm := split_arm(name).arm:
            message = f"'{name}' trains in several languages above one language's adapter: leave {arm} or language out"
            problems.append((("intermediate_tasks",), message))
    return problems


def _missing(recipe: Recipe) -> Iterator[str]:
    """One message per task that is tested in a language without an adapter."""
    trained = set(recipe.language_codes())
    for name in recipe.target_tasks:
        if recipe.task(name).format == "retrieval":
            continue  # the plan refuses the cell
        if lacking := [code for code in recipe.languages_of(name) if code not in trained]:
            few = ", ".join(lacking[:8]) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
            yield (
                f"task '{name}' is tested in {few}, without a language adapter: add them here, or leave them out of "
                f"tasks.{name}.languages"
            )


def language_notes(recipe: Recipe) -> list[str]:
    """A remark where `language_adapters` is given and no adapter of the recipe uses it."""
    if recipe.language_adapters is not None and not any(spec.language for spec in recipe.adapters):
        return ["language_adapters has no effect: no entry of adapters has language: true"]
    return []
