"""Build the model of a training: a backbone, what earlier trainings left, and what is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.catalog.variants import FRESH, alone, trained_as, variants_of
from adapterxfer.errors import VariantError
from adapterxfer.formats.masked_lm import LanguageModelHead
from adapterxfer.training.seeds import torch_generator
from adapterxfer.training.starts import INTERMEDIATE_ID, Given, Start, new_adapter
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import LANGUAGE_ID, TARGET_ID, AdapterPart, Composition, HeadPart, Role
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import StoredModel, load_adapter, read_description


def build_single(
    backbone: LoadedBackbone,
    tasks: Sequence[TrainTask],
    *,
    mode: str,
    composition: str,
    adapter: Mapping[str, Any] | None,
    intermediate: Path | None,
    seed: int,
    language: Path | None = None,
) -> TransferModel:
    """The model of an intermediate or target training.

    Args:
        backbone: frozen and shared; copied here where its weights train.
        tasks: one head each.
        mode: ``full``, ``adapter`` or ``head``.
        composition: ``fresh``, or what becomes of the intermediate: `VariantSpec.composition`.
        adapter: as in the recipe, where the mode has one.
        intermediate: model folder to start from; None for none.
        seed: of all start values.
        language: model folder of the training language's adapter, to lie below all others; None for none.

    Raises:
        VariantError: the parts cannot be put together.
    """
    before = None if intermediate is None else read_description(intermediate)
    name = "" if before is None else _trained_on(before)
    if (before is None) != (composition == FRESH):
        raise VariantError(
            f"composition '{composition}' {'without' if before is None else 'with'} an intermediate model",
            fix="use fresh exactly where the intermediate task is 'none'",
        )
    heads = head_parts(tasks)
    adapters, lowest = language_part(language, backbone)
    if before is not None:
        _require_language(before, lowest)
    spec = trained_as(mode, composition)
    if spec is None:
        raise VariantError(f"mode '{mode}' cannot be combined with '{composition}'", fix="plan the recipe again")
    shape = AdapterShape.of(adapter or {}, backbone.hidden_size, layers=backbone.layers) if spec.adapters else None
    start: Start = spec.build(Given(backbone, before, shape, seed))
    names = {INTERMEDIATE_ID: name, TARGET_ID: _joined(tasks)}
    parts = (
        *lowest,
        *(_described(adapter_id, names[adapter_id], adapter) for adapter_id, adapter in start.adapters.items()),
    )
    backbone = start.backbone
    model = TransferModel(
        backbone,
        Composition(spec.name, parts if start.adapters else (), heads, intermediate=name),
        adapters={**adapters, **start.adapters} if start.adapters else {},
        fusion=None,
        heads=new_heads(backbone, tasks, heads, seed=seed),
    )
    return tied(model)


def tied(model: TransferModel) -> TransferModel:
    """The model, with the output matrix of a language model head tied to its embeddings."""
    for head in model.heads.values():
        if isinstance(head, LanguageModelHead):
            head.tie(model.backbone, model.invert_embedding if model.maps_embeddings else None)
    return model


def build_fusion(
    backbone: LoadedBackbone,
    task: TrainTask,
    *,
    intermediates: Mapping[str, Path],
    target: Path | None,
    seed: int,
    rank: int = 0,
    joint: Mapping[str, Any] | None = None,
    language: Path | None = None,
) -> TransferModel:
    """The model of a fusion training: trained adapters frozen, a fresh fusion and a fresh head.

    The head is new, as in AdapterFusion: the fusion's output is not what the head of the target adapter was trained on.

    Args:
        backbone: frozen and shared.
        task: the target task.
        intermediates: name -> model folder, in the order of the fusion; each holds one adapter.
        target: model folder of the target adapter, trained alone; None where the task's own adapter is among the
            intermediates (a fusion trained on an intermediate task, for targets without training).
        seed: of the start values of fusion and head.
        rank: of a low-rank fusion; 0 for full matrices.
        joint: the target adapter as in the recipe, to start fresh and to train with the fusion; excludes ``target``.
        language: model folder of the training language's adapter, to lie below the fusion; None for none.

    Raises:
        VariantError: a folder holds no adapter of this backbone.
    """
    adapters, lowest = language_part(language, backbone)
    parts = [*lowest]
    for index, (name, folder) in enumerate(intermediates.items()):
        adapter_id = f"i{index:02d}"
        member = read_description(folder)
        _require_language(member, lowest)
        adapters[adapter_id] = load_adapter(member, TARGET_ID, backbone)
        parts.append(_described(adapter_id, name, adapters[adapter_id]))
    if target is not None:
        stored = read_description(target)
        if stored.composition.variant != alone(adapter=True).name:
            raise VariantError(
                f"{target}: variant '{stored.composition.variant}'; a fusion takes the target adapter trained alone",
                fix="plan the recipe again",
            )
        _require_language(stored, lowest)
        adapters[TARGET_ID] = load_adapter(stored, TARGET_ID, backbone)
        parts.append(_described(TARGET_ID, task.name, adapters[TARGET_ID]))
    elif joint is not None:
        shape = AdapterShape.of(joint, backbone.hidden_size, layers=backbone.layers)
        adapters[TARGET_ID] = new_adapter(backbone, shape, seed=seed)
        parts.append(_described(TARGET_ID, task.name, adapters[TARGET_ID]))
    heads = head_parts([task])
    return TransferModel(
        backbone,
        Composition(
            variants_of(lambda spec: spec.fuses)[0],
            tuple(parts),
            heads,
            intermediate="+".join(intermediates),
            joint=joint is not None,
            fusion_rank=rank,
        ),
        adapters=adapters,
        fusion=new_fusion(
            backbone,
            seed=seed,
            rank=rank,
            first_layer=min(adapter.first_layer for adapter in parts if adapter.role != "language"),
        ),
        heads=new_heads(backbone, [task], heads, seed=seed),
    )


def language_part(folder: Path | None, backbone: LoadedBackbone) -> tuple[dict[str, Adapter], tuple[AdapterPart, ...]]:
    """The adapter of a language by its id, and its description; nothing where there is none.

    Raises:
        VariantError: the folder holds something else, or belongs to another backbone.
    """
    if folder is None:
        return {}, ()
    stored = read_description(folder)
    if not stored.composition.spec.language:
        raise VariantError(
            f"{folder}: variant '{stored.composition.variant}'; expected the adapter of a language",
            fix="plan the recipe again",
        )
    (adapter,) = stored.composition.adapters
    description = AdapterPart(
        id=LANGUAGE_ID,
        role="language",
        name=adapter.name,
        method=adapter.method,
        bottleneck_size=adapter.bottleneck_size,
    )
    return {LANGUAGE_ID: load_adapter(stored, TARGET_ID, backbone)}, (description,)


def _require_language(stored: StoredModel, lowest: tuple[AdapterPart, ...]) -> None:
    """Refuse an adapter that was trained above another language adapter than it is to be used above.

    Raises:
        VariantError: the two differ, or only one of them is there.
    """
    language = stored.composition.language
    if (() if language is None else (language,)) != lowest:
        trained, here = ("none" if p is None else f"{p.name} ({p.method})" for p in (language, *(lowest or (None,))))
        raise VariantError(
            f"{stored.folder}: trained above the language adapter {trained}, to be used above {here}",
            fix="use one setting of 'language' for all phases of a variant",
        )


def new_fusion(backbone: LoadedBackbone, *, seed: int, rank: int = 0, first_layer: int = 0) -> Fusion:
    """A fresh fusion; score dropout is the attention dropout of the backbone, as in the library."""
    dropout, generator = backbone.score_dropout, torch_generator(seed, "fusion")
    return Fusion(
        backbone.layers,
        backbone.hidden_size,
        dropout=dropout,
        generator=generator,
        rank=rank,
        first_layer=first_layer,
    )


def new_heads(
    backbone: LoadedBackbone, tasks: Sequence[TrainTask], parts: Sequence[HeadPart], *, seed: int
) -> dict[str, nn.Module]:
    """Fresh heads by id, with the deviation of the backbone's own start values."""
    by_name = {task.name: task for task in tasks}
    return {
        head.id: by_name[head.task].format.make_head(
            backbone.hidden_size,
            head.labels,
            generator=torch_generator(seed, "head", head.task),
            std=backbone.start_deviation,
        )
        for head in parts
    }


