"""From a folder to a model: inspect, find the backbone, fill every tensor, ask the probes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone, tokenizer_for
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.backbones.reading import empty_model, fill, read_config, read_weights
from adapterxfer.backbones.segments import mark_segments
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.errors import AdapterxferError, BundleError
from adapterxfer.formats.registry import format_of_head
from adapterxfer.hub import layout
from adapterxfer.hub.fitting import describe_backbone
from adapterxfer.hub.inspection import inspect_bundle
from adapterxfer.hub.manifest import Manifest
from adapterxfer.hub.probes import check_probes
from adapterxfer.hub.tensors import read_tensors
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import assemble


class Opened:
    """A bundle that was checked and loaded.

    Attributes:
        manifest: what it says it is.
        model: in evaluation mode.
        difference: largest difference of a probe's logits or hidden states to the stored ones.
    """

    def __init__(self, manifest: Manifest, model: TransferModel, difference: float) -> None:
        self.manifest = manifest
        self.model = model
        self.difference = difference


def open_bundle(folder: Path, *, backbone: Path | None = None) -> Opened:
    """Load a bundle's model after every check has passed.

    Args:
        backbone: folder of the backbone (config.json, model.safetensors, tokenizer.json), where neither the bundle nor
            adapterxfer holds it.

    Raises:
        BundleError: the folder is not a whole, unchanged bundle, or its backbone is another one.
    """
    manifest = inspect_bundle(folder)
    loaded = _backbone(folder, manifest, backbone)
    composition = composition_of(manifest)

    def make_head(head: HeadPart) -> nn.Module:
        return format_of_head(head.format).make_head(loaded.hidden_size, head.labels, generator=torch.Generator())

    try:
        model = assemble(composition, loaded, read_tensors(folder, manifest), make_head=make_head, where=str(folder))
    except AdapterxferError as error:
        raise BundleError(error.what, fix="do not use this bundle; its weights are of another model") from error
    return Opened(manifest, model, check_probes(folder, manifest, model))


def composition_of(manifest: Manifest) -> Composition:
    """The bundle's composition as the record that builds a transfer model.

    Raises:
        BundleError: no variant has such parts.
    """
    content: dict[str, Any] = manifest.composition.model_dump()
    for head in content["heads"]:
        del head["protocol"]
    for adapter in content["adapters"]:
        del adapter["layout"]
        if not adapter["config"]:
            del adapter["config"]
    try:
        return Composition.from_json(content)
    except AdapterxferError as error:
        raise BundleError(f"{manifest.name}: {error.what}", fix="do not use this bundle") from error


def _backbone(folder: Path, manifest: Manifest, folder_given: Path | None) -> LoadedBackbone:
    backbone = manifest.backbone
    if backbone.included:
        loaded = _included(folder, manifest)
        expected = backbone.encoder_fingerprint
    else:
        loaded = _outside(manifest, folder_given)
        expected = backbone.fingerprint
    if loaded.fingerprint != expected:
        raise BundleError(
            f"{manifest.name}: trained on backbone {describe_backbone(manifest)} with fingerprint "
            f"{str(expected)[:16]}; the backbone found has {loaded.fingerprint[:16]}",
            fix="give the folder of exactly that backbone and revision with --backbone DIR (load_bundle(backbone=...))",
        )
    if loaded.function != backbone.identity.get("function", loaded.function):
        raise BundleError(
            f"{manifest.name}: the backbone's configuration gives equal weights another function than in training",
            fix="give the folder of exactly that backbone and revision, with its own config.json",
        )
    _check_tokenizer(folder, loaded)
    return loaded


def _included(folder: Path, manifest: Manifest) -> LoadedBackbone:
    encoder = folder / layout.ENCODER
    config = read_config(encoder, attention=str(manifest.backbone.identity.get("attention", "sdpa")))
    architecture = architecture_of(config.model_type)
    tokenizer = tokenizer_for(folder / layout.TOKENIZER[0], config, encoder / "config.json")
    model = empty_model(config)
    fill(model, read_weights(encoder, architecture), str(encoder))
    model = model.requires_grad_(False).eval()
    if architecture.segments:
        mark_segments(model, tokenizer)
    identity = {**manifest.backbone.identity, "name": manifest.backbone.name}
    return LoadedBackbone(
        model=model,
        tokenizer=tokenizer,
        config=config,
        identity=identity,
        fingerprint=state_fingerprint(model.state_dict()),
        parameters=count_parameters(model),
    )


def _outside(manifest: Manifest, folder_given: Path | None) -> LoadedBackbone:
    backbone = manifest.backbone
    identity = {**backbone.identity, "name": backbone.name}
    if folder_given is not None:
        identity = {**identity, "kind": "folder"}
    elif backbone.kind in ("stage", "folder"):
        raise BundleError(
            f"{manifest.name}: needs backbone {describe_backbone(manifest)}, which it does not hold",
            fix="give its folder with --backbone DIR (load_bundle(backbone=...))",
        )
    try:
        return load_backbone(identity, folder_given)
    except AdapterxferError as error:
        raise BundleError(
            f"{manifest.name}: backbone {describe_backbone(manifest)} cannot be loaded: {error.what}",
            fix=f"install adapterxfer {backbone.package_version}, or give the backbone's folder with --backbone DIR",
        ) from error


def _check_tokenizer(folder: Path, loaded: LoadedBackbone) -> None:
    """The bundled tokenizer and that of the backbone must give the same tokens: both are read as JSON."""
    from tokenizers import Tokenizer

    try:
        bundled = Tokenizer.from_file(str(folder / layout.TOKENIZER[0]))
    except Exception as error:  # the tokenizers library raises a bare Exception for damaged files
        raise BundleError(f"{folder / layout.TOKENIZER[0]}: not a tokenizer ({error})", fix="pull it again") from None
    bundled.no_truncation()
    bundled.no_padding()
    expected = loaded.tokenizer.backend_tokenizer
    expected.no_truncation()
    expected.no_padding()
    if bundled.get_vocab() != expected.get_vocab():
        raise BundleError(
            f"{folder}: the bundled tokenizer has another vocabulary than backbone '{loaded.name}'",
            fix="do not use this bundle with this backbone",
        )
