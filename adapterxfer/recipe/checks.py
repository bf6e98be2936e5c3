"""Checks that need more than one part of a recipe, run once each part is valid by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from adapterxfer.catalog import (
    METHODS,
    VARIANTS,
    backbones,
    protocols_of,
    with_layer,
    with_target_dev,
    world_languages,
)
from adapterxfer.catalog import languages as known_languages
from adapterxfer.catalog.architectures import ARCHITECTURES, Architecture
from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.capabilities import capability
from adapterxfer.catalog.variants import variants_of
from adapterxfer.errors import Problem
from adapterxfer.recipe.adapter_settings import settings_problems
from adapterxfer.recipe.also import DEFAULT
from adapterxfer.recipe.arm_checks import arm_notes, arm_problems
from adapterxfer.recipe.axes import Axes, within
from adapterxfer.recipe.choice_checks import choice_problems, stopping_notes
from adapterxfer.recipe.fields import ALL_LANGUAGES, MULTI, NONE, POOL
from adapterxfer.recipe.language_adapters import SOURCE as LANGUAGE_SOURCE
from adapterxfer.recipe.language_checks import language_notes, language_problems
from adapterxfer.recipe.messages import one_of
from adapterxfer.recipe.option_checks import cached_problems, together_notes, together_problems
from adapterxfer.recipe.own_task_checks import own_task_problems
from adapterxfer.recipe.own_tasks import OwnTask
from adapterxfer.recipe.quantize_checks import quantize_problems, training_backbones
from adapterxfer.recipe.settings import missing_settings
from adapterxfer.recipe.supervision_checks import supervision_notes, supervision_problems
from adapterxfer.recipe.tiers import tier_problems
from adapterxfer.recipe.yaml_core import Document, Path

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe


def cross_problems(recipe: Recipe, document: Document) -> list[Problem]:
    """All contradictions between parts of a recipe."""
    if declared := own_task_problems(recipe):
        return [Problem(*document.nearest(path), message) for path, message in declared]
    problems: list[tuple[Path, str]] = []
    problems += _adapters(recipe)
    problems += cached_problems(recipe)
    problems += together_problems(recipe)
    problems += choice_problems(recipe)
    problems += _architectures(recipe)
    problems += _capabilities(recipe)
    problems += settings_problems(recipe)
    problems += _intermediates(recipe)
    problems += _fusion(recipe)
    problems += _oracle(recipe)
    problems += _reuse(recipe)
    problems += _languages(recipe)
    problems += _sources(recipe)
    problems += quantize_problems(recipe)
    problems += arm_problems(recipe)
    problems += language_problems(recipe)
    problems += supervision_problems(recipe)
    problems += _protocols(recipe)
    problems += _also(recipe)
    problems += tier_problems(recipe)
    problems += _looks(recipe)
    problems += [(("train",), message) for message in missing_settings(recipe)]
    if recipe.pretrain and recipe.pretrain.corpus.languages[0] != "en" and recipe.pretrain.tlm_share > 0:
        problems.append(
            (("pretrain", "corpus", "languages"), "translation pairs need English first among the languages")
        )
    return [Problem(*document.nearest(path), message) for path, message in problems]


def _looks(recipe: Recipe) -> list[tuple[Path, str]]:
    """The last look is at all seeds: with more planned seeds the study would be judged at a look it did not declare."""
    looks = recipe.statistics.looks
    if looks is None or looks[-1] == len(recipe.seeds):
        return []
    message = f"the last look is at {looks[-1]} seeds, but the recipe has {len(recipe.seeds)}; name as many seeds"
    return [(("statistics", "looks"), message)]


def _adapters(recipe: Recipe) -> list[tuple[Path, str]]:
    wanting = [name for name in recipe.variants if recipe.has_adapters(name)]
    if wanting and not recipe.adapters:
        ((name, size),) = next(iter(METHODS.values())).examples[0].items()
        example = f"adapters: [{{method: {next(iter(METHODS))}, {name}: {size}}}]"
        return [(("variants",), f"variant '{wanting[0]}' needs adapters, e.g. {example}")]
    return []


def _architectures(recipe: Recipe) -> list[tuple[Path, str]]:
    """Backbones whose ``config.json`` names an encoder that cannot be loaded."""
    return [
        (
            ("backbones", index),
            f"backbone '{backbone}' is a '{model_type}' encoder; known are {', '.join(ARCHITECTURES)}",
        )
        for index, backbone in enumerate(recipe.backbones)
        if (model_type := recipe.architecture(backbone)) and model_type not in ARCHITECTURES
    ]


def _capabilities(recipe: Recipe) -> list[tuple[Path, str]]:
    """Cells of the grid that no program of this version can build: the reason, and the nearest one that runs."""
    rules = [rule.axes() for rule in recipe.exclude]
    known = {"", *ARCHITECTURES}
    problems: list[tuple[Path, str]] = []
    for index, spec in enumerate(recipe.adapters):
        for variant in recipe.variants:
            if not recipe.has_adapters(variant):
                continue
            soup = VARIANTS[variant].joins and recipe.merging.members is not None
            compositions = (variant, recipe.merging.of) if soup else (variant,)
            refused = {
                backbone: cell
                for backbone in recipe.backbones
                for composition in compositions
                if (architecture := recipe.architecture(backbone)) in known
                and not (cell := capability(architecture, spec.method, composition)).works
                and not _excluded(rules, backbone, variant, spec.method)
            }
            # One message where the reason does not lie with the backbone.
            everywhere = len({cell.because for cell in refused.values()}) == 1 and len(refused) == len(recipe.backbones)
            for backbone, cell in list(refused.items())[: 1 if everywhere else None]:
                where = "" if everywhere else f"backbone '{backbone}': "
                axes = ("" if everywhere else f"backbone: {backbone}, ") + f"variant: {variant}, adapter: {spec.method}"
                message = (
                    f"{where}adapter method '{spec.method}' cannot run as '{variant}' ({cell.because}); "
                    f"nearest that runs: {cell.nearest}; or add to exclude: {{{axes}, because: ...}}"
                )
                problems.append((("adapters", index), message))
    return problems


def _excluded(rules: list[dict[str, frozenset[Any]]], backbone: str, variant: str, method: str) -> bool:
    cell = Axes(backbone=backbone, variant=variant, adapter=method)
    named = {"backbone", "variant", "adapter"}
    return any(rule.keys() <= named and within(cell, rule) for rule in rules)


def _intermediates(recipe: Recipe) -> list[tuple[Path, str]]:
    singles = recipe.single_intermediates()
    problems: list[tuple[Path, str]] = []
    if POOL in recipe.intermediate_tasks and len(singles) < 2:
        message = "intermediate task 'pool' fuses all single intermediate tasks: name at least two of them"
        problems.append((("intermediate_tasks",), message))
    pooling = variants_of(lambda spec: spec.pools or spec.joins)
    if POOL in recipe.intermediate_tasks and not set(pooling) & set(recipe.variants):
        needs = " or ".join(f"'{name}'" for name in pooling)
        problems.append((("intermediate_tasks",), f"intermediate task 'pool' needs the variant {needs}"))
    if (
        any(split_arm(name).base == MULTI for name in recipe.intermediate_tasks)
        and len(recipe.multi.tasks or singles) < 2
    ):
        message = "intermediate task 'multi' trains on several tasks: name them in multi.tasks"
        problems.append((("intermediate_tasks",), message))
    if recipe.intermediate_tasks != (NONE,) and NONE not in recipe.intermediate_tasks:
        message = "without intermediate task 'none' no gain can be computed: add it"
        problems.append((("intermediate_tasks",), message))
    return problems


def _fusion(recipe: Recipe) -> list[tuple[Path, str]]:
    if recipe.fusion_task and not recipe.task(recipe.fusion_task).trained:
        return [(("fusion_task",), f"fusion_task '{recipe.fusion_task}' has no training data")]
    return []


def _oracle(recipe: Recipe) -> list[tuple[Path, str]]:
    """The diagnostic that selects by the target languages needs development data in them."""
    if recipe.oracle is None:
        return []
    problems: list[tuple[Path, str]] = []
    named = () if recipe.oracle is True else recipe.oracle
    for index, name in enumerate(named):
        path: Path = ("oracle", index)
        if name not in recipe.target_tasks:
            problems.append((path, f"'{name}' is no target of this recipe"))
        elif not recipe.task(name).trained:
            problems.append((path, f"nothing is trained on '{name}', so nothing is selected"))
    selected = [name for name in dict.fromkeys(recipe.target_tasks) if recipe.has_oracle(name)]
    refused = {name: why for name in selected if (why := _no_target_dev(recipe, name))}
    able = [name for name in selected if name not in refused]
    if refused:
        nearest = f"oracle: [{', '.join(able)}]" if able else "leave oracle out"
        text = f"oracle: {'; '.join(refused.values())}; nearest: {nearest}, or --set world=true"
        problems.append((("oracle",), text))
    return problems


def _no_target_dev(recipe: Recipe, name: str) -> str:
    """Why a target has no development data in the languages that the recipe tests; empty where it has."""
    task = recipe.task(name)
    if task.synthetic or task.stand_in:
        return ""
    spec = recipe.spec(name)
    assert spec is not None  # neither of the world nor a stand-in
    development = spec.target_dev
    if development is None:
        return f"'{name}' is no target"
    if development.why_not:
        nearest = () if spec.declared else with_target_dev(name)
        others = [task for task in nearest if task in recipe.target_tasks] or list(nearest)
        instead = f" ({', '.join(others)} has some)" if others else ""
        return f"'{name}' has no development data in the target languages: {development.why_not}{instead}"
    tested = [code for code in recipe.languages_of(name) if code != LANGUAGE_SOURCE]
    if not tested:
        return f"'{name}' is tested in English alone"
    files_decide = development.by_release and recipe.data_root is not None  # the plan looks at them
    if set(tested) <= set(development.without) and not files_decide:
        return f"'{name}' has no development data in {', '.join(tested)}"
    return ""


def _sources(recipe: Recipe) -> list[tuple[Path, str]]:
    """Backbones from elsewhere need a place of their own, or a repository that the catalogue knows."""
    problems: list[tuple[Path, str]] = []
    for name, source in recipe.backbone_sources.items():
        spec = backbones().get(name)
        if recipe.is_own(name) or (spec is not None and spec.kind != "hub"):
            problems.append((("backbone_sources", name), f"backbone '{name}' has its own weights; choose another name"))
        elif source.folder is None and source.hub is None and spec is None:
            problems.append(
                (("backbone_sources", name), "the catalogue knows no repository of this name: add hub: ORG/NAME")
            )
        architecture = ARCHITECTURES.get(recipe.architecture(name))
        if source.pooling is not None and architecture is not None and architecture.pooling == "first":
            message = (
                f"a {architecture.model_type} reads the first token, which was pretrained for it: leave pooling out"
            )
            problems.append((("backbone_sources", name, "pooling"), message))
        if source.dtype != "float32" and name in recipe.backbones:
            path: Path = ("backbone_sources", name, "dtype")
            problems += [(path, message) for message in _low_format(recipe, source.dtype, architecture)]
    return problems


def _low_format(recipe: Recipe, dtype: str, architecture: Architecture | None) -> list[str]:
    """What weights in a low number format cannot do: train, and in float16 what overflows it."""
    problems = [
        f"'{name}' trains the backbone, whose small steps are lost in {dtype}: leave dtype out, or '{name}'; "
        "train: {default: {dtype: bf16}} computes in bfloat16 on weights in float32"
        for name in training_backbones(recipe)
    ]
    if dtype == "float16" and architecture is not None and architecture.no_float16:
        problems.append(f"a {architecture.model_type} in float16: {architecture.no_float16}; use bfloat16")
    return problems


def _reuse(recipe: Recipe) -> list[tuple[Path, str]]:
    problems: list[tuple[Path, str]] = []
    for name, reused in (recipe.reuse or {}).items():
        path: Path = ("reuse", name, "from")
        if name not in recipe.single_intermediates():
            problems.append((path, f"'{name}' is reused but not among the intermediate tasks"))
        if not any(VARIANTS[variant].adapters for variant in recipe.variants):
            problems.append((path, "a published adapter is reused by variants with adapters only; there is none"))
        if len(recipe.adapters) > 1:
            message = f"an adapter has one method and size, the recipe {len(recipe.adapters)}: keep one under adapters"
            problems.append((path, message))
        if recipe.world:
            continue
        if isinstance(reused.from_, str) and len(recipe.backbones) > 1:
            message = "an adapter fits one backbone: write from: {BACKBONE: hub:ORG/NAME@COMMIT}, others are trained"
            problems.append((path, message))
        elif not isinstance(reused.from_, str):
            problems += [
                (path, f"backbone '{backbone}' {one_of(backbone, recipe.backbones)}")
                for backbone in reused.from_
                if backbone not in recipe.backbones
            ]
    return problems


_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8})*")
"""A code of a language, as `gsw` or `zh-Hant`."""


def _languages(recipe: Recipe) -> list[tuple[Path, str]]:
    problems: list[tuple[Path, str]] = []
    used = recipe.used_tasks()
    for name, options in recipe.tasks.items():
        if name not in used:
            continue
        if isinstance(options, OwnTask) and not recipe.world:
            if options.test_seed is not None:
                problems.append(
                    (("tasks", name, "test_seed"), f"the test set of '{name}' is given, not drawn from a seed")
                )
            continue  # its languages are what it says they are
        if options.test_seed is not None and not used[name].synthetic:
            problems.append((("tasks", name, "test_seed"), f"the test set of '{name}' is given, not drawn from a seed"))
        if used[name].stand_in and not set(options.languages or ()) <= set(world_languages()):
            continue  # written for the real task
        known = tuple(world_languages()) if used[name].synthetic else tuple(known_languages())
        allowed = (*used[name].languages, *used[name].more) or known
        # Files that the recipe describes may be in languages that the catalogue does not know, of family "unknown".
        own_files = not used[name].synthetic and "test" in (options.layout or {})
        for index, code in enumerate(options.languages or () if options.languages != (ALL_LANGUAGES,) else ()):
            if own_files and _LANGUAGE.fullmatch(code) and code not in world_languages():
                continue
            if code not in allowed:
                problems.append((("tasks", name, "languages", index), f"language '{code}' {one_of(code, allowed)}"))
    return problems


def _protocols(recipe: Recipe) -> list[tuple[Path, str]]:
    problems: list[tuple[Path, str]] = []
    for name, options in recipe.tasks.items():
        known = protocols_of(name)
        if isinstance(options, OwnTask) and options.protocol is not None:
            continue  # its declaration is refused
        if options.protocol is not None and options.protocol not in known:
            expected = (
                one_of(options.protocol, tuple(known)) if known else f"is not known: task '{name}' has one protocol"
            )
            problems.append((("tasks", name, "protocol"), f"protocol '{options.protocol}' {expected}"))
        elif options.layer is not None:
            text = known[options.protocol].text if options.protocol else recipe.real_task(name).protocol
            if with_layer(text, 999) == with_layer(text, 998):
                problems.append((("tasks", name, "layer"), f"task '{name}' is not answered with a single layer"))
    return problems


def _also(recipe: Recipe) -> list[tuple[Path, str]]:
    """Other evaluations that a task does not have."""
    problems: list[tuple[Path, str]] = []
    for name, options in recipe.tasks.items():
        for index, evaluation in enumerate(options.also or ()):
            path = ("tasks", name, "also", index)
            known = protocols_of(name)
            if name not in recipe.target_tasks:
                problems.append((path, f"'{name}' is no target of this recipe, so it is not evaluated"))
            elif evaluation.split and not recipe.real_task(name).trained:
                problems.append((path, f"task '{name}' is not trained, so it has no development examples to choose by"))
            elif evaluation.protocol is not None and evaluation.protocol not in (*known, DEFAULT):
                problems.append(
                    (
                        (*path, "protocol"),
                        f"protocol '{evaluation.protocol}' {one_of(evaluation.protocol, (*known, DEFAULT))}",
                    )
                )
            elif evaluation.layer is not None:
                text = (
                    known[evaluation.protocol or ""].text
                    if evaluation.protocol in known
                    else recipe.real_task(name).protocol
                )
                if with_layer(text, 999) == with_layer(text, 998):
                    problems.append(((*path, "layer"), f"task '{name}' is not answered with a single layer"))
    return problems


def notes(recipe: Recipe) -> list[str]:
    """Remarks about parts of a recipe that have no effect.

    No errors, since `--set` often causes them.
    """
    present = recipe.values_of_axes()
    used = recipe.used_tasks()
    remarks = [f"task '{name}' has options but is not used" for name in recipe.tasks if name not in used]
    remarks += arm_notes(recipe)
    remarks += language_notes(recipe)
    remarks += supervision_notes(recipe)
    remarks += together_notes(recipe)
    remarks += stopping_notes(recipe)
    for index, rule in enumerate(recipe.exclude):
        for axis, values in rule.axes().items():
            if not values & set(present[axis]):
                remarks.append(
                    f"exclusion {index + 1} never applies: no {axis} is {', '.join(map(str, sorted(values)))}"
                )
    return remarks
