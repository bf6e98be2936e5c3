"""Checks of the section ``supervision``: data that the arms need, and settings that would make them something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from adapterxfer.catalog import VARIANTS, TaskSpec
from adapterxfer.catalog.supervision import FEW_SHOT, IN_LANGUAGE, Kind
from adapterxfer.recipe.arm_options import WORLD
from adapterxfer.recipe.choices import Choice
from adapterxfer.recipe.messages import one_of
from adapterxfer.recipe.settings import add_block, training_settings
from adapterxfer.recipe.supervision import (
    SOURCE,
    FewShot,
    InLanguage,
    SourceLanguages,
    Supervised,
    TranslateTrain,
    able_targets,
    able_variants,
    supervised_targets,
)
from adapterxfer.recipe.yaml_core import Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe

SECTION = "supervision"
LANGUAGE = "{lang}"
"""Where the language stands in the path of a described layout."""
LENGTHS = ("steps", "epochs")


def supervision_problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """Everything that an arm cannot do with the targets, languages, variants and settings of the recipe."""
    option = recipe.supervision
    if option is None:
        return []
    problems: list[tuple[Path, str]] = []
    if not able_targets(recipe):
        problems.append(((SECTION,), "no target of this recipe is trained on, so there is nothing to supervise"))
    if not able_variants(recipe):
        problems.append(((SECTION,), f"no variant of this recipe trains on a target: {', '.join(recipe.variants)}"))
    problems += [
        (
            ("adapters", index, "language"),
            f"{SECTION}: above the adapter of English nothing is trained in other languages",
        )
        for index, spec in enumerate(recipe.adapters)
        if spec.language
    ]
    if problems:
        return problems
    for kind, arm in option.arms():
        problems += [((SECTION, kind, *path), message) for path, message in _of_arm(recipe, kind, arm)]
    return problems


def supervision_notes(recipe: Recipe) -> list[str]:
    """Targets that are left out, since nothing is trained on them."""
    if recipe.supervision is None:
        return []
    able = able_targets(recipe)
    left_out = [name for name in recipe.target_tasks if name not in able]
    return [f"{SECTION} has no effect on {', '.join(left_out)}: nothing is trained on it"] if left_out and able else []


def _of_arm(
    recipe: Recipe, kind: Kind, arm: FewShot | TranslateTrain | InLanguage | SourceLanguages
) -> Iterator[tuple[Path, str]]:
    able, trained = able_targets(recipe), able_variants(recipe)
    before = False
    for axis, named, known in (("targets", arm.targets, able), ("variants", arm.variants, trained)):
        for index, name in enumerate(named or ()):
            if name not in known:
                before = True
                yield (axis, index), _why_unable(recipe, name) or f"'{name}' {one_of(name, known)}"
    spoken = {code for task in arm.targets or able if task in able for code in recipe.languages_of(task)}
    for index, code in enumerate(arm.languages or ()):
        if code == SOURCE and not isinstance(arm, SourceLanguages):
            before = True
            yield ("languages", index), "English is what the zero-shot models are trained in; name other languages"
        elif code not in spoken and not (isinstance(arm, SourceLanguages) and code == SOURCE):
            before = True
            yield ("languages", index), f"language '{code}' {one_of(code, sorted(spoken))}"
    if before:
        return
    tasks = [task for task in arm.targets or able if task in able]
    for task in tasks:
        yield from _of_target(recipe, kind, arm, task)
    for regime in dict.fromkeys(supervised for task in tasks for supervised in supervised_targets(recipe, task)):
        if regime.kind == kind:
            problem = next(_settings(recipe, regime), None)
            if problem is not None:
                yield problem
                break


def _why_unable(recipe: Recipe, name: str) -> str:
    """Why a target or variant of the recipe cannot have an arm; empty where the recipe does not have it."""
    if name in recipe.target_tasks:
        return f"nothing is trained on '{name}', so there is nothing to supervise"
    if name in recipe.variants:
        how = "joins trained models" if VARIANTS[name].joins else "is a control"
        return f"'{name}' {how} and trains nothing on a target: leave it out"
    return ""


def _of_target(
    recipe: Recipe, kind: Kind, arm: FewShot | TranslateTrain | InLanguage | SourceLanguages, task: str
) -> Iterator[tuple[Path, str]]:
    """Whether a target has languages to test, and data to train on."""
    regime = [supervised for supervised in supervised_targets(recipe, task) if supervised.kind == kind]
    if not all(supervised.tested for supervised in regime):
        yield (), f"'{task}' is tested in no language of this arm: name others, or leave it out of targets"
        return
    if recipe.task(task).synthetic or recipe.task(task).stand_in:
        if isinstance(arm, TranslateTrain) and arm.folder != WORLD and not recipe.world:
            yield ("folder",), f"folder is '{arm.folder}'; the world's '{task}' needs {WORLD}"
        if isinstance(arm, TranslateTrain):
            yield from _too_many(recipe, arm, task)
        return
    options, spec = recipe.tasks.get(task), recipe.spec(task)
    assert spec is not None  # it is no task of the world
    layouts: dict[str, Any] = {role: layout for role, layout in ((options and options.layout) or {}).items()}  # noqa: C416 - widens
    if isinstance(arm, TranslateTrain):
        if arm.folder == WORLD:
            yield ("folder",), f"folder is '{WORLD}'; '{task}' needs a folder below data_root"
        elif spec.declared:
            yield (
                ("folder",),
                f"'{task}' is declared by the recipe; translations are read of the catalogue's tasks only",
            )
        elif arm.by is None:
            yield (), "say who translated, since files do not: by: 'name and version of the system'"
        elif recipe.data_root is None:
            yield ("folder",), "the folder lies below data_root, and the recipe has none"
        yield from _too_many(recipe, arm, task)
        return
    if regime[0].split == "dev":
        why = _no_dev(spec, regime[0])
        if why:
            yield ("from",), f"'{task}' has no development data to draw from: {why}"
        return
    why = _no_training(spec, layouts, files=recipe.data_root is not None and (options is None or not options.source))
    if why:
        instead = (
            "; draw from its development data: from: dev" if kind == FEW_SHOT and not _no_dev(spec, regime[0]) else ""
        )
        yield (), f"'{task}' has no training data in other languages: {why}{instead or '; leave it out of targets'}"


def _no_training(spec: TaskSpec, layouts: Mapping[str, Any], *, files: bool) -> str:
    """Why a task has no training data in its target languages; empty where it may have some.

    Args:
        layouts: as the recipe describes the task.
        files: whether files are read and not the Hub.
    """
    if "train" in layouts:
        one_file = LANGUAGE not in str(layouts["train"].get("path", ""))
        return f"its training layout is one file; write {LANGUAGE} into its path" if one_file else ""
    if spec.declared:
        hub = spec.parts.train[0].data.hub
        told_apart = hub is not None and (LANGUAGE in hub.config or hub.language_column)
        return "" if told_apart else f"its training data are one configuration; write {LANGUAGE} into it"
    data = spec.parts.test
    if data is None or not data.training():
        return "its training data are in English alone"
    return "" if files or data.on_hub("train") else "no repository on the Hub holds them; give the files"


def _no_dev(spec: TaskSpec, regime: Supervised) -> str:
    development = spec.target_dev
    if development is None or development.why_not:
        return development.why_not if development is not None else "the catalogue knows of none"
    lacking = [code for code in regime.languages if code in development.without]
    return f"none in {', '.join(lacking)}; name the other languages" if lacking else ""


def _too_many(recipe: Recipe, arm: TranslateTrain, task: str) -> Iterator[tuple[Path, str]]:
    """More translations than there are originals."""
    options = recipe.tasks.get(task)
    there = (options and options.train_examples) or recipe.task(task).train_examples
    for index, size in enumerate(arm.train_examples or ()):
        if there is not None and size > there:
            yield ("train_examples", index), f"{size} of '{task}', which is trained on {there} examples"


def _settings(recipe: Recipe, regime: Supervised) -> Iterator[tuple[Path, str]]:
    """Settings of the arm's trainings that English data would decide, or that nobody has set."""
    for variant in regime.variants:
        spec = VARIANTS[variant]
        phase = "fusion" if spec.fuses else "target"
        for backbone in recipe.backbones:
            merged = training_settings(recipe, phase=phase, mode=spec.mode, task=regime.task, backbone=backbone)
            special: dict[str, Any] = {}
            add_block(special, regime.train, spec.mode)
            merged |= special
            if regime.continues and not any(key in special for key in LENGTHS):
                yield (
                    (),
                    (
                        f"a training on a few examples needs a length of its own: train: {{steps: 30}} (or in a block "
                        f"{spec.mode})"
                    ),
                )
            chosen = [key for key in ("learning_rate", *LENGTHS) if _is_choice(merged.get(key))]
            if chosen:
                yield (
                    (),
                    (
                        f"{' and '.join(chosen)} of {variant} would be chosen for English training: give a value here, "
                        f"train: {{{spec.mode}: {{{chosen[0]}: ...}}}}"
                    ),
                )
            if regime.kind in (FEW_SHOT, IN_LANGUAGE) and merged["selection"] == "dev":
                yield (
                    (),
                    (
                        "English development data would select the weights of a training in another language: "
                        "train: {selection: last}"
                    ),
                )


def _is_choice(value: Any) -> bool:
    return isinstance(value, Choice) or (isinstance(value, dict) and "choose" in value)
