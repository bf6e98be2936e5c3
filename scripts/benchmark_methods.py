"""What does an own method cost beside the library's modules of the same method? Same weights, same batch, same numbers.

    python scripts/benchmark_methods.py --backbone FOLDER                  # a real encoder
    python scripts/benchmark_methods.py --shape 768x12                     # random weights of this shape
    python scripts/benchmark_methods.py --shape 64x2 --turns 1 --steps 1 --json

Three sides of each method: ``own``, this project's module; ``engine``, the library's modules inside this project's
encoder (``adapters:CONFIG``, ``peft:TYPE``); ``library``, the library's own model. All get the own side's weights, and
hidden states and loss must agree to 1e-5. A step is forward, backward and AdamW on one batch; a prediction is the
forward pass of a larger batch. Both are CPU time of one thread, medians over turns in which the sides alternate, a
method at a time. Memory is what autograd keeps for the backward pass of one step, weights aside.

What the environment lacks is left out: ``adapters`` needs transformers 4.57.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append(str(Path(__file__).parent))

import torch
from torch import Tensor, nn
from training_benchmark.measuring import activations

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.catalog.methods import METHODS
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.adapters_files import engine_from_adapters
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.library import adapter_to_library
from adapterxfer.variants.library_modules import inside_library
from adapterxfer.variants.peft_files import engine_from_peft
from adapterxfer.variants.peft_names import adapter_to_peft
from adapterxfer.variants.places import places_of

TOLERANCE, MATTERS = 1e-5, 1e-3
NAME = "a0"
LABELS, RATE = 3, 1e-4
SIDES = ("own", "engine", "library")

States = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Case:
    """An own method and the same one of a library.

    Attributes:
        method: of this project.
        size: bottleneck size over the width (negative) or rank.
        library: whose modules it is compared with.
        named: what the engine calls it; empty where the engine does not run it.
        config: keys of the library's configuration beside the size.
    """

    method: str
    size: int
    library: str
    named: str
    config: dict[str, Any]


CASES = (
    Case("seq_bn", -16, "adapters", "seq_bn", {"reduction_factor": 16}),
    Case("double_seq_bn", -16, "adapters", "double_seq_bn", {"reduction_factor": 16}),
    Case("par_bn", -4, "adapters", "par_bn", {"reduction_factor": 4}),
    Case("prefix", 30, "adapters", "prefix_tuning_flat", {"prefix_length": 30}),
    Case("lora", 8, "adapters", "lora", {"r": 8, "alpha": 8}),
    Case("lora", 8, "peft", "LORA", {"r": 8, "lora_alpha": 8}),
    Case("rslora", 8, "peft", "LORA", {"r": 8, "lora_alpha": 8, "use_rslora": True}),
    Case("dora", 8, "peft", "LORA", {"r": 8, "lora_alpha": 8, "use_dora": True}),
    Case("vera", 64, "peft", "VERA", {"r": 64, "vera_dropout": 0.0, "d_initial": 1.0}),
    Case("ia3", 1, "peft", "IA3", {}),
)


@dataclass(frozen=True, slots=True)
class Side:
    """One way of computing a method: what it says, what trains, and the modules that hold it."""

    states: States
    weights: list[nn.Parameter]
    module: nn.Module


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbone", type=Path, help="folder of an XLM-R encoder")
    parser.add_argument("--shape", default="768x12", metavar="WIDTHxLAYERS", help="of random weights, without a folder")
    parser.add_argument("--methods", nargs="+", help="own methods (all)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="of a turn")
    parser.add_argument("--batch", type=int, default=4, help="texts of a step; a prediction has twice as many")
    parser.add_argument("--length", type=int, default=64, help="tokens of a text")
    parser.add_argument("--json", action="store_true", help="one JSON line for each comparison")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    loaded = encoder(arguments)
    # `adapters`, once imported, is a module without a spec, and asking for it is an error.
    cases = [case for case in CASES if case.library in sys.modules or find_spec(case.library)]
    cases = [case for case in cases if not arguments.methods or case.method in arguments.methods]
    worst = 0.0
    for number, case in enumerate(cases, start=1):
        row = compare(loaded, case, arguments)
        worst = max(worst, row["difference"], row["loss_difference"])
        if arguments.json:
            print(json.dumps(row), flush=True)
        else:
            print(f"[{number}/{len(cases)}] {table_row(row)}", flush=True)
    print(f"largest difference {worst:.1g}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return 0 if worst <= TOLERANCE else 1


def encoder(arguments: argparse.Namespace) -> LoadedBackbone:
    """The frozen encoder of all comparisons, in evaluation mode: no dropout."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    if arguments.backbone:
        model = XLMRobertaModel.from_pretrained(arguments.backbone, add_pooling_layer=False, dtype=torch.float32)
        config = model.config
    else:
        width, layers = map(int, arguments.shape.split("x"))
        config = XLMRobertaConfig(
            vocab_size=1000, hidden_size=width, num_hidden_layers=layers, num_attention_heads=max(2, width // 64),
            intermediate_size=4 * width, max_position_embeddings=514, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        torch.manual_seed(3)
        model = XLMRobertaModel(config, add_pooling_layer=False)
    model = model.eval().requires_grad_(False)
    return LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "benchmark"},
        fingerprint=state_fingerprint(model.state_dict()),
        parameters=count_parameters(model),
    )


