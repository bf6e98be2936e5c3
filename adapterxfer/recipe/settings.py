"""Which settings one training has: blocks of `train` from general to particular, the later ones win."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from adapterxfer.catalog import VARIANTS
from adapterxfer.catalog.arms import split_arm
from adapterxfer.catalog.variants import alone, by_mode
from adapterxfer.recipe.choices import Choice
from adapterxfer.recipe.fields import NONE, POOL
from adapterxfer.recipe.model_options import ADAPTERS
from adapterxfer.recipe.train_blocks import Mode, TrainBlock, TrainOptions

if TYPE_CHECKING:
    from adapterxfer.recipe.recipe import Recipe

DEFAULTS: dict[str, Any] = {
    "batch_size": 32,
    "warmup_fraction": 0.1,
    "schedule": "linear",
    "weight_decay": 0.0,
    "clip": 1.0,
    "dtype": "fp32",
    "max_length": 128,
    "selection": "last",
}
"""Values for keys that a recipe leaves out; learning rate and length have no default on purpose."""

_LENGTHS = ("steps", "epochs")
_KEYS = ("learning_rate", "batch_size", *_LENGTHS, "warmup_fraction", "schedule", "weight_decay", "clip", "dtype",
         "max_length", "selection")  # fmt: skip
_OPTIONS = ("gradient_checkpointing", "compile", "cache_bottom", "seeds_together", "mean_of", "early_stopping")
MEAN_OF = 3
"""Moments that ``selection: mean`` averages where the recipe does not say."""


def training_settings(recipe: Recipe, *, phase: str, mode: Mode, task: str, backbone: str) -> dict[str, Any]:
    """Settings of one training: default, then phase, mode, task and backbone; inside a block, its own mode block wins.

    A value that development data choose is ``{choose: [...]}``, smallest first; see `choices_of`.

    Args:
        phase: ``intermediate``, ``target`` or ``fusion``; empty for a language's adapter.
        mode: block of ``train`` for what is trained.
        task: empty for a language's adapter.
    """
    merged = _merged(recipe, phase, mode, task, backbone)
    merged |= {key: value.identity() for key, value in merged.items() if isinstance(value, Choice)}
    if stopping := merged.get("early_stopping"):
        merged["early_stopping"] = stopping.model_dump(mode="json")
    return merged


def choices_of(recipe: Recipe, *, phase: str, mode: Mode, task: str, backbone: str) -> dict[str, Choice]:
    """The settings of one training that development data choose, and how; arguments as in `training_settings`."""
    merged = _merged(recipe, phase, mode, task, backbone)
    return {key: value for key, value in merged.items() if isinstance(value, Choice)}


def _merged(recipe: Recipe, phase: str, mode: Mode, task: str, backbone: str) -> dict[str, Any]:
    merged = dict(DEFAULTS)
    for name in _block_names(phase, mode, task, backbone):
        add_block(merged, recipe.train.get(name), mode)
    # Options that change nothing are left out: what was trained before they existed stays what it was.
    for name in ("gradient_checkpointing", "compile", "cache_bottom", "seeds_together"):
        if not merged.get(name, True):
            merged.pop(name, None)
    if not by_mode(mode).caches_bottom:
        merged.pop("cache_bottom", None)
    if not _has_group(recipe, phase, mode, task):
        merged.pop("seeds_together", None)
    if merged["selection"] == "mean":
        merged.setdefault("mean_of", MEAN_OF)
    else:
        merged.pop("mean_of", None)
    return merged


def _block_names(phase: str, mode: Mode, task: str, backbone: str) -> tuple[str, ...]:
    """Blocks of `train` that one training may take settings from, the general ones first."""
    base = split_arm(task).base
    return ("default", phase, mode, *((base, task) if base != task else (task,)), backbone)


def block_of(recipe: Recipe, key: str, *, phase: str, mode: Mode, task: str, backbone: str) -> tuple[str, ...]:
    """The block of `train` whose value of a key one training takes: ``(mnli, full-ft)``; empty where none has one."""
    source: tuple[str, ...] = ()
    for name in _block_names(phase, mode, task, backbone):
        block = recipe.train.get(name)
        special = block.of_mode(mode) if block is not None else None
        source = (name,) if getattr(block, key, None) is not None else source
        source = (name, mode) if getattr(special, key, None) is not None else source
    return source


def _has_group(recipe: Recipe, phase: str, mode: Mode, task: str) -> bool:
    """Whether the seeds of a training can share a pass: a frozen backbone, one task in one language, several seeds."""
    if by_mode(mode).one_by_one or len(recipe.seeds) < 2:
        return False
    return phase != "intermediate" or (not split_arm(task).arm and len(recipe.parts_of(task)) == 1)


def add_block(merged: dict[str, Any], block: TrainBlock | None, mode: Mode) -> None:
    """Put what a block says, then what it says of a mode, in place of the settings there are."""
    if block is None:
        return
    _add(merged, block)
    special = block.of_mode(mode)
    if special is not None:
        _add(merged, special)


def _add(merged: dict[str, Any], block: TrainOptions) -> None:
    for key in (*_KEYS, *_OPTIONS):
        value = getattr(block, key)
        if value is None:
            continue
        if key in _LENGTHS:
            for other in _LENGTHS:
                merged.pop(other, None)
        merged[key] = value


def missing_settings(recipe: Recipe) -> Iterator[str]:
    """One message per phase and mode in use that has no learning rate or no length."""
    for phase, mode, task in trainings(recipe):
        for backbone in recipe.backbones:
            settings = training_settings(recipe, phase=phase, mode=mode, task=task, backbone=backbone)
            missing = [] if "learning_rate" in settings else ["learning_rate"]
            missing += [] if any(key in settings for key in _LENGTHS) else ["steps or epochs"]
            where = f"{mode} on {task} ({phase} phase)" if phase else "language adapters (train.language)"
            if missing:
                yield f"no {' and no '.join(missing)} for {where} of {backbone}"
                break
            if not phase and settings["selection"] == "dev":
                yield f"selection: dev has no score to select {where} of {backbone} by; set train.language.selection"
                break


def trainings(recipe: Recipe) -> Iterator[tuple[str, Mode, str]]:
    """Phase, mode and task of the trainings of this recipe, the first task of each phase and mode standing for all."""
    variants = [VARIANTS[name] for name in recipe.variants if not VARIANTS[name].joins]
    merged = recipe.merging.of if any(VARIANTS[name].joins for name in recipe.variants) else ""
    variants += [VARIANTS[merged]] if merged in VARIANTS else []
    modes: list[Mode] = list(dict.fromkeys(spec.mode for spec in variants if spec.trains_backbone))
    if merged == ADAPTERS or any(spec.adapters for spec in variants):
        modes.append(alone(adapter=True).mode)
    intermediates = [name for name in recipe.intermediate_tasks if name not in (NONE, POOL) and recipe.is_trained(name)]
    used = recipe.used_tasks()
    targets = [name for name in recipe.target_tasks if used[name].trained]
    fusing = list(dict.fromkeys(spec.mode for spec in variants if spec.fuses))
    fused = _fused_on(recipe, targets) if fusing else []
    for mode in modes:
        yield from (("intermediate", mode, name) for name in intermediates)
        yield from (("target", mode, name) for name in targets)
    for mode in dict.fromkeys(spec.mode for spec in variants if spec.control):
        yield from (("target", mode, name) for name in targets)
    if any(spec.language for spec in recipe.adapters) and recipe.language_adapters is not None:
        yield "", "language", ""
    if not (recipe.fusion and recipe.fusion.target == "jointly"):
        # Beside the adapters of a pool lies one of the task that the pool is trained on.
        alone_on = [name for name in fused if name not in (*targets, *recipe.single_intermediates())]
        yield from (("target", alone(adapter=True).mode, name) for name in alone_on)
    for mode in fusing:
        yield from (("fusion", mode, name) for name in fused)


def _fused_on(recipe: Recipe, targets: list[str]) -> list[str]:
    """Tasks on which fusions are trained: trained targets, and ``fusion_task`` for a pool on targets that are not."""
    if not set(recipe.intermediate_tasks) - {NONE}:
        return []
    pooled = POOL in recipe.intermediate_tasks and len(targets) < len(recipe.target_tasks)
    named = [recipe.fusion_task] if pooled and recipe.fusion_task else []
    return list(dict.fromkeys([*targets, *named]))
