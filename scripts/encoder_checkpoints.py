"""Tiny random checkpoints of every architecture, each with a tokenizer of the kind that its published models have.

    python scripts/encoder_checkpoints.py OUT [TYPE...]     # one folder per type: config, weights, tokenizer

Tokenizers are trained on texts of the synthetic world by the algorithm of the published ones: WordPiece for BERT's kin,
byte-level BPE for RoBERTa, ModernBERT and the decoders, Unigram for all others, with the template of the type.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES, Architecture
from adapterxfer.world.documents import document, texts
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.languages import LANGUAGES

VOCABULARY = 700
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
    "initializer_range": 0.1,
}
T5 = {"vocab_size": VOCABULARY, "d_model": 32, "num_layers": 2, "num_heads": 2, "d_kv": 12, "d_ff": 64}
GROUPED = SHAPE | {"num_key_value_heads": 1, "head_dim": 16}
SHAPES: dict[str, dict[str, Any]] = {
    "deberta-v2": SHAPE
    | {
        "relative_attention": True,
        "position_buckets": 16,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "modernbert": SHAPE | {"local_attention": 16, "global_attn_every_n_layers": 2},
    "rembert": SHAPE | {"input_embedding_size": 16, "output_embedding_size": 24},
    "electra": SHAPE | {"embedding_size": 16},
    "distilbert": {
        "vocab_size": VOCABULARY, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64,
        "max_position_embeddings": 130, "initializer_range": 0.1,
    },
    "mt5": T5,
    "umt5": T5,
    "llama": GROUPED,
    "qwen3": GROUPED,
    **dict.fromkeys(
        ("gemma3_text", "t5gemma2_text"),
        GROUPED
        | {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"], "dropout_rate": 0.0},
    ),
}  # fmt: skip
WORD_PIECE = ("bert", "distilbert", "electra")
BYTE_LEVEL = ("roberta", "modernbert", "eurobert", "llama", "qwen3")
DEVIATION = 0.1
"""Of random matrices; start values of some types are so small that no adapter could be seen above them."""


@cache
def sentences() -> list[str]:
    """Texts of the synthetic world in all its languages."""
    rng = Draws(generator("checkpoints"))
    stories = [document(rng) for _ in range(20)]
    return [" ".join(texts(story, code)) for story in stories for code in LANGUAGES]


def tokenizer_of(architecture: Architecture) -> tuple[Tokenizer, dict[str, str]]:
    """A trained tokenizer and the special tokens that its ``tokenizer_config.json`` names."""
    name = architecture.model_type
    if name in WORD_PIECE:
        return _word_piece()
    if name in BYTE_LEVEL:
        return _byte_level(architecture)
    return _unigram(architecture)


def _word_piece() -> tuple[Tokenizer, dict[str, str]]:
    special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    tokens = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokens.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokens.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens.train_from_iterator(
        sentences(), trainers.WordPieceTrainer(vocab_size=600, special_tokens=[*special.values()], show_progress=False)
    )
    tokens.decoder = decoders.WordPiece()
    tokens.post_processor = _template(tokens, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ("[CLS]", "[SEP]"))
    return tokens, {f"{role}_token": token for role, token in special.items()}


def _byte_level(architecture: Architecture) -> tuple[Tokenizer, dict[str, str]]:
    """RoBERTa's or ModernBERT's with all their tokens, Llama's with a beginning, Qwen's with an end alone."""
    match architecture.model_type:
        case "modernbert":
            special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
            templates = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]")
        case "eurobert":
            special = {"bos": "<|begin_of_text|>", "eos": "<|end_of_text|>", "pad": "<|pad|>", "mask": "<|mask|>"}
            templates = ("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|> $B")
        case "llama":
            special = {"bos": "<|begin_of_text|>", "eos": "<|end_of_text|>"}
            templates = ("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|> $B")
        case "qwen3":
            special, templates = {"eos": "<|endoftext|>"}, ("", "")
        case _:
            special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
            templates = ("<s> $A </s>", "<s> $A </s> </s> $B </s>")
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=[*special.values()], initial_alphabet=alphabet, show_progress=False
    )
    tokens.train_from_iterator(sentences(), trainer)
    tokens.decoder = decoders.ByteLevel()
    if templates[0]:
        tokens.post_processor = _template(tokens, *templates, tuple(special.values()))
    return tokens, {f"{role}_token": token for role, token in special.items()}


def _unigram(architecture: Architecture) -> tuple[Tokenizer, dict[str, str]]:
    match architecture.model_type:
        case "rembert" | "deberta-v2":
            special = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "mask": "[MASK]"}
            templates = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
        case "mt5" | "umt5":
            special, templates = {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}, ("$A </s>", "$A </s> $B </s>")
        case "gemma3_text" | "t5gemma2_text":
            special = {"pad": "<pad>", "eos": "<eos>", "bos": "<bos>", "unk": "<unk>"}
            templates = ("<bos> $A", "<bos> $A <bos> $B")
        case _:
            special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
            templates = ("<s> $A </s>", "<s> $A </s> </s> $B </s>")
    tokens = Tokenizer(models.Unigram())
    tokens.normalizer = normalizers.NFKC()
    tokens.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=600, special_tokens=[*special.values()], unk_token=special["unk"], show_progress=False
    )
    tokens.train_from_iterator(sentences(), trainer)
    tokens.decoder = decoders.Metaspace()
    tokens.post_processor = _template(tokens, *templates, tuple(special.values()))
    return tokens, {f"{role}_token": token for role, token in special.items()}


def _template(tokens: Tokenizer, single: str, pair: str, special: Sequence[str]) -> Any:
    ids = [(token, tokens.token_to_id(token)) for token in special]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)


def make(folder: Path, model_type: str) -> Any:
    """Write a checkpoint as `save_pretrained` leaves it, and give its model."""
    architecture = ARCHITECTURES[model_type]
    tokens, named = tokenizer_of(architecture)
    ids = {role: tokens.token_to_id(token) for role, token in named.items()}
    pad = ids.get("pad_token", ids.get("eos_token"))
    settings = {f"{role}_id": value for role, value in ids.items()} | {"pad_token_id": pad}
    if "cls_token" in ids:
        settings |= {"bos_token_id": ids["cls_token"], "eos_token_id": ids["sep_token"]}
    config = library_class(architecture.config)(**{**settings, **SHAPES.get(model_type, SHAPE)})
    config._attn_implementation = architecture.attention[0]
    torch.manual_seed(1)
    model = library_class(architecture.model)(config, **architecture.arguments).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "norm" not in name.lower():
                parameter.normal_(0.0, DEVIATION)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokens.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    return model


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("types", nargs="*", choices=[*ARCHITECTURES, []], metavar="TYPE")
    arguments = parser.parse_args(argv)
    for name in arguments.types or ARCHITECTURES:
        make(arguments.out / name, name)
        print(arguments.out / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
