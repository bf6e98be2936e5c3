"""The forward pass of encoders with BERT's layers (XLM-R, RoBERTa, BERT, ELECTRA), with places for adapters in each.

It reads the weights of the bare `transformers` model by reference and leaves that model as it is, so many variants can
share one frozen backbone in memory. Without adapters it computes the same numbers as the model's own forward (a test
compares them bit for bit; with heads of 16 numbers or less to 1e-6, see `NARROW`), with less overhead per layer, which
counts for tiny backbones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from adapterxfer.backbones.segments import segments_of
from adapterxfer.catalog.architectures import architecture_of
from adapterxfer.formats.linear import filled_up
from adapterxfer.formats.reads import Reads
from adapterxfer.variants.casts import LOW, lowered, raised
from adapterxfer.variants.dropout import attention as dropout_attention
from adapterxfer.variants.dropout import dropped, dropped_plus
from adapterxfer.variants.hooked import encode_hooked
from adapterxfer.variants.places import Linear, Places
from adapterxfer.variants.precision import in_float32
from adapterxfer.variants.products import applied, applied_gelu, comes_in_rows
from adapterxfer.variants.recompute import recomputed

NARROW, VECTOR = 16, 16
"""Attention with heads of at most this width is up to a third faster on a CPU where the number of keys divides by the
numbers of a vector register: the kernel takes what is left one by one. With wider heads the copies cost as much."""

UNIT = "_adapterxfer_unit"
"""Marks layers of `run_as_units`."""


class Begin(NamedTuple):
    """Hidden states of shape ``(batch, seq, hidden)`` after a number of layers."""

    layer: int
    states: Tensor


def encode(
    backbone: Any,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    places: Places | None = None,
    *,
    until: int | None = None,
    training: bool = False,
    recompute: bool = False,
    begin: Begin | None = None,
    reads: Reads | None = None,
) -> Tensor:
    """Hidden states after ``until`` layers.

    Args:
        backbone: an encoder that this pass runs, or another one (made by `hooked.hooked_copy` where places act).
        input_ids: shape ``(batch, seq)``; padding must be the backbone's padding id, which positions skip.
        attention_mask: the same shape, 1 at real tokens; ``None`` means no padding.
        places: what acts inside the layers; ``None`` is the backbone alone.
        until: number of layers to run; 0 returns the embeddings, ``None`` runs all.
        training: apply the dropout of the backbone's configuration.
        recompute: keep no activations inside layers for the backward pass; see `recompute`.
        begin: where to begin in place of the token ids, which are not read then; not in hooked encoders.
        reads: positions whose states are used; the last layer may leave out the others, whose states are zeros then.
            Not in hooked encoders, and not where adapters act on whole sequences after a layer.

    Returns:
        Shape ``(batch, seq, hidden)``; float32 also where the weights are in a low format (`precision`).
    """
    dtype = backbone.get_input_embeddings().weight.dtype
    if dtype in LOW:
        # In the format of its weights, whatever the rest of the model computes in.
        with torch.autocast(input_ids.device.type, enabled=False):
            low = Begin(begin.layer, lowered(begin.states, dtype)) if begin is not None else None
            full = None if places is None else in_float32(places, dtype)
            states = _encode(
                backbone, input_ids, attention_mask, full, until=until, training=training, recompute=recompute,
                begin=low, reads=reads,
            )  # fmt: skip
            assert states.dtype == dtype, "gradients are scaled between the borders of one format"
            return raised(states)
    return _encode(
        backbone, input_ids, attention_mask, places, until=until, training=training, recompute=recompute, begin=begin,
        reads=reads,
    )  # fmt: skip


def _encode(
    backbone: Any, input_ids: Tensor, attention_mask: Tensor | None, places: Places | None, *, until: int | None,
    training: bool, recompute: bool, begin: Begin | None, reads: Reads | None,
) -> Tensor:  # fmt: skip
    config = backbone.config
    if not architecture_of(config.model_type).own_encoder:
        return encode_hooked(
            backbone, input_ids, attention_mask, places, until=until, training=training, recompute=recompute
        )
    hidden_dropout = config.hidden_dropout_prob if training else 0.0
    attention_dropout = config.attention_probs_dropout_prob if training else 0.0
    states = _embed(backbone, input_ids, attention_mask, hidden_dropout) if begin is None else begin.states
    mask = _additive_mask(attention_mask, states.dtype)
    eager = config._attn_implementation == "eager"
    places = places or Places()
    linear = places.linear or _plain
    if places.embedding is not None and begin is None:
        states = places.embedding(states)

    layers = backbone.encoder.layer[:until]
    if places.layer is not None:
        reads = None
    grid = states.shape[:2]
    in_rows = places.layer is None and not places.whole and bool(len(layers)) and comes_in_rows(states)
    if in_rows:
        states = filled_up(states.flatten(0, 1)).unsqueeze(0)

    def run(index: int, states: Tensor) -> Tensor:
        layer = layers[index]
        chosen = reads if index == len(layers) - 1 else None
        before = places.keys_values(index) if places.keys_values is not None else None
        attention = layer.attention.self
        every = states
        if chosen is not None:  # beside keys and values, every position is on its own
            positions = filled_up(chosen.positions) if in_rows else chosen.positions
            states = every.flatten(0, 1).index_select(0, positions).unsqueeze(0)
        mixed = _attend(
            attention,
            asking=states,
            states=every,
            grid=grid,
            mask=mask,
            index=index,
            linear=linear,
            before=before,
            reads=chosen,
            dropout=attention_dropout,
            eager=eager,
        )
        if in_rows:
            mixed = filled_up(mixed.flatten(0, 1)).unsqueeze(0)
        output = layer.attention.output
        mixed = applied(output.dense, mixed)
        total = dropped_plus(mixed, hidden_dropout, states)
        if places.attention is not None:
            total = places.attention(index, total, states, output.LayerNorm)
        states = output.LayerNorm(total)
        output = layer.output
        wide = layer.intermediate
        if places.linear is None and config.hidden_act == "gelu":
            inner = applied_gelu(wide.dense, states)
        else:
            inner = wide.intermediate_act_fn(linear(index, "ffn_in", wide.dense, states))
        inner = linear(index, "ffn_out", output.dense, inner)
        total = dropped_plus(inner, hidden_dropout, states)
        if places.ffn is not None:
            total = places.ffn(index, total, states, output.LayerNorm)
        states = output.LayerNorm(total)
        if chosen is not None:
            states = _spread(states, chosen.positions, *grid)
        return states if places.layer is None else places.layer(index, states)

    for index in range(0 if begin is None else begin.layer, len(layers)):
        if hasattr(layers[index], UNIT):
            call = (recomputed, run) if recompute else (run,)
            states = layers[index](*call, index, states)
        else:
            states = recomputed(run, index, states) if recompute else run(index, states)
    return _on_grid(states, grid)


def run_as_units(backbone: Any) -> None:
    """Let every layer of an encoder run inside a call of its module, for what hooks into such calls (shards do).

    Args:
        backbone: not shared: its layers no longer run any other way.
    """
    for layer in backbone.encoder.layer:
        setattr(layer, UNIT, True)
        layer.forward = _call


def _call(function: Any, *arguments: Any) -> Tensor:
    states: Tensor = function(*arguments)
    return states


def _plain(index: int, role: str, linear: Any, states: Tensor) -> Tensor:  # noqa: ARG001 - one signature for all
    return applied(linear, states)


def _embed(backbone: Any, input_ids: Tensor, attention_mask: Tensor | None, dropout: float) -> Tensor:
    embeddings, architecture = backbone.embeddings, architecture_of(backbone.config.model_type)
    segments = segments_of(backbone, input_ids, attention_mask)
    types = embeddings.token_type_embeddings
    kind = types.weight[0] if segments is None else types(segments)
    states = embeddings.word_embeddings(input_ids) + kind
    if architecture.positions == "from-pad":
        pad_id = backbone.config.pad_token_id
        real = input_ids.ne(pad_id).int()
        positions = (torch.cumsum(real, dim=1, dtype=torch.int32) * real).long() + pad_id
        states = states + embeddings.position_embeddings(positions)
    else:
        states = states + embeddings.position_embeddings.weight[: input_ids.shape[1]]
    states = dropped(embeddings.LayerNorm(states), dropout)
    widen = getattr(backbone, architecture.projection, None) if architecture.projection else None
    return states if widen is None else widen(states)


def _additive_mask(attention_mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Shape ``(batch, 1, 1, seq)``: 0 at real tokens, the most negative number at padding; ``None`` if nothing is."""
    if attention_mask is None:
        return None
    padding = attention_mask.eq(0)
    # Looking costs nothing on CPU; an accelerator would be waited for in every step, a compiled graph cut in two.
    if padding.device.type == "cpu" and not torch.compiler.is_compiling() and not bool(padding.any()):
        return None
    empty = torch.zeros(padding.shape, dtype=dtype, device=padding.device)
    return empty.masked_fill_(padding, torch.finfo(dtype).min)[:, None, None, :]


