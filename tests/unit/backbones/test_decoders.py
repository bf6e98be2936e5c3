"""Decoders as encoders: the library's own states and logits, causal attention, the last token that is no padding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.formats.base import Batch, Initial, SentenceHead, TextHead
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.model import TransferModel

DECODERS = [architecture.model_type for architecture in ARCHITECTURES.values() if architecture.causal]
CLASSES = {"llama": "Llama", "qwen3": "Qwen3", "gemma3_text": "Gemma3Text"}
FOR_TOKENS = [name for name in DECODERS if name != "gemma3_text"]
"""`transformers` has no token classification of Gemma 3."""
SHAPE: dict[str, Any] = {
    "vocab_size": 30,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 2,
    "eos_token_id": 2,
    "num_labels": 3,
}
WORDS = ["<unk>", "<begin>", "<end>", "one", "two", "three", "four"]
IDS = torch.tensor([[1, 3, 4, 5], [1, 6, 2, 2]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def folder_of(folder: Path, model_type: str, *, template: bool = False) -> Any:
    """A checkpoint as published: a model with a head, and a tokenizer that names no padding token."""
    forget_backbones()
    torch.manual_seed(3)
    config = library_class(ARCHITECTURES[model_type].config)(**SHAPE)
    config._attn_implementation = "sdpa"
    name = CLASSES[model_type] + "ForSequenceClassification"
    model = library_class(name)(config).eval()
    model.save_pretrained(folder)
    tokens = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if template:
        from tokenizers.processors import TemplateProcessing

        tokens.post_processor = TemplateProcessing(
            single="<begin> $A", pair="<begin> $A <begin> $B", special_tokens=[("<begin>", 1)]
        )
    tokens.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<end>", "unk_token": "<unk>"}))
    return model


def loaded_from(folder: Path, **more: Any) -> LoadedBackbone:
    identity = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa", **more}
    return load_backbone(identity, folder)


def transfer_model(loaded: LoadedBackbone, head: nn.Module) -> TransferModel:
    part = HeadPart("h00", "nli", "sequence_classification", ("a", "b", "c"))
    return TransferModel(loaded, Composition("head-only", (), (part,)), adapters={}, fusion=None, heads={"h00": head})


@pytest.mark.parametrize("model_type", DECODERS)
def test_states_are_those_of_the_library(model_type: str, tmp_path: Path) -> None:
    model = folder_of(tmp_path, model_type)
    loaded = loaded_from(tmp_path)
    with torch.no_grad():
        expected = model.model(input_ids=IDS, attention_mask=MASK).last_hidden_state[MASK.bool()]
        assert (encode(loaded.model, IDS, MASK)[MASK.bool()] - expected).abs().max().item() <= 1e-5


@pytest.mark.parametrize("model_type", DECODERS)
def test_a_token_sees_those_before_it_only(model_type: str, tmp_path: Path) -> None:
    folder_of(tmp_path, model_type)
    loaded = loaded_from(tmp_path)
    other = IDS.clone()
    other[0, 3] = 6
    with torch.no_grad():
        one, two = encode(loaded.model, IDS, MASK)[0], encode(loaded.model, other, MASK)[0]
    assert torch.equal(one[:3], two[:3])
    assert (one[3] - two[3]).abs().max() > 1e-2


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("model_type", DECODERS)
def test_logits_of_sequence_classification(model_type: str, side: str, tmp_path: Path) -> None:
    """With padding on either side: the rightmost token that is no padding is read."""
    model = folder_of(tmp_path, model_type)
    loaded = loaded_from(tmp_path)
    ids, mask = (IDS, MASK) if side == "right" else (IDS.flip(1), MASK.flip(1))

    class Score(TextHead):
        def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
            logits: Tensor = model.score(self.pooled(hidden, batch))
            return logits

    head = Score()
    ours = transfer_model(loaded, head)
    assert head.pooling == "last"
    batch = Batch(ids, mask, (1, 1))
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask).logits
        assert (head(ours(ids, mask), batch) - expected).abs().max().item() <= 1e-5
    assert expected.std() > 1e-2


@pytest.mark.parametrize("model_type", FOR_TOKENS)
def test_logits_of_token_classification(model_type: str, tmp_path: Path) -> None:
    model = folder_of(tmp_path, model_type)
    loaded = loaded_from(tmp_path)
    tagger = library_class(CLASSES[model_type] + "ForTokenClassification")(model.config).eval()
    tagger.model.load_state_dict(model.model.state_dict())
    with torch.no_grad():
        expected = tagger(input_ids=IDS, attention_mask=MASK).logits[MASK.bool()]
        logits = tagger.score(encode(loaded.model, IDS, MASK))[MASK.bool()]
    assert (logits - expected).abs().max().item() <= 1e-5


def test_the_mean_where_the_recipe_asks_for_it(tmp_path: Path) -> None:
    folder_of(tmp_path, "llama")
    loaded = loaded_from(tmp_path, pooling="mean")
    head = SentenceHead(32, 3, Initial(torch.Generator().manual_seed(1), 0.1))
    model = transfer_model(loaded, head)
    assert head.pooling == "mean"
    with torch.no_grad():
        hidden = model(IDS, MASK)
        pooled = head.pooled(hidden, Batch(IDS, MASK, (1, 1)))
    assert torch.allclose(pooled[1], hidden[1, :2].mean(0), atol=1e-6)


@pytest.mark.parametrize("template", [False, True])
def test_tokenizers_as_published(template: bool, tmp_path: Path) -> None:
    """No padding token: the end of text fills rows, since nothing sees it. No separator: a line break parts pairs."""
    folder_of(tmp_path, "llama", template=template)
    tokenizer = loaded_from(tmp_path).tokenizer
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("<end>", 2)
    encoder = encoder_for(tokenizer)
    expected = [1, 3, 1, 4] if template else [3, *encoder.pair[1], 4]
    assert encoder.build_pair([3], [4], 12) == expected
    assert encoder.build_single([3, 4], 12) == ([1, 3, 4] if template else [3, 4])
