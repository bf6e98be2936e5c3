"""Stack, fusion, parallel and invertible adapters of the `adapters` library, on encoders that both know: the same
function, the same gradients, and the same again after both sides have stored and loaded their weights.
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.formats.base import Batch, Initial
from adapterxfer.formats.masked_lm import LanguageModelHead
from adapterxfer.training.building import tied
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.library import adapter_to_library, fusion_to_library
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import load_model, write_description, write_weights

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    adapters = pytest.importorskip("adapters")
    from adapters.composition import Fuse, Parallel, Stack

HIDDEN, LAYERS, SIZE, VOCABULARY = 32, 2, 8, 60
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.15,
    "pad_token_id": 1,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "xlm-roberta": SHAPE,
    # mDeBERTa's own settings, in small.
    "deberta-v2": SHAPE
    | {
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "roberta": SHAPE,
    "bert": SHAPE,
    "electra": SHAPE | {"embedding_size": HIDDEN},  # the library maps embeddings before they are widened
    "distilbert": {
        "vocab_size": VOCABULARY,
        "dim": HIDDEN,
        "n_layers": LAYERS,
        "n_heads": 2,
        "hidden_dim": 64,
        "max_position_embeddings": 40,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "initializer_range": 0.15,
        "pad_token_id": 1,
    },
}
CONFIGS |= {
    "llama": SHAPE | {"num_key_value_heads": 1},
    "mt5": {
        "vocab_size": VOCABULARY,
        "d_model": HIDDEN,
        "num_layers": LAYERS,
        "num_heads": 2,
        "d_kv": 16,
        "d_ff": 64,
        "dropout_rate": 0.0,
        "pad_token_id": 1,
    },
}
BLOCKS = {
    "distilbert": "transformer.layer.{}.output_adapters",
    "llama": "layers.{}.output_adapters",
    "mt5": "encoder.block.{}.layer.1",
}
"""Where the library keeps the bottlenecks of a layer, where that is not BERT's block."""
CASES = [("adapter", ""), ("stack", ""), ("fuse", ""), ("adapter", "seq_bn_inv"), ("stack", "seq_bn_inv")]
EVERY = [(model_type, *case) for model_type in CONFIGS for case in CASES if model_type != "mt5" or not case[1]]
"""Languages' adapters are left out of mT5, which cannot be trained to fill masks."""

EXCHANGED = [model_type for model_type in CONFIGS if ARCHITECTURES[model_type].in_adapters]
"""Where files of the library are read and written."""

NAMES = {"stack": ["nli", "task"], "fuse": ["nli", "qa", "task"], "adapter": ["task"], "language": ["task"]}


def backbone(model_type: str) -> LoadedBackbone:
    architecture = ARCHITECTURES[model_type]
    config = library_class(architecture.config)(**CONFIGS[model_type])
    config._attn_implementation = architecture.attention[0]
    torch.manual_seed(3)
    model = library_class(architecture.model)(config, **architecture.arguments).eval().requires_grad_(False)
    fingerprint = state_fingerprint(model.state_dict())
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "random"},
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


def shaken(module: nn.Module, generator: torch.Generator) -> nn.Module:
    """Far from the start values, where every term matters."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.15)
    return module


def own_model(model_type: str, variant: str, language: str = "") -> TransferModel:
    loaded, generator = backbone(model_type), torch.Generator().manual_seed(7)
    names = NAMES[variant]
    parts = (
        [AdapterPart(id="l00", role="language", name="en", method=language, bottleneck_size=SIZE)]
        if language and variant != "language"
        else []
    )
    method = language if variant == "language" else "seq_bn"
    for index, name in enumerate(names[:-1]):
        parts.append(
            AdapterPart(id=f"i{index:02d}", role="intermediate", name=name, method=method, bottleneck_size=SIZE)
        )
    parts.append(AdapterPart(id="t00", role="target", name=names[-1], method=method, bottleneck_size=SIZE))
    built = {p.id: Adapter(LAYERS, HIDDEN, AdapterShape(p.method, SIZE), generator=generator) for p in parts}
    fusion = Fusion(LAYERS, HIDDEN, dropout=0.0, generator=generator) if variant == "fuse" else None
    heads = () if variant == "language" else (HeadPart("h00", "task", "sequence_classification", ("a", "b")),)
    model = TransferModel(
        loaded,
        Composition(variant, tuple(parts), heads, "nli" if len(names) > 1 else ""),  # type: ignore[arg-type]
        adapters=built,
        fusion=fusion,
        heads={"h00": nn.Linear(HIDDEN, 2)} if heads else {},
    )
    for module in (*built.values(), *([fusion] if fusion else [])):
        shaken(module, generator)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("adapters.", "fusion.")))
    return model.eval()


def coupling_pairs(own: Any, library: Any, name: str) -> dict[str, Tensor]:
    """The library's names of an invertible map, with our tensors."""
    prefix = f"invertible_adapters.{name}"
    return {
        f"{prefix}.{theirs}.{place}.{kind}": getattr(getattr(half, ours), kind)
        for theirs, half in (("F", own[0].first), ("G", own[0].second))
        for place, ours in ((0, "down"), (2, "up"))
        for kind in ("weight", "bias")
    }


