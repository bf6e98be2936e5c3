"""Decoders that serve as encoders: their attention stays causal, so a token's state knows what stands before it only.

The last token, or the mean over all, stands for a text. Texts are padded on the right, where padding changes nothing
before it; the rightmost token that is no padding is read, whatever fills the row. Torch-free.
"""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.catalog.architectures.spec import Architecture, SumSite

_NO_MASKED_LM = "it reads from left to right, so it cannot be trained to fill masks"

LLAMA_LINEARS = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "ffn_out": "mlp.down_proj",
}
LLAMA_SUMS = {
    "attention": SumSite("branch", "self_attn", "input_layernorm", 0),
    "ffn": SumSite("output", "", "post_attention_layernorm", 0),
}

_LLAMA = Architecture(
    model_type="llama",
    config="LlamaConfig",
    model="LlamaModel",
    arguments={},
    prefixes=("model.",),
    dropped=("lm_head.", "score.", "classifier.", "qa_outputs."),
    attention=("sdpa", "eager"),
    layers="layers",
    linears=LLAMA_LINEARS,
    sums=LLAMA_SUMS,
    post_norm=False,
    positions="absolute",
    function=("head_dim", "hidden_act", "num_attention_heads", "num_key_value_heads", "rms_norm_eps"),
    score_dropout="attention_dropout",
    embeddings="embed_tokens",
    settings={"use_cache": False},  # keys and values of tokens to come: nothing is generated
    no_masked_lm=_NO_MASKED_LM,
    marks_words=False,
    pooling="last",
    causal=True,
)

DECODERS = (
    _LLAMA,
    replace(
        _LLAMA,
        model_type="qwen3",
        config="Qwen3Config",
        model="Qwen3Model",
        function=(*_LLAMA.function, "layer_types", "sliding_window", "use_sliding_window"),
    ),
    replace(
        _LLAMA,
        model_type="gemma3_text",
        config="Gemma3TextConfig",
        model="Gemma3TextModel",
        function=(
            "attn_logit_softcapping",
            "head_dim",
            "hidden_activation",
            "layer_types",
            "num_attention_heads",
            "num_key_value_heads",
            "query_pre_attn_scalar",
            "rms_norm_eps",
            "sliding_window",
        ),
        sums={
            "attention": SumSite("branch", "post_attention_layernorm", "input_layernorm", 0),
            "ffn": SumSite("output", "", "pre_feedforward_layernorm", 0),
        },
    ),
)
"""From 0.3 to 14 billion parameters with one recipe; sizes of public ones stand in their repositories."""
