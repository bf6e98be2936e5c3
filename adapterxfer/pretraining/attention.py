"""Self-attention whose product runs in fp32 inside bf16 autocast: on CPU the bf16 backward of that product is slow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import XLMRobertaForMaskedLM
from transformers.models.xlm_roberta import modeling_xlm_roberta

# transformers 4 has a class for each implementation, transformers 5 has one; the maps and their names are the same.
_Library: Any = getattr(modeling_xlm_roberta, "XLMRobertaSdpaSelfAttention", None) or (
    modeling_xlm_roberta.XLMRobertaSelfAttention
)


class Fp32ProductAttention(_Library):  # type: ignore[misc]
    """XLM-R's encoder self-attention with the scaled dot product outside autocast; same weights, same function."""

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        *_: Any,
        **unused: Any,  # noqa: ARG002
    ) -> tuple[Tensor, None]:
        """Attend.

        Args:
            hidden_states: shape ``(batch, seq, hidden)``.
            attention_mask: shape ``(batch, 1, seq, seq)``, or ``None`` where nothing is padded: added to the scores
                (transformers 4), or boolean and true where a token may be looked at (transformers 5).

        The unused arguments of the replaced module serve decoders and pruned heads; an encoder trained from scratch
        leaves them empty.
        """
        batch, length = hidden_states.shape[:2]
        shape = (batch, length, self.num_attention_heads, self.attention_head_size)
        query, key, value = (
            layer(hidden_states).view(shape).transpose(1, 2).float() for layer in (self.query, self.key, self.value)
        )
        with torch.autocast(hidden_states.device.type, enabled=False):
            mask = attention_mask
            # As numbers a boolean mask would be added to the scores and hide nothing.
            if mask is not None and mask.dtype != torch.bool:
                mask = mask.float()
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(batch, length, self.all_head_size), None


def use_fp32_product(model: XLMRobertaForMaskedLM) -> None:
    """Replace every self-attention of a freshly built model; parameter names stay the same."""
    layers: Any = model.roberta.encoder.layer
    for index, layer in enumerate(layers):
        replacement = Fp32ProductAttention(model.config, layer_idx=index)
        replacement.load_state_dict(layer.attention.self.state_dict())
        layer.attention.self = replacement.to(next(layer.parameters()).device)
