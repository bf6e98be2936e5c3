"""Train on one or several processes: ``two_processes.py WORLD OUT [stop | "go on"]``; ranks come by environment."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from adapterxfer.backbones.loading import LoadedBackbone, load_backbone, with_own_weights
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import StageStopped
from adapterxfer.training.building import build_single
from adapterxfer.training.device import accelerator_for, use_one_thread
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import read_train_task

SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=9, steps=12, max_length=32)
CASES = {"adapter": ("adapter", ["pos"]), "full": ("full", ["pos"]), "two tasks": ("adapter", ["nli", "pos"])}
FORMATS = {"nli": "sequence_classification", "pos": "tagging"}


def run(
    world: Path, backbone: LoadedBackbone, case: str, checkpoints: Checkpoints | None = None
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    mode, names = CASES[case]
    tasks = [read_train_task(world / n, n, FORMATS[n], backbone, max_length=32, dev=False) for n in names]
    adapter = {"method": "seq_bn", "bottleneck_size": 6}
    model = build_single(backbone, tasks, mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1)
    lines: list[Mapping[str, Any]] = []
    result = train(model, tasks, SETTINGS, seed=3, log=lines.append, token_budget=60, checkpoints=checkpoints)
    state = {name: parameter.detach().clone() for name, parameter in model.trainable().items()}
    return state, {**result.as_json(), "lines": len(lines)}


def main() -> int:
    use_one_thread()
    world, out, *more = sys.argv[1:]
    folder = Path(out)
    folder.mkdir(exist_ok=True)
    backbone = load_backbone({"name": "backbone", "kind": "folder"}, Path(world) / "backbone")
    accelerator = accelerator_for("fp32")
    first = accelerator.is_main_process
    noisy = with_own_weights(backbone)
    noisy.model.config.hidden_dropout_prob = 0.2
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return more == ["stop"] and not first and asked == 5  # the second process alone is asked

    if more:
        try:
            state, _ = run(Path(world), noisy, "adapter", Checkpoints(folder / "saved", stage="k", stop=stop))
        except StageStopped:
            return 75
        if first:
            save_file(state, folder / "resumed.safetensors")
        return 0
    results: dict[str, Any] = {"processes": accelerator.num_processes}
    for case in CASES:
        state, result = run(Path(world), backbone, case)
        results[case] = result
        if first:
            save_file(state, folder / f"{case}.safetensors")
    state, _ = run(Path(world), noisy, "adapter")
    if first:
        save_file(state, folder / "noisy.safetensors")
        (folder / "result.json").write_text(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