def block_of(model_type: str, index: int) -> str:
    return BLOCKS.get(model_type, "encoder.layer.{}.output").format(index)


def bottleneck_pairs(own: Any, name: str, model_type: str) -> dict[str, Tensor]:
    """The library's names of the bottlenecks of any adapter that has them, with our tensors."""
    names = {"down": "adapter_down.0", "up": "adapter_up"}
    return {
        f"{block_of(model_type, index)}.adapters.{name}.{theirs}.{kind}": getattr(getattr(layer, ours), kind)
        for index, layer in enumerate(own)
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
    }


def all_pairs(own: TransferModel, library: Any) -> dict[str, Tensor]:
    pairs: dict[str, Tensor] = {}
    for part in own.composition.adapters:
        adapter: Any = own.adapters[part.id]
        pairs |= bottleneck_pairs(adapter, part.name, own.loaded.config.model_type)
        if part.method == "seq_bn_inv":
            pairs |= coupling_pairs(adapter, library, part.name)
    if own.fusion is not None:
        joined = ",".join(p.name for p in own.composition.adapters)
        for index, layer in enumerate(own.fusion):
            prefix = f"{block_of(own.loaded.config.model_type, index)}.adapter_fusion_layer.{joined}"
            pairs |= {f"{prefix}.{name}": parameter for name, parameter in layer.named_parameters()}
    return pairs


def fresh_library_model(own: TransferModel) -> Any:
    architecture = own.loaded.architecture
    model: Any = library_class(architecture.model)(own.loaded.config, **architecture.arguments)
    model.load_state_dict(own.loaded.model.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapters.init(model)
    return model


def activate(model: Any, own: TransferModel) -> Any:
    names = [part.name for part in own.composition.adapters]
    model.set_active_adapters(Fuse(*names) if own.fusion is not None else Stack(*names) if len(names) > 1 else names[0])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".adapters." in name or "fusion" in name or "invertible" in name)
    return model.eval()


def library_model(own: TransferModel) -> Any:
    model = fresh_library_model(own)
    for part in own.composition.adapters:
        kind = adapters.SeqBnInvConfig if part.method == "seq_bn_inv" else adapters.SeqBnConfig
        model.add_adapter(part.name, config=kind(reduction_factor=HIDDEN / SIZE))
    if own.fusion is not None:
        model.add_adapter_fusion([part.name for part in own.composition.adapters])
    state = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in all_pairs(own, model).items():
            state[name].copy_(tensor)
    return activate(model, own)


def inputs() -> tuple[Tensor, Tensor]:
    ids = torch.randint(5, VOCABULARY, (4, 9), generator=torch.Generator().manual_seed(11))
    mask = torch.ones_like(ids)
    for row, length in enumerate((9, 7, 4, 8)):
        ids[row, length:], mask[row, length:] = 1, 0
    return ids, mask


def hidden_of(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    found = model(input_ids=ids, attention_mask=mask)
    hidden: Tensor = found if isinstance(found, Tensor) else found.last_hidden_state
    return hidden


def backward(hidden: Tensor, mask: Tensor) -> Tensor:
    real = hidden[mask.bool()]
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(2))
    (torch.tanh(real) @ weights).pow(2).mean().backward()
    return real.detach()


