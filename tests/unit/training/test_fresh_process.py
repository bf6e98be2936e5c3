"""A trained model of every composition gives the same logits again when another process reads it from its folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fresh_logits
import pytest
import torch
from safetensors.torch import load_file

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.stages import merge as merge_stage
from adapterxfer.stages import train as train_stage
from adapterxfer.variants.model import TransferModel

LIMIT = 1e-6
LORA = {"method": "lora", "rank": 2}


@pytest.fixture(name="told")
def _told(monkeypatch: pytest.MonkeyPatch, world: Path, backbone: LoadedBackbone) -> dict[str, torch.Tensor]:
    """Folder -> logits of the model in the process that made it, taken when it is stored; only those with `pos`."""
    found: dict[str, torch.Tensor] = {}

    def watching(write: Callable[[Path, TransferModel], None]) -> Callable[[Path, TransferModel], None]:
        def written(folder: Path, model: TransferModel) -> None:
            if "pos" in model.composition.tasks:
                found[str(folder)] = fresh_logits.logits_of(model, world, backbone)
            write(folder, model)

        return written

    for stage in (train_stage, merge_stage):
        monkeypatch.setattr(stage, "write_weights", watching(stage.write_weights))
    return found


def test_every_composition_gives_the_same_logits_in_a_fresh_process(
    run: Any, merged: Any, world: Path, told: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    data = {"data": world / "pos"}
    nli, full, low = (
        run("train_intermediate", {"data.nli": world / "nli"}, **how)
        for how in ({}, {"mode": "full"}, {"adapter": LORA})
    )
    target, other = (run("train_target", data, seed=seed) for seed in (11, 12))
    whole = run("train_target", {**data, "intermediate": full}, mode="full", composition="sequential")
    again = run("train_target", {**data, "intermediate": full}, mode="full", composition="sequential", seed=12)
    lora = run("train_target", {**data, "intermediate": low}, composition="stack", adapter=LORA)
    fused = {**data, "target": target, "intermediate.nli": nli}
    folders = {
        "adapter": target,
        "full-ft": whole,
        "head-only": run("train_target", data, mode="head"),
        "sequential": run("train_target", {**data, "intermediate": nli}, composition="sequential"),
        "stack": run("train_target", {**data, "intermediate": nli}, composition="stack"),
        "fuse": run("train_fusion", fused, fused=["nli"]),
        "low-rank fuse": run("train_fusion", fused, fused=["nli"], rank=3),
        "lora": run("train_target", data, adapter=LORA),
        "stack of loras": lora,
        "average": merged([target, other]),
        "arithmetic": merged([target, nli], kind="arithmetic", weights=[1.0, 0.5]),
        "soup": merged([whole, again], kind="soup"),
        "sum of loras": merged([lora, run("train_target", {**data, "intermediate": low},
                                                           composition="stack", adapter=LORA, seed=12)]),
    }  # fmt: skip
    out = tmp_path / "logits.safetensors"
    command = [sys.executable, fresh_logits.__file__, str(out), str(world), *map(str, folders.values())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = load_file(out)
    for name, folder in folders.items():
        assert (found[str(folder)] - told[str(folder)]).abs().max().item() <= LIMIT, name
    distinct = [found[str(folder)] for folder in folders.values()]
    pairs = [(a, b) for place, a in enumerate(distinct) for b in distinct[:place]]
    assert min((a - b).abs().max().item() for a, b in pairs) > 1e-4, "models that differ must be told apart"
