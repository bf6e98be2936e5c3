"""Model folders: what a model has that its backbone has not, as `model.json` and `model.safetensors`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone, with_own_weights
from adapterxfer.backbones.measure import untied_state
from adapterxfer.durable.tensors import write_tensors
from adapterxfer.errors import VariantError, wrong_schema
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.word_rows import IDS, ROWS, as_carried, as_stored, stored_rows

SCHEMA_VERSION = 1
WEIGHTS = "model.safetensors"
MERGED_FROM = "merge"
"""Key of ``model.json`` that says what was joined; only a merged model has it."""

DESCRIPTION = "model.json"

HeadFactory = Callable[[HeadPart], nn.Module]
"""Makes an empty head; the formats know how."""


class StoredModel(NamedTuple):
    """What a model folder says of itself; see `read_description`."""

    folder: Path
    composition: Composition
    backbone: Mapping[str, Any]
    content: Mapping[str, Any]


def write_weights(folder: Path, model: TransferModel) -> None:
    """Write the weights; `write_description` comes last and makes the folder complete.

    Of a large word matrix that trains, the rows that differ from the backbone's are written; see `word_rows`.
    """
    write_tensors(folder / WEIGHTS, as_stored(model.own_state(), model.loaded), metadata={"format": "pt"})


def write_description(folder: Path, model: TransferModel, **extra: Any) -> dict[str, Any]:
    """Write ``model.json`` and return its content.

    Args:
        folder: must hold the weights.
        model: its composition and backbone are described.
        extra: further JSON values, e.g. assertions and training settings.
    """
    loaded = model.loaded
    content = {
        "schema": SCHEMA_VERSION,
        "composition": model.composition.as_json(),
        "backbone": {
            "identity": dict(loaded.identity),
            "fingerprint": loaded.fingerprint,
            "hidden_size": loaded.hidden_size,
            "layers": loaded.layers,
            "parameters": loaded.parameters.total,
            "non_embedding_parameters": loaded.parameters.non_embedding,
            "dtype": str(next(loaded.model.parameters()).dtype).removeprefix("torch."),
            "attention": str(loaded.config._attn_implementation),
        },
        "trainable_parameters": sum(parameter.numel() for parameter in model.trainable().values())
        + _not_carried(model),
        **extra,
    }
    if (rows := stored_rows(folder / WEIGHTS)) is not None:
        content["word_rows"] = {"stored": rows.rows, "of": loaded.vocabulary}
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    return content


def _not_carried(model: TransferModel) -> int:
    """Numbers in the rows of a word matrix that trains, but that no text of the training looks up."""
    loaded = model.loaded
    if not model.composition.trains_backbone or loaded.source is None or loaded.ids is None:
        return 0
    return (loaded.source.vocabulary - len(loaded.ids)) * loaded.source.width


def read_description(folder: Path) -> StoredModel:
    """What the model in a folder is made of.

    Raises:
        VariantError: there is no complete model folder, or it was written by an incompatible version.
    """
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VariantError(f"{path}: not found", fix="train the model first; the folder is not complete") from None
    except ValueError as error:
        raise VariantError(f"{path}: not valid JSON ({error})", fix="train the model again") from None
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA_VERSION:
        problem, fix = wrong_schema(path, schema, SCHEMA_VERSION)
        raise VariantError(problem, fix=fix)
    return StoredModel(folder, Composition.from_json(content["composition"]), content["backbone"], content)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model folder, by name, mapped from the file; `word_rows.as_carried` makes a state of them.

    Raises:
        VariantError: the file is absent or damaged.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise VariantError(f"{path}: not found", fix="train the model again")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise VariantError(f"{path}: cannot be read ({error})", fix="train the model again") from None


def stored_size(folder: Path) -> dict[str, int]:
    """Parameters of the model in a folder, heads left out: ``total`` of all that is active, ``trainable`` of its phase.

    A merged model has no phase of its own, and no ``trainable``. Weights are not read, only their shapes.

    Raises:
        VariantError: there is no complete model folder.
    """
    stored = read_description(folder)
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            counts = {name: math.prod(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        rows = stored_rows(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise VariantError(f"{folder / WEIGHTS}: cannot be read ({error})", fix="train the model again") from None
    if rows is not None:
        counts[ROWS] = int(stored.content["word_rows"]["of"]) * rows.width
        del counts[IDS]
    heads = sum(count for name, count in counts.items() if name.startswith("heads."))
    frozen = 0 if stored.composition.trains_backbone else int(stored.backbone["parameters"])
    size = {"total": frozen + sum(counts.values()) - heads}
    if MERGED_FROM not in stored.content:
        size["trainable"] = int(stored.content["trainable_parameters"]) - heads
    return size


def load_model(folder: Path, backbone: LoadedBackbone, *, make_head: HeadFactory) -> TransferModel:
    """The model of a folder, in evaluation mode.

    Args:
        folder: written by `write_weights` and `write_description`.
        backbone: what the model was trained on; its weights are copied where the folder replaces them (``full-ft``).
        make_head: makes the empty heads.

    Raises:
        VariantError: the backbone has another fingerprint, or the weights do not fit the description exactly.
    """
    stored = read_description(folder)
    check_backbone(stored, backbone)
    if stored.composition.trains_backbone:
        backbone = with_own_weights(backbone)
    state = as_carried(read_weights(folder), backbone)
    return assemble(stored.composition, backbone, state, make_head=make_head, where=str(folder / WEIGHTS))


def assemble(
    composition: Composition,
    backbone: LoadedBackbone,
    state: Mapping[str, Tensor],
    *,
    make_head: HeadFactory,
    where: str,
) -> TransferModel:
    """A model from its composition and tensors, in evaluation mode.

    Args:
        backbone: with weights of its own where the variant trains them.
        state: by the names of `TransferModel.own_state`.
        make_head: makes the empty heads.
        where: what the tensors were read from, for messages.

    Raises:
        VariantError: the tensors do not fit the composition exactly.
    """
    model = TransferModel(
        backbone,
        composition,
        adapters={adapter.id: empty_adapter(backbone, adapter.shape) for adapter in composition.adapters},
        fusion=empty_fusion(backbone, rank=composition.fusion_rank, first_layer=composition.fused_from)
        if composition.fused
        else None,
        heads={head.id: make_head(head) for head in composition.heads},
    )
    fill(model.own_state(), state, where)
    return model.eval()


def load_adapter(stored: StoredModel, adapter_id: str, backbone: LoadedBackbone) -> Adapter:
    """One trained adapter of a model folder.

    Raises:
        VariantError: the model has no such adapter, was trained on another backbone, or its weights do not fit.
    """
    check_backbone(stored, backbone)
    for described in stored.composition.adapters:
        if described.id == adapter_id:
            adapter = empty_adapter(backbone, described.shape)
            prefix = f"adapters.{adapter_id}."
            state = {n.removeprefix(prefix): t for n, t in read_weights(stored.folder).items() if n.startswith(prefix)}
            fill(untied_state(adapter), state, str(stored.folder / WEIGHTS))
            return adapter
    raise VariantError(
        f"{stored.folder}: the model ('{stored.composition.variant}') has no adapter '{adapter_id}'",
        fix="use a model that was trained with an adapter",
    )


def load_backbone_weights(stored: StoredModel, backbone: LoadedBackbone) -> LoadedBackbone:
    """A copy of the backbone with the fully fine-tuned weights of a model folder.

    Raises:
        VariantError: the model did not train its backbone, was trained on another one, or its weights do not fit.
    """
    check_backbone(stored, backbone)
    if not stored.composition.trains_backbone:
        raise VariantError(
            f"{stored.folder}: the model ('{stored.composition.variant}') holds no backbone weights",
            fix="use a model trained with mode: full",
        )
    copied = with_own_weights(backbone)
    state = {
        name.removeprefix("backbone."): tensor
        for name, tensor in as_carried(read_weights(stored.folder), backbone).items()
        if name.startswith("backbone.")
    }
    fill(untied_state(copied.model), state, str(stored.folder / WEIGHTS))
    return copied


def check_backbone(stored: StoredModel, backbone: LoadedBackbone) -> None:
    """Refuse a backbone whose weights are not those the model was trained on."""
    if stored.backbone["fingerprint"] != backbone.fingerprint:
        raise VariantError(
            f"{stored.folder}: trained on backbone '{stored.backbone['identity'].get('name')}' with fingerprint "
            f"{stored.backbone['fingerprint'][:16]}; backbone '{backbone.name}' has {backbone.fingerprint[:16]}",
            fix="load the backbone it was trained on",
        )


def fill(target: Mapping[str, Tensor], source: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into the tensors of a module; names, shapes and dtypes must be the same on both sides.

    Raises:
        VariantError: they are not; nothing was copied.
    """
    problems = [f"missing {name}" for name in sorted(target.keys() - source.keys())]
    problems += [f"unknown {name}" for name in sorted(source.keys() - target.keys())]
    for name in sorted(target.keys() & source.keys()):
        expected, actual = target[name], source[name]
        if expected.shape != actual.shape or expected.dtype != actual.dtype:
            problems.append(
                f"{name} is {actual.dtype} {tuple(actual.shape)}, expected {expected.dtype} {tuple(expected.shape)}"
            )
    if problems:
        shown = "; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if len(problems) > 4 else "")
        raise VariantError(f"{where}: weights do not fit the model: {shown}", fix="train the model again")
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(source[name])


def empty_adapter(backbone: LoadedBackbone, shape: AdapterShape) -> Adapter:
    """An adapter to be filled; its start values do not matter."""
    generator = torch.Generator()
    return Adapter(
        backbone.layers,
        backbone.hidden_size,
        shape,
        generator=generator,
        linears=backbone.linears,
        encoder=backbone.model,
    )


def empty_fusion(backbone: LoadedBackbone, *, rank: int = 0, first_layer: int = 0) -> Fusion:
    """A fusion to be filled; its start values do not matter."""
    dropout = backbone.score_dropout
    return Fusion(
        backbone.layers,
        backbone.hidden_size,
        dropout=dropout,
        generator=torch.Generator(),
        rank=rank,
        first_layer=first_layer,
    )
