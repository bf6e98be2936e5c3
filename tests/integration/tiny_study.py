"""A study that is tiny in every number but whole: tokenizer and backbones pretrained from text, all variants, controls,
report. Shared by the tests that kill it and by ``scripts/soak_kill.py``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: {name}
title: A tiny study
backbones: [{backbones}]
intermediate_tasks: [{intermediates}]
target_tasks: [{targets}]
variants: [{variants}]
adapters: [{{method: seq_bn, reduction_factor: 2}}]
seeds: [{seeds}]
pretrain:
  corpus: {{languages: [en, de], vocabulary: 400, alphabet: 60, holdout: 0.05, sequence_length: 32}}
  series:
{series}
  tokens: 20000
  batch_sequences: 16
  learning_rate: 1e-3
  dtype: fp32
train:
  default: {{batch_size: 8, steps: 6, learning_rate: 1e-3, max_length: 48}}
tasks:
{tasks}
controls: true
statistics: {{resamples: 100}}
"""

SHAPES = {
    "small": "{hidden: 16, layers: 2, heads: 2}",
    "middle": "{hidden: 24, layers: 2, heads: 2}",
    "large": "{hidden: 32, layers: 2, heads: 2}",
}

TASKS = {
    "world-nli": "{train_examples: 48, dev_examples: 8}",
    "world-qa": "{train_examples: 48, dev_examples: 8}",
    "world-xnli": "{train_examples: 48, dev_examples: 8, test_examples: 16}",
    "world-xqa": "{train_examples: 48, dev_examples: 8, test_examples: 16}",
    "world-retrieval": "{test_examples: 16}",
}

TIMED = {"stage.json", "log.jsonl", "pretraining.json", "train.jsonl"}
"""Files that may hold seconds; every other file of a stage must be the same byte for byte."""


def recipe(
    name: str,
    *,
    backbones: Sequence[str] = ("small",),
    intermediates: Sequence[str] = ("none", "world-nli"),
    targets: Sequence[str] = ("world-xnli", "world-retrieval"),
    variants: Sequence[str] = ("full-ft", "stack", "fuse"),
    seeds: Sequence[int] = (1,),
) -> str:
    """The recipe over this grid; the default has 25 stages."""
    return RECIPE.format(
        name=name,
        backbones=", ".join(backbones),
        intermediates=", ".join(intermediates),
        targets=", ".join(targets),
        variants=", ".join(variants),
        seeds=", ".join(map(str, seeds)),
        series="\n".join(f"    {size}: {SHAPES[size]}" for size in backbones),
        tasks="\n".join(f"  {task}: {TASKS[task]}" for task in TASKS if task in {*intermediates, *targets}),
    )


def quickstart_grid(name: str) -> str:
    """The recipe over the grid of ``recipes/quickstart.yaml``: three sizes, three intermediates, three targets."""
    return recipe(
        name,
        backbones=tuple(SHAPES),
        intermediates=("none", "world-nli", "world-qa"),
        targets=("world-xnli", "world-xqa", "world-retrieval"),
        seeds=(1, 2),
    )


def write_study(folder: Path, **recipes: str) -> None:
    """``data/`` with two small made-up texts, and every recipe as ``NAME.yaml``."""
    rng = np.random.default_rng(3)
    words = ["".join(rng.choice(list("abdeiklmnorstu"), size=rng.integers(2, 7))) for _ in range(120)]
    (folder / "data").mkdir(parents=True)
    for language in ("en", "de"):
        lines = [" ".join(rng.choice(words, size=rng.integers(5, 12))) + "." for _ in range(400)]
        (folder / "data" / f"{language}.txt").write_text("\n".join(lines) + "\n")
    for name, text in recipes.items():
        (folder / f"{name}.yaml").write_text(text)


def command(name: str, store: str, *more: str) -> list[str]:
    """What runs ``NAME.yaml`` in that folder."""
    words = [sys.executable, "-u", "-m", "adapterxfer.cli", "run", f"{name}.yaml", "--set", "data_root=data"]
    return [*words, "--store", store, *more]


def environment() -> dict[str, str]:
    """Processes started with it import what this one can import."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


MEASURED = re.compile(
    rb"<!-- measured on one machine: begin -->.*?<!-- measured on one machine: end -->", flags=re.DOTALL
)
"""The only parts of a page that may hold seconds."""


def contents(root: Path) -> dict[str, bytes]:
    """Every file of every finished stage that holds no seconds, and of a page what is not measured."""
    return {
        path.relative_to(root).as_posix(): MEASURED.sub(b"", path.read_bytes())
        for folder in Store(root).folders()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in TIMED and path.parent.name != "measured"
    }
