"""A short run trains every format that can be trained, from settings of the recipe, and says why where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.advice.features import forward_of, task_embedding
from adapterxfer.advice.records import AdviceSettings
from adapterxfer.advice.short_run import short_run
from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.data.examples import RetrievalExample, TaskData
from adapterxfer.data.storage import StoredTask, read_task, write_task
from adapterxfer.errors import DataError
from adapterxfer.store.keys import Stage

Stored = Callable[[str], StoredTask]
SETTINGS = {"learning_rate": 4e-3, "batch_size": 8, "epochs": 3.0, "max_length": 64, "selection": "dev"}


def target_training(task: StoredTask, **more: Any) -> Stage:
    adapter = {"method": "seq_bn", "reduction_factor": 2}
    identity = {"mode": "adapter", "composition": "fresh", "adapter": adapter, "settings": SETTINGS, "seed": 1}
    return Stage(
        kind="train_target",
        version=1,
        identity={**identity, "task": task.task, "format": task.format, **more},
        inputs={},
        slug="",
        labels={},
        resources={},
    )


def dual_encoder(folder: Path) -> StoredTask:
    splits = {
        (split, "en"): [
            RetrievalExample(f"{split}{n}", f"{split}{n}", "en", f"who saw {n} ?", f"Tom saw {n} .") for n in range(16)
        ]
        for split in ("train", "dev")
    }
    write_task(folder, TaskData("pairs", "retrieval", (), dict(splits)), extra={"protocol": "pairs/dual-encoder"})
    return read_task(folder)


@pytest.mark.parametrize("name", ["world-xnli", "world-pos", "world-xmc", "world-xqa"])
def test_a_few_steps(nano: LoadedBackbone, stored: Stored, name: str) -> None:
    task, protocol = stored(name), AdviceSettings(steps=2)
    first = short_run(target_training(task), {}, nano, task, protocol)
    assert 0 <= first <= 100
    assert short_run(target_training(task), {}, nano, task, protocol) == first


def test_more_steps_learn_more(nano: LoadedBackbone, stored: Stored) -> None:
    task = stored("world-pos")
    scores = [short_run(target_training(task), {}, nano, task, AdviceSettings(steps=steps)) for steps in (1, 40)]
    assert scores[1] > scores[0] + 10


def test_trained_retrieval_has_texts_and_short_runs(nano: LoadedBackbone, tmp_path: Path) -> None:
    task, protocol = dual_encoder(tmp_path / "pairs"), AdviceSettings(steps=2)
    assert 0 <= short_run(target_training(task), {}, nano, task, protocol) <= 100
    embedding = task_embedding(forward_of(nano, None, protocol, device="cpu"), nano, task, protocol, device="cpu")
    assert embedding.shape == (nano.hidden_size,)


def test_refusals(nano: LoadedBackbone, stored: Stored) -> None:
    task = stored("world-xmc")
    with pytest.raises(DataError, match="trained on siqa first"):
        short_run(target_training(task, before=[{"task": "siqa"}]), {}, nano, task, AdviceSettings())
    without = replace(task, counts={split: counts for split, counts in task.counts.items() if split != "dev"})
    with pytest.raises(DataError, match="no English dev split"):
        short_run(target_training(task), {}, nano, without, AdviceSettings())
