"""Speed of dropout in a training step on one core: torch's own and ours, in turn.

    python scripts/benchmark_dropout.py                        # 14 rows of 36 positions, 384 wide, 12 heads
    python scripts/benchmark_dropout.py --batch 8 --length 64 --json out.json

Forward and backward pass, milliseconds of CPU time, the median of `--turns`, in which the sides alternate: the end of a
block (dropout of its output, plus the residual) and attention with dropout on its shares.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from adapterxfer.variants.dropout import attention, dropped_plus

SHARE = 0.1
"""Of XLM-R and BERT."""

Side = Callable[..., Tensor]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=14, help="rows")
    parser.add_argument("--length", type=int, default=36, help="positions of a row")
    parser.add_argument("--width", type=int, default=384, help="of the encoder")
    parser.add_argument("--heads", type=int, default=12, help="of its attention")
    parser.add_argument("--turns", type=int, default=60, help="of which the median counts")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    whole = (asked.batch, asked.length, asked.width)
    heads = (asked.batch, asked.heads, asked.length, asked.width // asked.heads)
    results = {
        "block": measure([whole] * 2, asked.turns, torch=_torch_block, ours=_our_block),
        "attention": measure([heads] * 3, asked.turns, torch=_torch_attention, ours=_our_attention),
    }
    for name, seconds in results.items():
        ratio = seconds["torch"] / seconds["ours"]
        print(f"{name:10} torch {1e3 * seconds['torch']:.2f} ms   ours {1e3 * seconds['ours']:.2f} ms   {ratio:.2f}x")
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(shapes: list[tuple[int, ...]], turns: int, **sides: Side) -> dict[str, float]:
    """Median CPU seconds of each side on fresh inputs of these shapes."""
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    gradient = torch.randn(shapes[0])
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            began = time.process_time()
            side(*inputs).backward(gradient)
            seconds[name].append(time.process_time() - began)
            for tensor in inputs:
                tensor.grad = None
    return {name: statistics.median(values) for name, values in seconds.items()}


def _torch_block(states: Tensor, residual: Tensor) -> Tensor:
    return functional.dropout(states, SHARE) + residual


def _our_block(states: Tensor, residual: Tensor) -> Tensor:
    return dropped_plus(states, SHARE, residual)


def _torch_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(query, key, value, dropout_p=SHARE)


def _our_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attention(query, key, value, None, SHARE)


if __name__ == "__main__":
    sys.exit(main())
