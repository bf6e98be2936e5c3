"""Backbones from elsewhere: described without loading, pinned file by file, never by a pickle or code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from adapterxfer.backbones.describing import check_files, describe_folder
from adapterxfer.backbones.measure import count_parameters
from adapterxfer.backbones.reading import library_class
from adapterxfer.backbones.snapshots import hub_snapshot
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.errors import BackboneError

TINY: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
}
MT5 = {"vocab_size": 40, "d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 32}
OTHER_NAMES: dict[str, dict[str, Any]] = {
    "mt5": MT5,
    "umt5": MT5,
    "distilbert": {"vocab_size": 40, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
}
SPECIAL: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 8},
    "gemma3_text": {"num_key_value_heads": 1, "head_dim": 8},
    "t5gemma2_text": {"num_key_value_heads": 1, "head_dim": 8, "dropout_rate": 0.0},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 8},
    "deberta-v2": {"relative_attention": True, "position_buckets": 8, "pos_att_type": "p2c|c2p"},
    "modernbert": {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
    "rembert": {"input_embedding_size": 8, "output_embedding_size": 12},
}
Names = Callable[[Path], str]


def digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def folder_of(place: Path, model_type: str) -> tuple[Path, Any]:
    """A folder as `save_pretrained` leaves it: encoder with the prefix of a model with a head, and that head."""
    architecture = ARCHITECTURES[model_type]
    settings = OTHER_NAMES[model_type] if model_type in OTHER_NAMES else TINY | SPECIAL.get(model_type, {})
    model = library_class(architecture.model)(library_class(architecture.config)(**settings), **architecture.arguments)
    prefix = architecture.prefixes[0] if architecture.prefixes else ""
    state = {prefix + name: tensor.clone() for name, tensor in model.state_dict().items()}
    state[architecture.dropped[0] + "weight"] = torch.zeros(7, 3)
    place.mkdir()
    save_file(state, place / "model.safetensors")
    (place / "config.json").write_text(json.dumps(model.config.to_dict()))
    (place / "tokenizer.json").write_text("{}")
    return place, model


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_counts_without_loading_are_those_of_the_loaded_model(model_type: str, tmp_path: Path) -> None:
    folder, model = folder_of(tmp_path / "b", model_type)
    found = describe_folder(folder, digest)
    counted = count_parameters(model)
    assert (found.parameters, found.non_embedding_parameters) == tuple(counted)
    assert (found.architecture, found.hidden, found.layers) == (model_type, 16, 2)
    assert set(found.files) == {"config.json", "model.safetensors", "tokenizer.json"}


def test_what_is_not_a_backbone_is_refused(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path / "b", "xlm-roberta")
    files = describe_folder(folder, digest).files
    check_files(folder, files, digest)
    (folder / "tokenizer.json").write_text("{ }")
    with pytest.raises(BackboneError, match=r"tokenizer\.json: sha256 .* but the plan pins"):
        check_files(folder, files, digest)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BackboneError, match="not found, but the plan pins"):
        check_files(folder, files, digest)
    with pytest.raises(BackboneError, match="save the fast tokenizer"):
        describe_folder(folder, digest)
    (folder / "model.safetensors").write_bytes(b"\xff" * 20)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(BackboneError, match="cannot be read"):
        describe_folder(folder, digest)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match=r"pytorch_model\.bin is a pickle, which is never read"):
        describe_folder(folder, digest)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "../../evil.safetensors"}}')
    with pytest.raises(BackboneError, match="names no files of this folder"):
        describe_folder(folder, digest)
    (folder / "config.json").write_text('{"model_type": "custom", "auto_map": {"AutoModel": "evil.Model"}}')
    with pytest.raises(BackboneError, match="'custom'"):
        describe_folder(folder, digest)


def test_a_sentencepiece_model_in_place_of_the_fast_tokenizer_is_pinned(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path / "b", "deberta-v2")
    (folder / "tokenizer.json").rename(folder / "spm.model")
    files = describe_folder(folder, digest).files
    assert set(files) == {"config.json", "model.safetensors", "spm.model"}
    assert files["spm.model"] == digest(folder / "spm.model")


def test_a_branch_is_no_revision() -> None:
    with pytest.raises(BackboneError, match="branches move"):
        hub_snapshot("org/name", "main", fetch=False)


def test_what_the_cache_lacks_is_none_without_asking_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub_snapshot("org/name", "0" * 40, fetch=False) is None
