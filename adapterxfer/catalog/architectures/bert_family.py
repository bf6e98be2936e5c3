"""Encoders with BERT's layers: token, position and perhaps segment embeddings, a norm after every sum. Torch-free."""

from __future__ import annotations

from adapterxfer.catalog.architectures.piece_tokens import REMBERT, XLM_R
from adapterxfer.catalog.architectures.spec import Architecture, SumSite

PRETRAINED = "xlm-roberta"
"""Architecture of the world's backbones, and of those that recipes pretrain."""

BERT_LINEARS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "ffn_out": "output.dense",
}
POST_NORM = {
    "attention": SumSite("norm", "attention.output.LayerNorm", "attention.output", 1),
    "ffn": SumSite("norm", "output.LayerNorm", "output", 1),
}
NO_POOLER = {"add_pooling_layer": False}

ROBERTA_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "cls_token": "<s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
BERT_TOKENS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}

BERT_FAMILY = (
    Architecture(
        model_type="xlm-roberta",
        config="XLMRobertaConfig",
        model="XLMRobertaModel",
        arguments=NO_POOLER,
        prefixes=("roberta.",),
        dropped=("lm_head.", "pooler.", "classifier."),
        attention=("sdpa", "eager"),
        layers="encoder.layer",
        linears=BERT_LINEARS,
        sums={},
        post_norm=True,
        positions="from-pad",
        sentencepiece="sentencepiece.bpe.model",
        pieces=XLM_R,
        own_encoder=True,
        usual_tokens=ROBERTA_TOKENS,
        in_adapters=True,
    ),
    Architecture(
        model_type="roberta",
        config="RobertaConfig",
        model="RobertaModel",
        arguments=NO_POOLER,
        prefixes=("roberta.",),
        dropped=("lm_head.", "pooler.", "classifier.", "qa_outputs."),
        attention=("sdpa", "eager"),
        layers="encoder.layer",
        linears=BERT_LINEARS,
        sums={},
        post_norm=True,
        positions="from-pad",
        own_encoder=True,
        usual_tokens=ROBERTA_TOKENS,
        marks_words=False,
        in_adapters=True,
    ),
    Architecture(
        model_type="bert",
        config="BertConfig",
        model="BertModel",
        arguments=NO_POOLER,
        prefixes=("bert.",),
        dropped=("cls.", "pooler.", "classifier.", "qa_outputs."),
        attention=("sdpa", "eager"),
        layers="encoder.layer",
        linears=BERT_LINEARS,
        sums={},
        post_norm=True,
        positions="absolute",
        own_encoder=True,
        usual_tokens=BERT_TOKENS,
        in_adapters=True,
        segments=True,
    ),
    Architecture(
        model_type="electra",
        config="ElectraConfig",
        model="ElectraModel",
        arguments={},
        prefixes=("electra.",),
        dropped=(
            "discriminator_predictions.",
            "generator_predictions.",
            "generator_lm_head.",
            "classifier.",
            "qa_outputs.",
        ),
        attention=("eager",),
        layers="encoder.layer",
        linears=BERT_LINEARS,
        sums={},
        post_norm=True,
        positions="absolute",
        projection="embeddings_project",
        own_encoder=True,
        usual_tokens=BERT_TOKENS,
        in_adapters=True,
        segments=True,
    ),
    Architecture(
        model_type="rembert",
        config="RemBertConfig",
        model="RemBertModel",
        arguments=NO_POOLER,
        prefixes=("rembert.",),
        dropped=("cls.", "pooler.", "classifier."),
        attention=("eager",),
        layers="encoder.layer",
        linears=BERT_LINEARS,
        sums=POST_NORM,
        post_norm=True,
        positions="absolute",
        embeddings=None,
        sentencepiece="sentencepiece.model",
        pieces=REMBERT,
        no_masked_lm="its embeddings are narrower than its layers, so no output matrix can be tied to them",
    ),
    Architecture(
        model_type="distilbert",
        config="DistilBertConfig",
        model="DistilBertModel",
        arguments={},
        prefixes=("distilbert.",),
        dropped=(
            "vocab_transform.",
            "vocab_layer_norm.",
            "vocab_projector.",
            "pre_classifier.",
            "classifier.",
            "qa_outputs.",
        ),
        attention=("sdpa", "eager"),
        layers="transformer.layer",
        linears={
            "query": "attention.q_lin",
            "key": "attention.k_lin",
            "value": "attention.v_lin",
            "ffn_out": "ffn.lin2",
        },
        sums={
            "attention": SumSite("norm", "sa_layer_norm", "", 0),
            "ffn": SumSite("norm", "output_layer_norm", "ffn", 0),
        },
        post_norm=True,
        positions="absolute",
        function=("activation", "n_heads", "sinusoidal_pos_embds"),
        width="dim",
        depth="n_layers",
        score_dropout="attention_dropout",
        usual_tokens=BERT_TOKENS,
    ),
)
"""XLM-R and its kin first: the own forward pass runs them."""
