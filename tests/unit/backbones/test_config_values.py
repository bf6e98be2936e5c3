"""A `config.json` means the same under every version of transformers, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from adapterxfer.backbones.config_values import check_known, config_problems, function_digest, translated, version_of
from adapterxfer.backbones.reading import empty_model, library_class, read_config
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.errors import BackboneError

GOLDEN: dict[str, str] = json.loads(
    (Path(__file__).parents[2] / "golden" / "function_digests.json").read_text(encoding="utf-8")
)
OLD, NEW = (4, 57, 6), (5, 24, 0)
SHAPE = {
    "model_type": "modernbert",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 4,
    "vocab_size": 60,
    "local_attention": 4,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
KINDS = ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]
# mmBERT's bases, as transformers 4 and 5 write them.
BY_4 = {**SHAPE, "global_rope_theta": 160000.0, "local_rope_theta": 160000.0, "global_attn_every_n_layers": 3}
BY_5 = {
    **SHAPE,
    "layer_types": KINDS,
    "rope_parameters": {
        "full_attention": {"rope_theta": 160000.0, "rope_type": "default"},
        "sliding_attention": {"rope_theta": 160000.0, "rope_type": "default"},
    },
}


def states(folder: Path, content: dict[str, Any]) -> tuple[torch.Tensor, str]:
    """Hidden states of an encoder with these values and weights of one seed, and the hash of its values."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(content))
    config = read_config(folder, attention="sdpa")
    model = empty_model(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            parameter.normal_(0.0, 0.3, generator=generator)
        hidden = model(torch.arange(5, 45)[None]).last_hidden_state
    return hidden, function_digest(config, ARCHITECTURES["modernbert"])


def test_rotary_bases_written_by_either_version_are_the_same_function(tmp_path: Path) -> None:
    old, old_digest = states(tmp_path / "old", BY_4)
    new, new_digest = states(tmp_path / "new", BY_5)
    usual, usual_digest = states(tmp_path / "usual", {**BY_4, "local_rope_theta": 10000.0})
    assert torch.equal(old, new)
    assert old_digest == new_digest
    assert not torch.allclose(old, usual, atol=1e-3), "the base moves the function"
    assert old_digest != usual_digest, "and so it is in the hash"


def test_keys_of_transformers_5_become_those_of_4() -> None:
    said = translated(BY_5, where="c", installed=OLD)
    assert said == BY_4
    assert translated(BY_5, where="c", installed=NEW) == BY_5
    scaled = {"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0}
    assert translated({"model_type": "llama", "rope_parameters": scaled}, where="c", installed=OLD) == {
        "model_type": "llama",
        "rope_theta": 5e5,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"layer_types": ["sliding_attention", *KINDS[1:]]},
        {"layer_types": [KINDS[0], KINDS[1], KINDS[0], KINDS[0]]},
        {"rope_parameters": {"full_attention": {"rope_theta": 1e4, "rope_type": "yarn", "factor": 2.0}}},
        {"rope_parameters": {"chunked_attention": {"rope_theta": 1e4}, "full_attention": {}}},
        {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    ],
)
def test_what_transformers_4_cannot_compute_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BackboneError, match=r"c: transformers .* cannot compute its (layer_types|rope_)"):
        translated({**BY_5, **changed}, where="c", installed=OLD)


@pytest.mark.parametrize("installed", [OLD, NEW])
def test_relative_keys_are_refused_under_every_version(installed: tuple[int, ...]) -> None:
    content = {"model_type": "xlm-roberta", "position_embedding_type": "relative_key"}
    with pytest.raises(BackboneError, match="position_embedding_type is 'relative_key'"):
        translated(content, where="c", installed=installed)


def test_unknown_keys_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    newer = {"model_type": "xlm-roberta", "transformers_version": "99.1.0", "attention_sinks": 4}
    with pytest.raises(BackboneError, match=r"written by transformers 99\.1\.0, and .* does not know attention_sinks"):
        check_known(newer, {"hidden_size"}, where="c")
    check_known({**newer, "transformers_version": "4.30.0"}, {"hidden_size"}, where="c")
    del newer["attention_sinks"]
    check_known(newer, {"hidden_size"}, where="c")
    (tmp_path / "config.json").write_text(json.dumps({**SHAPE, "transformers_version": "99.1.0", "hidden_glow": 1}))
    with pytest.raises(BackboneError, match="hidden_glow"):
        read_config(tmp_path, attention="sdpa")


def test_a_check_finds_it_in_the_file(tmp_path: Path) -> None:
    assert config_problems(tmp_path) == []
    (tmp_path / "config.json").write_text('{"model_type": "bert", "position_embedding_type": "relative_key_query"}')
    (problem,) = config_problems(tmp_path)
    assert "relative_key_query" in str(problem)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_the_hash_of_the_values_is_the_same_under_every_version(model_type: str) -> None:
    architecture = ARCHITECTURES[model_type]
    config = library_class(architecture.config)()
    assert function_digest(config, architecture) == GOLDEN[model_type]


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_every_value_moves_the_hash(model_type: str) -> None:
    architecture = ARCHITECTURES[model_type]
    before = function_digest(library_class(architecture.config)(), architecture)
    assert architecture.function
    for name in architecture.function:
        # Not the configuration itself: that of transformers 5 takes values of the right type only.
        config = SimpleNamespace(**{**vars(library_class(architecture.config)()), name: "another"})
        assert function_digest(config, architecture) != before, name


def test_versions_compare() -> None:
    assert version_of("5.24.0.dev0") == (5, 24, 0)
    assert version_of("4.57.6") < version_of("5.0.0rc1")
