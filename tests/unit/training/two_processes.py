"""Train on one or several processes: ``two_processes.py WORLD OUT [stop | "go on"]``; ranks come by environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from one_of_several import Process, State

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import read_train_task

SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=9, steps=12, max_length=32)
CASES = {"adapter": ("adapter", ["pos"]), "full": ("full", ["pos"]), "two tasks": ("adapter", ["nli", "pos"])}
FORMATS = {"nli": "sequence_classification", "pos": "tagging"}


def run(
    world: Path, backbone: LoadedBackbone, case: str, checkpoints: Checkpoints | None = None
) -> tuple[State, dict[str, Any]]:
    mode, names = CASES[case]
    tasks = [read_train_task(world / n, n, FORMATS[n], backbone, max_length=32, dev=False) for n in names]
    adapter = {"method": "seq_bn", "bottleneck_size": 6}
    model = build_single(backbone, tasks, mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1)
    lines: list[Mapping[str, Any]] = []
    result = train(model, tasks, SETTINGS, seed=3, log=lines.append, token_budget=60, checkpoints=checkpoints)
    state = {name: parameter.detach().clone() for name, parameter in model.trainable().items()}
    return state, {**result.as_json(), "lines": len(lines)}


def main() -> int:
    process = Process()

    def train_noisy(checkpoints: Checkpoints | None = None) -> State:
        return run(process.world, process.noisy, "adapter", checkpoints)[0]

    if (code := process.resumed(train_noisy, stop_at=5)) is not None:
        return code
    results: dict[str, Any] = {"processes": process.count}
    for case in CASES:
        state, results[case] = run(process.world, process.small, case)
        process.save(case, state)
    process.save("noisy", train_noisy())
    process.save_results(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
