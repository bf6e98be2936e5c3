"""Executor of `reuse_intermediate`: a published adapter takes the place of an intermediate training.

Artefacts: ``model.json`` and ``model.safetensors`` as of a training, and ``published.json``: where the adapter comes
from, what it was trained on as far as its author says so, and its licence. Nothing is stored unless everything fits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from adapterxfer.backbones.loading import LoadedBackbone, load_backbone
from adapterxfer.backbones.measure import untied_state
from adapterxfer.errors import BundleError, VariantError
from adapterxfer.formats.registry import get_format
from adapterxfer.hub.fetching import Published, fetch_published, read_config
from adapterxfer.hub.foreign import describe, same_base
from adapterxfer.hub.licences import facts_of
from adapterxfer.hub.loading import Opened, describe_backbone, open_bundle
from adapterxfer.hub.manifest import Manifest, read_json
from adapterxfer.hub.places import HubPlace
from adapterxfer.stages.context import StageContext
from adapterxfer.training.device import use_one_thread
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.composition import TARGET_ID, AdapterPart, Composition, HeadPart
from adapterxfer.variants.library import adapter_from_library
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.peft_names import adapter_from_peft
from adapterxfer.variants.storage import assemble, empty_adapter, write_description, write_weights

RECORD = "published.json"
FREE = 2
"""Highest rank of a licence that needs no word in the recipe: attribution and share-alike."""


def execute(context: StageContext) -> dict[str, Any]:
    """Fetch, compare, convert, store.

    Raises:
        HubError: the Hub did not give it.
        BundleError: it does not fit the recipe; says everything that differs.
    """
    use_one_thread()
    identity = context.stage.identity
    backbone = load_backbone(identity["backbone"], context.backbone_folder)
    shape = AdapterShape.of(identity["adapter"], backbone.hidden_size, layers=backbone.layers)
    if shape.first_layer:
        raise BundleError(
            "the recipe asks for an adapter in the upper half of the layers; published ones are in all of them",
            fix="leave 'layers' out, or train the intermediate adapter in this recipe",
        )
    place = HubPlace(identity["from"]["repository"], identity["from"]["commit"])
    published = fetch_published(place)
    licence = _licence_differences(published, identity.get("licence"))
    if published.manifest is not None:
        model, facts = _from_bundle(published, published.manifest, context, backbone, shape, licence)
    else:
        model, facts = _from_others(published, identity, backbone, shape, licence)
    write_weights(context.scratch, model)
    record = {"repository": place.repository, "commit": place.revision, "licence": published.licence, **facts}
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (context.scratch / RECORD).write_text(text + "\n", encoding="utf-8")
    content = write_description(
        context.scratch, model, training={"stage": context.stage.key, "published": dict(identity["from"])}
    )
    context.log({"published": str(published), "library": facts["library"], "licence": published.licence})
    return {
        "variant": model.composition.variant,
        "trainable_parameters": content["trainable_parameters"],
        "published": f"{place.repository}@{place.revision}",
        "library": facts["library"],
        "licence": published.licence,
    }


def _licence_differences(published: Published, accepted: str | None) -> list[str]:
    """Why the recipe does not accept the licence; at most one reason."""
    facts = facts_of(published.licence)
    if accepted is not None:
        same = accepted.lower() == published.licence.lower()
        return [] if same else [f"its licence is {published.licence}; the recipe accepts {accepted}"]
    if facts.rank <= FREE:
        return []
    about = f" ({'; '.join(facts.flags)})" if facts.flags and published.licence not in ("other", "unstated") else ""
    return [
        f"its licence is {published.licence}{about}; if you may use it, accept it in the recipe with "
        f"licence: {published.licence}"
    ]


def _refuse(published: Published, differences: list[str]) -> None:
    if differences:
        raise BundleError(
            f"{published}: cannot take the place of the training: {'; '.join(differences)}",
            fix="use an adapter that fits, change the recipe, or train the task here (leave 'from' out)",
        )


def _from_bundle(
    published: Published,
    manifest: Manifest,
    context: StageContext,
    backbone: LoadedBackbone,
    shape: AdapterShape,
    differences: list[str],
) -> tuple[TransferModel, dict[str, Any]]:
    composition, wanted = manifest.composition, str(context.stage.identity["task"])
    differences = differences + _backbone_differences(manifest, backbone)
    if len(composition.adapters) == 1:
        part = composition.adapters[0]
        differences += _shape_differences(part.method, part.bottleneck_size, shape)
    else:
        count = len(composition.adapters)
        holds = f"{count} adapters" if count else "no adapter"
        differences.append(f"it is a bundle of variant '{composition.variant}' with {holds}; one adapter is needed")
    trained_on = [task for head in composition.heads for task in (head.task, *head.also)]
    if wanted not in trained_on:
        differences.append(f"trained on {' and '.join(trained_on)}; the recipe asks for {wanted}")
    _refuse(published, differences)
    opened: Opened = open_bundle(published.folder, backbone=context.backbone_folder)
    own = opened.model.composition
    composed = Composition(
        "adapter", (AdapterPart(TARGET_ID, "target", wanted, shape.method, shape.bottleneck_size),), own.heads
    )
    (part_id,) = [part.id for part in own.adapters]
    state = {
        n.replace(f"adapters.{part_id}.", f"adapters.{TARGET_ID}."): t for n, t in opened.model.own_state().items()
    }
    model = assemble(composed, backbone, state, make_head=_head_maker(backbone), where=str(published))
    results = read_json(published.folder / "results.json")
    rows = results.get("training") if isinstance(results, dict) else None
    known = [row for row in rows or () if isinstance(row, dict) and {"task", "licence"} <= row.keys()]
    facts = {"library": "adapterxfer", "digest": manifest.digest, "name": manifest.name, "training": known}
    return model, facts


def _backbone_differences(manifest: Manifest, backbone: LoadedBackbone) -> list[str]:
    entry, name = manifest.backbone, backbone.name
    found = []
    if entry.model_type != backbone.config.model_type:
        found.append(f"for {entry.model_type} encoders; backbone '{name}' is {backbone.config.model_type}")
    for what, theirs, ours in (
        ("hidden size", entry.hidden_size, backbone.hidden_size),
        ("number of layers", entry.layers, backbone.layers),
    ):
        if theirs != ours:
            found.append(f"{what} {theirs}; backbone '{name}' has {ours}")
    if not found and entry.fingerprint != backbone.fingerprint:
        found.append(
            f"trained on backbone {describe_backbone(manifest)} with fingerprint {entry.fingerprint[:16]}; backbone "
            f"'{name}' has {backbone.fingerprint[:16]}"
        )
    return found


def _shape_differences(method: str, size: int | None, shape: AdapterShape) -> list[str]:
    if method != shape.method:
        return [f"adapter method {method}; the recipe asks for {shape.method}"]
    if size is not None and size != shape.bottleneck_size:
        return [f"adapter of size {size} (bottleneck or rank); the recipe asks for {shape.bottleneck_size}"]
    return []


def _from_others(
    published: Published, identity: Mapping[str, Any], backbone: LoadedBackbone, shape: AdapterShape, licence: list[str]
) -> tuple[TransferModel, dict[str, Any]]:
    """An adapter of AdapterHub or peft; its head, if it has one, stays where it is."""
    found = describe(read_config(published), shape.method)
    differences = licence + found.differences + _shape_differences(shape.method, found.size, shape)
    wanted = str(backbone.identity.get("repo") or backbone.name)
    if not found.base:
        differences.append(f"it does not name its backbone; the recipe's is {wanted}")
    elif not same_base(found.base, wanted):
        differences.append(f"trained on backbone '{found.base}'; the recipe's is {wanted}")
    revision = backbone.identity.get("revision")
    if found.revision and revision and found.revision not in ("main", revision):
        differences.append(f"trained on revision {found.revision} of the backbone; the recipe's is {revision}")
    if found.model_type and found.model_type != backbone.config.model_type:
        differences.append(f"for {found.model_type} encoders; '{backbone.name}' is {backbone.config.model_type}")
    if found.hidden_size and found.hidden_size != backbone.hidden_size:
        differences.append(f"hidden size {found.hidden_size}; backbone '{backbone.name}' has {backbone.hidden_size}")
    _refuse(published, differences)
    assert published.weights is not None
    stored = load_file(published.weights)
    try:
        if found.library == "adapters":
            state = adapter_from_library(stored, found.name, shape.method)
            if left := len(stored) - len(state):
                raise VariantError(f"{left} tensors belong to no {shape.method}", fix="use a plain adapter")
        else:
            state = adapter_from_peft(stored, shape, backbone.architecture, factor=found.factor)
    except VariantError as error:
        raise BundleError(f"{published}: {error.what}", fix=error.fix) from error
    _refuse(published, _tensor_differences(state, backbone, shape))
    part = AdapterPart(TARGET_ID, "target", str(identity["task"]), shape.method, shape.bottleneck_size)
    own = {f"adapters.{TARGET_ID}.{name}": tensor.float() for name, tensor in state.items()}
    model = assemble(
        Composition("adapter", (part,), ()), backbone, own, make_head=_head_maker(backbone), where=str(published)
    )
    return model, {"library": found.library, "base": found.base, "base_revision": found.revision, "training": []}


def _tensor_differences(state: Mapping[str, Tensor], backbone: LoadedBackbone, shape: AdapterShape) -> list[str]:
    own = untied_state(empty_adapter(backbone, shape))
    layers = {int(name.partition(".")[0]) for name in state}
    if layers != set(range(backbone.layers)):
        return [f"it has {len(layers)} layers; backbone '{backbone.name}' has {backbone.layers}"]
    wrong = [n for n in sorted(own.keys() & state.keys()) if own[n].shape != state[n].shape]
    found = [f"{n} is {tuple(state[n].shape)}; this backbone needs {tuple(own[n].shape)}" for n in wrong[:2]]
    odd = sorted({str(tensor.dtype) for tensor in state.values() if not tensor.is_floating_point()})
    return found + [f"tensors of type {kind}; numbers are needed" for kind in odd]


def _head_maker(backbone: LoadedBackbone) -> Any:
    def make(part: HeadPart) -> nn.Module:
        return get_format(part.format).make_head(backbone.hidden_size, part.labels, generator=torch.Generator())

    return make
