"""Check a folder before anything in it is used: names, sizes, checksums, headers of weight files. Torch-free.

The order matters. Names first, because a file that should not be there is never opened; then the manifest; then
checksums; then the headers of the weight files, whose shapes must follow from the manifest, so that no number in a
hostile file decides how much memory is used.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from adapterxfer.backbones import headers
from adapterxfer.catalog import METHODS
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.errors import BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.counts import read_facts
from adapterxfer.hub.manifest import AdapterEntry, Manifest, read_json, read_manifest
from adapterxfer.store.files import hash_file

HEADER_LIMIT = 16 * layout.MIB
"""Largest header of a weight file in bytes; an encoder of 50 layers needs a tenth of a MiB."""

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}

UNTRUSTED = "do not use this bundle; pull or make it again from a source you trust"

Header = Mapping[str, tuple[str, tuple[int, ...]]]
"""Tensor name -> dtype and shape."""


def inspect_bundle(folder: Path) -> Manifest:
    """The manifest of a folder that holds exactly what it says.

    Raises:
        BundleError: a file is missing, unexpected, a link, too large, changed, or its header does not fit.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder}: not a folder", fix="give the folder of a bundle")
    present = set(_files(folder))
    if problems := layout.unsafe_names(present):
        raise BundleError(f"{folder}: {_some(problems)}", fix=UNTRUSTED)
    manifest = read_manifest(folder)
    if unknown := sorted({a.method for a in manifest.composition.adapters if a.method not in METHODS}):
        raise BundleError(
            f"{folder}: this version knows no adapter method '{unknown[0]}'",
            fix="update adapterxfer, or use another bundle",
        )
    expected = manifest.expected_files()
    problems = [f"{name}: missing" for name in sorted(expected - present)]
    extra = [name for name in sorted(present - expected) if not layout.is_beside(name)]
    problems += [f"{name}: does not belong to a bundle" for name in extra]
    if problems:
        raise BundleError(f"{folder}: {_some(problems)}", fix="pull or make the bundle again")
    problems = [line for name, listed in manifest.files.items() for line in _damage(folder / name, name, listed)]
    if problems:
        raise BundleError(f"{folder}: {_some(problems)}", fix="pull the bundle again; a damaged copy is not used")
    _check_weights(folder, manifest)
    _check_setup(folder, manifest)
    for name in filter(layout.is_counts, manifest.files):
        read_facts(folder / name)
    return manifest


def _files(folder: Path) -> Iterator[str]:
    for folder_path, folders, names in os.walk(folder, followlinks=False):
        here = Path(folder_path)
        for name in [*names, *folders]:
            path = here / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise BundleError(f"{path.relative_to(folder)}: not a plain file", fix=UNTRUSTED)
        for name in names:
            yield (here / name).relative_to(folder).as_posix()


def _damage(path: Path, name: str, listed: Any) -> Iterator[str]:
    size, limit = path.stat().st_size, layout.size_limit(name)
    if limit is not None and size > limit:
        yield f"{name}: {size:,} bytes; at most {limit:,} are read"
    elif size != listed.bytes:
        yield f"{name}: {size:,} bytes; expected {listed.bytes:,}"
    elif hash_file(path)["sha256"] != listed.sha256:
        yield f"{name}: sha256 does not match the manifest"


