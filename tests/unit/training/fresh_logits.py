"""Run in a process of its own: logits of every model folder on the same batch.

python fresh_logits.py OUT WORLD FOLDER...
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.formats.registry import get_format
from adapterxfer.training.tasks import read_train_task
from adapterxfer.variants.composition import HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import load_model

IDENTITY = {"name": "backbone", "kind": "folder", "dtype": "float32", "attention": "sdpa"}


def logits_of(model: TransferModel, world: Path, backbone: LoadedBackbone) -> torch.Tensor:
    """Tag scores of a few training sentences, in evaluation mode."""
    task = read_train_task(world / "pos", "pos", "tagging", backbone, max_length=32, dev=False)
    batch = task.format.collate(task.features[:6], pad_id=task.pad_id)
    before = model.training
    model.eval()
    with torch.no_grad():
        found: torch.Tensor = model.head("pos")(model(batch.input_ids, batch.attention_mask), batch)
    model.train(before)
    return found.clone()


def main(out: str, world: str, *folders: str) -> None:
    torch.set_num_threads(1)
    backbone = load_backbone(IDENTITY, Path(world) / "backbone")

    def make_head(part: HeadPart) -> torch.nn.Module:
        return get_format(part.format).make_head(backbone.hidden_size, part.labels, generator=torch.Generator())

    models = {folder: load_model(Path(folder), backbone, make_head=make_head) for folder in folders}
    save_file({folder: logits_of(model, Path(world), backbone) for folder, model in models.items()}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
