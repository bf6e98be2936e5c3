"""Trainable parameters and memory of every variant at the real shapes, as the table in docs/memory.md.

    python scripts/table_memory.py            # prints the table
    python scripts/table_memory.py --write    # puts it into docs/memory.md

Nothing is downloaded and no large tensor is made: whole models are built without data, trained for two steps, and what
is made and freed on the way is added up (`memory_trace`). Layers are counted in the form of XLM-R (post-norm); XL and
XXL have the same matrices and put the norms elsewhere. Takes some twenty minutes on one core; with `--results FILE`
finished rows are kept, and a later call goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from memory_trace import Peaks, peaks, traced, without_data
from transformers import XLMRobertaConfig, XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters
from adapterxfer.training.optimiser import apply, new_optimiser
from adapterxfer.training.settings import TrainSettings
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
STEPS = 2
"""The optimiser's moments are there from the second step on, and what the first one freed lies about."""


class Cost(NamedTuple):
    """What one variant needs, in fp32.

    Attributes:
        trainable: parameters.
        total: parameters, frozen ones and adapters included.
        peaks: bytes in a training step.
        recomputing: the same with gradient checkpointing.
    """

    trainable: int
    total: int
    peaks: Peaks
    recomputing: Peaks

    @property
    def fixed(self) -> int:
        """Bytes of weights, gradients and two moments."""
        return 4 * self.total + 12 * self.trainable


def config_of(shape: Shape, *, words: int, positions: int) -> XLMRobertaConfig:
    """With dropout, whose masks are kept."""
    return XLMRobertaConfig(
        vocab_size=words, hidden_size=shape.hidden, num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        intermediate_size=shape.inner, max_position_embeddings=positions, hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
    )  # fmt: skip


def built(name: str, variant: str, count: int, reduction: int) -> TransferModel:
    """A variant at the shape of a backbone; inside `without_data`."""
    shape = SHAPES[name]
    config = config_of(shape, words=VOCABULARY, positions=POSITIONS)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    identity = {"name": name, "kind": "folder"}
    loaded = LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity=identity,
        fingerprint="",
        parameters=count_parameters(model),
    )
    head = HeadPart("h00", "task", "sequence_classification", ("a", "b"))
    heads = {"h00": torch.nn.Linear(shape.hidden, 2)}
    return assembled(loaded, variant, count, shape.hidden // reduction, head, heads)


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
    parts = tuple(
        AdapterPart(id=n, role="target" if n == "t00" else "intermediate", name=n, method=method, bottleneck_size=size)
        for n in ids
    )
    kind: Any = "adapter" if variant == "lora" else variant
    composition = Composition(kind, parts, (head,), "x" if count > 1 else "")
    return TransferModel(loaded, composition, adapters=adapters, fusion=fusion, heads=heads)


def step_of(model: TransferModel, rows: int) -> Callable[[], None]:
    """One training step on ``rows`` inputs without padding, as the training loop takes it."""
    parameters = list(model.trainable().values())
    settings = TrainSettings(learning_rate=1e-5, batch_size=rows, steps=STEPS, max_length=WIDTH)
    optimiser = new_optimiser(parameters, settings)
    ids = torch.zeros((rows, WIDTH), dtype=torch.long)

    def step() -> None:
        model.heads["h00"](model(ids)[:, 0]).sum().backward()
        apply(optimiser, parameters, rate=settings.learning_rate, count=rows, clip=settings.clip)

    return step


def peaks_of(name: str, variant: str, count: int, reduction: int, *, rows: int, recomputing: bool) -> Peaks:
    """Peak bytes of training a whole model, its two-label head included."""
    with without_data():
        model = built(name, variant, count, reduction).train()
        model.recompute = recomputing
        return peaks(traced(model, step_of(model, rows), steps=STEPS))


def cost(name: str, variant: str, count: int, reduction: int, *, rows: int = ROWS) -> Cost:
    """Parameters, without the head, and memory."""
    with without_data():
        model = built(name, variant, count, reduction)
        trainable = sum(p.numel() for n, p in model.trainable().items() if not n.startswith("heads."))
        total = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("heads."))
    plain, again = (
        peaks_of(name, variant, count, reduction, rows=rows, recomputing=recomputing) for recomputing in (False, True)
    )
    return Cost(trainable, total, plain, again)


def label(variant: str, count: int) -> str:
    """Of a row."""
    return {"fuse": f"fuse of {count}", "lora": f"lora, rank {LORA_RANK}"}.get(variant, variant)


def put(begin: str, end: str, lines: Sequence[str]) -> None:
    """Replace what stands between two marks of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")


def kept_cost(path: Path | None, name: str, variant: str, count: int, reduction: int) -> Cost:
    """From the file of an earlier call, or found now and added to it."""
    key = [name, variant, count, reduction, ROWS, WIDTH]
    for line in lines_of(path):
        if (row := json.loads(line))["key"] == key:
            trainable, total, plain, again = row["cost"]
            return Cost(trainable, total, Peaks(*plain), Peaks(*again))
    found = cost(name, variant, count, reduction)
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "cost": found}) + "\n")
    return found


def lines_of(path: Path | None) -> list[str]:
    """Of a file that may not be there yet."""
    return path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []


def table(reduction: int, backbones: Sequence[str], results: Path | None) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"fp32, seq_bn with reduction factor {reduction}, a batch of {ROWS} x {WIDTH} tokens at once:",
        "",
        "| backbone | variant | trainable | share | weights, gradients, optimiser | peak of tensors | recomputed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in backbones:
        for variant, count in VARIANTS:
            found = kept_cost(results, name, variant, count, reduction)
            sizes = (found.fixed, found.peaks.tensors, found.recomputing.tensors)
            shown = " | ".join(f"{value / GIB:.1f} GiB" for value in sizes)
            share = found.trainable / found.total
            lines.append(
                f"| {name} | {label(variant, count)} | {found.trainable / 1e6:,.2f} M | {share:.2%} | {shown} |"
            )
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    parser.add_argument("--reduction", type=int, default=REDUCTION)
    parser.add_argument("--backbones", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--results", type=Path, help="JSON lines of earlier calls, to which this one adds")
    arguments = parser.parse_args(argv)
    lines = table(arguments.reduction, arguments.backbones, arguments.results)
    print("\n".join(lines))
    if arguments.write:
        put(BEGIN, END, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