def read_header(path: Path) -> Header:
    """Names, types and shapes in a safetensors file, read without its tensors.

    Raises:
        BundleError: it is not such a file, its header is oversized, or ranges overlap or leave gaps.
    """
    try:
        content, start = headers.read_header(path, limit=HEADER_LIMIT)
    except ValueError as error:
        raise BundleError(f"{path}: {error}", fix=UNTRUSTED) from None
    header: dict[str, tuple[str, tuple[int, ...]]] = {}
    ranges = []
    try:
        for name, facts in content.items():
            shape = tuple(facts["shape"])
            begin, end = facts["data_offsets"]
            whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
            if not whole or math.prod(shape) * BYTES[facts["dtype"]] != end - begin:
                raise ValueError(f"tensor {name}")
            header[name] = (facts["dtype"], shape)
            ranges.append((begin, end))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: not a safetensors file ({error})", fix=UNTRUSTED) from None
    reached = 0
    for begin, end in sorted(ranges):
        if begin != reached:
            raise BundleError(f"{path}: ranges of tensors overlap or leave gaps", fix=UNTRUSTED)
        reached = end
    size = path.stat().st_size
    if reached != size - start:
        raise BundleError(f"{path}: {size:,} bytes; its header describes {start + reached:,}", fix=UNTRUSTED)
    return header


def _check_weights(folder: Path, manifest: Manifest) -> None:
    hidden, layers = manifest.backbone.hidden_size, manifest.backbone.layers
    expected: dict[str, dict[str, tuple[int, ...]]] = {}
    for adapter in manifest.composition.adapters:
        name = f"{adapter.id}/{layout.ADAPTER_FILES[adapter.layout][-1]}"
        if adapter.layout == "adapters" and (files := METHODS[adapter.method].adapters) is not None:
            expected[name] = _bottleneck_shapes(adapter, files.blocks.values(), hidden, layers)
        else:
            engine = bool(METHODS[adapter.method].engine)
            inside = adapter.layout != "own" and not engine
            _check_layers(folder / name, layers, hidden, all_inside=inside, some_inside=engine)
    if manifest.fused:
        joined = layout.fusion_folder(manifest.adapter_ids)
    if manifest.composition.fusion_rank:
        _check_layers(folder / joined / layout.FUSION_FILES[-1], layers, hidden, all_inside=True)
    elif manifest.fused:
        expected[f"{joined}/model_adapter_fusion.safetensors"] = {
            f"encoder.layer.{layer}.output.adapter_fusion_layer.{joined}.{module}.{kind}": shape
            for layer in range(layers)
            for module in ("query", "key", "value")
            for kind, shape in {"weight": (hidden, hidden), "bias": (hidden,)}.items()
            if (module, kind) != ("value", "bias")
        }
    for name, tensors in expected.items():
        stored = {tensor: shape for tensor, (_, shape) in read_header(folder / name).items()}
        problems = [f"missing {tensor}" for tensor in sorted(tensors.keys() - stored.keys())]
        problems += [f"unknown {tensor}" for tensor in sorted(stored.keys() - tensors.keys())]
        problems += [
            f"{tensor} has shape {stored[tensor]}, expected {shape}"
            for tensor, shape in sorted(tensors.items())
            if tensor in stored and stored[tensor] != shape
        ]
        if problems:
            about = f"{layers} layers of width {hidden}"
            raise BundleError(
                f"{folder / name}: does not fit a backbone with {about}: {_some(problems)}", fix=UNTRUSTED
            )
    for name in (layout.HEADS, layout.PROBE_OUTPUTS):
        read_header(folder / name)
    if manifest.backbone.included:
        _check_encoder(folder, manifest)


def _bottleneck_shapes(
    adapter: AdapterEntry, blocks: Iterable[str], hidden: int, layers: int
) -> dict[str, tuple[int, ...]]:
    size = adapter.bottleneck_size
    return {
        f"encoder.layer.{layer}.{block}.adapters.{adapter.id}.{name}": shape
        for layer in range(layers)
        for block in blocks
        for name, shape in {
            "adapter_down.0.weight": (size, hidden),
            "adapter_down.0.bias": (size,),
            "adapter_up.weight": (hidden, size),
            "adapter_up.bias": (hidden,),
        }.items()
    }


