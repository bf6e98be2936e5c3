"""The numbers behind the assertions on merged models: their weights summed again another way, and what they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from adapterxfer.catalog.methods import METHODS
from adapterxfer.variants.composition import AdapterPart, Composition
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.measures import AssertionInput, distance, evaluating, hidden_of, zeroed
from adapterxfer.variants.merging import adds_updates

Array = npt.NDArray[np.float64]


class _Sum(NamedTuple):
    """One tensor or update: as it is in the model, and its terms with their weights."""

    observed: Array
    terms: Sequence[Array]
    weights: Sequence[float]

    @property
    def error(self) -> float:
        """Largest difference from the sum, relative to the largest number in it; infinite where shapes differ."""
        if any(term.shape != self.observed.shape for term in self.terms):
            return float("inf")
        expected = np.tensordot(np.asarray(self.weights), np.stack(self.terms), axes=1)
        scale = max((float(np.abs(term).max(initial=0.0)) for term in self.terms), default=0.0) or 1.0
        return float(np.abs(self.observed - expected).max(initial=0.0) / scale)


def error_of_merged_weights(evidence: AssertionInput) -> float:
    """Largest relative difference between the model and what its members add up to, over all tensors.

    Computed with numpy in double precision, from the members' tensors alone: with weights ``w_i`` of models ``m_i`` and
    start values ``m_0``, ``sum_i w_i m_i`` or ``(1 - sum_i w_i) m_0 + sum_i w_i m_i``; for low-rank adapters the sum
    of ``w_i s_i B_i A_i``, in place of the factors.
    """
    if not evidence.members:
        return float("nan")
    return max((tensor_sum.error for tensor_sum in _sums(evidence)), default=float("nan"))


def change_without_merged_parts(evidence: AssertionInput) -> float:
    """Smallest relative change of hidden states over all adapters, each silenced by itself.

    For ``full-ft``: that between the merged and the untouched backbone.
    """
    model, batch = evidence.model, evidence.batch
    hidden = hidden_of(evidence)
    if model.composition.trains_backbone:
        if evidence.pristine is None:
            return float("nan")
        with evaluating(model):
            plain = encode(evidence.pristine, batch.input_ids, batch.attention_mask)
        return distance(plain[evidence.real].float(), hidden)
    changes = []
    for adapter in model.composition.adapters:
        module: Any = model.adapters[adapter.id]
        with zeroed(model, [adapter.id]) if module.can_be_neutral else model.without(adapter.id):
            changes.append(distance(hidden_of(evidence), hidden))
    return min(changes, default=float("nan"))


def _sums(evidence: AssertionInput) -> Iterator[_Sum]:
    composition, members, origin = evidence.model.composition, evidence.members, evidence.origin
    weights = [member.weight for member in members]
    state = evidence.model.own_state()
    products = {f"adapters.{adapter.id}.": adapter for adapter in composition.task_adapters if adds_updates(adapter)}
    language = tuple(f"adapters.{adapter.id}." for adapter in composition.adapters if adapter.role == "language")
    same_heads = origin is None and all(member.composition.heads == composition.heads for member in members)
    for name, tensor in state.items():
        prefix = next((prefix for prefix in products if name.startswith(prefix)), "")
        if prefix:
            if ".second." in name:
                updates = [
                    _update(member.state, name, _adapter_like(member.composition, products[prefix]))
                    for member in members
                ]
                yield _Sum(_update(state, name, products[prefix]), updates, weights)
        elif name.startswith(language or ("\0",)) or (name.startswith("heads.") and not same_heads):
            yield _Sum(_array(tensor), [_array(members[0].state[name])], [1.0])
        else:
            terms = [_array(member.state[name]) for member in members]
            if origin is None:
                yield _Sum(_array(tensor), terms, weights)
            else:
                yield _Sum(_array(tensor), [_array(origin[name]), *terms], [1.0 - sum(weights), *weights])


def _update(state: Mapping[str, Tensor], name: str, adapter: AdapterPart) -> Array:
    """What a low-rank adapter adds to a frozen matrix, from the name of its second factor."""
    second, first = _array(state[name]), _array(state[name.replace(".second.", ".first.")])
    update: Array = METHODS[adapter.method].scale(adapter.bottleneck_size) * (second @ first)
    return update


def _adapter_like(composition: Composition, like: AdapterPart) -> AdapterPart:
    return next(adapter for adapter in composition.adapters if adapter.id == like.id)


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().cpu().double().numpy()
    return array
