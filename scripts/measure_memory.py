"""Measure the memory of real training steps at the shapes of XLM-R beside the estimate of table_memory.py.

    python scripts/measure_memory.py --backbones xlm-r-base --write     # puts the table into docs/memory.md

Each variant trains a few steps of one batch on random weights, through the training loop, in a process of its own. What
is told is the largest resident memory during these steps less what the process had before the model was made: weights,
gradients, optimiser, activations and temporary tensors, without Python and libraries. Linux and CPU only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import table_memory as counted
import torch
from transformers import XLMRobertaModel

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.measure import count_parameters
from adapterxfer.formats.base import Feature
from adapterxfer.formats.registry import get_format
from adapterxfer.formats.tagging import WordTargets
from adapterxfer.training.building import new_heads
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.composition import HeadPart

BEGIN, END = "<!-- table of scripts/measure_memory.py -->", "<!-- end of the measured table -->"
STEPS = 2
"""The optimiser's moments are there from the second step on."""

CASES = (("full-ft", 0), ("head-only", 0), ("adapter", 1), ("stack", 2), ("fuse", 2), ("fuse", 9), ("lora", 1))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print, or write into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbones", nargs="+", choices=sorted(counted.SHAPES), default=["xlm-r-base"])
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--only", nargs="*", default=[], help="variants, e.g. full-ft fuse:9")
    parser.add_argument("--recompute", action="store_true", help="gradient_checkpointing: true")
    parser.add_argument("--results", type=Path, help="JSON lines of earlier calls, to which this one adds")
    parser.add_argument("--write", action="store_true", help=f"put the table into {counted.PAGE.name}")
    parser.add_argument("--one", nargs=3, metavar=("BACKBONE", "VARIANT", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.one:
        name, variant, count = arguments.one
        print(json.dumps(measure(name, variant, int(count), arguments.rows, recompute=arguments.recompute)))
        return 0
    found = [json.loads(line) for line in counted.lines_of(arguments.results)]
    for name in arguments.backbones:
        for variant, count in CASES:
            if arguments.only and not {variant, f"{variant}:{count}"} & set(arguments.only):
                continue
            command = [sys.executable, __file__, "--one", name, variant, str(count), "--rows", str(arguments.rows)]
            command += ["--recompute"] if arguments.recompute else []
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f"{name} {variant}: ended with {done.returncode}: {done.stderr.strip()[-300:]}")
                continue
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(found[-1]), flush=True)
            if arguments.results:
                with arguments.results.open("a") as file:
                    file.write(json.dumps(found[-1]) + "\n")
    lines = table(found)
    print("\n".join(lines))
    if arguments.write:
        counted.put(BEGIN, END, lines)
    return 0


def measure(name: str, variant: str, count: int, rows: int, *, recompute: bool) -> dict[str, Any]:
    """Peak bytes of a few steps of one variant, and what was expected."""
    torch.set_num_threads(1)
    # A tiny one first, so that what libraries need is there before the model is.
    run(counted.Shape(32, 1, 2, 64), 200, variant, count, rows, recompute=recompute)
    before = resident("VmRSS")
    seconds = run(counted.SHAPES[name], counted.VOCABULARY, variant, count, rows, recompute=recompute)
    return {
        "backbone": name, "variant": variant, "count": count, "rows": rows, "recomputed": recompute,
        "measured": resident("VmHWM") - before, "seconds": round(seconds, 1),
    }  # fmt: skip


def run(shape: counted.Shape, vocabulary: int, variant: str, count: int, rows: int, *, recompute: bool) -> float:
    """Make a model, forget the peak so far, and train; returns the seconds of the training."""
    config = counted.config_of(shape, words=vocabulary, positions=counted.POSITIONS)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval()
    counts = count_parameters(model)
    loaded = LoadedBackbone(
        model=model,
        tokenizer=None,  # type: ignore[arg-type]
        config=config,
        identity={"name": "shape", "kind": "folder"},
        fingerprint="",
        parameters=counts,
    )
    # Every token a word, so that the last layer computes all states, as in the estimate.
    fmt = get_format("tagging")
    ids = list(range(5, 5 + counted.WIDTH - 2))
    words = list(range(len(ids)))
    target = WordTargets(words, [1 + word for word in words], [0] * len(words))
    features = [Feature([[0, *ids, 2]], target, index) for index in range(rows)]
    task = TrainTask(name="task", format=fmt, labels=("a", "b"), features=features, pad_id=1)
    head = HeadPart("h00", "task", fmt.name, task.labels)
    heads = new_heads(loaded, [task], (head,), seed=1)
    transfer = counted.assembled(loaded, variant, count, shape.hidden // counted.REDUCTION, head, heads)
    settings = TrainSettings(
        learning_rate=1e-5, batch_size=rows, steps=STEPS, max_length=counted.WIDTH, gradient_checkpointing=recompute
    )
    Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    train(transfer, [task], settings, seed=1, log=lambda _: None, token_budget=rows * counted.WIDTH)
    return time.perf_counter() - began


def resident(field: str) -> int:
    """Bytes of resident memory now (VmRSS) or at most so far (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell resident memory")


def table(found: Sequence[dict[str, Any]]) -> list[str]:
    """Lines of Markdown."""
    lines = ["| backbone | variant | batch | estimate | measured | estimate / measured |", "|---|---|---|---|---|---|"]
    for row in found:
        name, variant, count, rows = (row[key] for key in ("backbone", "variant", "count", "rows"))
        again = row["recomputed"]
        expected = counted.peaks_of(name, variant, count, counted.REDUCTION, rows=rows, recomputing=again)
        estimate = expected.process or expected.tensors
        label = counted.label(variant, count) + (", recomputed" if again else "")
        sizes = f"{estimate / counted.GIB:.2f} GiB | {row['measured'] / counted.GIB:.2f} GiB"
        ratio = estimate / row["measured"]
        lines.append(f"| {name} | {label} | {rows} x {counted.WIDTH} | {sizes} | {ratio:.2f} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
