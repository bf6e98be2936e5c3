"""Trainable parameters and memory of every variant at the real shapes, as the table in docs/memory.md.

    python scripts/table_memory.py            # prints the table
    python scripts/table_memory.py --write    # puts it into docs/memory.md

Nothing is downloaded and no large tensor is made: two layers of each shape are built on the meta device, their
parameters and the bytes that autograd keeps for the backward pass of a batch are counted, and multiplied by the number
of layers. Numbers are counts and sums, not measurements of a process: allocators and libraries need more. Layers are
counted in the form of XLM-R (post-norm); XL and XXL have the same matrices and put the norms elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loading import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters
from adapterxfer.variants.adapter import Adapter, AdapterShape
from adapterxfer.variants.composition import AdapterPart, Composition, HeadPart
from adapterxfer.variants.fusion import Fusion
from adapterxfer.variants.model import TransferModel

PAGE = Path(__file__).parents[1] / "docs" / "memory.md"
BEGIN, END = "<!-- table of scripts/table_memory.py -->", "<!-- end of the table -->"
GIB = 2**30


class Shape(NamedTuple):
    """Width, layers, heads and feed-forward width of a backbone."""

    hidden: int
    layers: int
    heads: int
    inner: int


SHAPES = {
    "xlm-r-base": Shape(768, 12, 12, 3072),
    "xlm-r-large": Shape(1024, 24, 16, 4096),
    "xlm-r-xl": Shape(2560, 36, 32, 10240),
    "xlm-r-xxl": Shape(4096, 48, 32, 16384),
}
VOCABULARY, POSITIONS = 250_002, 514
"""Rows of the two large embedding tables; like the shapes, taken as known and not read from a checkpoint."""

VARIANTS = (("full-ft", 0), ("head-only", 0), ("adapter", 1), ("stack", 2), ("fuse", 2), ("fuse", 9), ("lora", 1))
LORA_RANK = 8
REDUCTION = 16
ROWS, WIDTH = 32, 128


class Cost(NamedTuple):
    """What one variant needs; bytes are of fp32.

    Attributes:
        trainable: parameters.
        total: parameters, frozen ones and adapters included.
        kept: bytes that autograd keeps for the backward pass of one batch.
        kept_recomputing: the same with gradient checkpointing.
    """

    trainable: int
    total: int
    kept: int
    kept_recomputing: int

    @property
    def fixed(self) -> int:
        """Weights, gradients and two moments."""
        return 4 * self.total + 12 * self.trainable

    def peak(self, *, recomputing: bool = False) -> int:
        """Most at one moment of a step.

        Gradients come while activations go, but measured on a CPU what activations leave is not used again for them.
        """
        return self.fixed + (self.kept_recomputing if recomputing else self.kept)


def backbone_of(shape: Shape, layers: int) -> LoadedBackbone:
    """A backbone of few layers and few words on the meta device."""
    config = config_of(shape, layers, words=16, positions=WIDTH + 4)
    with torch.device("meta"):
        model = XLMRobertaModel(config, add_pooling_layer=False)
    model.eval().requires_grad_(False)
    return LoadedBackbone(model, None, config, {"name": "shape", "kind": "folder"}, "", count_parameters(model))  # type: ignore[arg-type]


def config_of(shape: Shape, layers: int, *, words: int, positions: int) -> XLMRobertaConfig:
    """With dropout, whose masks are kept."""
    return XLMRobertaConfig(
        vocab_size=words, hidden_size=shape.hidden, num_hidden_layers=layers, num_attention_heads=shape.heads,
        intermediate_size=shape.inner, max_position_embeddings=positions, hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
    )  # fmt: skip


def built(shape: Shape, variant: str, count: int, reduction: int, layers: int) -> TransferModel:
    """A variant of few layers on the meta device."""
    head = HeadPart("h00", "task", "sequence_classification", ("a", "b"))
    heads = {"h00": torch.nn.Linear(shape.hidden, 2)}
    return assembled(backbone_of(shape, layers), variant, count, shape.hidden // reduction, head, heads).to("meta")


def assembled(
    loaded: LoadedBackbone, variant: str, count: int, size: int, head: HeadPart, heads: Mapping[str, torch.nn.Module]
) -> TransferModel:
    """A variant with ``count`` adapters of bottleneck ``size``; `lora` is an adapter of that method."""
    method, size = ("lora", LORA_RANK) if variant == "lora" else ("seq_bn", size)
    generator = torch.Generator().manual_seed(1)
    ids = [*(f"i{i:02d}" for i in range(count - 1)), "t00"] if count else []
    shape = AdapterShape(method, size)
    adapters = {
        name: Adapter(loaded.layers, loaded.hidden_size, shape, generator=generator, linears=loaded.linears)
        for name in ids
    }
    fusion = Fusion(loaded.layers, loaded.hidden_size, dropout=0.1, generator=generator) if variant == "fuse" else None
    parts = tuple(AdapterPart(n, "target" if n == "t00" else "intermediate", n, method, size) for n in ids)
    kind: Any = "adapter" if variant == "lora" else variant
    composition = Composition(kind, parts, (head,), "x" if count > 1 else "")
    return TransferModel(loaded, composition, adapters=adapters, fusion=fusion, heads=heads)


def kept(model: TransferModel, rows: int) -> int:
    """Bytes of different tensors, weights aside, that autograd keeps for the backward pass."""
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    found: dict[int, int] = {}
    alive: list[Any] = []  # a storage that is freed could be counted twice under its address

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            alive.append(storage)
            found[storage._cdata] = storage.nbytes()
        return tensor

    ids = torch.full((rows, WIDTH), 5, device="meta")
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(ids, torch.ones_like(ids))
    return sum(found.values()) if output.requires_grad else 0


def parameters(shape: Shape) -> int:
    """Of the whole encoder without pooling layer."""
    layer = sum(p.numel() for n, p in backbone_of(shape, 1).model.named_parameters() if n.startswith("encoder."))
    return layer * shape.layers + (VOCABULARY + POSITIONS + 3) * shape.hidden


def cost(name: str, variant: str, count: int, reduction: int, *, rows: int = ROWS) -> Cost:
    """Of a whole model: the head and the embeddings are counted once, a layer as often as it is there."""
    shape = SHAPES[name]
    first, second = (built(shape, variant, count, reduction, layers) for layers in (1, 2))
    total = parameters(shape)
    inside = sum(p.numel() for n, p in first.named_parameters() if n.startswith(("adapters.", "fusion.")))
    trains = sum(p.numel() for n, p in first.trainable().items() if n.startswith(("adapters.", "fusion.")))
    trainable = total if variant == "full-ft" else trains * shape.layers
    # The backward pass ends inside the lowest layer, so every layer above it keeps more.
    lowest = kept(first, rows)
    upper = kept(second, rows) - lowest
    states = 4 * rows * WIDTH * shape.hidden
    again = states * shape.layers + max(upper, lowest) if upper else 0
    return Cost(trainable, total + inside * shape.layers, lowest + upper * (shape.layers - 1), again)


def label(variant: str, count: int) -> str:
    """Of a row."""
    return {"fuse": f"fuse of {count}", "lora": f"lora, rank {LORA_RANK}"}.get(variant, variant)


def put(begin: str, end: str, lines: Sequence[str]) -> None:
    """Replace what stands between two marks of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")


def table(reduction: int) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"fp32, seq_bn with reduction factor {reduction}, a batch of {ROWS} x {WIDTH} tokens at once:",
        "",
        "| backbone | variant | trainable | share | weights, gradients, optimiser | activations | recomputed | peak "
        "| recomputed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in SHAPES:
        for variant, count in VARIANTS:
            found = cost(name, variant, count, reduction)
            parts = (found.fixed, found.kept, found.kept_recomputing, found.peak(), found.peak(recomputing=True))
            sizes = " | ".join(f"{value / GIB:.1f} GiB" for value in parts)
            share = found.trainable / found.total
            lines.append(
                f"| {name} | {label(variant, count)} | {found.trainable / 1e6:,.2f} M | {share:.2%} | {sizes} |"
            )
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    parser.add_argument("--reduction", type=int, default=REDUCTION)
    arguments = parser.parse_args(argv)
    lines = table(arguments.reduction)
    print("\n".join(lines))
    if arguments.write:
        put(BEGIN, END, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
