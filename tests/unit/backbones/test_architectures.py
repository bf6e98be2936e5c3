"""Folders of every architecture: read, counted, and the same numbers as the library's own loading gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from adapterxfer.backbones import rows
from adapterxfer.backbones.loaded import with_own_weights, with_words
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.measure import state_fingerprint
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.errors import BackboneError
from adapterxfer.variants.encoder import encode

# Gemma 3's bare text model does not read a headed checkpoint by itself: tests/unit/backbones/test_decoders.py.
HEADED = {
    "xlm-roberta": "XLMRobertaForMaskedLM",
    "xlm-roberta-xl": "XLMRobertaXLForMaskedLM",
    "deberta-v2": "DebertaV2ForMaskedLM",
    "modernbert": "ModernBertForMaskedLM",
    "rembert": "RemBertForMaskedLM",
    "mt5": "MT5ForConditionalGeneration",
    "bert": "BertForMaskedLM",
    "distilbert": "DistilBertForMaskedLM",
    "roberta": "RobertaForMaskedLM",
    "electra": "ElectraForPreTraining",
    "umt5": "UMT5ForConditionalGeneration",
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}
SHAPE: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
}
T5 = {"vocab_size": 20, "d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 6, "d_ff": 32, "pad_token_id": 0}
SHAPES: dict[str, dict[str, Any]] = dict.fromkeys(HEADED, SHAPE) | {
    "deberta-v2": SHAPE | {"relative_attention": True, "pos_att_type": "p2c|c2p"},
    "modernbert": SHAPE
    | {"reference_compile": False, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2},
    "rembert": SHAPE | {"input_embedding_size": 8, "output_embedding_size": 12},
    "mt5": T5,
    "umt5": T5,
    "electra": SHAPE | {"embedding_size": 8},
    "llama": SHAPE | {"num_key_value_heads": 1},
    "qwen3": SHAPE | {"num_key_value_heads": 1, "head_dim": 12},
    "distilbert": {
        "vocab_size": 20, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 24,
        "pad_token_id": 0,
    },
}  # fmt: skip
LENGTHS = {"xlm-roberta": 23, "xlm-roberta-xl": 23, "roberta": 23, "mt5": 1024, "umt5": 1024}


@pytest.fixture
def folder_of(tmp_path: Path) -> Any:
    def make(model_type: str) -> Path:
        forget_backbones()
        torch.manual_seed(1)
        config = library_class(ARCHITECTURES[model_type].config)(**SHAPES[model_type])
        config._attn_implementation = "eager"
        model = library_class(HEADED[model_type])(config).eval()
        model.save_pretrained(tmp_path)
        words = ["<pad>", "<cls>", "<sep>", "<unk>", "<mask>", "one", "two"]
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        named = {"pad_token": "<pad>", "cls_token": {"content": "<cls>"}, "sep_token": "<sep>", "unk_token": "<unk>"}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(named | {"tokenizer_class": "Unknown"}))
        return tmp_path

    return make


def identity(**more: Any) -> dict[str, Any]:
    return {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa", **more}


@pytest.mark.parametrize("model_type", HEADED)
def test_reads_the_encoder_of_a_headed_checkpoint(model_type: str, folder_of: Any) -> None:
    folder = folder_of(model_type)
    loaded = load_backbone(identity(), folder)
    architecture = ARCHITECTURES[model_type]
    options = dict(architecture.arguments)
    reference = library_class(architecture.model).from_pretrained(
        folder, attn_implementation=architecture.attention[0], **options
    )
    ids, mask = torch.tensor([[1, 5, 6, 2], [1, 5, 2, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.no_grad():
        expected = reference.eval()(input_ids=ids, attention_mask=mask).last_hidden_state
        found = loaded.model(input_ids=ids, attention_mask=mask).last_hidden_state
        ours = encode(loaded.model, ids, mask)
    assert torch.equal(found[mask.bool()], expected[mask.bool()])
    assert (ours[mask.bool()] - expected[mask.bool()]).abs().max().item() <= 1e-6
    total = sum(p.numel() for p in reference.parameters())
    assert loaded.parameters.total == total
    assert 0 < loaded.parameters.non_embedding < total
    assert (loaded.hidden_size, loaded.layers, loaded.max_length) == (16, 2, LENGTHS.get(model_type, 24))
    assert all(set(linears) == set(architecture.linears) for linears in loaded.linears)
    assert loaded.tokenizer.cls_token_id == 1
    assert loaded.tokenizer.pad_token_id == 0
    assert loaded.start_deviation > 0


@pytest.mark.parametrize("model_type", HEADED)
def test_rows_of_words_compute_what_the_whole_matrix_does(
    model_type: str, folder_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(model_type)
    whole = load_backbone(identity(), folder)
    monkeypatch.setattr(rows, "LARGE", 0)
    forget_backbones()
    without = load_backbone(identity(), folder, words=False)
    assert (without.fingerprint, without.parameters) == (whole.fingerprint, whole.parameters)
    assert without.model.get_input_embeddings().weight.shape[0] == 0
    some = with_words(without, np.array([1, 2, 5, 6]))
    assert some.ids is not None
    assert some.ids.tolist() == [0, 1, 2, 5, 6], "padding is always there"
    ids, mask = torch.tensor([[1, 5, 6, 2], [1, 5, 2, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.no_grad():
        expected = whole.model(input_ids=ids, attention_mask=mask).last_hidden_state
        found = some.model(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.equal(found, expected)
    assert set(some.model.state_dict()) == set(whole.model.state_dict())
    again = load_backbone(identity(), folder)
    assert state_fingerprint(again.model.state_dict()) == whole.fingerprint
    gradients = []
    for loaded in (with_own_weights(some), with_own_weights(again)):
        loaded.model.requires_grad_(True)(
            input_ids=ids, attention_mask=mask
        ).last_hidden_state.square().sum().backward()
        gradients.append(loaded.model.get_input_embeddings().weight.grad)
    assert torch.equal(gradients[0], gradients[1][some.ids]), "that of the padding is zero in both, or in neither"


def test_a_file_that_changed_in_between_is_refused(folder_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of("xlm-roberta")
    monkeypatch.setattr(rows, "LARGE", 0)
    without = load_backbone(identity(), folder, words=False)
    state = load_file(folder / "model.safetensors")
    save_file(state | {"roberta.more": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(BackboneError, match="changed while it was in use"):
        with_words(without, np.array([1, 2]))


@pytest.mark.parametrize("wrong", ["shape", "missing"])
def test_a_wrong_word_matrix_is_refused(folder_of: Any, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    folder = folder_of("xlm-roberta")
    monkeypatch.setattr(rows, "LARGE", 0)
    name = "roberta.embeddings.word_embeddings.weight"
    state = load_file(folder / "model.safetensors")
    matrix = state.pop(name)
    save_file(state | ({name: matrix[:-1].clone()} if wrong == "shape" else {}), folder / "model.safetensors")
    with pytest.raises(BackboneError, match=rf"do not fit the configuration: {wrong} embeddings\.word_embeddings"):
        load_backbone(identity(), folder)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("model_type", HEADED)
def test_low_formats_are_those_of_the_library(model_type: str, dtype: str, folder_of: Any) -> None:
    """Eight roundings of the format at most: attention may be computed in another order."""
    architecture = ARCHITECTURES[model_type]
    if dtype == "float16" and architecture.no_float16:
        return
    folder = folder_of(model_type)
    loaded = load_backbone(identity(dtype=dtype), folder)
    format_ = getattr(torch, dtype)
    reference = library_class(architecture.model).from_pretrained(
        folder, attn_implementation=architecture.attention[0], dtype=format_, **architecture.arguments
    )
    ids, mask = torch.tensor([[1, 5, 6, 2], [1, 5, 2, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.no_grad():
        expected = reference.eval()(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()].float()
        states = encode(loaded.model, ids, mask)[mask.bool()]
    assert states.dtype == torch.float32
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {format_}
    buffers = dict(reference.named_buffers())
    assert all(buffer.dtype == buffers[name].dtype for name, buffer in loaded.model.named_buffers())
    assert (states - expected).abs().max() <= 8 * torch.finfo(format_).eps * expected.abs().max()


def test_norms_by_their_first_names(folder_of: Any) -> None:
    """Multilingual BERT was published with ``gamma`` and ``beta``."""
    folder = folder_of("bert")
    before = load_backbone(identity(), folder).fingerprint
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    state = load_file(folder / "model.safetensors")
    renamed = {}
    for name, tensor in state.items():
        for new, old in names.items():
            name = name.removesuffix(new) + old if name.endswith(new) else name
        renamed[name] = tensor
    assert renamed.keys() != state.keys()
    save_file(renamed, folder / "model.safetensors")
    forget_backbones()
    assert load_backbone(identity(), folder).fingerprint == before


@pytest.mark.parametrize(("model_type", "token"), [("bert", "[MASK]"), ("electra", "[MASK]"), ("roberta", "<mask>")])
def test_special_tokens_that_no_file_names(model_type: str, token: str, folder_of: Any) -> None:
    """The published ``tokenizer_config.json`` of multilingual BERT says ``do_lower_case`` and nothing else."""
    folder = folder_of(model_type)
    architecture = ARCHITECTURES[model_type]
    text = (folder / "tokenizer.json").read_text()
    usual = architecture.usual_tokens
    for role, ours in (("pad", "<pad>"), ("cls", "<cls>"), ("sep", "<sep>"), ("unk", "<unk>"), ("mask", "<mask>")):
        text = text.replace(f'"{ours}"', json.dumps(usual[f"{role}_token"]))
    (folder / "tokenizer.json").write_text(text)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    tokenizer = load_backbone(identity(), folder).tokenizer
    assert (tokenizer.pad_token_id, tokenizer.mask_token) == (0, token)


def test_padding_of_the_tokenizer_where_positions_do_not_need_it(folder_of: Any) -> None:
    """Multilingual E5 and MiniLM kept BERT's padding id 0 beside XLM-R's tokenizer, where 0 is ``<s>``."""
    folder = folder_of("bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": 1}))
    loaded = load_backbone(identity(), folder)
    assert loaded.config.pad_token_id == 0
    assert loaded.model.get_input_embeddings().padding_idx == 0


def test_weights_in_parts(folder_of: Any) -> None:
    folder = folder_of("xlm-roberta")
    whole = load_backbone(identity(), folder).fingerprint
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, chosen in parts.items():
        save_file({name: state[name].clone() for name in chosen}, folder / file)
    index = {"weight_map": {name: file for file, chosen in parts.items() for name in chosen}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    forget_backbones()
    assert load_backbone(identity(), folder).fingerprint == whole
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "../outside.safetensors"}}))
    forget_backbones()
    with pytest.raises(BackboneError, match="outside its folder"):
        load_backbone(identity(), folder)


def test_code_beside_the_weights_is_never_run(folder_of: Any) -> None:
    folder = folder_of("modernbert")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling.Model", "AutoConfig": "modeling.Config"}
    config |= dict.fromkeys(("_attn_implementation", "_attn_implementation_internal"), "somebody/kernel")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling.py").write_text("raise SystemExit('run')\n")
    loaded = load_backbone(identity(), folder)
    assert type(loaded.model).__module__.startswith("transformers.")
    assert loaded.config._attn_implementation == "sdpa"
    assert "somebody/kernel" not in vars(loaded.config).values()


def test_another_padding_id_is_refused(folder_of: Any) -> None:
    """Positions of XLM-R skip the padding id: with another one every position would be wrong, without an error."""
    folder = folder_of("xlm-roberta")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": 1}))
    with pytest.raises(BackboneError, match="padding has id 0"):
        load_backbone(identity(), folder)


def test_no_special_tokens_named(folder_of: Any) -> None:
    folder = folder_of("rembert")
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(BackboneError, match="no padding token"):
        load_backbone(identity(), folder)
