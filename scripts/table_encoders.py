"""Every architecture through the whole product, on a tiny checkpoint: the table of docs/encoders.md.

    python scripts/table_encoders.py --write          # all types, into the part of the page for this transformers
    python scripts/table_encoders.py --types bert     # some of them, to standard output
    python scripts/table_encoders.py --quantize nf4   # with linear maps in 4 bits (or int8), as --write does too

Each type is checked, planned and run (world-nli to world-xnli; seq_bn and LoRA; stack, fuse, merge), its stacks and
fusions are bundled and the bundles opened again. ``states`` is the largest difference between hidden states of real
tokens and those of `AutoModel`, in float32 and in bfloat16 (beside the largest value there); with --quantize of an
`AutoModel` whose layers the same library quantized.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from encoder_checkpoints import make

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.backbones.quantized import LIBRARIES
from adapterxfer.backbones.reading import library_class
from adapterxfer.catalog.architectures import ARCHITECTURES, Architecture
from adapterxfer.cli.main import main as command
from adapterxfer.engines.worker import run_stage
from adapterxfer.formats.tokenization import encoder_for
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.loading import open_bundle
from adapterxfer.hub.making import make_bundle
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.store.store import Store
from adapterxfer.variants.encoder import encode

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "encoders.md"
RECIPE = """
recipe: 1
name: {name}
title: One architecture
backbones: [tiny]
backbone_sources: {{tiny: {{folder: "{folder}"{quantize}}}}}
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [stack, fuse, merge]
adapters: [{{method: seq_bn, reduction_factor: 4}}, {{method: lora, rank: 4}}]
seeds: [1]
controls: false
exclude: [{{variant: fuse, adapter: lora, because: "bottlenecks are fused"}}]
train: {{default: {{batch_size: 8, steps: 4, learning_rate: 1e-3, max_length: 64}}}}
tasks:
  world-nli: {{train_examples: 32, dev_examples: 8}}
  world-xnli: {{train_examples: 32, dev_examples: 8, test_examples: 8}}
statistics: {{resamples: 100}}
"""
COLUMNS = ("states", "states bf16", "check", "plan", "run", "stack", "fuse", "LoRA", "merge", "bundle", "reload")
SYSTEMS = {"stack": ("stack", "seq_bn"), "fuse": ("fuse", "seq_bn"), "LoRA": ("stack", "lora"), "merge": ("merge", "")}
TEXTS = ("one small text", "a longer text with some more words in it", "two")
MAJOR = transformers.__version__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Row:
    """One type: column -> what is shown."""

    model_type: str
    cells: dict[str, str]


def row_of(model_type: str, place: Path, quantize: str) -> Row:
    """Make, check, plan, run, bundle and open again; what fails is shown and ends the row.

    Args:
        quantize: kind of the weights of linear maps; empty for full numbers.
    """
    folder = place / model_type / "checkpoint"
    cells = dict.fromkeys(COLUMNS, "-")
    make(folder, model_type)
    cells["states"] = f"{difference(folder, model_type, 'float32', quantize)[0]:.0e}"
    error, largest = difference(folder, model_type, "bfloat16", quantize)
    cells["states bf16"] = f"{error:.0e} of {largest:.0f}"
    path = place / model_type / "recipe.yaml"
    few = f", quantize: {quantize}" if quantize else ""
    path.write_text(RECIPE.format(name=model_type.replace("_", "-"), folder=folder, quantize=few), encoding="utf-8")
    store = place / model_type / "store"
    for name in ("check", "plan"):
        code = quiet([name, str(path), *(["--store", str(store)] if name == "plan" else [])])
        cells[name] = "yes" if code == 0 else f"exit {code}"
        if code:
            return Row(model_type, cells)
    plan, found = build_plan(load_recipe(str(path))), Store(store)
    found.open()
    settings = {"backbone_folders": {"tiny": str(folder)}, "eval_batch_tokens": 2048, "device": "cpu"}
    for stage in plan.stages.values():  # inputs first
        run_stage(stage, store=found, settings=settings)
    done = {key for key, stage in plan.stages.items() if found.find(stage) is not None}
    cells["run"] = f"{len(done)} of {len(plan.stages)}"
    for name, (variant, method) in SYSTEMS.items():
        asked = [cell for cell in plan.cells if cell.variant == variant and cell.adapter.startswith(method)]
        cells[name] = f"{sum(cell.predict in done for cell in asked)} of {len(asked)}"
    narrowed = build_plan(plan.recipe, only=["variant=stack,fuse", "intermediate=world-nli"])
    differences = []
    for choice in choose(narrowed, phase="target", seed=None):
        bundle, _ = make_bundle(plan, found, choice, place / model_type / "bundles")
        differences.append(open_bundle(bundle, backbone=folder).difference)
    cells["bundle"], cells["reload"] = str(len(differences)), f"{max(differences):.0e}"
    return Row(model_type, cells)


def quiet(arguments: Sequence[str]) -> int:
    """Exit code of a command that says nothing here."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return command(list(arguments))