@pytest.mark.parametrize(("model_type", "variant", "language"), EVERY)
def test_same_function_and_gradients(model_type: str, variant: str, language: str) -> None:
    own = own_model(model_type, variant, language)
    library = library_model(own)
    ids, mask = inputs()
    plain = own.loaded.model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
    found = backward(hidden_of(own, ids, mask), mask)
    expected = backward(hidden_of(library, ids, mask), mask)
    assert (found - plain).abs().max() > 1e-1
    assert (found - expected).abs().max().item() <= 1e-5
    pairs, state = all_pairs(own, library), dict(library.named_parameters())
    assert set(pairs) == {name for name, parameter in state.items() if parameter.requires_grad}
    for name, tensor in pairs.items():
        gradient = state[name].grad
        assert gradient is not None, name
        # The key bias of a fusion cancels in the softmax: no gradient here, rounding noise in the library.
        ours = torch.zeros_like(gradient) if tensor.grad is None else tensor.grad
        assert (ours - gradient).abs().max() <= 1e-5 * max(1.0, gradient.abs().max().item()), name


@pytest.mark.parametrize(("model_type", "variant", "language"), EVERY)
def test_same_function_after_storing_and_loading(model_type: str, variant: str, language: str, tmp_path: Path) -> None:
    own = own_model(model_type, variant, language)
    library = library_model(own)
    write_weights(tmp_path, own)
    write_description(tmp_path, own)
    again = load_model(tmp_path, own.loaded, make_head=lambda part: copy.deepcopy(own.heads[part.id]))
    names = [part.name for part in own.composition.adapters]
    reloaded = fresh_library_model(own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            library.save_adapter(str(tmp_path / name), name, use_safetensors=True)
            loading: dict[str, Any] = {}
            reloaded.load_adapter(str(tmp_path / name), load_as=name, use_safetensors=True, loading_info=loading)
            assert not loading["missing_keys"] and not loading["unexpected_keys"]  # noqa: PT018
        if own.fusion is not None:
            library.save_adapter_fusion(str(tmp_path / "fused"), names, use_safetensors=True)
            reloaded.load_adapter_fusion(str(tmp_path / "fused"), use_safetensors=True)
    activate(reloaded, own)
    ids, mask = inputs()
    with torch.no_grad():
        found, expected = hidden_of(again, ids, mask)[mask.bool()], hidden_of(reloaded, ids, mask)[mask.bool()]
        before = hidden_of(own, ids, mask)[mask.bool()]
    assert torch.equal(found, before)
    assert (found - expected).abs().max().item() <= 1e-5


def parallel_models(model_type: str) -> tuple[list[TransferModel], Any]:
    """Two models of ours with one adapter each, and the library's with both side by side."""
    singles = [own_model(model_type, "adapter") for _ in range(2)]
    shaken(singles[1].adapters["t00"], torch.Generator().manual_seed(99))
    library = fresh_library_model(singles[0])
    state: dict[str, Tensor] = {}
    for number, own in enumerate(singles):
        library.add_adapter(f"p{number}", config=adapters.SeqBnConfig(reduction_factor=HIDDEN / SIZE))
        state |= adapter_to_library(own.adapters["t00"], f"p{number}")  # type: ignore[arg-type]
    assert not library.load_state_dict(state, strict=False).unexpected_keys
    return singles, side_by_side(library)


def side_by_side(library: Any) -> Any:
    library.set_active_adapters(Parallel("p0", "p1"))
    for name, parameter in library.named_parameters():
        parameter.requires_grad_(".adapters." in name)
    return library.eval()


def check_parallel(singles: list[TransferModel], library: Any) -> None:
    """The library replicates the batch once for each adapter; ours runs them one by one, to the same numbers."""
    ids, mask = inputs()
    both = hidden_of(library, ids, mask)
    assert len(both) == 2 * len(ids)
    halves = [both[number * len(ids) : (number + 1) * len(ids)][mask.bool()] for number in range(2)]
    assert (halves[0] - halves[1]).abs().max() > 1e-2, "the adapters must differ, or their order is not tested"
    sum_of_losses = torch.zeros(())
    weights = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(2))
    for half, own in zip(halves, singles, strict=True):
        sum_of_losses = sum_of_losses + (torch.tanh(half) @ weights).pow(2).mean()
        found = backward(hidden_of(own, ids, mask), mask)
        assert (found - half.detach()).abs().max().item() <= 1e-5
    sum_of_losses.backward()
    found_gradients = {name: p.grad for name, p in library.named_parameters() if p.grad is not None}
    for number, own in enumerate(singles):
        ours = adapter_to_library(own.adapters["t00"], f"p{number}", gradients=True)  # type: ignore[arg-type]
        for name, gradient in ours.items():
            theirs = found_gradients.pop(name)
            assert (gradient - theirs).abs().max() <= 1e-5 * max(1.0, theirs.abs().max().item()), name
    assert not found_gradients


@pytest.mark.parametrize("model_type", EXCHANGED)
def test_parallel_is_each_alone(model_type: str) -> None:
    check_parallel(*parallel_models(model_type))


