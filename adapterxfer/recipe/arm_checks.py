"""Checks of the arms of a recipe, and what a reader should know of its stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapterxfer.catalog import known_languages, world_languages
from adapterxfer.catalog.arms import ARMS, split_arm
from adapterxfer.recipe.arm_options import OPTIONS, WORLD
from adapterxfer.recipe.messages import one_of
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe


def arm_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """Arms whose option is missing, options that mix made-up texts with real tasks, and unknown languages."""
    problems: list[tuple[Path, str]] = []
    for arm in ARMS:
        option = OPTIONS[arm]
        options = recipe.mlm_mix if arm == "mlm" else recipe.translated
        used = [(at, name) for at, name in enumerate(recipe.intermediate_tasks) if split_arm(name).arm == arm]
        if options is None:
            example = "mlm_mix: {share: 0.2, texts: FOLDER}" if arm == "mlm" else "translated: {folder: FOLDER}"
            problems += [
                (("intermediate_tasks", at), f"'{name}' needs the option {option}, e.g. {example}") for at, name in used
            ]
            continue
        if not used or recipe.world:
            continue
        key, texts = ("texts", recipe.mlm_mix.texts) if recipe.mlm_mix and arm == "mlm" else ("folder", "")
        if arm == "translated" and recipe.translated:
            texts = recipe.translated.folder
        made_up = [recipe.task(task).synthetic for _, name in used for task in recipe.parts_of(name)]
        if (texts == WORLD) != any(made_up) or len(set(made_up)) > 1:
            needed = WORLD if any(made_up) else "a folder below data_root"
            problems.append(((option, key), f"{option} is '{texts}'; the tasks of its arms need {needed}"))
        known = tuple(world_languages()) if any(made_up) else tuple(known_languages())
        for index, code in enumerate(options.languages or ()):
            if code not in known:
                problems.append(((option, "languages", index), f"language '{code}' {one_of(code, known)}"))
        if not recipe.arm_languages(arm):
            problems.append(((option,), f"{option} has no language: name some in {option}.languages"))
    return problems


def arm_notes(recipe: Recipe) -> list[str]:
    """Options that no arm uses, and a reminder that world stand-ins are not the real tasks."""
    problems = [
        f"{OPTIONS[arm]} has no effect: no intermediate task ends in +{arm}"
        for arm in ARMS
        if (recipe.mlm_mix if arm == "mlm" else recipe.translated) is not None
        and not any(split_arm(name).arm == arm for name in recipe.intermediate_tasks)
    ]
    if recipe.world:
        names = [name for name, task in recipe.used_tasks().items() if task.stand_in]
        problems.append(
            f"world: true runs {len(names)} tasks on stand-ins from the synthetic world; their scores say nothing "
            "about the tasks whose names they bear"
        )
    return problems