def difference(folder: Path, model_type: str, dtype: str, quantize: str = "") -> tuple[float, float]:
    """Largest difference between our states and those of `AutoModel`, and the largest state."""
    architecture = ARCHITECTURES[model_type]
    identity = {"name": "tiny", "kind": "folder", "dtype": dtype, "attention": "sdpa"}
    identity |= {"quantize": quantize} if quantize else {}
    loaded = load_backbone(identity, folder)
    reference: Any = library_class(architecture.model).from_pretrained(
        folder, attn_implementation=architecture.attention[0], dtype=getattr(torch, dtype), **architecture.arguments
    )
    if quantize:
        reference = quantized(reference, architecture, quantize)
    encoder = encoder_for(loaded.tokenizer)
    rows = [encoder.build_single(ids, 64) for ids in encoder.texts(TEXTS)]
    width = max(map(len, rows))
    ids = torch.tensor([row + [encoder.pad_id] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.no_grad():
        expected = reference.eval()(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()].float()
        ours = encode(loaded.model, ids, mask)[mask.bool()].float()
    return (ours - expected).abs().max().item(), expected.abs().max().item()


def quantized(model: Any, architecture: Architecture, kind: str) -> Any:
    """A model of `transformers` with the maps of its layers quantized by the library, each by itself."""
    import bitsandbytes
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    layers = model.get_submodule(architecture.layers)
    for name, module in list(layers.named_modules()):
        if type(module) is not torch.nn.Linear or name.endswith(".wo"):  # which T5 always keeps whole
            continue
        if kind == "int8":
            quantize_(module, Int8WeightOnlyConfig())
            continue
        parent, _, last = name.rpartition(".")
        settings: dict[str, Any] = {"compute_dtype": module.weight.dtype, "compress_statistics": False}
        packed = bitsandbytes.nn.LinearNF4(module.in_features, module.out_features, module.bias is not None, **settings)
        packed.load_state_dict(module.state_dict())
        packed.support_avx512bf16_for_cpu = False  # it computes in bfloat16, and version 0.50.2 fails on narrow maps
        setattr(layers.get_submodule(parent), last, packed.to("cpu"))
    return model


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| type | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    lines += [f"| `{row.model_type}` | " + " | ".join(row.cells[name] for name in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", default=list(ARCHITECTURES), choices=list(ARCHITECTURES), metavar="TYPE")
    parser.add_argument("--quantize", choices=LIBRARIES, default="", metavar="KIND", help="int8 or nf4")
    parser.add_argument("--write", action="store_true", help="put the table into docs/encoders.md")
    arguments = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for model_type in arguments.types:
            rows.append(row_of(model_type, Path(place), arguments.quantize))
            print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    with_library = f", {LIBRARIES[arguments.quantize]} (`{arguments.quantize}`)" if arguments.quantize else ""
    text = f"transformers {transformers.__version__}, torch {torch.__version__}{with_library}:\n\n{table(rows)}"
    if not arguments.write:
        print(text)
        return 0
    page = PAGE.read_text(encoding="utf-8")
    part = f"transformers {MAJOR}" + (f" {arguments.quantize}" if arguments.quantize else "")
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, _, rest = page.partition(begin)
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
