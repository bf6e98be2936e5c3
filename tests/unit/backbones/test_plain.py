"""Modules without the library's code have its names, shapes and results."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from adapterxfer.backbones.library_model import as_library
from adapterxfer.backbones.plain import PlainEncoder
from adapterxfer.backbones.reading import empty_model, library_class
from adapterxfer.catalog.architectures import ARCHITECTURES, architecture_of
from adapterxfer.variants.encoder import encode

OWN = [name for name, architecture in ARCHITECTURES.items() if architecture.own_encoder]
SMALL = {
    "vocab_size": 30, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40,
    "max_position_embeddings": 20, "pad_token_id": 1,
}  # fmt: skip


def config_of(name: str, **more: Any) -> Any:
    architecture = ARCHITECTURES[name]
    config = library_class(architecture.config)(**SMALL, **more)
    config._attn_implementation = architecture.attention_for("sdpa")
    return config


def test_there_are_encoders_to_compare() -> None:
    assert {"xlm-roberta", "roberta", "bert", "electra"} <= set(OWN)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_it_is_the_librarys_model(name: str, activation: str) -> None:
    narrow = {"embedding_size": 16} if name == "electra" else {}
    config = config_of(name, hidden_act=activation, layer_norm_eps=1e-3, **narrow)
    library: Any = empty_model(config)
    plain: Any = PlainEncoder(config, architecture_of(name), words=30)
    expected = library.state_dict()
    assert {n: t.shape for n, t in plain.state_dict().items()} == {n: t.shape for n, t in expected.items()}
    assert {n for n, _ in plain.named_parameters()} == {n for n, _ in library.named_parameters()}
    plain.load_state_dict(expected)
    plain.eval()
    assert plain.get_input_embeddings() is plain.embeddings.word_embeddings
    for table in ("word_embeddings", "position_embeddings"):
        assert getattr(plain.embeddings, table).padding_idx == getattr(library.embeddings, table).padding_idx
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 1, 1]])
    mask = ids.ne(1).long()
    with torch.no_grad():
        assert torch.equal(encode(plain, ids, mask), encode(library, ids, mask))


@pytest.mark.parametrize("name", OWN)
def test_another_library_gets_a_model_of_the_same_tensors(name: str) -> None:
    config = config_of(name)
    plain: Any = PlainEncoder(config, architecture_of(name), words=7).requires_grad_(False)
    model = as_library(plain)
    assert as_library(model) is model
    assert type(model).__name__ == ARCHITECTURES[name].model
    assert model.get_input_embeddings() is plain.get_input_embeddings()
    expected = dict(plain.named_parameters())
    for parameter_name, parameter in model.named_parameters():
        assert parameter.data_ptr() == expected.pop(parameter_name).data_ptr()
        assert not parameter.requires_grad
    assert not expected


def test_the_word_matrix_may_be_a_stump() -> None:
    config = config_of("bert")
    assert PlainEncoder(config, architecture_of("bert"), words=2).get_input_embeddings().weight.shape == (2, 24)
