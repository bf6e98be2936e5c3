"""Full fine-tuning in shards: ``two_shards.py WORLD OUT [stop | "go on"]``; ranks come by environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from one_of_several import Process, State
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor
from transformers import XLMRobertaXLConfig, XLMRobertaXLModel

from adapterxfer.backbones import rows
from adapterxfer.backbones.loaded import LoadedBackbone, with_words
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.backbones.measure import count_parameters, state_fingerprint
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.training import loop
from adapterxfer.training.building import build_single
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import read_train_task

LONG_MEAN = {"selection": "mean", "mean_of": 6}
SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=9, steps=12, max_length=32, weight_decay=0.01)
CASES: dict[str, dict[str, Any]] = {
    "mean": {"selection": "mean"},
    "dev, recomputed": {"selection": "dev", "gradient_checkpointing": True},
    "rows of words": {"weight_decay": 0.0},
    "xlm-r-xl": {},
    "xlm-r-xl, recomputed": {"gradient_checkpointing": True},
}


def xl(small: LoadedBackbone) -> LoadedBackbone:
    """A random encoder of another architecture, whose library runs the layers."""
    config = XLMRobertaXLConfig(
        vocab_size=small.config.vocab_size, hidden_size=20, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=28, max_position_embeddings=42, pad_token_id=1, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(5)
    model = XLMRobertaXLModel(config, add_pooling_layer=False).eval().requires_grad_(False)
    fingerprint = state_fingerprint(model.state_dict())
    return LoadedBackbone(
        model=model,
        tokenizer=small.tokenizer,
        config=config,
        identity=small.identity,
        fingerprint=fingerprint,
        parameters=count_parameters(model),
    )


def without_one_word(world: Path) -> LoadedBackbone:
    """The backbone of the world with the rows of all words but the mask's, which no text has."""
    rows.LARGE = 0
    forget_backbones()
    backbone = load_backbone({"name": "backbone", "kind": "folder"}, world / "backbone", words=False)
    return with_words(backbone, np.delete(np.arange(backbone.vocabulary), 4))


def run(
    world: Path, backbone: LoadedBackbone, settings: TrainSettings, checkpoints: Checkpoints | None = None
) -> tuple[State, loop.TrainResult]:
    task = read_train_task(world / "pos", "pos", "tagging", backbone, max_length=32, dev=True)
    model = build_single(backbone, [task], mode="full", composition="fresh", adapter=None, intermediate=None, seed=1)
    result = loop.train(
        model, [task], settings, seed=3, log=lambda _: None, token_budget=60, checkpoints=checkpoints, sharding="fsdp"
    )
    assert not any(isinstance(parameter, DTensor) for parameter in model.parameters())
    return {name: parameter.detach().clone() for name, parameter in model.trainable().items()}, result


class Watched:
    """Notes how much of the backbone a process held while it trained."""

    def __init__(self) -> None:
        self.share = 1.0
        self._make = loop.sharded

    def __call__(self, model: Any, accelerator: Any) -> Any:
        made = self._make(model, accelerator)
        held = sum(p.to_local().numel() if isinstance(p, DTensor) else 0 for p in made.parameters())
        self.share = held / sum(p.numel() for p in made.backbone.parameters())
        return made


def main() -> int:
    process = Process()

    def train_noisy(checkpoints: Checkpoints | None = None) -> State:
        return run(process.world, process.noisy, replace(SETTINGS, **LONG_MEAN), checkpoints)[0]

    if (code := process.resumed(train_noisy, stop_at=8)) is not None:  # after the first moment of the mean
        return code
    watched = Watched()
    loop.sharded = watched  # type: ignore[assignment]
    results: dict[str, Mapping[str, Any]] = {}
    for case, changes in CASES.items():
        backbone = xl(process.small) if case.startswith("xlm-r-xl") else process.small
        if case == "rows of words":
            backbone = without_one_word(process.world)
        state, result = run(process.world, backbone, replace(SETTINGS, **changes))
        results[case] = {
            **result.as_json(), "processes": result.processes, "sharding": result.sharding, "share": watched.share,
        }  # fmt: skip
        save_file(state, process.folder / f"{case} {process.rank}.safetensors")
    process.save("noisy", train_noisy())
    process.save_results(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
