"""Print, as the Markdown of docs/sizes.md, what every variant trains at the shapes of XLM-R.

python scripts/variant_sizes.py > docs/sizes.md
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from adapterxfer.variants.sizes import SHAPES, SizeRow, backbone_count, rows_of

HEAD = """# What trains, and what it takes

Made by `python scripts/variant_sizes.py > docs/sizes.md`; nothing here is measured on a running training. Backbones
stand on torch's meta device with the widths and depths of their configurations; adapters and fusions are built at that
width. Heads are left out. Memory is that of weights (4 bytes), and for what trains also gradients and two moments of
Adam (16 bytes in all), in fp32; activations come on top and depend on the batch.

`stack` and `fuse` hold one intermediate adapter of `seq_bn/16` (`fuse` also the target's) beside the backbone, frozen.
A fusion has as many parameters with two adapters as with nine.
"""


def main() -> None:
    """Write the page to standard output."""
    torch.set_num_threads(1)
    lines = [HEAD, "| backbone | parameters | without embeddings |", "|---|---:|---:|"]
    counts = {shape.name: backbone_count(shape) for shape in SHAPES}
    lines += [f"| {name} | {count.total:,} | {count.non_embedding:,} |" for name, count in counts.items()]
    tables = [rows_of(shape) for shape in SHAPES]
    names = " | ".join(shape.name for shape in SHAPES)
    columns: dict[str, Callable[[SizeRow], str]] = {
        "Parameters that train, and their share of all": lambda row: f"{row.trainable:,} ({row.share:.2%})",
        "Weights, gradients and optimiser states, GiB": lambda row: f"{row.state_bytes / 2**30:.1f}",
    }
    for title, cell in columns.items():
        lines += ["", f"## {title}", "", f"| variant | {names} |", "|---|" + "---:|" * len(SHAPES)]
        for same in zip(*tables, strict=True):
            lines.append(f"| {same[0].system} | " + " | ".join(cell(row) for row in same) + " |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
