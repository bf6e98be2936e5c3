"""Several seeds in one pass: each is trained as it is alone, and none sees another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from seeds_setup import (
    CASES,
    FORMATS,
    SEEDS,
    SETTINGS,
    Before,
    alone,
    apart,
    build,
    group,
    task_of,
    weights,
)
from torch import Tensor

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.formats.base import Feature
from adapterxfer.formats.registry import get_format
from adapterxfer.training import together_batches
from adapterxfer.training.seed_table import SeedTable
from adapterxfer.training.tasks import TrainTask
from adapterxfer.training.together_batches import join
from adapterxfer.variants import adapters_together

pytestmark = pytest.mark.usefixtures("every_step")


@pytest.mark.parametrize(
    ("case", "name"),
    [(case, name) for case in ("adapter", "stack", "head") for name in FORMATS]
    + [(case, "pos") for case in ("double", "parallel", "upper half", "sequential")],
)
def test_every_seed_is_trained_as_it_is_alone(
    world: Path, backbone: LoadedBackbone, before: Before, case: str, name: str
) -> None:
    task = task_of(world, backbone, name)
    losses, moved = apart(backbone, task, lambda seed: build(backbone, task, seed, before, **CASES[case]))
    assert losses <= 2e-5  # lines are rounded to 1e-5
    assert moved < 2e-5


def _made_up(
    task: TrainTask, name: str, protocol: str, target: Callable[[int], Any], rows: Callable[[int], int]
) -> Any:
    """A task of another format from the sequences of this one, one feature after the other."""
    sequences, features = iter([s for feature in task.features * 4 for s in feature.sequences]), []
    for index in range(40):
        own = [next(sequences) for _ in range(rows(index))]
        features.append(Feature(own, target(index), index))
    return replace(task, name=name, format=get_format(name, protocol), labels=(), features=features)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["multiple_choice", "retrieval"])
def test_formats_with_several_rows_of_an_example(world: Path, backbone: LoadedBackbone, name: str) -> None:
    """Batches of the seeds have other numbers of rows, or are compared whole, with a scale that is one number."""
    task = task_of(world, backbone, "nli")
    if name == "multiple_choice":
        task = _made_up(task, name, "", lambda index: index % 2, lambda index: 2 + index % 3)
    else:
        task = _made_up(task, name, "dual-encoder", lambda index: [True, False], lambda index: 2)
    losses, moved = apart(backbone, task, lambda seed: build(backbone, task, seed), token_budget=200)
    assert losses <= 5e-5
    assert moved < 5e-5


def test_bf16_differs_by_its_rounding(world: Path, backbone: LoadedBackbone) -> None:
    task = task_of(world, backbone, "pos")
    settings = replace(SETTINGS, dtype="bf16")
    losses, moved = apart(backbone, task, lambda seed: build(backbone, task, seed), settings=settings)
    assert losses < 2e-2
    assert 0 < moved < 2e-2


def test_parts_of_a_batch_change_nothing(world: Path, backbone: LoadedBackbone) -> None:
    """A budget of tokens that only one or two examples of each seed fit into."""
    task = task_of(world, backbone, "pos")
    losses, moved = apart(backbone, task, lambda seed: build(backbone, task, seed), token_budget=70)
    assert losses <= 2e-5
    assert moved < 2e-5


@pytest.mark.parametrize(
    "change", [{"selection": "mean", "mean_of": 4}, {"gradient_checkpointing": True}], ids=lambda c: next(iter(c))
)
def test_options_that_a_group_has(world: Path, backbone: LoadedBackbone, change: dict[str, Any]) -> None:
    task = task_of(world, backbone, "pos")
    settings = replace(SETTINGS, **change)
    losses, moved = apart(backbone, task, lambda seed: build(backbone, task, seed), settings=settings)
    assert losses <= 2e-5
    assert moved < 2e-5


def _swap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seeds have each other's weights at one place."""
    plain = adapters_together._through

    def swapped(weights: Mapping[str, Tensor], *rest: Any) -> adapters_together.Through:
        return plain({**weights, "up.weight": weights["up.weight"][[1, 0, 2]]}, *rest)

    monkeypatch.setattr(adapters_together, "_through", swapped)


