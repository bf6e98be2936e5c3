"""The encoder architectures that can be loaded, and where each of them keeps its layers, maps and sums. Torch-free.

Only classes of `transformers` itself are named here: code that lies beside downloaded weights is never run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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


@dataclass(frozen=True, slots=True)
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
        tokenizer: class of `transformers` that reads that file; it is converted to a fast one.
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
    tokenizer: str | None = None

    def max_length(self, config: Any) -> int:
        """Longest input in tokens, special tokens included."""
        if self.positions == "from-pad":
            return int(config.max_position_embeddings - config.pad_token_id - 1)
        # Relative positions know no limit; what the model was trained with is what it can be trusted with.
        return int(getattr(config, "max_position_embeddings", None) or 1024)

    def attention_for(self, wanted: str) -> str:
        """The implementation to use."""
        return wanted if wanted in self.attention else self.attention[0]


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

ARCHITECTURES: Mapping[str, Architecture] = {
    entry.model_type: entry
    for entry in (
        Architecture(
            "xlm-roberta",
            "XLMRobertaConfig",
            "XLMRobertaModel",
            _NO_POOLER,
            ("roberta.",),
            ("lm_head.", "pooler.", "classifier."),
            ("sdpa", "eager"),
            "encoder.layer",
            _BERT_LINEARS,
            {},
            True,
            "from-pad",
            sentencepiece="sentencepiece.bpe.model",
            tokenizer="XLMRobertaTokenizer",
        ),
        Architecture(
            "xlm-roberta-xl",
            "XLMRobertaXLConfig",
            "XLMRobertaXLModel",
            _NO_POOLER,
            ("roberta.",),
            ("lm_head.", "pooler.", "classifier."),
            ("sdpa", "eager"),
            "encoder.layer",
            _BERT_LINEARS,
            {
                "attention": SumSite("output", "attention.output", "attention.output", 1),
                "ffn": SumSite("output", "output", "output", 1),
            },
            False,
            "from-pad",
            sentencepiece="sentencepiece.bpe.model",
            tokenizer="XLMRobertaTokenizer",
        ),
        Architecture(
            "deberta-v2",
            "DebertaV2Config",
            "DebertaV2Model",
            {},
            ("deberta.",),
            ("lm_predictions.", "mask_predictions.", "cls.", "pooler.", "classifier."),
            ("eager",),
            "encoder.layer",
            {
                "query": "attention.self.query_proj",
                "key": "attention.self.key_proj",
                "value": "attention.self.value_proj",
                "ffn_out": "output.dense",
            },
            _POST_NORM,
            True,
            "absolute",
            sentencepiece="spm.model",
            tokenizer="DebertaV2Tokenizer",
        ),
        Architecture(
            "modernbert",
            "ModernBertConfig",
            "ModernBertModel",
            {},
            ("model.",),
            ("head.", "decoder.", "classifier."),
            ("sdpa", "eager"),
            "layers",
            {"qkv": "attn.Wqkv", "ffn_out": "mlp.Wo"},
            {
                "attention": SumSite("branch", "attn", "", 0),
                "ffn": SumSite("output", "", "mlp_norm", 0),
            },
            False,
            "absolute",
            score_dropout="attention_dropout",
        ),
        Architecture(
            "rembert",
            "RemBertConfig",
            "RemBertModel",
            _NO_POOLER,
            ("rembert.",),
            ("cls.", "pooler.", "classifier."),
            ("eager",),
            "encoder.layer",
            _BERT_LINEARS,
            _POST_NORM,
            True,
            "absolute",
            embeddings=None,
            sentencepiece="sentencepiece.model",
            tokenizer="RemBertTokenizer",
        ),
        Architecture(
            "mt5",
            "MT5Config",
            "MT5EncoderModel",
            {},
            (),
            ("decoder.", "lm_head."),
            ("eager",),
            "encoder.block",
            {
                "query": "layer.0.SelfAttention.q",
                "key": "layer.0.SelfAttention.k",
                "value": "layer.0.SelfAttention.v",
                "ffn_out": "layer.1.DenseReluDense.wo",
            },
            {
                "attention": SumSite("output", "layer.0", "layer.0", 0),
                "ffn": SumSite("output", "layer.1", "layer.1", 0),
            },
            False,
            "relative",
            score_dropout="dropout_rate",
            start_deviation=None,
            embeddings="encoder.embed_tokens",
            sentencepiece="spiece.model",
            tokenizer="T5Tokenizer",
        ),
    )
}
"""By ``model_type``."""


def architecture_of(model_type: str, *, where: str = "config.json") -> Architecture:
    """The architecture of a ``config.json``.

    Raises:
        BackboneError: it is not known here.
    """
    found = ARCHITECTURES.get(model_type)
    if found is None:
        raise BackboneError(
            f"{where}: model_type {model_type!r}; expected one of {', '.join(ARCHITECTURES)}",
            fix="choose a backbone of one of these architectures",
        )
    return found
