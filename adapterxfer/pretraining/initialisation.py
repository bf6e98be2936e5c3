"""Start values of a backbone: plain normal, or the relative-offset start that makes tiny models use context early.

With a plain start, models below a few million parameters stay for millions of tokens at the cross-entropy of the
unigram distribution. The relative-offset start hands the first layer heads that look at fixed neighbours. It changes
start values only: the architecture stays XLM-R and everything is trainable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

from adapterxfer.errors import BackboneError
from adapterxfer.pretraining.corpus import SpecialTokens
from adapterxfer.pretraining.module_order import drawn_modules

OFFSETS = (-1, 1, -2, 2)
"""What the first heads of layer 1 look at; further heads start plainly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialisation:
    """How weights start.

    Attributes:
        kind: ``plain`` or ``relative-offset``.
        std: standard deviation of plain weights and of token embeddings.
        amplitude: of the sinusoids in the position table (relative-offset).
        fastest: highest angular frequency, radians per position.
        slowest: lowest angular frequency.
        peak_logit: attention logit at the exact offset.
        noise: standard deviation around the constructed query and key matrices and positions.
        offsets: what the first heads of layer 1 look at (relative-offset).
        matching: how many heads of layer 1, after those, look at tokens equal to their own (relative-offset).
    """

    kind: Literal["plain", "relative-offset"] = "plain"
    std: float = 0.02
    amplitude: float = 0.04
    fastest: float = 1.6
    slowest: float = 0.03
    peak_logit: float = 7.0
    noise: float = 0.005
    offsets: tuple[int, ...] = OFFSETS
    matching: int = 0


def build_config(
    *,
    hidden: int,
    layers: int,
    heads: int,
    vocabulary: int,
    longest: int,
    special: SpecialTokens,
) -> XLMRobertaConfig:
    """Configuration of an XLM-R encoder without dropout, feed-forward width ``4 hidden``.

    Args:
        hidden: width; a multiple of ``2 heads``.
        layers: transformer layers.
        heads: attention heads.
        vocabulary: token ids.
        longest: tokens of the longest sequence the backbone must read.
        special: ids of the special tokens; XLM-R counts positions from ``pad + 1``.

    Raises:
        BackboneError: the width does not divide into heads of even width.
    """
    if hidden % (2 * heads):
        raise BackboneError(
            f"backbone shape {hidden}x{layers}: {heads} heads need a width that is a multiple of {2 * heads}",
            fix="change hidden or heads",
        )
    return XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=longest + special.pad + 1,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout=0.0,
        layer_norm_eps=1e-5,
        bos_token_id=special.bos,
        pad_token_id=special.pad,
        eos_token_id=special.eos,
    )


def build_model(
    config: XLMRobertaConfig,
    initialisation: Initialisation,
    *,
    seed: int,
    output_bias: NDArray[np.float64] | None = None,
) -> XLMRobertaForMaskedLM:
    """A masked language model with start values drawn from ``seed`` alone; the global generator is left as it was.

    Args:
        config: see `build_config`.
        initialisation: the rule.
        seed: of the start values.
        output_bias: log unigram probabilities, shape ``(vocabulary,)``, for the relative-offset start; a good bias
            spares the model the first steps, in which it would learn only frequencies.
    """
    with torch.random.fork_rng(devices=[]):
        model = XLMRobertaForMaskedLM(config)
    model.config.initializer_range = initialisation.std  # heads put on this backbone later start like it
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        _plain(model, initialisation.std, generator)
        if initialisation.kind == "relative-offset":
            _relative_offset(model, initialisation, generator)
            if output_bias is not None:
                # Special tokens have no probability; a finite floor keeps the softmax and its gradient defined.
                floor = float(output_bias[np.isfinite(output_bias)].min()) - 2.0
                bias = np.where(np.isfinite(output_bias), output_bias, floor)
                model.lm_head.bias.copy_(torch.from_numpy(bias).float())
    model.train()
    return model


