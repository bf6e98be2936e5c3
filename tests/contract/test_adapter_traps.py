"""Silent failures of adapter libraries, each with the test that springs it here; what was missing is tested in this file."""
# ruff: noqa: E501 - a trap and its test read better on one line

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import XLMRobertaConfig, XLMRobertaModel

import adapterxfer
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES
from adapterxfer.errors import VariantError
from adapterxfer.training.optimiser import new_optimiser
from adapterxfer.training.settings import TrainSettings
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.hooked import hooked_copy
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.places import Norm, Places

TESTS = Path(__file__).parents[1]
HIDDEN, LAYERS = 16, 3

TRAPS = {
    # wrong numbers, silently
    "T1 preparing ModernBERT adds random biases": "unit/variants/test_methods.py::test_without_adapters_an_encoder_is_what_it_was",
    "T2 every layer's adapter gets the last layer's norm": "contract/test_adapter_traps.py::test_every_layer_reads_its_own_norm",
    "T3 a stack of LoRAs multiplies, and a fresh one on top silences the lower": "unit/variants/test_methods.py::test_a_stack_of_loras_is_their_sum",
    "T3 a stack whose intermediate does nothing": "unit/variants/test_assertions.py::test_mutants_of_built_models_are_caught",
    "T4 an average divides twice": "unit/variants/test_merging.py::test_a_model_averaged_with_itself_is_itself",
    "T5 averages of LoRA factors have cross terms and lose the scale": "unit/variants/test_merging.py::test_low_rank_updates_are_summed_not_their_factors",
    "T6 merged DoRA is not active DoRA, and the base stays changed": "unit/variants/test_methods.py::test_active_is_merged",
    "T7 VeRA trains full matrices": "unit/variants/test_methods.py::test_vera_trains_vectors_only",
    "T8 merged weights ignore which adapter is active": "unit/variants/test_methods.py::test_active_is_merged",
    "T9 gates averaged over padding": "unit/variants/test_assertions.py::test_mutants_of_built_models_are_caught",
    "T10 a fusion that anneals while it is evaluated": "contract/test_adapter_traps.py::test_a_fusion_gives_the_same_again",
    "T10 a dropout of 0 is not obeyed": "contract/test_adapter_traps.py::test_no_dropout_is_no_dropout",
    "T11 nothing active is the backbone": "contract/test_adapter_traps.py::test_a_model_without_its_adapters_is_refused",
    "the head for masked language modelling forgets the inverse": "parity/test_adapters_architectures.py::test_masked_language_model_inverts_before_the_output",
    "of several invertible adapters only the first acts": "contract/test_adapter_traps.py::test_all_maps_of_the_embeddings_act",
    # freezing and heads
    "heads of other tasks and whole stacks train along": "unit/variants/test_assertions.py::test_mutants_of_built_models_are_caught",
    "another head answers": "unit/predict/test_stage.py::test_a_model_of_another_labelling_or_backbone_is_refused",
    "dropout of a frozen backbone is on or off unasked": "unit/variants/test_methods.py::test_own_modes_of_dropout",
    "dropout in training only": "unit/training/test_loop.py::test_dropout_is_on_in_training_only",
    "adapters loaded later train": "unit/variants/test_language.py::test_another_language_takes_its_place",
    "a head that nobody trains (multiple choice)": "unit/variants/test_assertions.py::test_an_untrained_model_is_caught",
    "frozen parts change": "unit/variants/test_assertions.py::test_mutants_of_trained_models_are_caught",
    "compositions inside each other: a fusion above a language": "unit/variants/test_language.py::test_a_language_left_out_of_a_fusion_is_caught",
    # saving and loading
    "pickles": "unit/hub/test_hostile.py::test_a_pickle_beside_the_weights",
    "names that are the beginning of another": "unit/variants/test_storage.py::test_names_that_collide",
    "missing tensors load without a word": "unit/variants/test_storage.py::test_damaged_folders_are_refused",
    "an adapter of another depth loads without a word": "unit/variants/test_storage.py::test_adapter_of_another_depth_is_refused",
    "half a state of the library": "unit/variants/test_storage.py::test_incomplete_library_states_are_refused",
    "nothing says which backbone an adapter is of": "unit/variants/test_storage.py::test_other_backbones_are_refused",
    "the active setup is not stored": "unit/training/test_stages.py::test_every_variant_trains_and_loads",
    "a process of its own loads something else": "contract/test_adapter_traps.py::test_a_fresh_process_gives_the_same_logits",
    "paths of this machine in what is shared": "unit/hub/test_bundles.py::test_only_safe_formats_and_no_path_of_this_machine",
    "files whose order varies": "unit/hub/test_bundles.py::test_the_same_stage_gives_the_same_bytes",
    # training
    "the best checkpoint keeps the last head": "unit/training/test_stages.py::test_dev_selection_keeps_the_best_moment",
    "weight decay pulls the value matrix of a fusion to zero": "contract/test_adapter_traps.py::test_the_value_of_a_fusion_does_not_decay",
    "checkpointing asks for gradients of the inputs": "unit/training/test_memory.py::test_backward_ends_at_the_lowest_part_that_trains",
    "checkpointing changes numbers": "unit/training/test_memory.py::test_checkpointed_layers_give_the_same_bits_and_keep_less",
    "adding modules moves the global random state": "unit/training/test_loop.py::test_training_neither_reads_nor_moves_the_global_random_state",
    "number formats of adapters and backbone": "unit/training/test_loop.py::test_bf16_trains_close_to_fp32",
    # peft
    "prefix tuning of XLM-R": "parity/test_adapters_methods.py::test_same_function_and_gradients",
    "merging leaves a rest in the base weights": "unit/variants/test_methods.py::test_active_is_merged",
    "two libraries on one model undo each other": "contract/test_adapter_traps.py::test_no_library_changes_our_models",
    "code beside the weights": "unit/backbones/test_architectures.py::test_code_beside_the_weights_is_never_run",
    "embeddings narrower than the layers": "unit/variants/test_language.py::test_embeddings_of_another_width_are_refused",
    "a method without a size has the library's own": "contract/test_adapter_traps.py::test_sizes_must_be_given",
}


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_its_test(trap: str) -> None:
    path, _, name = TRAPS[trap].partition("::")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert name in functions
    assert any(isinstance(node, ast.Assert | ast.With) for node in ast.walk(functions[name]))


