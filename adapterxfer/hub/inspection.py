"""Check a folder before anything in it is used: names, sizes, checksums, headers of weight files. Torch-free.

The order matters. Names first, because a file that should not be there is never opened; then the manifest; then
checksums; then the headers of the weight files, whose shapes must follow from the manifest, so that no number in a
hostile file decides how much memory is used.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapterxfer.errors import BundleError
from adapterxfer.hub import layout
from adapterxfer.hub.manifest import Manifest, read_json, read_manifest
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
    found = set(_files(folder))
    if problems := layout.unsafe_names(found):
        raise BundleError(f"{folder}: {_some(problems)}", fix=UNTRUSTED)
    manifest = read_manifest(folder)
    expected = manifest.expected_files()
    problems = [f"{name}: missing" for name in sorted(expected - found)]
    problems += [f"{name}: does not belong to a bundle" for name in sorted(found - expected - layout.IGNORED)]
    if problems:
        raise BundleError(f"{folder}: {_some(problems)}", fix="pull or make the bundle again")
    problems = [line for name, entry in manifest.files.items() for line in _damage(folder / name, name, entry)]
    if problems:
        raise BundleError(f"{folder}: {_some(problems)}", fix="pull the bundle again; a damaged copy is not used")
    _check_weights(folder, manifest)
    _check_setup(folder, manifest)
    return manifest


def _files(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder, followlinks=False):
        here = Path(place)
        for name in [*names, *folders]:
            path = here / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise BundleError(f"{path.relative_to(folder)}: not a plain file", fix=UNTRUSTED)
        for name in names:
            yield (here / name).relative_to(folder).as_posix()


def _damage(path: Path, name: str, entry: Any) -> Iterator[str]:
    size, limit = path.stat().st_size, layout.size_limit(name)
    if limit is not None and size > limit:
        yield f"{name}: {size:,} bytes; at most {limit:,} are read"
    elif size != entry.bytes:
        yield f"{name}: {size:,} bytes; expected {entry.bytes:,}"
    elif hash_file(path)["sha256"] != entry.sha256:
        yield f"{name}: sha256 does not match the manifest"


def read_header(path: Path) -> Header:
    """Names, types and shapes in a safetensors file, read without its tensors.

    Raises:
        BundleError: it is not such a file, its header is oversized, or ranges overlap or leave gaps.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise BundleError(f"{path}: not a safetensors file", fix=UNTRUSTED)
        if length > HEADER_LIMIT:
            raise BundleError(f"{path}: header of {length:,} bytes; at most {HEADER_LIMIT:,} are read", fix=UNTRUSTED)
        raw = file.read(length)
    try:
        content = json.loads(raw.decode("utf-8"))
        content.pop("__metadata__", None)
        header: dict[str, tuple[str, tuple[int, ...]]] = {}
        ranges = []
        for name, entry in content.items():
            shape = tuple(entry["shape"])
            begin, end = entry["data_offsets"]
            whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
            if not whole or math.prod(shape) * BYTES[entry["dtype"]] != end - begin:
                raise ValueError(f"tensor {name}")
            header[name] = (entry["dtype"], shape)
            ranges.append((begin, end))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path}: not a safetensors file ({error})", fix=UNTRUSTED) from None
    place = 0
    for begin, end in sorted(ranges):
        if begin != place:
            raise BundleError(f"{path}: ranges of tensors overlap or leave gaps", fix=UNTRUSTED)
        place = end
    if place != size - 8 - length:
        raise BundleError(f"{path}: {size:,} bytes; its header describes {8 + length + place:,}", fix=UNTRUSTED)
    return header


def _check_weights(folder: Path, manifest: Manifest) -> None:
    hidden, layers = manifest.backbone.hidden_size, manifest.backbone.layers
    expected: dict[str, dict[str, tuple[int, ...]]] = {}
    for part in manifest.composition.adapters:
        size = part.bottleneck_size
        expected[f"{part.id}/adapter.safetensors"] = {
            f"encoder.layer.{layer}.output.adapters.{part.id}.{name}": shape
            for layer in range(layers)
            for name, shape in {
                "adapter_down.0.weight": (size, hidden),
                "adapter_down.0.bias": (size,),
                "adapter_up.weight": (hidden, size),
                "adapter_up.bias": (hidden,),
            }.items()
        }
    if manifest.fused:
        joined = layout.fusion_folder(manifest.adapter_ids)
        expected[f"{joined}/model_adapter_fusion.safetensors"] = {
            f"encoder.layer.{layer}.output.adapter_fusion_layer.{joined}.{part}.{kind}": shape
            for layer in range(layers)
            for part in ("query", "key", "value")
            for kind, shape in {"weight": (hidden, hidden), "bias": (hidden,)}.items()
            if (part, kind) != ("value", "bias")
        }
    for name, tensors in expected.items():
        found = {tensor: shape for tensor, (_, shape) in read_header(folder / name).items()}
        problems = [f"missing {tensor}" for tensor in sorted(tensors.keys() - found.keys())]
        problems += [f"unknown {tensor}" for tensor in sorted(found.keys() - tensors.keys())]
        problems += [
            f"{tensor} has shape {found[tensor]}, expected {shape}"
            for tensor, shape in sorted(tensors.items())
            if tensor in found and found[tensor] != shape
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


def _check_encoder(folder: Path, manifest: Manifest) -> None:
    config = read_json(folder / layout.ENCODER_FILES[0])
    hidden, layers = manifest.backbone.hidden_size, manifest.backbone.layers
    shape = (config.get("hidden_size"), config.get("num_hidden_layers")) if isinstance(config, dict) else None
    path = folder / layout.ENCODER_FILES[1]
    tensors = {name: shape for name, (_, shape) in read_header(path).items()}
    words = tensors.get("embeddings.word_embeddings.weight")
    positions = tensors.get("embeddings.position_embeddings.weight")
    inner = tensors.get(f"encoder.layer.{layers - 1}.intermediate.dense.weight")
    if (
        shape != (hidden, layers)
        or words != (config.get("vocab_size"), hidden)
        or positions != (config.get("max_position_embeddings"), hidden)
        or inner != (config.get("intermediate_size"), hidden)
        or f"encoder.layer.{layers}.output.dense.weight" in tensors
    ):
        raise BundleError(
            f"{folder}: the encoder is not one of {layers} layers of width {hidden}, or its config.json is of another",
            fix=UNTRUSTED,
        )


def _check_setup(folder: Path, manifest: Manifest) -> None:
    """The composition for the `adapters` library must be the composition of the manifest."""
    if manifest.adapter_ids:
        content = read_json(folder / layout.SETUP)
        if not isinstance(content, dict) or content.get("adapter_setup") != setup_of(
            manifest.adapter_ids, manifest.fused
        ):
            raise BundleError(f"{folder / layout.SETUP}: another composition than {layout.MANIFEST}", fix=UNTRUSTED)


def setup_of(ids: list[str], fused: bool) -> dict[str, Any]:
    """A composition in the words of the `adapters` library."""
    return {"type": "Fuse" if fused else "Stack", "children": [{"type": "single", "children": [i]} for i in ids]}


def _some(problems: list[str]) -> str:
    return "; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if len(problems) > 4 else "")