def _check_layers(path: Path, layers: int, hidden: int, *, all_inside: bool, some_inside: bool = False) -> None:
    """The layers of any other adapter; that every tensor fits is checked when the model is put together.

    Args:
        all_inside: the method is known to act in every layer; others may have parts outside of them only.
        some_inside: layers may share what trains, which is stored with one of them.
    """
    numbers = set()
    for name in read_header(path):
        # The first number: mT5's blocks have numbered parts of their own.
        match = re.match(r"(?:.*?\.(?:layer|layers|block)\.)?(\d+)\.", name)
        if match:
            numbers.add(int(match[1]))
    if some_inside and numbers <= set(range(layers)):
        return
    if numbers != set(range(layers)) and (numbers or all_inside):
        shown = f"it has layers {min(numbers)} to {max(numbers)}" if numbers else "it has no layers"
        raise BundleError(
            f"{path}: does not fit a backbone with {layers} layers of width {hidden}: {shown}", fix=UNTRUSTED
        )


def _check_encoder(folder: Path, manifest: Manifest) -> None:
    """Sizes in the configuration, which decide how much memory is used, must be sizes of stored tensors."""
    config = read_json(folder / layout.ENCODER_FILES[0])
    backbone = manifest.backbone
    tensors = {name: shape for name, (_, shape) in read_header(folder / layout.ENCODER_FILES[1]).items()}
    stem = architecture_of(backbone.model_type).layers
    inside = re.compile(rf"{re.escape(stem)}\.(\d+)\.")
    stored = {int(match[1]) for name in tensors if (match := inside.match(name))}
    sizes = _sizes(config) if isinstance(config, dict) else {}
    shape = (sizes.get("hidden"), sizes.get("layers"), isinstance(config, dict) and config.get("model_type"))
    inner = {
        size for name, dimensions in tensors.items() if inside.match(name) for size in dimensions
    }  # fmt: skip
    tables = {dimensions[0] for name, dimensions in tensors.items() if len(dimensions) == 2 and not inside.match(name)}
    positions = sizes.get("positions")
    learned = any("position_embeddings" in name for name in tensors)
    gated = {sizes.get("inner"), 2 * int(sizes.get("inner") or 0)}
    if (
        shape != (backbone.hidden_size, backbone.layers, backbone.model_type)
        or stored != set(range(backbone.layers))
        or backbone.hidden_size not in inner
        or not gated & inner
        or sizes.get("vocabulary") not in tables
        or (learned and positions not in tables)
    ):
        raise BundleError(
            f"{folder}: the encoder is not one of {backbone.layers} layers of width {backbone.hidden_size}, or its "
            "config.json is of another",
            fix=UNTRUSTED,
        )


def _sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of a configuration, whose names differ between encoders."""
    names = {
        "hidden": ("hidden_size", "d_model", "dim"),
        "layers": ("num_hidden_layers", "num_layers", "n_layers"),
        "inner": ("intermediate_size", "d_ff", "hidden_dim"),
        "vocabulary": ("vocab_size",),
        "positions": ("max_position_embeddings",),
    }
    sizes = {}
    for size, keys in names.items():
        for key in keys:
            if type(config.get(key)) is int:
                sizes[size] = config[key]
    return sizes


def _check_setup(folder: Path, manifest: Manifest) -> None:
    """The composition for the `adapters` library must be the composition of the manifest."""
    if manifest.library == "adapters":
        content = read_json(folder / layout.SETUP)
        if not isinstance(content, dict) or content.get("adapter_setup") != setup_of(
            manifest.adapter_ids, manifest.fused
        ):
            raise BundleError(f"{folder / layout.SETUP}: another composition than {layout.MANIFEST}", fix=UNTRUSTED)


def setup_of(ids: list[str], fused: bool) -> dict[str, Any]:
    """A composition as the `adapters` library writes it: nested blocks of type Fuse, Stack and single."""
    return {"type": "Fuse" if fused else "Stack", "children": [{"type": "single", "children": [i]} for i in ids]}


def _some(problems: list[str]) -> str:
    return "; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if len(problems) > 4 else "")