def _spread(states: Tensor, positions: Tensor, rows: int, width: int) -> Tensor:
    """States of shape ``(1, reads, hidden)`` at their positions in zeros of shape ``(rows, width, hidden)``."""
    empty = states.new_zeros(rows * width, states.shape[-1])
    return empty.index_copy(0, positions, states[0, : len(positions)]).view(rows, width, -1)


def _on_grid(states: Tensor, grid: Sequence[int]) -> Tensor:
    """States as ``(rows, width, hidden)``, without what they were filled up with."""
    if states.shape[:2] == grid:
        return states
    return states.flatten(0, 1)[: grid[0] * grid[1]].view(*grid, -1)


def _attend(
    attention: Any, *, asking: Tensor, states: Tensor, grid: Sequence[int], mask: Tensor | None, index: int,
    linear: Linear, before: tuple[Tensor, Tensor] | None, reads: Reads | None, dropout: float, eager: bool,
) -> Tensor:  # fmt: skip
    """Attention of ``asking`` over ``states``, both of a batch ``(rows, width)`` that is the ``grid``.

    ``asking`` are the same states, or the ``reads`` of them, of shape ``(1, reads, hidden)``.
    """
    rows = grid[0]
    heads = (attention.num_attention_heads, attention.attention_head_size)
    query, key, value = (
        linear(index, role, getattr(attention, role), inputs)
        for role, inputs in (("query", asking), ("key", states), ("value", states))
    )
    query = _on_grid(query, grid) if reads is None else _spread(query, reads.slots, rows, reads.most)
    key, value = _on_grid(key, grid), _on_grid(value, grid)
    query, key, value = (tensor.view(rows, -1, *heads).transpose(1, 2) for tensor in (query, key, value))
    if before is not None:
        key, value = (_put_before(tensor, prefix) for tensor, prefix in zip((key, value), before, strict=True))
        mask = None if mask is None else functional.pad(mask, (len(before[0]), 0))
    if not eager and key.device.type == "cpu" and attention.attention_head_size <= NARROW:
        key, value, mask = _aligned(key, value, mask, states.dtype)
    if eager:
        scores = torch.matmul(query, key.transpose(-1, -2)) / attention.attention_head_size**0.5
        if mask is not None:
            scores = scores + mask
        mixed = torch.matmul(dropped(functional.softmax(scores, dim=-1), dropout), value)
    elif query.dtype != states.dtype and query.device.type == "cpu":
        # Inside bf16 autocast: the bf16 backward of this product is slow on CPU, so it runs in the states' dtype.
        with torch.autocast("cpu", enabled=False):
            query, key, value = (tensor.to(states.dtype) for tensor in (query, key, value))
            mixed = dropout_attention(query, key, value, mask, dropout)
    else:
        if mask is not None:
            mask = mask.to(query.dtype)
        mixed = dropout_attention(query, key, value, mask, dropout)
    mixed = mixed.transpose(1, 2).flatten(2)
    return mixed if reads is None else mixed.flatten(0, 1).index_select(0, reads.slots).unsqueeze(0)


def _aligned(
    key: Tensor, value: Tensor, mask: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Keys and values ``(batch, heads, seq, size)`` up to a length that divides by `VECTOR`, and their mask."""
    missing = -key.shape[2] % VECTOR
    if missing == 0:
        return key, value, mask
    if mask is None:
        mask = torch.zeros((1, 1, 1, key.shape[2]), dtype=dtype)
    mask = functional.pad(mask, (0, missing), value=torch.finfo(dtype).min)
    return functional.pad(key, (0, 0, 0, missing)), functional.pad(value, (0, 0, 0, missing)), mask


def _put_before(states: Tensor, prefix: Tensor) -> Tensor:
    """Keys or values ``(batch, heads, seq, size)`` with a prefix ``(length, heads * size)`` before each row's."""
    rows, heads, _, size = states.shape
    split = prefix.to(states.dtype).view(-1, heads, size).transpose(0, 1)
    return torch.cat([split.expand(rows, -1, -1, -1), states], dim=2)
