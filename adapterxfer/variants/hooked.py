"""Places for adapters in the encoders of `transformers`, through hooks on a copy of the module that shares all weights.

Encoders with BERT's layers have a forward pass of their own (`encoder`); every other one runs that of its library.
Hooks and dropout modes belong to one transfer model, so each gets modules of its own; the weights stay one set in
memory.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from adapterxfer.backbones.quantized import shared_parts
from adapterxfer.backbones.segments import segments_of
from adapterxfer.catalog.architectures import Architecture, SumSite
from adapterxfer.variants.places import Norm, Places
from adapterxfer.variants.recompute import recompute_layer
from adapterxfer.variants.slot import Slot

_SLOT = "_adapterxfer_slot"


def hooked_copy(model: Any, architecture: Architecture) -> Any:
    """A copy of the modules of ``model`` with hooks at every place; parameters and buffers are shared."""
    hooked = copy.deepcopy(model, shared_parts(model))
    slot = Slot()
    setattr(hooked, _SLOT, slot)
    if architecture.embeddings is not None:
        hooked.get_submodule(architecture.embeddings).register_forward_hook(_after_embeddings(slot))
    for index, layer in enumerate(hooked.get_submodule(architecture.layers)):
        for block, site in architecture.sums.items():
            _watch(layer, index, block, site, slot, architecture.post_norm)
        for role, path in architecture.linears.items():
            _replace(layer.get_submodule(path), index, role, slot)
        layer.register_forward_hook(_after_layer(index, slot))
        recompute_layer(layer, slot)
    return hooked


def encode_hooked(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    places: Places | None,
    *,
    until: int | None,
    training: bool,
    recompute: bool = False,
) -> Tensor:
    """Hidden states, as `encoder.encode` gives them where it runs the layers itself.

    Args:
        model: from `hooked_copy`, or an untouched model where nothing acts.
        until: number of layers; the library runs all of them in any case.
        training: apply the dropout of the backbone's configuration.
        recompute: keep no activations inside layers for the backward pass.
    """
    if attention_mask is None:
        attention_mask = input_ids.new_ones(input_ids.shape)
    types = segments_of(model, input_ids, attention_mask)
    segments = {} if types is None else {"token_type_ids": types}
    layers = int(model.config.num_hidden_layers)
    partly = until is not None and until < layers
    with _acting(model, places, training=training, recompute=recompute):
        output = model(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=partly, **segments)
    states: Tensor = output.hidden_states[until] if partly else output.last_hidden_state
    return states


@contextmanager
def _acting(model: Any, places: Places | None, *, training: bool, recompute: bool) -> Iterator[None]:
    slot: Slot | None = getattr(model, _SLOT, None)
    if slot is None:
        # A bare backbone is shared: it never leaves evaluation mode.
        assert places is None, "adapters need a hooked copy"
        yield
        return
    slot.places, slot.recompute = places, recompute
    model.train(training)
    try:
        yield
    finally:
        slot.places, slot.recompute = None, False
        slot.residuals.clear()
        model.eval()


def _watch(layer: nn.Module, index: int, block: str, site: SumSite, slot: Slot, post_norm: bool) -> None:
    key = (index, block)

    def remember(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        if slot.places is not None and getattr(slot.places, block) is not None:
            slot.residuals[key] = arguments[site.argument]

    layer.get_submodule(site.residual).register_forward_pre_hook(remember)
    module = layer.get_submodule(site.module)

    def changed(total: Tensor, norm: Norm) -> Tensor | None:
        act: Any = getattr(slot.places, block, None)
        return None if act is None else act(index, total, slot.residuals.pop(key), norm)

    def before_norm(norm: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        # Its forward, not itself: the adapter's own use of the norm must not come back here.
        replaced = changed(arguments[0], norm.forward)
        return None if replaced is None else (replaced, *arguments[1:])

    def after_module(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        replaced = changed(_first(output), _identity)
        return None if replaced is None else _with_first(output, replaced)

    def after_branch(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        if key not in slot.residuals:
            return None
        total = _first(output) + slot.residuals[key]
        replaced = changed(total, _identity)
        return None if replaced is None else _with_first(output, _first(output) + (replaced - total))

    if site.kind == "norm":
        assert post_norm
        module.register_forward_pre_hook(before_norm)
    else:
        module.register_forward_hook(after_module if site.kind == "output" else after_branch)


def _replace(linear: Any, index: int, role: str, slot: Slot) -> None:
    def forward(states: Tensor) -> Tensor:
        if slot.places is None or slot.places.linear is None:
            # That of its class: a library's, where the library holds the weights packed.
            result: Tensor = type(linear).forward(linear, states)
            return result
        return slot.places.linear(index, role, linear, states)

    linear.forward = forward


def _after_embeddings(slot: Slot) -> Callable[..., Any]:
    def hook(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:  # noqa: ARG001 - signature of hooks
        if slot.places is None or slot.places.embedding is None:
            return None
        return _with_first(output, slot.places.embedding(_first(output)))

    return hook


def _after_layer(index: int, slot: Slot) -> Callable[..., Any]:
    def hook(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:  # noqa: ARG001 - signature of hooks
        if slot.places is None or slot.places.layer is None:
            return None
        return _with_first(output, slot.places.layer(index, _first(output)))

    return hook


def _identity(states: Tensor) -> Tensor:
    return states


def _first(output: Any) -> Tensor:
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states


def _with_first(output: Any, changed: Tensor) -> Any:
    return (changed, *output[1:]) if isinstance(output, tuple) else changed