def compare(loaded: LoadedBackbone, case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    """All sides of one method, in turn."""
    sides = sides_of(loaded, case)
    head = nn.Linear(loaded.hidden_size, LABELS).requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        head.weight.normal_(0.0, 0.05, generator=generator)
    batch, many = (inputs(rows, arguments.length, generator) for rows in (arguments.batch, 2 * arguments.batch))
    gold = torch.randint(LABELS, (arguments.batch,), generator=generator)

    def loss_of(side: Side) -> Tensor:
        return nn.functional.cross_entropy(head(side.states(*batch)[:, 0]), gold)

    with torch.no_grad():
        hidden = {name: side.states(*batch)[batch[1].bool()] for name, side in sides.items()}
        bare = encode(loaded.model, *batch)[batch[1].bool()]
    losses = {name: float(loss_of(side).detach()) for name, side in sides.items()}
    steps: dict[str, list[float]] = {name: [] for name in sides}
    predictions: dict[str, list[float]] = {name: [] for name in sides}
    optimisers = {name: torch.optim.AdamW(side.weights, lr=RATE, fused=True) for name, side in sides.items()}
    for turn in range(arguments.turns + 1):  # the first warms up
        for name in SIDES if turn % 2 else SIDES[::-1]:
            if (side := sides.get(name)) is None:
                continue
            seconds = clocked(partial(step, side, loss_of, optimisers[name]), arguments.steps)
            with torch.no_grad():
                predicting = clocked(partial(side.states, *many), arguments.steps)
            if turn:
                steps[name].append(seconds)
                predictions[name].append(predicting)
    row: dict[str, Any] = {"method": case.method, "against": f"{case.library}:{case.named or case.method.upper()}"}
    row |= {"parameters": sum(weight.numel() for weight in sides["own"].weights)}
    row["difference"] = max(float((hidden[name] - hidden["own"]).abs().max()) for name in sides)
    row["effect"] = float((hidden["own"] - bare).abs().max())
    assert row["effect"] > MATTERS, "the adapter must matter, or agreement says nothing"
    row["loss_difference"] = max(abs(losses[name] - losses["own"]) for name in sides)
    for name, side in sides.items():
        row[f"step_{name}_s"] = round(statistics.median(steps[name]), 4)
        row[f"predict_{name}_s"] = round(statistics.median(predictions[name]), 4)
        row[f"kept_{name}_mib"] = activations(side.module, partial(loss_of, side))
    return row


def step(side: Side, loss_of: Callable[[Side], Tensor], optimiser: torch.optim.Optimizer) -> None:
    """Forward, backward and optimiser."""
    loss_of(side).backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def clocked(work: Callable[[], Any], times: int) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def inputs(rows: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Tokens and mask; every second text is a quarter shorter."""
    tokens = torch.randint(5, 1000, (rows, length), generator=generator)
    mask = torch.ones_like(tokens)
    shorter = length - length // 4
    tokens[1::2, shorter:], mask[1::2, shorter:] = 1, 0
    return tokens, mask


def sides_of(loaded: LoadedBackbone, case: Case) -> dict[str, Side]:
    """The sides of one method, all with the weights of ours."""
    size = max(1, loaded.hidden_size // -case.size) if case.size < 0 else case.size
    ours = adapter(loaded, AdapterShape(case.method, size))
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for weight in ours.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=generator))
    tensors = library_tensors(loaded, ours, case)
    library = (adapters_model if case.library == "adapters" else peft_model)(loaded, case, tensors)
    sides = {"own": in_encoder(loaded, ours), "library": library}
    if case.named:
        config = json.dumps(case.config, sort_keys=True)
        engine = adapter(loaded, AdapterShape(f"{case.library}:{case.named}", 1, config=config))
        engine.load_state_dict(engine_state(loaded, engine, case, tensors))
        sides["engine"] = in_encoder(loaded, engine)
    return sides


def adapter(loaded: LoadedBackbone, shape: AdapterShape) -> Adapter:
    """A fresh adapter in evaluation mode."""
    generator = torch.Generator().manual_seed(1)
    linears = loaded.linears if METHODS[shape.method].maps else None
    return Adapter(
        loaded.layers, loaded.hidden_size, shape, generator=generator, linears=linears, encoder=loaded.model
    ).eval()


def in_encoder(loaded: LoadedBackbone, module: Adapter) -> Side:
    """An adapter inside this project's encoder."""
    places = places_of([module])
    everything = nn.ModuleList([loaded.model, module])
    return Side(lambda ids, mask: encode(loaded.model, ids, mask, places), [*module.parameters()], everything)


def library_tensors(loaded: LoadedBackbone, ours: Adapter, case: Case) -> dict[str, Tensor]:
    """Weights of our adapter by the library's names of an adapter ``a0``, for a bare encoder."""
    if case.method == "prefix":
        layers: Any = ours
        pairs = torch.stack([tensor for layer in layers for tensor in (layer.keys, layer.values)], dim=1)
        stem = "encoder.layer.0.attention.self.prefix_tuning.pool.prefix_tunings"
        return {f"{stem}.{NAME}.self_prefix.control_trans": pairs.detach().flatten()}
    if METHODS[case.method].adapters is not None:
        return adapter_to_library(ours, NAME)
    tensors = {name: tensor.detach() for name, tensor in adapter_to_peft(ours, loaded.architecture).items()}
    if case.library == "peft":
        return tensors
    renamed = {name.removeprefix("base_model.model."): tensor for name, tensor in tensors.items()}
    return {
        name.replace(".lora_", f".loras.{NAME}.lora_").removesuffix(".weight"): tensor
        for name, tensor in renamed.items()
    }


def engine_state(loaded: LoadedBackbone, engine: Adapter, case: Case, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    method = engine.shape.method
    if case.library == "adapters":
        return engine_from_adapters(tensors, NAME, method, loaded.architecture)
    return engine_from_peft(tensors, method, loaded.architecture)


def adapters_model(loaded: LoadedBackbone, case: Case, tensors: dict[str, Tensor]) -> Side:
    """The library's model of the whole encoder."""
    import adapters
    from adapters.configuration.adapter_config import ADAPTER_CONFIG_MAP

    model: Any = copy.deepcopy(loaded.model)
    with inside_library(0):
        adapters.init(model)
        model.add_adapter(NAME, config=ADAPTER_CONFIG_MAP[case.named].replace(**case.config))
        model.train_adapter(NAME)
    left = model.load_state_dict(tensors, strict=False)
    assert not left.unexpected_keys, left.unexpected_keys
    return _library_side(model.eval(), model)


def peft_model(loaded: LoadedBackbone, case: Case, tensors: dict[str, Tensor]) -> Side:
    """The library's model of the whole encoder."""
    import peft

    settings: dict[str, Any] = {"target_modules": ["query", "value"], **case.config}
    if case.method == "ia3":
        settings = {
            "target_modules": r".*(attention\.self\.key|attention\.self\.value|\d+\.output\.dense)",
            "feedforward_modules": r".*\d+\.output\.dense",
        }
    kind = case.named or case.method.upper()
    configs = peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING
    made_of = next(config for name, config in configs.items() if str(name.value) == kind)
    with inside_library(0):
        model = peft.get_peft_model(copy.deepcopy(loaded.model), made_of(**settings))
        peft.set_peft_model_state_dict(model, tensors)
    base: Any = model.eval().base_model.model
    return _library_side(base, model)


def _library_side(forward: Any, model: nn.Module) -> Side:
    def states(ids: Tensor, mask: Tensor) -> Tensor:
        hidden: Tensor = forward(input_ids=ids, attention_mask=mask).last_hidden_state
        return hidden

    return Side(states, [weight for weight in model.parameters() if weight.requires_grad], model)


def table_row(row: dict[str, Any]) -> str:
    """A row for people: seconds of ours, and how many times that the others take."""
    text = f"{row['method']} {row['against']}: differences {row['difference']:.1g}, loss {row['loss_difference']:.1g}"
    for what in ("step", "predict"):
        own = row[f"{what}_own_s"]
        ratios = [f"{name} {row[f'{what}_{name}_s'] / own:.2f}x" for name in SIDES[1:] if f"{what}_{name}_s" in row]
        text += f"; {what} {own:.3f} s, {', '.join(ratios)}"
    kept = [f"{row[f'kept_{name}_mib']:.0f}" for name in SIDES if f"kept_{name}_mib" in row]
    return f"{text}; MiB kept {' '.join(kept)}"


if __name__ == "__main__":
    sys.exit(main())
