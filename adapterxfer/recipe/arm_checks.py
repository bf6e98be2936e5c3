"""Checks of the arms of a recipe, and what a reader should know of its stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapterxfer.catalog import known_languages, world_languages
from adapterxfer.catalog.arms import ARMS, split_arm
from adapterxfer.recipe.arms import OPTIONS, WORLD
from adapterxfer.recipe.messages import one_of
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe


def arm_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """Arms without their option, options of another world than the tasks, unknown languages."""
    found: list[tuple[Path, str]] = []
    for arm in ARMS:
        option = OPTIONS[arm]
        given = recipe.mlm_mix if arm == "mlm" else recipe.translated
        used = [(at, name) for at, name in enumerate(recipe.intermediate_tasks) if split_arm(name).arm == arm]
        if given is None:
            example = "mlm_mix: {share: 0.2, texts: FOLDER}" if arm == "mlm" else "translated: {folder: FOLDER}"
            found += [
                (("intermediate_tasks", at), f"'{name}' needs the option {option}, e.g. {example}") for at, name in used
            ]
            continue
        if not used or recipe.world:
            continue
        key, place = ("texts", recipe.mlm_mix.texts) if recipe.mlm_mix and arm == "mlm" else ("folder", "")
        if arm == "translated" and recipe.translated:
            place = recipe.translated.folder
        made_up = [recipe.task(part).synthetic for _, name in used for part in recipe.parts_of(name)]
        if (place == WORLD) != any(made_up) or len(set(made_up)) > 1:
            wanted = WORLD if any(made_up) else "a folder below data_root"
            found.append(((option, key), f"{option} is '{place}'; the tasks of its arms need {wanted}"))
        known = tuple(world_languages()) if any(made_up) else tuple(known_languages())
        for index, code in enumerate(given.languages or ()):
            if code not in known:
                found.append(((option, "languages", index), f"language '{code}' {one_of(code, known)}"))
        if not recipe.arm_languages(arm):
            found.append(((option,), f"{option} has no language: name some in {option}.languages"))
    return found


def arm_notes(recipe: Recipe) -> list[str]:
    """Options without an arm, and that stand-ins are no tasks."""
    found = [
        f"{OPTIONS[arm]} has no effect: no intermediate task ends in +{arm}"
        for arm in ARMS
        if (recipe.mlm_mix if arm == "mlm" else recipe.translated) is not None
        and not any(split_arm(name).arm == arm for name in recipe.intermediate_tasks)
    ]
    if recipe.world:
        names = [name for name, task in recipe.used_tasks().items() if task.stand_in]
        found.append(
            f"world: true runs {len(names)} tasks on stand-ins from the synthetic world; their scores say nothing "
            "about the tasks whose names they bear"
        )
    return found
