"""Trained models joined into one by their weights: averages, task arithmetic, and soups of several runs.

With weights ``w_i`` of models ``m_i`` and start values ``m_0``:

    average, soup       sum_i w_i m_i,                          the w_i add up to 1
    arithmetic          m_0 + sum_i w_i (m_i - m_0)

A LoRA is the product of two matrices, so averages of the factors would bring products between different models. Here
the *updates* are summed, exactly: the merged adapter has the factors of all members side by side, and their rank
together. Heads are averaged along where every member has the same one; otherwise, and in task arithmetic, where new
heads have no common start, the first member's stays.

Sources: Wortsman et al. 2022 (soups); Ilharco et al. 2023 (task arithmetic).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adapterxfer.catalog.methods import METHODS
from adapterxfer.catalog.methods.configured import SETTINGS
from adapterxfer.errors import VariantError
from adapterxfer.variants.composition import AdapterPart, Composition


@dataclass(frozen=True, slots=True)
class MergeMember:
    """One model of a merge: its parts, its tensors by name, and its weight."""

    composition: Composition
    state: Mapping[str, Tensor]
    weight: float


def merge(
    members: Sequence[MergeMember], start: Mapping[str, Tensor] | None = None
) -> tuple[Composition, dict[str, Tensor]]:
    """The merged model, with the composition of the first member.

    Args:
        members: two or more, of one backbone.
        start: start values by name, for task arithmetic; None for an average, whose weights have to add up to 1.

    Raises:
        VariantError: the models have different parts, or a method cannot be merged.
    """
    _check(members, average=start is None)
    # The language's adapter is the same in all members and stays.
    fixed = tuple(f"adapters.{p.id}." for p in members[0].composition.adapters if p.role == "language")
    first = members[0].composition
    merged: dict[str, Tensor] = {}
    adapters = tuple(
        adapter if adapter.role == "language" else _merged_adapter([_adapter(m, adapter.id) for m in members])
        for adapter in first.adapters
    )
    composition = replace(first, adapters=adapters, intermediate=_intermediates(members))
    side_by_side = {f"adapters.{adapter.id}." for adapter in first.task_adapters if adds_updates(adapter)}
    for prefix in side_by_side:
        merged |= _sum_of_updates(members, prefix)
    shared_head = all(member.composition.heads == first.heads for member in members)
    for name, tensor in members[0].state.items():
        if name in merged or name.startswith(tuple(side_by_side)):
            continue
        if fixed and name.startswith(fixed):
            merged[name] = tensor.clone()
        elif name.startswith("heads."):
            merged[name] = _sum(members, name, None) if shared_head and start is None else tensor.clone()
        elif start is None:
            merged[name] = _sum(members, name, None)
        else:
            merged[name] = _sum(members, name, start[name])
    return composition, merged


def _check(members: Sequence[MergeMember], *, average: bool) -> None:
    first = members[0].composition
    problems = []
    if len(members) < 2:
        problems.append("a merge needs two models")
    if not all(math.isfinite(member.weight) for member in members):
        problems.append("a weight is not finite")
    if average and abs(sum(member.weight for member in members) - 1) > 1e-9:
        problems.append(f"the weights of an average add up to {sum(m.weight for m in members):g}, not to 1")
    for member in members[1:]:
        other = member.composition
        same = (other.variant, other.joint, other.fusion_rank) == (first.variant, first.joint, first.fusion_rank)
        same = same and other.language == first.language
        same = same and [(p.id, p.method, p.first_layer) for p in other.adapters] == [
            (p.id, p.method, p.first_layer) for p in first.adapters
        ]
        if not same:
            problems.append(f"a model of variant '{other.variant}' cannot be merged into one of '{first.variant}'")
    problems += [
        f"adapter method '{adapter.method}' cannot be merged: {because}"
        for adapter in first.task_adapters
        if (because := METHODS[adapter.method].why_unmerged)
    ]
    problems += [
        f"adapter method '{adapter.method}' with settings of its own ({adapter.config}) cannot be merged"
        for adapter in first.task_adapters
        if adapter.config and adapter.method in SETTINGS
    ]
    if problems:
        raise VariantError("; ".join(dict.fromkeys(problems)), fix="merge models of one kind, e.g. two seq_bn adapters")


def adds_updates(adapter: AdapterPart) -> bool:
    """Whether the updates of an adapter are added up, in place of its weights."""
    return METHODS[adapter.method].merges == "updates"


def _adapter(member: MergeMember, adapter_id: str) -> AdapterPart:
    return next(adapter for adapter in member.composition.adapters if adapter.id == adapter_id)


def _merged_adapter(adapters: Sequence[AdapterPart]) -> AdapterPart:
    if adds_updates(adapters[0]):
        return replace(adapters[0], bottleneck_size=sum(adapter.bottleneck_size for adapter in adapters))
    if len({adapter.bottleneck_size for adapter in adapters}) > 1:
        raise VariantError(
            f"adapters of sizes {', '.join(str(adapter.bottleneck_size) for adapter in adapters)} cannot be averaged",
            fix="merge adapters of one size",
        )
    return adapters[0]


def _intermediates(members: Sequence[MergeMember]) -> str:
    """What the merged weights were trained on beside the first member's own task."""
    names = [member.composition.intermediate for member in members]
    names += ["+".join(head.task for head in m.composition.heads) for m in members[1:]]
    answered = {head.task for head in members[0].composition.heads}
    return "+".join(name for name in dict.fromkeys(names) if name and name not in answered)


def _sum_of_updates(members: Sequence[MergeMember], prefix: str) -> dict[str, Tensor]:
    """Low-rank factors side by side, scaled so that their product is the weighted sum of the updates."""
    adapter_id = prefix.split(".")[1]
    adapters = [_adapter(member, adapter_id) for member in members]
    scale = METHODS[adapters[0].method].scale
    scales = [scale(adapter.bottleneck_size) for adapter in adapters]
    whole = scale(sum(adapter.bottleneck_size for adapter in adapters))
    summed: dict[str, Tensor] = {}
    for name in members[0].state:
        if not name.startswith(prefix):
            continue
        tensors = [member.state[name] for member in members]
        if ".first." in name:
            summed[name] = torch.cat(tensors, dim=0)
        else:
            factors = [member.weight * s / whole for member, s in zip(members, scales, strict=True)]
            summed[name] = torch.cat([t * factor for t, factor in zip(tensors, factors, strict=True)], dim=1)
    return summed


def _sum(members: Sequence[MergeMember], name: str, start: Tensor | None) -> Tensor:
    tensors = [(member.weight, member.state[name].double()) for member in members]
    if start is None:
        total = torch.stack([weight * tensor for weight, tensor in tensors]).sum(0)
    else:
        zero = start.double()
        total = zero + torch.stack([weight * (tensor - zero) for weight, tensor in tensors]).sum(0)
    return total.to(members[0].state[name].dtype)
