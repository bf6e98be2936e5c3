"""Executor of `reuse_intermediate`: a published adapter takes the place of an intermediate training.

Artefacts: ``model.json`` and ``model.safetensors`` as of a training, and ``published.json``: where the adapter comes
from, what it was trained on as far as its author says so, and its licence. Nothing is stored unless everything fits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.backbones.measure import untied_state
from adapterxfer.catalog.methods import METHODS, peft_words
from adapterxfer.catalog.methods.adapters_configs import ADAPTERS
from adapterxfer.errors import BundleError, VariantError
from adapterxfer.formats.registry import get_format
from adapterxfer.hub import peft_keys
from adapterxfer.hub.addresses import HubAddress
from adapterxfer.hub.fetching import Published, fetch_published, read_config
from adapterxfer.hub.fitting import RequiredAdapter, bundle_differences, foreign_differences
from adapterxfer.hub.foreign import describe
from adapterxfer.hub.loading import Opened, open_bundle
from adapterxfer.hub.manifest import Manifest, read_json
from adapterxfer.stages.context import StageContext
from adapterxfer.training.device import use_one_thread
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.adapters_files import check_fixed, config_differences, engine_from_adapters
from adapterxfer.variants.composition import TARGET_ID, AdapterPart, Composition, HeadPart
from adapterxfer.variants.library import adapter_from_library
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.peft_names import adapter_from_peft, projections_of
from adapterxfer.variants.storage import assemble, empty_adapter, write_description, write_weights

RECORD = "published.json"


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
    address = HubAddress(identity["from"]["repository"], identity["from"]["commit"])
    published = fetch_published(address)
    needed = RequiredAdapter(
        task=str(identity["task"]),
        method=shape.method,
        size=shape.bottleneck_size,
        config=shape.config,
        licence=identity.get("licence"),
        backbone=backbone.name,
        identity=backbone.identity,
        model_type=backbone.config.model_type,
        hidden_size=backbone.hidden_size,
        layers=backbone.layers,
        fingerprint=backbone.fingerprint,
        function=backbone.function,
    )
    if published.manifest is not None:
        model, facts = _from_bundle(published, published.manifest, needed, context, backbone)
    else:
        model, facts = _from_others(published, needed, backbone, shape)
    write_weights(context.scratch, model)
    record = {"repository": address.repository, "commit": address.revision, "licence": published.licence, **facts}
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (context.scratch / RECORD).write_text(text + "\n", encoding="utf-8")
    content = write_description(
        context.scratch, model, training={"stage": context.stage.key, "published": dict(identity["from"])}
    )
    context.log({"published": str(published), "library": facts["library"], "licence": published.licence})
    return {
        "variant": model.composition.variant,
        "trainable_parameters": content["trainable_parameters"],
        "published": f"{address.repository}@{address.revision}",
        "library": facts["library"],
        "licence": published.licence,
    }


def _refuse(published: Published, differences: list[str]) -> None:
    if differences:
        raise BundleError(
            f"{published}: cannot take the place of the training: {'; '.join(differences)}",
            fix="use an adapter that fits, change the recipe, or train the task here (leave 'from' out)",
        )


def _from_bundle(
    published: Published, manifest: Manifest, needed: RequiredAdapter, context: StageContext, backbone: LoadedBackbone
) -> tuple[TransferModel, dict[str, Any]]:
    _refuse(published, bundle_differences(manifest, needed))
    opened: Opened = open_bundle(published.folder, backbone=context.backbone_folder)
    composition = opened.model.composition
    (adapter,) = composition.adapters
    composed = Composition(
        "adapter",
        (
            AdapterPart(
                id=TARGET_ID,
                role="target",
                name=needed.task,
                method=adapter.method,
                bottleneck_size=adapter.bottleneck_size,
                config=adapter.config,
            ),
        ),
        composition.heads,
    )
    state = {
        n.replace(f"adapters.{adapter.id}.", f"adapters.{TARGET_ID}."): t for n, t in opened.model.own_state().items()
    }
    model = assemble(composed, backbone, state, make_head=_head_maker(backbone), where=str(published))
    results = read_json(published.folder / "results.json")
    rows = results.get("training") if isinstance(results, dict) else None
    known = [row for row in rows or () if isinstance(row, dict) and {"task", "licence"} <= row.keys()]
    facts = {"library": "adapterxfer", "digest": manifest.digest, "name": manifest.name, "training": known}
    return model, facts


def _from_others(
    published: Published, needed: RequiredAdapter, backbone: LoadedBackbone, shape: AdapterShape
) -> tuple[TransferModel, dict[str, Any]]:
    """An adapter of AdapterHub or peft; its head, if it has one, stays where it is."""
    content = read_config(published.folder, str(published))
    foreign = describe(content, shape.method, shape.config)
    differences = foreign_differences(foreign, published.licence, needed)
    if foreign.library == "adapters" and METHODS[shape.method].engine == "adapters":
        differences += config_differences(content.get("config"), shape.method, shape.config)
    _refuse(published, differences)
    assert published.weights is not None
    stored = load_file(published.weights)
    try:
        if foreign.library == "adapters" and METHODS[shape.method].engine:
            state = _from_library(stored, foreign.name, backbone, shape)
        elif foreign.library == "adapters":
            state = adapter_from_library(stored, foreign.name, shape.method)
            if left := len(stored) - len(state):
                raise VariantError(f"{left} tensors belong to no {shape.method}", fix="use a plain adapter")
        else:
            state = adapter_from_peft(stored, shape, backbone.architecture, factor=foreign.factor)
            fixed, words = projections_of(shape.method), "|".join(peft_words())
            changed = [name for name in stored if re.search(rf"\.({words})_", name) and name not in fixed]
            _refuse(published, peft_keys.untargeted(content, changed))
    except VariantError as error:
        raise BundleError(f"{published}: {error.what}", fix=error.fix) from error
    _refuse(published, _tensor_differences(state, backbone, shape))
    adapter = AdapterPart(
        id=TARGET_ID,
        role="target",
        name=needed.task,
        method=shape.method,
        bottleneck_size=shape.bottleneck_size,
        config=shape.config,
    )
    tensors = {f"adapters.{TARGET_ID}.{name}": tensor.float() for name, tensor in state.items()}
    model = assemble(
        Composition("adapter", (adapter,), ()), backbone, tensors, make_head=_head_maker(backbone), where=str(published)
    )
    return model, {"library": foreign.library, "base": foreign.base, "base_revision": foreign.revision, "training": []}


def _from_library(
    stored: Mapping[str, Tensor], name: str, backbone: LoadedBackbone, shape: AdapterShape
) -> dict[str, Tensor]:
    """State of an adapter that the `adapters` library's own modules compute; a head in the file stays where it is.

    Raises:
        VariantError: a tensor of the adapter is missing or unknown, or it was learned with other random parts.
    """
    fixed = tuple(ADAPTERS.facts(shape.method)["fixed"])
    state = engine_from_adapters(stored, name, shape.method, backbone.architecture, fixed)
    empty = empty_adapter(backbone, shape)
    if wrong := sorted(state.keys() ^ untied_state(empty).keys()):
        raise VariantError(f"its tensors are not those of {shape.method}: {wrong[0]}", fix="use a plain adapter")
    check_fixed(stored, name, empty, fixed)
    return state


def _tensor_differences(state: Mapping[str, Tensor], backbone: LoadedBackbone, shape: AdapterShape) -> list[str]:
    expected = untied_state(empty_adapter(backbone, shape))
    layers = {int(name.partition(".")[0]) for name in state}
    if not METHODS[shape.method].engine and layers != set(range(backbone.layers)):
        return [f"it has {len(layers)} layers; backbone '{backbone.name}' has {backbone.layers}"]
    wrong = [n for n in sorted(expected.keys() & state.keys()) if expected[n].shape != state[n].shape]
    differences = [f"{n} is {tuple(state[n].shape)}; this backbone needs {tuple(expected[n].shape)}" for n in wrong[:2]]
    odd = sorted({str(tensor.dtype) for tensor in state.values() if not tensor.is_floating_point()})
    broken = [name for name, tensor in sorted(state.items()) if not bool(torch.isfinite(tensor.float()).all())]
    differences += [f"{name} holds NaN or infinite numbers" for name in broken[:2]]
    return differences + [f"tensors of type {kind}; numbers are needed" for kind in odd]


def _head_maker(backbone: LoadedBackbone) -> Any:
    def make(head: HeadPart) -> nn.Module:
        return get_format(head.format).make_head(backbone.hidden_size, head.labels, generator=torch.Generator())

    return make