def _norm_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clipped by the norm over all seeds."""
    plain = torch.linalg.vector_norm

    def norm(x: Tensor, dim: int | None = None) -> Tensor:
        found: Tensor = plain(x, dim=dim)
        return plain(found).expand_as(found) if dim == 0 else found

    monkeypatch.setattr(torch.linalg, "vector_norm", norm)


def _units_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients divided by the units of all seeds."""
    plain = SeedTable.apply

    def apply(table: SeedTable, *, counts: list[int], **options: Any) -> Tensor:
        return plain(table, counts=[sum(counts)] * len(counts), **options)

    monkeypatch.setattr(SeedTable, "apply", apply)


def _reads_cut_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The positions that are read in the last layer cut as if every seed had as many."""
    plain = together_batches.cut

    def cut(counts: Any, device: Any = "cpu") -> adapters_together.Cut:
        if len(set(counts)) > 1:
            counts = [*[sum(counts) // len(counts)] * (len(counts) - 1), sum(counts)]
            counts[-1] -= sum(counts[:-1])
        return plain(counts, device)

    monkeypatch.setattr(together_batches, "cut", cut)


@pytest.mark.parametrize("mutant", [_swap, _norm_of_all, _units_of_all, _reads_cut_evenly])
def test_mutants_are_seen(
    world: Path, backbone: LoadedBackbone, monkeypatch: pytest.MonkeyPatch, mutant: Callable[..., None]
) -> None:
    task = task_of(world, backbone, "pos")
    singles, models = ({seed: build(backbone, task, seed) for seed in SEEDS} for _ in range(2))
    for seed, model in singles.items():
        alone(model, task, SETTINGS, seed)
    with monkeypatch.context() as patch:
        mutant(patch)
        group(models, task, SETTINGS)
    moved = [(weights(models[seed]) - weights(singles[seed])).abs().max().item() for seed in SEEDS]
    assert max(moved) > 1e-3


def test_joined_reads_are_those_of_the_batches(world: Path, backbone: LoadedBackbone) -> None:
    task = task_of(world, backbone, "pos")
    ordered = sorted(task.features, key=lambda feature: feature.length)
    batches = [task.format.collate(part, pad_id=task.pad_id) for part in (ordered[:3], ordered[-2:], ordered[10:14])]
    joint = join(batches, pad_id=task.pad_id)
    assert joint.reads is not None
    assert len({batch.input_ids.shape[1] for batch in batches}) > 1
    assert joint.rows == (3, 2, 4)
    found = joint.input_ids.flatten()[joint.reads.positions].split(joint.read)
    rows = joint.reads.positions // joint.input_ids.shape[1]
    grid = torch.full((9 * joint.reads.most,), -1).index_copy(0, joint.reads.slots, rows)
    for row, filled in enumerate(grid.view(9, -1)):
        assert set(filled.tolist()) <= {row, -1}
    for batch, own in zip(batches, found, strict=True):
        assert batch.reads is not None
        assert torch.equal(batch.input_ids.flatten()[batch.reads.positions], own)
    everything = [replace(batches[0], reads=None), *batches[1:]]
    assert join(everything, pad_id=task.pad_id).reads is None


def test_a_cut_is_undone_by_joining() -> None:
    states = torch.arange(9.0).unsqueeze(1)
    parted = adapters_together.cut([2, 4, 3]).split(states)
    assert parted.squeeze(2).tolist() == [[0, 1, 0, 0], [2, 3, 4, 5], [6, 7, 8, 6]]
    assert torch.equal(adapters_together.cut([2, 4, 3]).join(parted), states)
    assert adapters_together.cut([3, 3, 3]).index is None
