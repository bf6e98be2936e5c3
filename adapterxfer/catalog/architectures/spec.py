"""What is known of one kind of encoder: its classes, and where it keeps its layers, maps and sums. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adapterxfer.catalog.architectures.piece_tokens import PieceTokens

TRUSTED = 1024
"""Longest input of a model whose relative positions know no limit: mT5 was trained with this (Xue et al. 2021,
*mT5*), and nothing is known of longer texts."""


@dataclass(frozen=True, slots=True)
class SumSite:
    """Where a block's output is added to its residual, as seen by hooks; paths are relative to a layer.

    Attributes:
        kind: ``norm``: the sum is the input of a norm; ``output``: it is the output of a module; ``branch``: it is
            never visible, only the block's output is, so changes are added to that.
        module: the norm or module; the layer itself where it is empty.
        residual: a module one of whose inputs is the residual.
        argument: which input.
    """

    kind: Literal["norm", "output", "branch"]
    module: str
    residual: str
    argument: int


Place = Literal["attention", "ffn", "linear", "layer", "keys_values", "embedding"]
"""Where in an encoder an adapter can act; see `adapterxfer.variants.places`."""

Pooling = Literal["first", "last", "mean"]
"""What stands for a whole text: its first token, its last one, or the mean over its tokens (padding left out)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One architecture.

    Attributes:
        model_type: as in ``config.json``.
        config, model: names of classes in `transformers`.
        arguments: further arguments of the model's constructor.
        prefixes: beginnings of tensor names that a checkpoint of a model with a head adds.
        dropped: beginnings of tensor names, after that, which are no part of the encoder.
        renames: part of a stored tensor name -> what the model calls it.
        splits: part of a stored tensor name -> the names of equal parts along the first dimension.
        attention: implementations, fastest first; a request for one that is not there gets the first.
        embeddings: module whose output is what the first layer reads; None where it is narrower than the layers.
        projection: module that widens the embeddings, in models that have it; what the first layer reads is its output.
        layers: path of the layers.
        linears: role -> path of linear maps, relative to a layer.
        sums: ``attention`` and ``ffn`` -> where their sums are; empty where an own encoder runs the model.
        post_norm: whether a norm follows each sum; elsewhere adapters see un-normed sums.
        positions: ``from-pad`` (counted from the padding id plus 1), ``absolute``, or ``relative``.
        width, depth: keys of ``config.json`` with the width of the layers and their number.
        score_dropout: configuration key of the dropout on attention scores.
        start_deviation: configuration key of the deviation of start values; None where there is none.
        sentencepiece: file of its SentencePiece model, which stands in where there is no ``tokenizer.json``.
        pieces: how that file becomes a tokenizer.
        own_encoder: whether `adapterxfer.variants.encoder` computes the forward pass; hooks run all others.
        usual_tokens: special tokens of a tokenizer that names none; empty where it has to name them.
        settings: values that replace those of ``config.json``.
        no_masked_lm: why it cannot be trained to fill masks, which languages' adapters are; empty if it can.
        no_float16: why its weights cannot be loaded in float16; empty if they can.
        marks_words: whether its published tokenizers mark the beginnings of words that are given one by one.
        in_adapters: whether `adapters` 1.3 has this encoder, with bottlenecks and names at the places of ours.
        segments: whether the second text of a pair has segment id 1, where configuration and tokenizer have one for it.
        segments_came_later: whether its pairs once had none here; identities of stages that read pairs say so since.
        pooling: what stands for a text: its first token (which then is a special one), or what the recipe may choose.
        causal: whether a token sees those before it only.
        function: configuration values that move the function, beside rotary positions and the weights' shapes.
        library: folder of `transformers.models` that has the classes; versions without it do not know the architecture.
    """

    model_type: str
    config: str
    model: str
    arguments: Mapping[str, Any]
    prefixes: tuple[str, ...]
    dropped: tuple[str, ...]
    attention: tuple[str, ...]
    layers: str
    linears: Mapping[str, str]
    sums: Mapping[str, SumSite]
    post_norm: bool
    positions: Literal["from-pad", "absolute", "relative"]
    width: str = "hidden_size"
    depth: str = "num_hidden_layers"
    score_dropout: str = "attention_probs_dropout_prob"
    start_deviation: str | None = "initializer_range"
    embeddings: str | None = "embeddings"
    projection: str = ""
    sentencepiece: str | None = None
    pieces: PieceTokens | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_encoder: bool = False
    usual_tokens: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    no_masked_lm: str = ""
    no_float16: str = ""
    marks_words: bool = True
    in_adapters: bool = False
    segments: bool = False
    segments_came_later: bool = False
    pooling: Pooling = "first"
    causal: bool = False
    function: tuple[str, ...] = ("hidden_act", "layer_norm_eps", "num_attention_heads", "pad_token_id")
    library: str = ""

    def lacks(self, site: Place) -> str:
        """Why nothing can act at a place of this encoder; empty where it can."""
        if site == "keys_values" and not self.own_encoder:
            return "keys and values can be put before the tokens in the project's own forward pass only"
        if site == "embedding" and self.embeddings is None:
            return f"the map is as wide as the layers, the embeddings of {self.model_type} are narrower"
        return ""

    def max_length(self, config: Any) -> int:
        """Longest input in tokens, special tokens included."""
        if self.positions == "from-pad":
            return int(config.max_position_embeddings - config.pad_token_id - 1)
        return int(getattr(config, "max_position_embeddings", None) or TRUSTED)

    def attention_for(self, requested: str) -> str:
        """The implementation to use."""
        return requested if requested in self.attention else self.attention[0]
