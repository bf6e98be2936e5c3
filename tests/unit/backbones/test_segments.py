"""Segment ids of pairs: what the tokenizer gives is what the encoder gets, and only encoders that have them get any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.reading import library_class
from adapterxfer.backbones.segments import mark_segments, segments_of
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.errors import BackboneError
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.variants.encoder import encode

SHAPE: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
    "initializer_range": 0.3,
}
WORDS = ["<pad>", "<cls>", "<sep>", "<unk>", "<mask>", "one", "two", "three"]
WITH_SEGMENTS = [architecture.model_type for architecture in ARCHITECTURES.values() if architecture.segments]


def tokenizer(template: str = "<cls> $A <sep> $B:1 <sep>:1") -> Tokenizer:
    tokens = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = [("<cls>", 1), ("<sep>", 2)]
    tokens.post_processor = processors.TemplateProcessing(
        single="<cls> $A <sep>", pair=template, special_tokens=special
    )
    return tokens


def folder_of(folder: Path, model_type: str, tokens: Tokenizer) -> Any:
    """A folder of a tiny encoder and its library model."""
    forget_backbones()
    torch.manual_seed(1)
    architecture = ARCHITECTURES[model_type]
    config = library_class(architecture.config)(**SHAPE, pad_token_id=0)
    config._attn_implementation = architecture.attention[0]
    model = library_class(architecture.model)(config, **architecture.arguments).eval()
    model.save_pretrained(folder)
    tokens.save(str(folder / "tokenizer.json"))
    named = {"pad_token": "<pad>", "cls_token": "<cls>", "sep_token": "<sep>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    return model


def loaded_from(folder: Path) -> LoadedBackbone:
    return load_backbone({"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa"}, folder)


def batch(tokens: Tokenizer, pairs: list[tuple[str, str]]) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and segment ids as the tokenizers library gives them."""
    tokens.enable_padding(pad_id=0, pad_type_id=0, pad_token="<pad>")
    rows = tokens.encode_batch(pairs)
    tokens.no_padding()
    return tuple(torch.tensor([getattr(row, name) for row in rows]) for name in ("ids", "attention_mask", "type_ids"))  # type: ignore[return-value]


@pytest.mark.parametrize("model_type", WITH_SEGMENTS)
def test_pairs_get_the_segments_of_the_tokenizer(model_type: str, tmp_path: Path) -> None:
    tokens = tokenizer()
    model = folder_of(tmp_path, model_type, tokens)
    loaded = loaded_from(tmp_path)
    ids, mask, types = batch(tokens, [("one two", "three one two"), ("three", "two")])
    assert types.max() == 1
    given = segments_of(loaded.model, ids, mask)
    assert given is not None
    assert torch.equal(given, types)
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state[mask.bool()]
        without = model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
        hidden = encode(loaded.model, ids, mask)[mask.bool()]
    assert (expected - without).abs().max() > 1e-2, "segments must matter, or nothing is tested"
    assert (hidden - expected).abs().max().item() <= 1e-5
    pair = encoder_for(loaded.tokenizer).build_pair([5, 6], [7, 5, 6], 20)
    assert pair == ids[0].tolist(), "the format's own pair is the tokenizer's"


@pytest.mark.parametrize("model_type", WITH_SEGMENTS)
def test_a_tokenizer_without_segments_gives_none(model_type: str, tmp_path: Path) -> None:
    """Multilingual E5 and MiniLM are BERTs with XLM-R's tokenizer, which gives both texts of a pair the id 0."""
    tokens = tokenizer("<cls> $A <sep> <sep> $B <sep>")
    folder_of(tmp_path, model_type, tokens)
    ids, mask, _ = batch(tokens, [("one two", "three one two")])
    assert segments_of(loaded_from(tmp_path).model, ids, mask) is None


def test_one_text_has_no_second_segment(tmp_path: Path) -> None:
    tokens = tokenizer()
    folder_of(tmp_path, "bert", tokens)
    ids, mask = torch.tensor([[1, 5, 2, 0, 0], [1, 5, 6, 7, 2]]), torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    assert segments_of(loaded_from(tmp_path).model, ids, mask).sum() == 0  # type: ignore[union-attr]


def test_two_separators_between_the_texts(tmp_path: Path) -> None:
    tokens = tokenizer("<cls> $A <sep> <sep> $B:1 <sep>:1")
    folder_of(tmp_path, "bert", tokens)
    ids, mask, types = batch(tokens, [("one two", "three one two"), ("three", "two")])
    assert torch.equal(segments_of(loaded_from(tmp_path).model, ids, mask), types)  # type: ignore[arg-type]


def test_segments_that_do_not_follow_from_the_tokens_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, "bert", tokenizer("<cls> $A <sep>:1 $B:1 <sep>:1"))
    with pytest.raises(BackboneError, match="do not follow from the tokens"):
        loaded_from(tmp_path)


def test_encoders_without_segment_embeddings_are_left_alone(tmp_path: Path) -> None:
    tokens = tokenizer()
    folder_of(tmp_path, "bert", tokens)
    loaded = loaded_from(tmp_path)
    bare = type("Bare", (), {"config": type("Config", (), {"type_vocab_size": 1})()})()
    mark_segments(bare, loaded.tokenizer)
    assert segments_of(bare, torch.tensor([[1, 5, 2, 6, 2]]), None) is None
