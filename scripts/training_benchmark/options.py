"""Two ways to save work inside one process, each against the plain way: kept lower layers, and several seeds at once.

``cache_bottom`` is a setting of stages. Training several seeds in one pass is measured here only: `Joined` is what a
training would do, an adapter and a head per seed as batched products over one frozen backbone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapterxfer.backbones.loading import LoadedBackbone
from adapterxfer.training.bottom import forget_bottoms
from adapterxfer.training.building import build_single, new_adapter
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.encoder import encode
from adapterxfer.variants.places import Norm, Places
from training_benchmark.inputs import BACKBONES, BOTTLENECKS, MAX_LENGTH, Inputs
from training_benchmark.measuring import Rows, settle, timed
from training_benchmark.steps import TASK, StepPlan, silent

SEEDS = (2, 5)
ROWS = ((2, 16), (8, 16), (32, 32))
"""Examples of a step and their length in tokens."""

CLASSES = 3


def measure(inputs: Inputs, hidden: int, plan: StepPlan, rows: Rows) -> None:
    """Both at one width."""
    backbone = inputs.backbone(BACKBONES[hidden])
    task = inputs.task(TASK, backbone)
    _kept(backbone, task, hidden, plan, rows)
    for count in SEEDS:
        for batch, length in ROWS:
            _seeds(backbone, hidden, count, batch, length, plan, rows)


def _kept(backbone: LoadedBackbone, task: TrainTask, hidden: int, plan: StepPlan, rows: Rows) -> None:
    """Upper-half adapters and a head alone, one pass over the examples and the next: computed each time, or kept."""
    steps = plan.steps // plan.turns
    shape = {"method": "seq_bn", "bottleneck_size": BOTTLENECKS[hidden]}
    for name, mode, adapter in (
        ("upper-half", "adapter", {**shape, "layers": "upper-half"}),
        ("head-only", "head", None),
    ):
        model = build_single(
            backbone, [task], mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1
        )
        every = build_single(
            backbone, [task], mode="adapter", composition="fresh", adapter=shape, intermediate=None, seed=1
        )
        times: dict[str, list[float]] = {"all layers": [], "computed": [], "first": [], "kept": []}
        for turn in range(plan.turns + 1):
            forget_bottoms()
            for what, kept, chosen in (
                ("all layers", False, every),
                ("computed", False, model),
                ("first", True, model),
                ("kept", True, model),
            ):
                settings = TrainSettings(1e-3, plan.batch, max_length=MAX_LENGTH, steps=steps, cache_bottom=kept)
                settle()
                with timed(times[what] if turn else []):
                    train(chosen, [task], settings, seed=turn, log=silent)
        per_step = {what: [t / steps for t in found] for what, found in times.items()}
        rows.add("kept", f"h{hidden} {name}, first {steps} steps", per_step["first"], per_step["computed"])
        rows.add("kept", f"h{hidden} {name}, states there", per_step["kept"], per_step["computed"])
        if name == "upper-half":
            rows.add("kept", f"h{hidden} {name} against all layers", per_step["kept"], per_step["all layers"])


def _seeds(
    backbone: LoadedBackbone, hidden: int, count: int, batch: int, length: int, plan: StepPlan, rows: Rows
) -> None:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, int(backbone.config.vocab_size), (count, batch, length), generator=generator)
    labels = torch.randint(0, CLASSES, (count, batch), generator=generator)
    alone = [Joined(backbone, [seed], BOTTLENECKS[hidden]) for seed in range(count)]
    joined = Joined(backbone, list(range(count)), BOTTLENECKS[hidden])
    times: tuple[list[float], list[float]] = ([], [])
    steps = max(1, plan.steps // plan.turns)
    losses: list[list[Tensor]] = [[], []]
    for turn in range(plan.turns + 1):
        settle()
        with timed(times[0] if turn else []):
            for _ in range(steps):
                losses[0].append(joined.step(ids, labels))
        settle()
        with timed(times[1] if turn else []):
            for _ in range(steps):
                found = [m.step(ids[i : i + 1], labels[i : i + 1]) for i, m in enumerate(alone)]
                losses[1].append(torch.cat(found))
    apart = (torch.stack(losses[0]) - torch.stack(losses[1]))[:steps].abs().max().item()
    what = f"h{hidden} {count} seeds, {batch} x {length} tokens"
    rows.add("seeds", what, *([t / steps for t in found] for found in times), losses_apart=f"{apart:.1e}")


class Joined(nn.Module):
    """An adapter and a head for each of several seeds, trained in one pass.

    Args:
        backbone: frozen.
        seeds: one model each.
        size: of the bottlenecks.
    """

    def __init__(self, backbone: LoadedBackbone, seeds: list[int], size: int) -> None:
        super().__init__()
        self.backbone, self.count = backbone, len(seeds)
        made: list[Any] = [new_adapter(backbone, AdapterShape("seq_bn", size), seed=seed) for seed in seeds]
        self.down, self.down_bias, self.up, self.up_bias = (
            nn.ParameterList(torch.stack([get(adapter[i]) for adapter in made]) for i in range(backbone.layers))
            for get in (
                _weight("down", "weight"),
                _weight("down", "bias"),
                _weight("up", "weight"),
                _weight("up", "bias"),
            )
        )
        self.out = nn.Parameter(torch.zeros(self.count, CLASSES, backbone.hidden_size))
        self.optimiser = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.0, fused=True)

    def step(self, ids: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step; ids ``(seeds, batch, seq)``; mean loss of each seed before it."""
        count, batch, length = ids.shape
        states = encode(self.backbone.model, ids.view(-1, length), None, Places(ffn=self._act), training=True)
        first = states[:, 0].view(count, batch, -1)
        logits = torch.bmm(first, self.out.transpose(1, 2))
        losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(count, batch)
        losses.mean(1).sum().backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return losses.mean(1).detach()

    def _act(self, index: int, total: Tensor, residual: Tensor, norm: Norm) -> Tensor:  # noqa: ARG002 - signature
        states = norm(total)
        if self.count == 1:  # what an adapter alone does
            down = functional.relu(functional.linear(states, self.down[index][0], self.down_bias[index][0]))
            return total + functional.linear(down, self.up[index][0], self.up_bias[index][0])
        states = states.view(self.count, -1, states.shape[-1])
        down = functional.relu(torch.baddbmm(self.down_bias[index][:, None], states, self.down[index].transpose(1, 2)))
        up = torch.baddbmm(self.up_bias[index][:, None], down, self.up[index].transpose(1, 2))
        return total + up.view(total.shape)


def _weight(linear: str, name: str) -> Any:
    return lambda layer: getattr(getattr(layer, linear), name).detach()
