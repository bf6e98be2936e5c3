"""Speed of an encoder's matrix products on one core: torch's own (MKL), oneDNN's, and bf16.

    python scripts/benchmark_products.py                       # 512 positions, 384 wide
    python scripts/benchmark_products.py --rows 2048 --width 768 --json out.json

GFLOP/s of CPU time, the best of `--turns`: the maps of attention, into and out of the feed-forward block, forward, and
of the gradients of inputs and weights. `variants/products.py` chooses between the first two.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from adapterxfer.variants.products import _multiply


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=512, help="positions")
    parser.add_argument("--width", type=int, default=384, help="of the encoder")
    parser.add_argument("--turns", type=int, default=5, help="of which the best counts")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for inputs, outputs in ((1, 1), (1, 4), (4, 1)):
        shape = (asked.rows, asked.width * inputs, asked.width * outputs)
        for name, speeds in measure(shape, asked.turns).items():
            rows.append({"product": name, "shape": shape, **speeds})
            figures = "   ".join(f"{library} {speed:6.1f}" for library, speed in speeds.items())
            print(f"{name:8} {' x '.join(map(str, shape)):18} {figures}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(shape: tuple[int, int, int], turns: int) -> dict[str, dict[str, float]]:
    """GFLOP/s of each product by library."""
    rows, inputs, outputs = shape
    states, weight, gradient = torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.randn(rows, outputs)
    low_states, low_weight = states.bfloat16(), weight.bfloat16()

    def speed(call: Callable[[], Tensor]) -> float:
        return 2.0 * rows * inputs * outputs / _seconds(call, turns) / 1e9

    with torch.no_grad():
        return {
            "forward": {
                "torch": speed(lambda: functional.linear(states, weight)),
                "oneDNN": speed(lambda: _multiply(states, weight, None)),
                "bf16": speed(lambda: functional.linear(low_states, low_weight)),
            },
            "inputs": {
                "torch": speed(lambda: gradient @ weight),
                "oneDNN": speed(lambda: _multiply(gradient, weight.t(), None)),
            },
            "weights": {
                "torch": speed(lambda: gradient.t() @ states),
                "oneDNN": speed(lambda: _multiply(gradient.t(), states.t(), None)),
            },
        }


def _seconds(call: Callable[[], Tensor], turns: int) -> float:
    """CPU seconds of one call; a turn lasts 50 ms."""
    call()
    best = float("inf")
    for _ in range(turns):
        began, calls = time.process_time(), 0
        while (spent := time.process_time() - began) < 0.05 or not calls:
            call()
            calls += 1
        best = min(best, spent / calls)
    return best


if __name__ == "__main__":
    sys.exit(main())