def _plain(model: XLMRobertaForMaskedLM, std: float, generator: torch.Generator) -> None:
    """Normal matrices and embeddings, zero biases, unit norms; the padding rows of the tables are zero."""
    for module in drawn_modules(model):
        if isinstance(module, nn.LayerNorm):
            module.weight.fill_(1.0)
            module.bias.zero_()
        elif isinstance(module, nn.Linear):
            module.weight.normal_(0.0, std, generator=generator)
            module.bias.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(0.0, std, generator=generator)
            if module.padding_idx is not None:
                module.weight[module.padding_idx].zero_()
    model.lm_head.bias.zero_()


def _relative_offset(model: XLMRobertaForMaskedLM, start: Initialisation, generator: torch.Generator) -> None:
    """Write sinusoids into the position table and offset-seeking queries and keys into layer 1.

    With position ``p`` encoded as ``(sin wp, cos wp)`` for several ``w``, a key that copies these dimensions and a
    query that rotates them by ``w o`` have the product ``sum_w cos(w (p_key - p_query - o))``, largest at offset ``o``.
    """
    config = model.config
    width = config.hidden_size // config.num_attention_heads
    pairs = width // 2
    frequencies = torch.logspace(math.log10(start.fastest), math.log10(start.slowest), pairs, dtype=torch.float64)
    table = model.roberta.embeddings.position_embeddings.weight
    angles = torch.arange(table.shape[0], dtype=torch.float64)[:, None] * frequencies[None, :]
    table.normal_(0.0, start.noise, generator=generator)
    table[:, :width] += start.amplitude * torch.cat([angles.sin(), angles.cos()], dim=1).float()
    table[config.pad_token_id].zero_()
    model.roberta.embeddings.token_type_embeddings.weight.zero_()

    # The norm after the embeddings rescales to unit variance: know by how much, to set the logit exactly.
    variance = start.std**2 + start.noise**2 + start.amplitude**2 * pairs / config.hidden_size
    amplitude = start.amplitude / math.sqrt(variance)
    gain = math.sqrt(start.peak_logit * math.sqrt(width) / (pairs * amplitude**2))

    attention: Any = model.roberta.encoder.layer[0].attention
    query, key = attention.self.query.weight, attention.self.key.weight
    for head, offset in enumerate(start.offsets[: config.num_attention_heads]):
        rows = slice(head * width, (head + 1) * width)
        for matrix, turn in ((query, offset), (key, 0)):
            matrix[rows].normal_(0.0, start.noise, generator=generator)
            matrix[rows, :width] += gain * _rotation(frequencies * turn)
    for head in range(len(start.offsets), min(len(start.offsets) + start.matching, config.num_attention_heads)):
        _match(query, key, head, width, start.peak_logit * variance / start.std**2, generator)
    for matrix in (attention.self.value.weight, attention.output.dense.weight):
        limit = math.sqrt(6.0 / (matrix.shape[0] + matrix.shape[1]))
        matrix.uniform_(-limit, limit, generator=generator)


def _match(query: Tensor, key: Tensor, head: int, width: int, strength: float, generator: torch.Generator) -> None:
    """Make a head look at tokens equal to its own: query and key are the same random projection of the token.

    Such a head sees which words two sentences share. The dimensions that hold the sinusoids are left out.

    Args:
        query: of layer 1, shape ``(hidden, hidden)``; so is ``key``.
        head: which rows.
        width: of a head.
        strength: logit of equal tokens times the variance of the norm's input over that of the tokens.
        generator: of the projection.
    """
    rows, rest = slice(head * width, (head + 1) * width), query.shape[1] - width
    projection = torch.empty(width, rest).normal_(0.0, 1.0 / math.sqrt(rest), generator=generator)
    for matrix in (query, key):
        matrix[rows].zero_()
        matrix[rows, width:] = math.sqrt(strength / math.sqrt(width)) * projection


def _rotation(angles: Tensor) -> Tensor:
    """Matrix that maps ``(sin a, cos a)`` to ``(sin(a + angle), cos(a + angle))``, shape ``(2 pairs, 2 pairs)``."""
    sine, cosine = torch.diag(angles.sin()), torch.diag(angles.cos())
    return torch.cat([torch.cat([cosine, sine], dim=1), torch.cat([-sine, cosine], dim=1)], dim=0).float()
