"""A whole study is killed -9, worker and driver, run again, and ends as if nothing had happened.

Tiny in every number but whole: tokenizer and backbone pretrained from text, all variants, controls, report.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: killed
title: A tiny study
backbones: [small]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
pretrain:
  corpus: {languages: [en, de], vocabulary: 400, alphabet: 60, holdout: 0.05, sequence_length: 32}
  series:
    small: {hidden: 16, layers: 2, heads: 2}
  tokens: 20000
  batch_sequences: 16
  learning_rate: 1e-3
  dtype: fp32
train:
  default: {batch_size: 8, steps: 6, learning_rate: 1e-3, max_length: 48}
tasks:
  world-nli: {train_examples: 48, dev_examples: 8}
  world-xnli: {train_examples: 48, dev_examples: 8, test_examples: 16}
  world-retrieval: {test_examples: 16}
controls: true
statistics: {resamples: 100}
"""

TIMES = {"stage.json", "log.jsonl", "pretraining.json", "train.jsonl"}
"""Files that may hold seconds; every other file of a stage must be the same byte for byte."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A recipe and two small texts."""
    rng = np.random.default_rng(3)
    words = ["".join(rng.choice(list("abdeiklmnorstu"), size=rng.integers(2, 7))) for _ in range(120)]
    (tmp_path / "data").mkdir()
    for language in ("en", "de"):
        lines = [" ".join(rng.choice(words, size=rng.integers(5, 12))) + "." for _ in range(400)]
        (tmp_path / "data" / f"{language}.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    return tmp_path


Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(study: Path) -> Iterator[Start]:
    """Starts runs of the recipe on a store; whatever still runs at the end of the test is killed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with ExitStack() as stack:

        def run(store: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-u", "-m", "adapterxfer.cli", "run", "tiny.yaml", "--set", "data_root=data"]
            driver = stack.enter_context(
                subprocess.Popen(
                    [*command, "--store", store, "--jobs", "2"],
                    cwd=study,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            stack.callback(driver.kill)
            return driver

        yield run


def read_until(driver: subprocess.Popen[str], *words: str) -> None:
    """Read the driver's lines until one holds all words."""
    assert driver.stdout is not None
    seen = []
    for line in driver.stdout:
        seen.append(line)
        if all(word in line for word in words):
            return
    pytest.fail(f"no line with {words}:\n{''.join(seen)}")


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def contents(store: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder.parent.parent)): path.read_bytes()
        for folder in Store(store).completed().values()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in TIMES
    }


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds worker processes in /proc")
def test_a_killed_study_ends_as_an_undisturbed_one(study: Path, start: Start) -> None:
    undisturbed = start("undisturbed")

    driver = start("killed")
    read_until(driver, "prepare", "world-xnli")
    for worker in children(driver.pid):
        os.kill(worker, signal.SIGKILL)
    read_until(driver, "train_intermediate")
    driver.kill()
    driver.communicate()
    kept = Store(study / "killed").completed()
    assert 3 <= len(kept) < 25

    driver = start("killed")
    read_until(driver, f"{len(kept)} done")
    read_until(driver, "] predict small")
    driver.kill()
    driver.communicate()

    for run in (start("killed"), undisturbed):
        output, _ = run.communicate(timeout=300)
        assert run.returncode == 0, output
        assert "0 failed" in output

    expected, found = contents(study / "undisturbed"), contents(study / "killed")
    assert sum(name.endswith("predictions.parquet") for name in expected) == 12
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert list((study / "killed" / ".scratch").iterdir()) == []
    assert not (study / "killed" / "damaged").exists()
    assert not list((study / "killed").glob("failed/*"))

    again = start("killed")
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert "done: 25 stages already in the store" in output