@pytest.mark.parametrize("model_type", EXCHANGED)
def test_parallel_is_each_alone_after_storing_and_loading(model_type: str, tmp_path: Path) -> None:
    """Forward and gradients of what both sides read back; ours are the same bits as before."""
    singles, library = parallel_models(model_type)
    ids, mask = inputs()
    loaded, reloaded = [], fresh_library_model(singles[0])
    for number, own in enumerate(singles):
        folder = tmp_path / f"own{number}"
        folder.mkdir()
        write_weights(folder, own)
        write_description(folder, own)
        again = load_model(folder, own.loaded, make_head=lambda part, own=own: copy.deepcopy(own.heads[part.id]))
        with torch.no_grad():
            assert torch.equal(hidden_of(again, ids, mask), hidden_of(own, ids, mask))
        loaded.append(again)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            name, place = f"p{number}", str(tmp_path / f"library{number}")
            library.save_adapter(place, name, use_safetensors=True)
            loading: dict[str, Any] = {}
            reloaded.load_adapter(place, load_as=name, use_safetensors=True, loading_info=loading)
        assert not loading["missing_keys"]
        assert not loading["unexpected_keys"]
    check_parallel(loaded, side_by_side(reloaded))


def test_converted_states_name_every_tensor() -> None:
    """The names written out above are those that `variants.library` uses for exchange."""
    own = own_model("deberta-v2", "fuse")
    assert own.fusion is not None
    names = [part.name for part in own.composition.adapters]
    converted = fusion_to_library(own.fusion, names)
    for part in own.composition.adapters:
        converted |= adapter_to_library(own.adapters[part.id], part.name)  # type: ignore[arg-type]
    assert converted.keys() == all_pairs(own, None).keys()


def test_masked_language_model_inverts_before_the_output() -> None:
    """The library's head for masked language modelling takes the map back before the tied output matrix; so do we.

    Its head of the plain `XLMRobertaForMaskedLM` does not (version 1.3.0), so the flexible head is the reference.
    """
    own = own_model("xlm-roberta", "language", "seq_bn_inv")
    config = own.loaded.config
    library: Any = adapters.XLMRobertaAdapterModel(config)
    library.roberta.load_state_dict(own.loaded.model.state_dict(), strict=False)
    library.add_adapter("task", config=adapters.SeqBnInvConfig(reduction_factor=HIDDEN / SIZE))
    library.add_masked_lm_head("task")
    state = dict(library.named_parameters())
    pairs = {f"roberta.{name}": tensor for name, tensor in all_pairs(own, library).items()}
    with torch.no_grad():
        for name, tensor in pairs.items():
            state[name].copy_(tensor)
    library.set_active_adapters("task")
    for name, parameter in library.named_parameters():
        parameter.requires_grad_(name in pairs)
    theirs = dict(library.heads["task"].named_parameters())
    head = LanguageModelHead(HIDDEN, VOCABULARY, Initial(torch.Generator(), 0.02), eps=config.layer_norm_eps)
    with torch.no_grad():
        theirs["3.bias"].normal_(generator=torch.Generator().manual_seed(5))
        for ours, name in (("dense", "0"), ("layer_norm", "2")):
            getattr(head, ours).weight.copy_(theirs[f"{name}.weight"])
            getattr(head, ours).bias.copy_(theirs[f"{name}.bias"])
        head.bias.copy_(theirs["3.bias"])
    own.heads["h00"] = head
    assert own.maps_embeddings
    tied(own)
    ids, mask = inputs()
    rows, columns = torch.tensor([0, 0, 2, 3]), torch.tensor([1, 5, 2, 0])
    batch = Batch(ids, mask, (1,) * 4, {"row": rows, "column": columns})
    logits = head(own(ids, mask), batch)
    expected = library.eval()(input_ids=ids, attention_mask=mask).logits[rows, columns]
    assert (logits - expected).abs().max().item() <= 1e-5
    with torch.no_grad():
        straight = copy.copy(head)
        straight.tie(own.backbone)
        assert (straight(own(ids, mask), batch) - expected).abs().max() > 1e-2, "without the inverse it differs"
    logits.square().mean().backward()
    expected.square().mean().backward()
    for name, tensor in pairs.items():
        gradient = state[name].grad
        assert gradient is not None, name
        assert tensor.grad is not None, name
        assert (tensor.grad - gradient).abs().max() <= 1e-5 * max(1.0, gradient.abs().max().item()), name
