"""Backbones with linear maps in 8 or 4 bits: the library's own numbers, unchanged weights, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.lookup import RowsOfWords, with_lookup
from adapterxfer.backbones.measure import state_fingerprint, stored_bytes
from adapterxfer.backbones.quantized import LIBRARIES, quantize
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.errors import BackboneError, MissingDependency
from adapterxfer.recipe.model_options import BackboneSource
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.hooked import hooked_copy

HEADS = {
    "llama": ("LlamaForSequenceClassification", "LlamaForTokenClassification"),
    "qwen3": ("Qwen3ForSequenceClassification", "Qwen3ForTokenClassification"),
    "gemma3_text": ("Gemma3TextForSequenceClassification",),
    "xlm-roberta": ("XLMRobertaForTokenClassification",),
}
SHAPE: dict[str, Any] = {
    "vocab_size": 30,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
    "initializer_range": 0.1,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "num_labels": 3,
}
GROUPED = {"num_key_value_heads": 2, "head_dim": 16}
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "one", "two", "three"]
IDS = torch.tensor([[0, 4, 5, 6], [0, 6, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
CASES = [(model_type, name) for model_type, names in HEADS.items() for name in names]


@pytest.fixture(params=LIBRARIES)
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    pytest.importorskip(LIBRARIES[value], reason="extra 'quantized' is not installed")
    torch.set_num_threads(1)
    forget_backbones()
    return value


def write(folder: Path, model_type: str, name: str) -> Path:
    """A checkpoint with a head, as published."""
    torch.manual_seed(3)
    shape = SHAPE | (GROUPED if model_type != "xlm-roberta" else {"type_vocab_size": 1})
    config = library_class(ARCHITECTURES[model_type].config)(**shape)
    library_class(name)(config).eval().save_pretrained(folder)
    tokens = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokens.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>"}'
    )
    return folder


def loaded_from(folder: Path, kind: str, **more: Any) -> LoadedBackbone:
    identity = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa", **more}
    return load_backbone(identity | ({"quantize": kind} if kind else {}), folder)


def reference(folder: Path, name: str, kind: str, dtype: torch.dtype) -> Any:
    """The same checkpoint as `transformers` quantizes it while it loads, its head left whole."""
    import transformers

    if kind == "nf4":
        settings: Any = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=["score", "classifier"],
        )
    else:
        from torchao.quantization import Int8WeightOnlyConfig

        settings = transformers.TorchAoConfig(Int8WeightOnlyConfig(), modules_to_not_convert=["score", "classifier"])
    model = library_class(name).from_pretrained(folder, quantization_config=settings, dtype=dtype).eval()
    for (
        module
    ) in model.modules():  # see `quantized._nf4`: on some processors it rewrites weights and computes otherwise
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def states(model: Any) -> Tensor:
    with torch.no_grad():
        return encode(model, IDS, MASK)


@pytest.mark.filterwarnings("ignore")  # of the libraries' own loading
@pytest.mark.parametrize(("model_type", "name"), CASES)
def test_logits_are_those_of_the_library(model_type: str, name: str, kind: str, tmp_path: Path) -> None:
    """Sequence and token classification of `transformers`, quantized by itself; the plain model is farther off."""
    write(tmp_path, model_type, name)
    model = reference(tmp_path, name, kind, torch.float32)
    head = getattr(model, "score", None) or model.classifier
    hidden, full = (states(loaded_from(tmp_path, some).model) for some in (kind, ""))
    with torch.no_grad():
        logits = model(input_ids=IDS, attention_mask=MASK).logits
        ours, plain = head(hidden), head(full)
    if "Sequence" in name:
        ours, plain = (torch.stack([each[0, 3], each[1, 1]]) for each in (ours, plain))
    else:
        logits, ours, plain = (each[MASK.bool()] for each in (logits, ours, plain))
    assert (ours - logits).abs().max().item() <= 1e-5
    assert (plain - logits).abs().max().item() > 1e-4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("model_type", ["xlm-roberta", "llama"])
def test_what_is_quantized(model_type: str, dtype: str, kind: str, tmp_path: Path) -> None:
    write(tmp_path, model_type, HEADS[model_type][0])
    few, full = (loaded_from(tmp_path, some, dtype=dtype) for some in (kind, ""))
    layers = few.model.get_submodule(few.architecture.layers)
    inside = {id(p) for p in layers.parameters()}
    for name, parameter in few.model.named_parameters():
        assert not parameter.requires_grad
        if id(parameter) not in inside or "norm" in name.lower():
            assert type(parameter) is torch.nn.Parameter, name
            assert parameter.dtype == getattr(torch, dtype), name
    weights = [map_.weight for maps in few.linears for map_ in maps.values()]
    assert all(type(weight) is not torch.nn.Parameter for weight in weights)
    held = [stored_bytes(layer.state_dict()) for layer in (layers, full.model.get_submodule(full.architecture.layers))]
    assert held[0] < held[1] * {"float32": 0.4, "bfloat16": 0.75}[dtype]
    assert few.parameters == full.parameters
    assert few.fingerprint != full.fingerprint
    assert states(few.model).dtype == torch.float32


@pytest.mark.parametrize("model_type", ["xlm-roberta", "llama"])
def test_nothing_changes_the_weights(model_type: str, kind: str, tmp_path: Path) -> None:
    """Not even an answer without gradients, at which bitsandbytes repacks them on some processors."""
    write(tmp_path, model_type, HEADS[model_type][0])
    loaded = loaded_from(tmp_path, kind)
    first = states(loaded.model)
    assert torch.equal(states(loaded.model), first)
    assert state_fingerprint(loaded.model.state_dict()) == loaded.fingerprint
    assert loaded_from(tmp_path, kind) is loaded
    forget_backbones()
    again = loaded_from(tmp_path, kind)
    assert again.fingerprint == loaded.fingerprint
    assert torch.equal(states(again.model), first)


def test_a_changed_scale_is_seen(kind: str, tmp_path: Path) -> None:
    write(tmp_path, "xlm-roberta", HEADS["xlm-roberta"][0])
    loaded = loaded_from(tmp_path, kind)
    weight: Any = loaded.linears[1]["value"].weight
    scale = weight.quant_state.absmax if kind == "nf4" else weight.scale
    scale.view(-1)[0] *= 1.01
    assert state_fingerprint(loaded.model.state_dict()) != loaded.fingerprint
    with pytest.raises(BackboneError, match="shared weights were changed"):
        loaded_from(tmp_path, kind)


@pytest.mark.parametrize("model_type", ["xlm-roberta", "llama"])
def test_copies_share_the_packed_weights(model_type: str, kind: str, tmp_path: Path) -> None:
    write(tmp_path, model_type, HEADS[model_type][0])
    loaded = loaded_from(tmp_path, kind)
    table: Any = loaded.model.get_input_embeddings()
    rows = RowsOfWords(table.weight[:7], torch.from_numpy(np.arange(7)), vocabulary=30, padding_id=1)
    copies = [with_lookup(loaded.model, rows)]
    if not loaded.architecture.own_encoder:
        copies.append(hooked_copy(loaded.model, loaded.architecture))
    path = f"{loaded.architecture.layers}.1.{loaded.architecture.linears['value']}"
    original: Any = loaded.model.get_submodule(path)
    for copied in copies:
        module: Any = copied.get_submodule(path)
        assert module is not original
        assert module.weight is original.weight
        assert getattr(module, "quant_state", None) is getattr(original, "quant_state", None)
        assert torch.equal(states(copied), states(loaded.model))


def test_a_text_hangs_on_no_other_text(kind: str, tmp_path: Path) -> None:
    """LLM.int8() would not pass: large states of one text change how the numbers of all are read."""
    write(tmp_path, "llama", HEADS["llama"][0])
    model = loaded_from(tmp_path, kind).model
    with torch.no_grad():
        model.get_input_embeddings().weight[6] *= 40.0
        alone = encode(model, IDS[:1, :3], MASK[:1, :3])
        beside = encode(model, IDS, MASK)
    assert (beside[:1, :3] - alone).abs().max().item() <= 1e-5


def test_what_cannot_be_loaded(kind: str, tmp_path: Path) -> None:
    write(tmp_path, "xlm-roberta", HEADS["xlm-roberta"][0])
    identity = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa", "quantize": kind}
    with pytest.raises(BackboneError, match=f"weights in {kind} cannot be trained") as refused:
        load_backbone(identity, tmp_path, own_weights=True)
    assert "leave quantize out" in refused.value.fix
    with pytest.raises(BackboneError, match="expected one of int8, nf4"):
        load_backbone(identity | {"quantize": "int3"}, tmp_path)


@pytest.mark.parametrize("value", LIBRARIES)
def test_without_its_library(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (LIBRARIES[value], f"{LIBRARIES[value]}.quantization", f"{LIBRARIES[value]}.nn"):
        monkeypatch.setitem(sys.modules, name, None)
    model = torch.nn.ModuleDict(
        {"encoder": torch.nn.ModuleDict({"layer": torch.nn.ModuleList([torch.nn.Linear(2, 2)])})}
    )
    model.get_input_embeddings = lambda: torch.nn.Embedding(1, 1)
    with pytest.raises(MissingDependency, match=f"quantize: {value} needs the extra 'quantized'"):
        quantize(model, value, ARCHITECTURES["xlm-roberta"])


def test_no_code_comes_from_the_hub() -> None:
    """What bitsandbytes would fetch it with is not there while it is imported."""
    from adapterxfer.backbones.quantized import HUB_KERNELS, _without

    with _without("json.tool"), pytest.raises(ImportError):
        import json.tool
    assert HUB_KERNELS not in sys.modules
    import json.tool  # noqa: F401


def test_recipes_know_the_same_kinds() -> None:
    annotation = BackboneSource.model_fields["quantize"].annotation
    (kinds,) = (argument for argument in get_args(annotation) if argument is not type(None))
    assert get_args(kinds) == tuple(LIBRARIES)
