"""Loading backbones: what is read, shared, copied and refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.measure import state_fingerprint
from adapterxfer.errors import BackboneError
from adapterxfer.pretraining.initialisation import Initialisation, build_model

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    forget_backbones()
    write_tokenizer(tmp_path / "tokenizer.json", SPECIALS)
    config = XLMRobertaConfig(
        vocab_size=12,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
        type_vocab_size=1,
    )
    model = build_model(config, Initialisation(std=0.1), seed=1)
    state = {n: t.half().contiguous() for n, t in model.state_dict().items() if not n.startswith("lm_head.decoder")}
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config.to_diff_dict()))
    (tmp_path / "pretraining.json").write_text(json.dumps({"settings": {"initialisation": {"std": 0.1}}}))
    return tmp_path


def write_tokenizer(path: Path, specials: list[str]) -> None:
    words = [*specials, "one", "two", "three"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=specials[-1]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(path))


def identity(**more: Any) -> dict[str, Any]:
    return {"name": "tiny", "kind": "stage", "dtype": "float32", "attention": "sdpa", **more}


def test_reads_the_bare_encoder_of_a_language_model(folder: Path) -> None:
    loaded = load_backbone(identity(), folder)
    reference = XLMRobertaForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([[0, 5, 6, 2]])
    with torch.no_grad():
        expected = reference.roberta(input_ids=ids).last_hidden_state
        assert torch.equal(loaded.model(input_ids=ids).last_hidden_state, expected)
    assert loaded.model.pooler is None
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert (loaded.hidden_size, loaded.layers, loaded.max_length) == (16, 2, 18)
    tables = (12 + 20 + 1) * 16
    per_layer = 4 * (16 * 16 + 16) + 2 * 32 * 16 + 32 + 16 + 4 * 16
    assert loaded.parameters == (tables + 2 * 16 + 2 * per_layer, 2 * 16 + 2 * per_layer)


def test_tokenizer_has_special_tokens_and_offsets(folder: Path) -> None:
    tokenizer = load_backbone(identity(), folder).tokenizer
    assert (tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.sep_token_id) == (0, 1, 2)
    encoded = tokenizer("one three", return_offsets_mapping=True)
    assert encoded["offset_mapping"] == [(0, 3), (4, 9)]
    assert tokenizer.model_max_length == 18


def test_shared_weights_are_loaded_once_and_guarded(folder: Path) -> None:
    first = load_backbone(identity(), folder)
    own = load_backbone(identity(), folder, own_weights=True)
    with torch.no_grad():
        own.model.embeddings.word_embeddings.weight.add_(1.0)
    again = load_backbone(identity(), folder)
    assert again.model is first.model
    assert state_fingerprint(again.model.state_dict()) == again.fingerprint == own.fingerprint
    with torch.no_grad():
        again.model.embeddings.word_embeddings.weight[5, 0] += 1e-6
    with pytest.raises(BackboneError, match="shared weights were changed"):
        load_backbone(identity(), folder)
    assert load_backbone(identity(), folder).fingerprint == own.fingerprint


def test_shared_weights_begin_on_the_cpu_wherever_a_stage_left_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of words are read anew for every stage: on a GPU they met the other weights of the stage before."""
    load_backbone(identity(), folder)
    moved: list[str] = []

    def record(module: torch.nn.Module, device: str) -> torch.nn.Module:
        moved.append(device)
        return module

    monkeypatch.setattr(torch.nn.Module, "to", record)
    load_backbone(identity(), folder)
    assert moved == ["cpu"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_stage_on_a_gpu_leaves_nothing_there_for_the_next(folder: Path) -> None:
    load_backbone(identity(), folder).model.to("cuda")
    assert {weight.device.type for weight in load_backbone(identity(), folder).model.parameters()} == {"cpu"}


def test_untrained_twin_follows_the_rule_of_pretraining(folder: Path) -> None:
    twin = load_backbone(identity(kind="untrained", of="tiny", seed=1), folder)
    start = build_model(twin.config, Initialisation(std=0.1), seed=1).roberta.state_dict()
    found = twin.model.state_dict()
    assert all(torch.equal(start[name], tensor) for name, tensor in found.items())
    other = load_backbone(identity(kind="untrained", of="tiny", seed=2), folder)
    assert other.fingerprint != twin.fingerprint
    assert other.parameters == twin.parameters == load_backbone(identity(), folder).parameters


def test_pinned_files(folder: Path) -> None:
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert load_backbone(identity(kind="embedded", fingerprint=weights), folder).layers == 2
    with pytest.raises(BackboneError, match="but the plan pins 0000"):
        load_backbone(identity(kind="embedded", fingerprint="0" * 64), folder)
    with pytest.raises(BackboneError, match=r"config\.json: sha256"):
        load_backbone(identity(kind="untrained", of="tiny", seed=1, fingerprint=weights), folder)


def _break_weights(folder: Path, **changes: Any) -> None:
    state = load_file(folder / "model.safetensors")
    for name, value in changes.items():
        if value is None:
            del state["roberta." + name.replace("__", ".")]
        else:
            state["roberta." + name.replace("__", ".")] = value
    save_file(state, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: _break_weights(f, encoder__layer__0__output__dense__bias=None), "missing encoder.layer.0.output"),
        (lambda f: _break_weights(f, encoder__layer__9__x=torch.zeros(1)), "unknown encoder.layer.9.x"),
        (lambda f: _break_weights(f, embeddings__LayerNorm__bias=torch.zeros(3)), r"LayerNorm.bias \(3,\) for \(16,\)"),
        (lambda f: (f / "model.safetensors").write_bytes(b"none"), "cannot be read"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: not found"),
        (lambda f: (f / "config.json").unlink(), "config.json: not found"),
        (lambda f: (f / "config.json").write_text("["), "not valid JSON"),
        (lambda f: (f / "config.json").write_text('{"model_type": "albert"}'), "model_type 'albert'"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer.json and no sentencepiece.bpe.model"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "not a tokenizer"),
        (lambda f: write_tokenizer(f / "tokenizer.json", SPECIALS[:-1]), "lacks <mask>"),
        (lambda f: write_tokenizer(f / "tokenizer.json", [*SPECIALS, *map(str, range(9))]), "17 tokens, but"),
    ],
)
def test_damaged_folders_are_refused(folder: Path, damage: Any, message: str) -> None:
    damage(folder)
    with pytest.raises(BackboneError, match=message) as caught:
        load_backbone(identity(), folder)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "ftp"}, "kind 'ftp' cannot be loaded"),
        ({"kind": "hub", "repo": "org/name", "revision": "main"}, "branches move"),
        ({"kind": "stage"}, "no folder given"),
        ({"kind": "embedded", "name": "no-such"}, "not found"),
    ],
)
def test_unknown_places_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        load_backbone(identity(**change))


def test_unknown_number_formats_are_refused(folder: Path) -> None:
    with pytest.raises(BackboneError, match="dtype 'int8'"):
        load_backbone(identity(dtype="int8"), folder)
    with pytest.raises(BackboneError, match="attention 'flash'"):
        load_backbone(identity(attention="flash"), folder)


def test_eager_attention_is_the_same_function(folder: Path) -> None:
    from adapterxfer.variants.encoder import encode

    ids, mask = torch.tensor([[0, 5, 6, 2], [0, 7, 2, 1]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.no_grad():
        eager, fast = (encode(load_backbone(identity(attention=a), folder).model, ids, mask) for a in ("eager", "sdpa"))
    assert (eager - fast)[mask.bool()].abs().max().item() < 2e-6
