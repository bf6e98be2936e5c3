"""Names and tensors of `peft` for the modules of this project, in both directions.

The library itself is not needed. It wraps a bare encoder, so a map ``encoder.layer.0.attention.self.query`` appears
there as ``base_model.model.encoder.layer.0.attention.self.query``. An adapter trained there around a model with a head
has one more prefix, and perhaps a head, which is left where it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from adapterxfer.catalog.architectures import Architecture
from adapterxfer.catalog.methods import METHODS, PeftFiles, names_of, peft_words
from adapterxfer.catalog.methods.configured import changed_roles
from adapterxfer.errors import VariantError
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.lowrank import VeraProjections

PREFIX = "base_model.model."


def changed_maps(method: str, architecture: Architecture, config: str = "") -> dict[str, str]:
    """Role -> path inside a layer of the maps that a method changes, with its settings as JSON."""
    roles = changed_roles(METHODS[method], config)
    return {role: architecture.linears[role] for role in roles if role in architecture.linears}


def adapter_to_peft(adapter: Adapter, architecture: Architecture) -> dict[str, Tensor]:
    """Tensors of an adapter as `peft` saves them for a bare encoder."""
    method, files = adapter.shape.method, _files_of(adapter.shape.method)
    maps = changed_maps(method, architecture, adapter.shape.config)
    state = {}
    for index, layer in enumerate(adapter):
        module: Any = layer
        for role, path in maps.items():
            for ours, theirs in files.tensors.items():
                tensor = getattr(module, ours)[role].detach()
                name = f"{PREFIX}{architecture.layers}.{index}.{path}.{theirs}"
                state[name] = _scale_to_peft(tensor, role) if files.factors else tensor
    if files.projections:
        projections: Any = adapter[0].projections
        state |= {theirs: getattr(projections, ours) for theirs, ours in files.projections.items()}
    return state


def adapter_from_peft(
    state: Mapping[str, Tensor], shape: AdapterShape, architecture: Architecture, *, factor: float = 1.0
) -> dict[str, Tensor]:
    """State for an `Adapter` of this project; heads of other tasks in the file are left out.

    Args:
        factor: of the second matrix of an update; other scales than ours are moved into it; only rounding changes.

    Raises:
        VariantError: a tensor is missing or belongs to a map that this method does not change here.
    """
    maps = {path: role for role, path in changed_maps(shape.method, architecture, shape.config).items()}
    files = _files_of(shape.method)
    ours_of = {theirs: ours for ours, theirs in files.tensors.items()}
    places = re.compile(
        rf"(?:.*\.)?{re.escape(architecture.layers)}\.(\d+)\.(.+?)\."
        rf"({'|'.join(map(re.escape, ours_of))}|[^.]*(?:{'|'.join(peft_words())})[^.]*(?:\.weight)?)"
    )
    tensors: dict[str, Tensor] = {}
    unknown = []
    for name, tensor in state.items():
        if name in files.projections:
            continue
        match = places.fullmatch(name)
        if match is None:
            if not _is_head(name, architecture):
                unknown.append(name)
        elif match[2] not in maps or match[3] not in ours_of:
            unknown.append(name)
        else:
            ours = ours_of[match[3]]
            if files.factors:
                tensor = _scale_from_peft(tensor, maps[match[2]], name)
            key = f"{int(match[1])}.{ours}.{maps[match[2]]}"
            if key in tensors:
                unknown.append(f"{name} (a second one)")
            tensors[key] = tensor * factor if ours == "second" else tensor
    layers = {name.partition(".")[0] for name in tensors}
    expected = {f"{i}.{ours}.{role}" for i in range(len(layers)) for ours in ours_of.values() for role in maps.values()}
    problems = [f"unknown {name}" for name in sorted(unknown)][:2]
    problems += [f"missing {name}" for name in sorted(expected - tensors.keys())]
    if not tensors or problems or (layers != {str(index) for index in range(len(layers))}):
        shown = "; ".join(problems[:4]) or "no layers, or layers are left out"
        raise VariantError(
            f"peft state: not an adapter of method '{shape.method}' on {', '.join(maps)} of every layer: {shown}",
            fix="use an adapter of the same method that changes the same maps",
        )
    if files.projections:
        _check_projections(state, shape, tuple(files.projections))
    return tensors


def projections_of(method: str) -> tuple[str, ...]:
    """Names of the fixed random matrices that a file of this method holds."""
    return tuple(_files_of(method).projections)


def _files_of(method: str) -> PeftFiles:
    files = METHODS[method].peft
    if files is None:
        raise VariantError(
            f"adapter method '{method}' has no counterpart with the same tensors in peft",
            fix=f"exchange one of {', '.join(names_of(lambda spec: spec.peft))}",
        )
    return files


def _scale_to_peft(factor: Tensor, role: str) -> Tensor:
    """A column for a map whose output is scaled, a row for one whose input is; queries of a joint map keep theirs."""
    if role == "ffn_out":
        return factor[None, :]
    if role == "qkv":
        factor = torch.cat([torch.ones(factor.shape[0] // 2, dtype=factor.dtype), factor])
    return factor[:, None]


def _scale_from_peft(factor: Tensor, role: str, name: str) -> Tensor:
    """A flat factor. Its orientation in the file says what it scales: a row the input of a map, a column its output."""
    flat = factor.flatten()
    expected = (1, len(flat)) if role == "ffn_out" else (len(flat), 1)
    if factor.dim() == 2 and tuple(factor.shape) != expected:
        side, ours = ("output", "input") if role == "ffn_out" else ("input", "output")
        raise VariantError(
            f"peft state: {name} is {tuple(factor.shape)}: it scales the {side} of this map, ours scales the {ours}",
            fix="use an adapter whose feedforward_modules are the second maps of the feed-forward blocks only",
        )
    if role != "qkv":
        return flat
    queries, rest = flat[: flat.shape[0] // 3], flat[flat.shape[0] // 3 :]
    if not torch.equal(queries, torch.ones_like(queries)):
        raise VariantError(
            "peft state: IA3 scales the queries of a joint attention map; ours scales keys and values only",
            fix="use an adapter that leaves the queries alone",
        )
    return rest


def _check_projections(state: Mapping[str, Tensor], shape: AdapterShape, names: tuple[str, ...]) -> None:
    """VeRA's random matrices are not learned; an adapter learned with others does not work with ours."""
    inner, outer = (state.get(name) for name in names)
    rank = shape.bottleneck_size
    if inner is None or outer is None or inner.shape[:1] != (rank,) or outer.shape[1:] != (rank,):
        raise VariantError(
            "peft state: VeRA without its projections, which other versions draw differently",
            fix="save it with save_projection=True",
        )
    ours = VeraProjections(inner.shape[1], outer.shape[0], rank)
    if not (torch.equal(inner, ours.get_buffer("inner")) and torch.equal(outer, ours.get_buffer("outer"))):
        raise VariantError(
            "peft state: VeRA with other random projections than adapterxfer's", fix="use a VeRA adapter made here"
        )


def _is_head(name: str, architecture: Architecture) -> bool:
    """Whether a tensor belongs to a head that was saved with the adapter."""
    inner = name.removeprefix(PREFIX)
    for prefix in architecture.prefixes:
        inner = inner.removeprefix(prefix)
    heads = (*architecture.dropped, "qa_outputs.", "score.", "dropout.")
    return inner.startswith(heads) and not re.search(rf"({'|'.join(peft_words())})_", inner)
