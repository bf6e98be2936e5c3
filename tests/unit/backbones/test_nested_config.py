"""Models of several parts: the text encoder inside them is read, everything else of them is left where it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import adapterxfer.world
from adapterxfer.backbones.describing import describe_folder
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES, encoder_part
from adapterxfer.variants.encoder import encode

NAME = "t5gemma2_text"
SHAPE: dict[str, Any] = {
    "model_type": NAME, "vocab_size": 3000, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 64, "pad_token_id": 1, "dropout_rate": 0.0,
}  # fmt: skip


def test_the_encoder_of_a_nested_configuration() -> None:
    assert encoder_part({"model_type": "t5gemma2", "encoder": {"text_config": SHAPE}}) == SHAPE
    assert encoder_part(SHAPE) == SHAPE
    for broken in ({"model_type": "t5gemma2"}, {"model_type": "t5gemma2", "encoder": []}, [], None):
        assert encoder_part(broken) == {}


@pytest.mark.skipif(NAME not in ARCHITECTURES, reason="the installed transformers has no T5Gemma 2")
def test_the_encoder_of_a_whole_checkpoint(tmp_path: Path) -> None:
    forget_backbones()
    architecture = ARCHITECTURES[NAME]
    config = library_class(architecture.config)(**{key: value for key, value in SHAPE.items() if key != "model_type"})
    config._attn_implementation = "sdpa"
    torch.manual_seed(1)
    model = library_class(architecture.model)(config).eval()
    state = {f"model.encoder.text_model.{name}": tensor.clone() for name, tensor in model.state_dict().items()}
    others = ("model.decoder.norm.weight", "model.encoder.vision_tower.x", "model.encoder.multi_modal_projector.y")
    save_file(state | {name: torch.zeros(3) for name in others}, tmp_path / "model.safetensors")
    whole = {"model_type": "t5gemma2", "vocab_size": 1, "encoder": {"text_config": config.to_dict()}, "decoder": {}}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    shutil.copy(Path(adapterxfer.world.__file__).parent / "tokenizer" / "tokenizer.json", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>"}))
    described = describe_folder(tmp_path, lambda path: path.name)
    assert (described.architecture, described.hidden, described.layers) == (NAME, 32, 2)
    identity = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa"}
    loaded = load_backbone(identity, tmp_path)
    ids, mask = torch.tensor([[5, 6, 7, 8], [5, 6, 1, 1]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
        assert (encode(loaded.model, ids, mask)[mask.bool()] - expected).abs().max().item() <= 1e-5
    assert described.parameters == loaded.parameters.total
