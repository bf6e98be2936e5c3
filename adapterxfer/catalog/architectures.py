"""The encoder architectures that can be loaded, and where each of them keeps its layers, maps and sums. Torch-free.

Only classes of `transformers` itself are named here: code that lies beside downloaded weights is never run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adapterxfer.catalog.piece_tokens import DEBERTA, REMBERT, T5, XLM_R, PieceTokens
from adapterxfer.errors import BackboneError


@dataclass(frozen=True, slots=True)
class SumSite:
    """Where a block's output is added to its residual, as seen by hooks; paths are relative to a layer.

    Attributes:
        kind: ``norm``: the sum is the input of a norm; ``output``: it is the output of a module; ``branch``: it is
            never visible, only the block's output is, so changes are added to that.
        module: the norm or module.
        residual: a module one of whose inputs is the residual.
        argument: which input.
    """

    kind: Literal["norm", "output", "branch"]
    module: str
    residual: str
    argument: int


PRETRAINED = "xlm-roberta"
"""Architecture of the world's backbones, and of those that recipes pretrain."""

Place = Literal["attention", "ffn", "linear", "layer", "keys_values", "embedding"]
"""Where in an encoder an adapter can act; see `adapterxfer.variants.places`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One architecture.

    Attributes:
        model_type: as in ``config.json``.
        config, model: names of classes in `transformers`.
        arguments: further arguments of the model's constructor.
        prefixes: beginnings of tensor names that a checkpoint of a model with a head adds.
        dropped: beginnings of tensor names, after that, which are no part of the encoder.
        attention: implementations, fastest first; a request for one that is not there gets the first.
        embeddings: module whose output is what the first layer reads; None where it is narrower than the layers.
        layers: path of the layers.
        linears: role -> path of linear maps, relative to a layer.
        sums: ``attention`` and ``ffn`` -> where their sums are; empty where an own encoder runs the model.
        post_norm: whether a norm follows each sum; elsewhere adapters see un-normed sums.
        positions: ``from-pad`` (counted from the padding id plus 1), ``absolute``, or ``relative``.
        score_dropout: configuration key of the dropout on attention scores.
        start_deviation: configuration key of the deviation of start values; None where there is none.
        sentencepiece: file of its SentencePiece model, which stands in where there is no ``tokenizer.json``.
        pieces: how that file becomes a tokenizer.
        own_encoder: whether `adapterxfer.variants.encoder` computes the forward pass; hooks run all others.
        usual_tokens: whether a tokenizer without a list of special tokens has those of XLM-R.
        settings: values that replace those of ``config.json``.
        no_masked_lm: why it cannot be trained to fill masks, which languages' adapters are; empty if it can.
        in_adapters: whether `adapters` 1.3 has this encoder, with bottlenecks at the places of ours.
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
    score_dropout: str = "attention_probs_dropout_prob"
    start_deviation: str | None = "initializer_range"
    embeddings: str | None = "embeddings"
    sentencepiece: str | None = None
    pieces: PieceTokens | None = None
    own_encoder: bool = False
    usual_tokens: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    no_masked_lm: str = ""
    in_adapters: bool = False

    def lacks(self, site: Place) -> str:
        """Why nothing can act at a place of this encoder; empty where it can."""
        if site == "keys_values" and not self.own_encoder:
            return "keys and values can be put before the tokens in the own forward pass of XLM-R only"
        if site == "embedding" and self.embeddings is None:
            return f"the map is as wide as the layers, the embeddings of {self.model_type} are narrower"
        return ""

    def max_length(self, config: Any) -> int:
        """Longest input in tokens, special tokens included."""
        if self.positions == "from-pad":
            return int(config.max_position_embeddings - config.pad_token_id - 1)
        # Relative positions know no limit; what the model was trained with is what it can be trusted with.
        return int(getattr(config, "max_position_embeddings", None) or 1024)

    def attention_for(self, requested: str) -> str:
        """The implementation to use."""
        return requested if requested in self.attention else self.attention[0]


_BERT_LINEARS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "ffn_out": "output.dense",
}
_POST_NORM = {
    "attention": SumSite("norm", "attention.output.LayerNorm", "attention.output", 1),
    "ffn": SumSite("norm", "output.LayerNorm", "output", 1),
}
_NO_POOLER = {"add_pooling_layer": False}

ARCHITECTURES: dict[str, Architecture] = {
    architecture.model_type: architecture
    for architecture in (
        Architecture(
            model_type="xlm-roberta",
            config="XLMRobertaConfig",
            model="XLMRobertaModel",
            arguments=_NO_POOLER,
            prefixes=("roberta.",),
            dropped=("lm_head.", "pooler.", "classifier."),
            attention=("sdpa", "eager"),
            layers="encoder.layer",
            linears=_BERT_LINEARS,
            sums={},
            post_norm=True,
            positions="from-pad",
            sentencepiece="sentencepiece.bpe.model",
            pieces=XLM_R,
            own_encoder=True,
            usual_tokens=True,
            in_adapters=True,
        ),
        Architecture(
            model_type="xlm-roberta-xl",
            config="XLMRobertaXLConfig",
            model="XLMRobertaXLModel",
            arguments=_NO_POOLER,
            prefixes=("roberta.",),
            dropped=("lm_head.", "pooler.", "classifier."),
            attention=("sdpa", "eager"),
            layers="encoder.layer",
            linears=_BERT_LINEARS,
            sums={
                "attention": SumSite("output", "attention.output", "attention.output", 1),
                "ffn": SumSite("output", "output", "output", 1),
            },
            post_norm=False,
            positions="from-pad",
            sentencepiece="sentencepiece.bpe.model",
            pieces=XLM_R,
        ),
        Architecture(
            model_type="deberta-v2",
            config="DebertaV2Config",
            model="DebertaV2Model",
            arguments={},
            prefixes=("deberta.",),
            dropped=("lm_predictions.", "mask_predictions.", "cls.", "pooler.", "classifier."),
            attention=("eager",),
            layers="encoder.layer",
            linears={
                "query": "attention.self.query_proj",
                "key": "attention.self.key_proj",
                "value": "attention.self.value_proj",
                "ffn_out": "output.dense",
            },
            sums=_POST_NORM,
            post_norm=True,
            positions="absolute",
            sentencepiece="spm.model",
            pieces=DEBERTA,
            in_adapters=True,
        ),
        Architecture(
            model_type="modernbert",
            config="ModernBertConfig",
            model="ModernBertModel",
            arguments={},
            prefixes=("model.",),
            dropped=("head.", "decoder.", "classifier."),
            attention=("sdpa", "eager"),
            layers="layers",
            linears={"qkv": "attn.Wqkv", "ffn_out": "mlp.Wo"},
            sums={
                "attention": SumSite("branch", "attn", "", 0),
                "ffn": SumSite("output", "", "mlp_norm", 0),
            },
            post_norm=False,
            positions="absolute",
            score_dropout="attention_dropout",
            settings={"reference_compile": False},  # compiled layers would change numbers with the machine
        ),
        Architecture(
            model_type="rembert",
            config="RemBertConfig",
            model="RemBertModel",
            arguments=_NO_POOLER,
            prefixes=("rembert.",),
            dropped=("cls.", "pooler.", "classifier."),
            attention=("eager",),
            layers="encoder.layer",
            linears=_BERT_LINEARS,
            sums=_POST_NORM,
            post_norm=True,
            positions="absolute",
            embeddings=None,
            sentencepiece="sentencepiece.model",
            pieces=REMBERT,
            no_masked_lm="its embeddings are narrower than its layers, so no output matrix can be tied to them",
        ),
        Architecture(
            model_type="mt5",
            config="MT5Config",
            model="MT5EncoderModel",
            arguments={},
            prefixes=(),
            dropped=("decoder.", "lm_head."),
            attention=("eager",),
            layers="encoder.block",
            linears={
                "query": "layer.0.SelfAttention.q",
                "key": "layer.0.SelfAttention.k",
                "value": "layer.0.SelfAttention.v",
                "ffn_out": "layer.1.DenseReluDense.wo",
            },
            sums={
                "attention": SumSite("output", "layer.0", "layer.0", 0),
                "ffn": SumSite("output", "layer.1", "layer.1", 0),
            },
            post_norm=False,
            positions="relative",
            score_dropout="dropout_rate",
            start_deviation=None,
            embeddings="encoder.embed_tokens",
            sentencepiece="spiece.model",
            pieces=T5,
            no_masked_lm="its tokenizer has no mask token, so it cannot be trained to fill masks",
        ),
    )
}
"""By ``model_type``."""


def architecture_of(model_type: str, *, where: str = "config.json") -> Architecture:
    """The architecture of a ``config.json``.

    Raises:
        BackboneError: it is not known here.
    """
    architecture = ARCHITECTURES.get(model_type)
    if architecture is None:
        raise BackboneError(
            f"{where}: model_type {model_type!r}; expected one of {', '.join(ARCHITECTURES)}",
            fix="choose a backbone of one of these architectures",
        )
    return architecture
