"""Our loop against `transformers.Trainer` and `adapters.AdapterTrainer`: the same training, step by step.

With equal start values, batches and no dropout every loss must agree to float tolerance; what differs in a comparison
of scores is the order of examples, and for questions the loss (see `test_question_loss_is_the_only_other_objective`).
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.training.batches import feature_batches
from adapterxfer.training.loop import train
from adapterxfer.training.meter import Meter
from adapterxfer.training.seeds import numpy_generator
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.library import adapter_to_library, fusion_to_library
from adapterxfer.variants.model import TransferModel

STEPS, BATCH, SEED = 12, 8, 5
SETTINGS = TrainSettings(
    learning_rate=3e-3, batch_size=BATCH, steps=STEPS, max_length=32, schedule="constant", warmup_fraction=0.0
)
FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}
SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    """The package behind ``scripts/benchmark_training.py``."""
    sys.path.insert(0, str(SCRIPTS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("adapters")
        yield importlib.import_module("training_benchmark.steps")
    sys.path.remove(str(SCRIPTS))


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Mean losses of our steps."""
    found: list[float] = []
    plain = Meter.add

    def add(self: Meter, step: int, total: Tensor, count: int, norm: Tensor, rate: float) -> None:
        found.append(float(total) / count)
        plain(self, step, total, count, norm, rate)

    monkeypatch.setattr(Meter, "add", add)
    return found


def nothing(line: Mapping[str, Any]) -> None:
    pass


def order(task: TrainTask) -> list[int]:
    """The features that our loop sees, in its order."""
    lengths = [feature.length for feature in task.features]
    rng = numpy_generator(SEED, "order", task.name)
    return np.concatenate(list(islice(feature_batches(lengths, batch_size=BATCH, rng=rng), STEPS))).tolist()


def following(kind: Any, task: TrainTask, indices: list[int], losses: list[float], *, own_loss: bool) -> Any:
    """A trainer that takes the features in this order and notes its losses.

    ``own_loss`` leaves a question's loss to the library; otherwise starts and ends compete inside the context only.
    """

    class Following(kind):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> list[int]:
            return indices

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Tensor:
            outputs = model(**inputs)
            loss: Tensor = outputs.loss
            if task.format.name == "span_qa" and not own_loss:
                chosen = indices[len(losses) * BATCH :][:BATCH]
                batch = task.format.collate([task.features[i] for i in chosen], pad_id=task.pad_id)
                possible = batch.fields["allowed"].clone()
                possible[:, 0] = True
                logits = [
                    part.masked_fill(~possible, -torch.inf) for part in (outputs.start_logits, outputs.end_logits)
                ]
                names = ("start_positions", "end_positions")
                loss = sum(functional.cross_entropy(x, inputs[n]) for x, n in zip(logits, names, strict=True)) / 2
            losses.append(float(loss))
            return loss

    return Following


def run_peer(benchmark: Any, peer: Any, task: TrainTask, folder: Path, *, own_loss: bool = False) -> list[float]:
    peers = sys.modules[type(peer).__module__]
    found: list[float] = []
    kind = following(peers.trainer_kind(peer.variant), task, order(task), found, own_loss=own_loss)
    rows = benchmark.train_rows(task.format.name, task.features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.trainer(str(folder), SETTINGS, seed=SEED, group=False, rows=rows, kind=kind).train()
    return found


def trained_parts(model: TransferModel, names: list[str]) -> dict[str, Tensor]:
    """What trains inside the encoder, by the library's names, but for biases of keys, which cancel in a softmax."""
    if model.composition.trains_backbone:
        own = model.backbone.state_dict()
    elif model.fusion is not None:
        own = fusion_to_library(model.fusion, names)
    else:
        own = adapter_to_library(model.adapters["t00"], "t00")  # type: ignore[arg-type]
    return {n: tensor.detach().clone() for n, tensor in own.items() if not n.endswith("key.bias")}


def distance(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    return float(torch.stack([(tensor - b[name]).square().sum() for name, tensor in a.items()]).sum().sqrt())


@pytest.mark.parametrize(
    ("count", "variant", "name"),
    [(0, "full-ft", "nli"), (0, "full-ft", "pos"), (0, "full-ft", "qa"), (1, "adapter", "pos"), (2, "stack", "nli"),
     (2, "stack", "qa"), (3, "fuse", "pos"), (2, "fuse", "nli")],
)  # fmt: skip
def test_losses_agree_step_by_step(
    benchmark: Any,
    world: Path,
    backbone: LoadedBackbone,
    tmp_path: Path,
    losses: list[float],
    count: int,
    variant: str,
    name: str,
) -> None:
    task = read_train_task(world / name, name, FORMATS[name], backbone, max_length=32, dev=False)
    model = benchmark.composed(backbone, task, count, variant, 6)
    peer = benchmark.Peer.like(model, task)
    start = trained_parts(model, peer.names)
    train(model, [task], SETTINGS, seed=SEED, log=nothing)
    theirs = run_peer(benchmark, peer, task, tmp_path)
    assert len(losses) == len(theirs) == STEPS
    assert np.abs(np.subtract(losses, theirs)).max() < 1e-5
    # Adam makes whole steps of gradients that are rounding noise: single weights may differ, what was learnt may not.
    end = trained_parts(model, peer.names)
    assert distance(end, peer.model.base_model.state_dict()) < 0.05 * distance(end, start)


def test_question_loss_is_the_only_other_objective(
    benchmark: Any, world: Path, backbone: LoadedBackbone, tmp_path: Path, losses: list[float]
) -> None:
    """The library lets tokens of the question and padding compete to be an answer; ours does not."""
    task = read_train_task(world / "qa", "qa", "span_qa", backbone, max_length=32, dev=False)
    model = benchmark.composed(backbone, task, 1, "adapter", 6)
    peer = benchmark.Peer.like(model, task)
    train(model, [task], SETTINGS, seed=SEED, log=nothing)
    theirs = run_peer(benchmark, peer, task, tmp_path, own_loss=True)
    assert theirs[0] > losses[0] + 0.1