def backbone(model_type: str = "xlm-roberta") -> LoadedBackbone:
    architecture = ARCHITECTURES[model_type]
    config = library_class(architecture.config)(
        vocab_size=40, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=24, pad_token_id=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    config._attn_implementation = architecture.attention[0]
    torch.manual_seed(1)
    model = library_class(architecture.model)(config, **architecture.arguments).eval().requires_grad_(False)
    fingerprint = state_fingerprint(model.state_dict())
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "tiny"},
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


def shaken(module: nn.Module, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return module


def stack(
    method: str = "seq_bn", *, dropout: float = 0.0, fused: bool = False, ids: tuple[str, ...] = ("i00", "t00")
) -> TransferModel:
    loaded, shape = backbone(), AdapterShape(method, 4)
    made = {part: shaken(Adapter(LAYERS, HIDDEN, shape, generator=torch.Generator()), n) for n, part in enumerate(ids)}
    parts = (
        AdapterPart(id="i00", role="intermediate", name="nli", method=method, bottleneck_size=4),
        AdapterPart(id="t00", role="target", name="pos", method=method, bottleneck_size=4),
    )
    return TransferModel(
        loaded,
        Composition("fuse" if fused else "stack", parts, (HeadPart("h00", "pos", "tagging", ("x", "y")),), "nli"),
        adapters=made,
        fusion=Fusion(LAYERS, HIDDEN, dropout=dropout, generator=torch.Generator()) if fused else None,
        heads={"h00": nn.Linear(HIDDEN, 2)},
    ).eval()


IDS = torch.tensor([[0, 7, 8, 9, 2], [0, 5, 2, 1, 1]])
MASK = IDS.ne(1).long()


@pytest.mark.parametrize("model_type", ["xlm-roberta", "deberta-v2", "rembert"])
def test_every_layer_reads_its_own_norm(model_type: str) -> None:
    loaded = backbone(model_type)
    own = model_type == "xlm-roberta"
    model = loaded.model if own else hooked_copy(loaded.model, loaded.architecture)
    seen: dict[tuple[str, int], Any] = {}

    def at(place: str) -> Any:
        def act(index: int, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:
            seen[place, index] = getattr(norm, "__self__", norm)
            return total

        return act

    encode(model, IDS, MASK, Places(attention=at("attention"), ffn=at("ffn")))
    layers: Any = model.get_submodule(loaded.architecture.layers)
    assert len(seen) == 2 * LAYERS
    for index, layer in enumerate(layers):
        assert seen["attention", index] is layer.attention.output.LayerNorm
        assert seen["ffn", index] is layer.output.LayerNorm


def test_a_fusion_gives_the_same_again() -> None:
    model = stack(fused=True)
    with torch.no_grad():
        first, second = model(IDS, MASK), model(IDS, MASK)
        model.train()
        for _ in range(5):
            model(IDS, MASK)
        third = model.eval()(IDS, MASK)
    assert torch.equal(first, second)
    assert torch.equal(first, third), "training passes without a step change nothing"


def test_no_dropout_is_no_dropout() -> None:
    with torch.no_grad():
        without = stack(fused=True, dropout=0.0)
        assert torch.equal(without.train()(IDS, MASK), without.eval()(IDS, MASK))
        dropped = stack(fused=True, dropout=0.5)
        torch.manual_seed(0)
        assert not torch.equal(dropped.train()(IDS, MASK), dropped.eval()(IDS, MASK))


def test_a_model_without_its_adapters_is_refused() -> None:
    for ids in ((), ("t00",), ("t00", "i00")):
        with pytest.raises(VariantError, match="expected adapters"):
            stack(ids=ids)


def test_all_maps_of_the_embeddings_act() -> None:
    model = stack("seq_bn_inv")
    with torch.no_grad():
        found = model.hidden_states(IDS, MASK, layer=0)
        plain = encode(model.backbone, IDS, MASK, until=0)
        lower, upper = model.adapters["i00"], model.adapters["t00"]
        expected = upper[0].embedding(lower[0].embedding(plain))  # type: ignore[index,operator]
    assert torch.equal(found, expected)
    assert torch.allclose(model.invert_embedding(found), plain, atol=1e-5)
    assert not torch.allclose(lower[0].embedding(plain), found, atol=1e-3)  # type: ignore[index,operator]


@pytest.mark.parametrize("rank", [0, 4])
def test_the_value_of_a_fusion_does_not_decay(rank: int) -> None:
    """Without any gradient, decay alone: a full value matrix stays; a low-rank one decays to the identity."""
    layer = Fusion(1, HIDDEN, dropout=0.0, generator=torch.Generator().manual_seed(1), rank=rank)[0]
    before = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    settings = TrainSettings(learning_rate=0.1, batch_size=1, steps=1, weight_decay=0.5)
    optimiser = new_optimiser(list(layer.parameters()), settings)
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    after = dict(layer.named_parameters())
    assert not torch.equal(after["query.weight"], before["query.weight"])
    assert torch.equal(after["query.bias"], before["query.bias"])
    if rank:
        assert not torch.equal(after["value.down.weight"], before["value.down.weight"])
    else:
        assert torch.equal(after["value.weight"], before["value.weight"])


LIBRARIES = {"adapters", "peft"}


def test_no_library_changes_our_models() -> None:
    """Own modules carry every method; peft's types wrap linear maps outside of the model, and the adapters library gets
    a copy of the encoder that never runs: no library is given the encoder, so none can undo what the other did.
    """
    rooms = Path(adapterxfer.__file__).parent / "variants"
    engines = {rooms / f"{library}_{name}.py": library for library in LIBRARIES for name in ("engine", "files")}
    package = rooms.parent
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            libraries = {name.split(".")[0] for name in names} & LIBRARIES
            assert libraries <= {engines.get(path)}, path


@pytest.mark.parametrize("method", ["seq_bn", "par_bn", "seq_bn_inv", "compacter", "lora", "vera", "loreft", "prefix"])
def test_sizes_must_be_given(method: str) -> None:
    with pytest.raises(VariantError, match="expected one of"):
        AdapterShape.of({"method": method}, HIDDEN)


RELOAD = """
import sys
import torch
from pathlib import Path
from safetensors.torch import load_file, save_file
from transformers import XLMRobertaConfig, XLMRobertaModel
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.variants.storage import load_model
folder = Path(sys.argv[1])
torch.set_num_threads(1)
encoder = XLMRobertaModel(XLMRobertaConfig.from_pretrained(folder / "encoder"), add_pooling_layer=False)
encoder.load_state_dict(load_file(folder / "encoder.safetensors"))
encoder.eval().requires_grad_(False)
print_of = state_fingerprint(encoder.state_dict())
loaded = LoadedBackbone(
    model=encoder, tokenizer=None, config=encoder.config, identity={"name": "tiny"}, fingerprint=print_of,
    parameters=count_parameters(encoder),
)
asked = load_file(folder / "inputs.safetensors")
found = {}
for name in sys.argv[2:]:
    model = load_model(folder / name, loaded, make_head=lambda part: torch.nn.Linear(loaded.hidden_size, 2))
    with torch.inference_mode():
        found[name] = model.head("pos")(model(asked["ids"], asked["mask"])).clone()
save_file(found, folder / "found.safetensors")
"""


def test_a_fresh_process_gives_the_same_logits(tmp_path: Path) -> None:
    from adapterxfer.variants.storage import write_description, write_weights

    models = {"stack": stack(), "fuse": stack(fused=True), "invertible": stack("seq_bn_inv")}
    expected = {}
    for name, model in models.items():
        optimiser = torch.optim.SGD(model.trainable().values(), lr=0.05)
        model.head("pos")(model(IDS, MASK)).square().mean().backward()
        optimiser.step()
        (tmp_path / name).mkdir()
        write_weights(tmp_path / name, model)
        write_description(tmp_path / name, model)
        with torch.no_grad():
            expected[name] = model.head("pos")(model(IDS, MASK))
    encoder: XLMRobertaModel = models["stack"].loaded.model  # type: ignore[assignment]
    assert isinstance(encoder.config, XLMRobertaConfig)
    encoder.config.save_pretrained(tmp_path / "encoder")
    save_file({n: t.contiguous().clone() for n, t in encoder.state_dict().items()}, tmp_path / "encoder.safetensors")
    save_file({"ids": IDS, "mask": MASK}, tmp_path / "inputs.safetensors")
    command = [sys.executable, "-c", RELOAD, str(tmp_path), *models]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "found.safetensors")
    for name, logits in expected.items():
        assert (found[name] - logits).abs().max().item() <= 1e-6, name
    assert json.loads((tmp_path / "stack" / "model.json").read_text())["composition"]["variant"] == "stack"