def head_parts(tasks: Sequence[TrainTask]) -> tuple[HeadPart, ...]:
    """One head per task, or per group of tasks that share one.

    Raises:
        VariantError: tasks that are to share a head have other formats or labels.
    """
    headless = [task for task in tasks if not task.head]
    parts = []
    for index, task in enumerate(headless):
        also = [other for other in tasks if other.head == task.name]
        for other in also:
            if (other.format.name, other.labels) != (task.format.name, task.labels):
                mine, its = (", ".join(labels) or "none" for labels in (other.labels, task.labels))
                raise VariantError(
                    f"task '{other.name}' ({other.format.name}, labels {mine}) cannot share the head of "
                    f"'{task.name}' ({task.format.name}, labels {its})",
                    fix="give the data of both the same label names, or take one of them out of 'multi'",
                )
        names = tuple(other.name for other in also)
        parts.append(HeadPart(f"h{index:02d}", task.name, task.format.name, task.labels, names))
    return tuple(parts)


def _described(adapter_id: str, name: str, adapter: Adapter) -> AdapterPart:
    role: Role = "target" if adapter_id == TARGET_ID else "intermediate"
    shape = adapter.shape
    return AdapterPart(
        id=adapter_id,
        role=role,
        name=name,
        method=shape.method,
        bottleneck_size=shape.bottleneck_size,
        first_layer=shape.first_layer,
        config=shape.config,
    )


def _joined(tasks: Sequence[TrainTask]) -> str:
    return "+".join(task.name for task in tasks)


def _trained_on(stored: StoredModel) -> str:
    composition = stored.composition
    return "+".join(composition.tasks or (adapter.name for adapter in composition.adapters))
