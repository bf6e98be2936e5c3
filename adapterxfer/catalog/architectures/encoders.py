"""Encoders with other layers than BERT's: norms before blocks, relative positions, joint attention maps. Torch-free."""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.catalog.architectures.bert_family import BERT_LINEARS, NO_POOLER, POST_NORM, ROBERTA_TOKENS
from adapterxfer.catalog.architectures.decoders import LLAMA_LINEARS, LLAMA_SUMS
from adapterxfer.catalog.architectures.piece_tokens import DEBERTA, T5, XLM_R
from adapterxfer.catalog.architectures.spec import Architecture, SumSite

_MT5 = Architecture(
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
    width="d_model",
    depth="num_layers",
    no_masked_lm="its tokenizer has no mask token, so it cannot be trained to fill masks",
    no_float16="its feed-forward blocks leave the range of float16, so its library keeps a part in float32",
    pooling="mean",
)

OTHER_ENCODERS = (
    Architecture(
        model_type="xlm-roberta-xl",
        config="XLMRobertaXLConfig",
        model="XLMRobertaXLModel",
        arguments=NO_POOLER,
        prefixes=("roberta.",),
        dropped=("lm_head.", "pooler.", "classifier."),
        attention=("sdpa", "eager"),
        layers="encoder.layer",
        linears=BERT_LINEARS,
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
        sums=POST_NORM,
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
        marks_words=False,
    ),
    _MT5,
    Architecture(
        model_type="eurobert",
        config="EuroBertConfig",
        model="EuroBertModel",
        arguments={},
        prefixes=("model.",),
        dropped=("lm_head.", "dense.", "classifier."),
        attention=("sdpa", "eager"),
        layers="layers",
        linears=LLAMA_LINEARS,
        sums=LLAMA_SUMS,
        post_norm=False,
        positions="absolute",
        score_dropout="attention_dropout",
        embeddings="embed_tokens",
        marks_words=False,
        library="eurobert",
    ),
    Architecture(
        model_type="gte",
        config="GteConfig",
        model="GteModel",
        arguments=NO_POOLER,
        prefixes=("gte.", "new."),
        dropped=("lm_head.", "pooler.", "classifier."),
        renames={
            "encoder.layer.": "layers.",
            "attention.o_proj": "self_attn.o_proj",
            "attn_ln": "post_attention_layernorm",
            "mlp_ln": "post_mlp_layernorm",
        },
        splits={
            "attention.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "mlp.up_gate_proj": ("mlp.up_proj", "mlp.gate_proj"),
        },
        attention=("sdpa", "eager"),
        layers="layers",
        linears=LLAMA_LINEARS,
        sums={
            "attention": SumSite("norm", "post_attention_layernorm", "self_attn", 0),
            "ffn": SumSite("norm", "post_mlp_layernorm", "mlp", 0),
        },
        post_norm=True,
        positions="absolute",
        usual_tokens=ROBERTA_TOKENS,
        library="gte",
    ),
    replace(_MT5, model_type="umt5", config="UMT5Config", model="UMT5EncoderModel"),
)
"""Hooks run them. umT5 has a table of relative positions in every layer, mT5 in the first one."""
