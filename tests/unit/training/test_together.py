"""Several seeds in one pass: each is trained as it is alone, and none sees another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterxfer.backbones.loading import LoadedBackbone
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import StageError, StageStopped, VariantError
from adapterxfer.formats.base import Feature
from adapterxfer.formats.registry import get_format
from adapterxfer.training import together_batches
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import TrainResult, train
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.seed_table import SeedTable
from adapterxfer.training.selection import dev_score
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.training.together import train_together
from adapterxfer.training.together_batches import join
from adapterxfer.variants import together
from adapterxfer.variants.model import TransferModel

SEEDS = (11, 22, 33)
STEPS = 12
SETTINGS = TrainSettings(learning_rate=4e-3, batch_size=5, steps=STEPS, max_length=32, weight_decay=0.01, clip=0.5)
FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}
ADAPTER = {"method": "seq_bn", "bottleneck_size": 6}

CASES: dict[str, dict[str, Any]] = {
    "adapter": {},
    "double": {"adapter": {"method": "double_seq_bn", "bottleneck_size": 6}},
    "parallel": {"adapter": {"method": "par_bn", "bottleneck_size": 6}},
    "upper half": {"adapter": {**ADAPTER, "layers": "upper-half"}},
    "stack": {"composition": "stack"},
    "sequential": {"composition": "sequential"},
    "head": {"mode": "head"},
}

Before = Callable[[int], Path]


def task_of(world: Path, backbone: LoadedBackbone, name: str) -> TrainTask:
    return read_train_task(world / name, name, FORMATS[name], backbone, max_length=32, dev=True)


@pytest.fixture
def before(run: Any, world: Path) -> Before:
    """The intermediate model of a seed."""
    made: dict[int, Path] = {}

    def of(seed: int) -> Path:
        if seed not in made:
            made[seed] = run("train_intermediate", {"data.nli": world / "nli"}, seed=seed, adapter=ADAPTER)
        return made[seed]

    return of


def build(
    backbone: LoadedBackbone, task: TrainTask, seed: int, before: Before | None = None, *, mode: str = "adapter",
    composition: str = "fresh", adapter: Mapping[str, Any] = ADAPTER,
) -> TransferModel:  # fmt: skip
    folder = before(seed) if before is not None and composition != "fresh" else None
    return build_single(
        backbone, [task], mode=mode, composition=composition, adapter=adapter, intermediate=folder, seed=seed
    )


def weights(model: TransferModel) -> Tensor:
    """All that train, but biases that cancel in a softmax: of them Adam learns rounding noise."""
    idle = ("heads.h00.out.bias",) if model.composition.heads[0].format in ("span_qa", "multiple_choice") else ()
    return torch.cat([p.detach().flatten() for n, p in model.trainable().items() if n not in idle])


def alone(model: TransferModel, task: TrainTask, settings: TrainSettings, seed: int) -> list[float]:
    """Train; returns the loss of every step."""
    lines: list[Mapping[str, Any]] = []
    train(model, [task], settings, seed=seed, log=lines.append)
    return [line["loss"] for line in lines]


def group(
    models: Mapping[int, TransferModel], task: TrainTask, settings: TrainSettings, **options: Any
) -> tuple[dict[int, list[float]], dict[int, TrainResult | DivergedError]]:
    """Train together; returns the losses of every step and the results, by seed."""
    lines: list[Mapping[str, Any]] = []
    found = train_together(models, task, settings, log=lines.append, **options)
    return {
        seed: [line["loss"] for line in lines if line.get("seed") == seed and "loss" in line] for seed in models
    }, found


@pytest.fixture(autouse=True)
def _every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterxfer.training.meter.LOG_EVERY", 1)


def apart(
    backbone: LoadedBackbone, task: TrainTask, build_one: Callable[[int], TransferModel], **options: Any
) -> tuple[float, float]:
    """Largest differences of losses and of weights between seeds trained together and the same seeds alone."""
    settings = options.pop("settings", SETTINGS)
    singles, models = ({seed: build_one(seed) for seed in SEEDS} for _ in range(2))
    expected = {seed: alone(model, task, settings, seed) for seed, model in singles.items()}
    losses, _ = group(models, task, settings, **options)
    assert {len(found) for found in losses.values()} == {STEPS}
    differences = [abs(a - b) for seed in SEEDS for a, b in zip(expected[seed], losses[seed], strict=True)]
    moved = [(weights(models[seed]) - weights(singles[seed])).abs().max().item() for seed in SEEDS]
    assert not any(torch.equal(weights(models[seed]), weights(models[SEEDS[0]])) for seed in SEEDS[1:])
    assert max(expected[SEEDS[0]]) - min(expected[SEEDS[0]]) > 1e-2
    return max(differences), max(moved)


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
    plain = together._through

    def swapped(weights: Mapping[str, Tensor], *rest: Any) -> together.Through:
        return plain({**weights, "up.weight": weights["up.weight"][[1, 0, 2]]}, *rest)

    monkeypatch.setattr(together, "_through", swapped)


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

    def cut(counts: Any, device: Any = "cpu") -> together.Cut:
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
    found = joint.input_ids.flatten()[joint.reads.places].split(joint.read)
    rows = joint.reads.places // joint.input_ids.shape[1]
    grid = torch.full((9 * joint.reads.most,), -1).index_copy(0, joint.reads.slots, rows)
    for row, filled in enumerate(grid.view(9, -1)):
        assert set(filled.tolist()) <= {row, -1}
    for batch, own in zip(batches, found, strict=True):
        assert batch.reads is not None
        assert torch.equal(batch.input_ids.flatten()[batch.reads.places], own)
    everything = [replace(batches[0], reads=None), *batches[1:]]
    assert join(everything, pad_id=task.pad_id).reads is None


def test_a_cut_is_undone_by_joining() -> None:
    states = torch.arange(9.0).unsqueeze(1)
    parted = together.cut([2, 4, 3]).part(states)
    assert parted.squeeze(2).tolist() == [[0, 1, 0, 0], [2, 3, 4, 5], [6, 7, 8, 6]]
    assert torch.equal(together.cut([2, 4, 3]).join(parted), states)
    assert together.cut([3, 3, 3]).index is None


class StopAfter:
    """Asks to stop at the n-th question, and never again."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


def test_every_seed_is_selected_by_its_own_score(world: Path, backbone: LoadedBackbone) -> None:
    """At other steps than the last, and not all at the same."""
    task, settings = task_of(world, backbone, "pos"), replace(SETTINGS, selection="dev", learning_rate=0.2)
    lines: list[Mapping[str, Any]] = []
    models, chosen = {seed: build(backbone, task, seed) for seed in SEEDS}, {}
    results = train_together(models, task, settings, log=lines.append)
    for seed, model in models.items():
        single, result, own = build(backbone, task, seed), results[seed], []
        expected = train(single, [task], settings, seed=seed, log=own.append)
        assert isinstance(result, TrainResult)
        assert (result.selected_step, result.dev_score) == (expected.selected_step, expected.dev_score)
        scores = [line["dev"] for line in own if "dev" in line]
        assert [line["dev"] for line in lines if "dev" in line and line["seed"] == seed] == scores
        assert dev_score(model, task) == result.dev_score
        assert (weights(model) - weights(single)).abs().max().item() < 1e-3
        chosen[seed] = result.selected_step
    assert len(set(chosen.values())) > 1
    assert min(chosen.values()) < STEPS


@pytest.mark.parametrize("selection", ["last", "mean", "dev"])
def test_stopped_and_gone_on_is_the_same_bits(
    world: Path, backbone: LoadedBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: Any
) -> None:
    monkeypatch.setattr(backbone.config, "hidden_dropout_prob", 0.2)  # so that random states count
    task, settings = task_of(world, backbone, "pos"), replace(SETTINGS, selection=selection, mean_of=4)
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    losses, results = group(models, task, settings, token_budget=100)
    again: dict[int, TransferModel] = {}
    for questions in (3, 5):
        again = {seed: build(backbone, task, seed) for seed in SEEDS}
        with pytest.raises(StageStopped, match="stopped after step"):
            group(again, task, settings, token_budget=100,
                  checkpoints=Checkpoints(tmp_path, stage="k", stop=StopAfter(questions)))  # fmt: skip
    again = {seed: build(backbone, task, seed) for seed in SEEDS}
    found, more = group(again, task, settings, token_budget=100, checkpoints=Checkpoints(tmp_path, stage="k"))
    assert found == losses
    for seed in SEEDS:
        one, other = results[seed], more[seed]
        assert isinstance(one, TrainResult)
        assert isinstance(other, TrainResult)
        assert other.resumed_at == 8
        assert one.as_json() == other.as_json()
        assert torch.equal(weights(models[seed]), weights(again[seed]))
        assert all(p.is_contiguous() and p.grad is None for p in again[seed].trainable().values())


def test_a_seed_that_diverges_is_told_apart_and_leaves_the_others_alone(
    world: Path, backbone: LoadedBackbone, tmp_path: Path
) -> None:
    task = task_of(world, backbone, "pos")
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    group(models, task, SETTINGS)

    def broken() -> dict[int, TransferModel]:
        made = {seed: build(backbone, task, seed) for seed in SEEDS}
        with torch.no_grad():
            made[SEEDS[0]].adapters["t00"][0].up.weight[0, 0] = torch.nan  # type: ignore[index, union-attr]
        return made

    again = broken()
    _, results = group(again, task, SETTINGS)
    error = results[SEEDS[0]]
    assert isinstance(error, DivergedError)
    assert "the loss is not finite at step 1 of 12" in error.what
    for seed in SEEDS[1:]:
        assert isinstance(results[seed], TrainResult)
        assert torch.equal(weights(models[seed]), weights(again[seed]))
    # Known after a stop, too.
    with pytest.raises(StageStopped):
        group(broken(), task, SETTINGS, checkpoints=Checkpoints(tmp_path, stage="k", stop=StopAfter(4)))
    _, gone_on = group(broken(), task, SETTINGS, checkpoints=Checkpoints(tmp_path, stage="k"))
    assert str(gone_on[SEEDS[0]]) == str(error)
    nowhere = replace(SETTINGS, learning_rate=1e30, clip=0.0)
    with pytest.raises(DivergedError):
        group({seed: build(backbone, task, seed) for seed in SEEDS}, task, nowhere)


def test_memory_that_runs_out_makes_parts_smaller(
    world: Path, backbone: LoadedBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(world, backbone, "pos")
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    group(models, task, SETTINGS)
    plain, sizes = together.Together.forward, []

    def forward(this: together.Together, input_ids: Tensor, *rest: Any, **options: Any) -> Tensor:
        if input_ids.numel() > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        sizes.append(input_ids.numel())
        return plain(this, input_ids, *rest, **options)

    monkeypatch.setattr(together.Together, "forward", forward)
    limit = 80
    halved = {seed: build(backbone, task, seed) for seed in SEEDS}
    _, results = group(halved, task, SETTINGS)
    first = results[SEEDS[0]]
    assert isinstance(first, TrainResult)
    assert first.halvings
    assert first.halvings[0]["step"] == 1
    assert max(sizes) <= limit
    for seed in SEEDS:
        assert (weights(models[seed]) - weights(halved[seed])).abs().max().item() < 2e-5
    limit = 10
    with pytest.raises(StageError, match="one example of each of 3 seeds"):
        group({seed: build(backbone, task, seed) for seed in SEEDS}, task, SETTINGS)
    limit = 10**9
    assert max(sizes) <= 80
    monkeypatch.setattr("adapterxfer.training.together.CPU_TOKENS", 100)
    _, results = group({seed: build(backbone, task, seed) for seed in SEEDS}, task, SETTINGS)
    assert 80 < max(sizes) <= 100
    assert all(isinstance(result, TrainResult) and not result.halvings for result in results.values())


def test_what_cannot_be_combined_is_refused(world: Path, backbone: LoadedBackbone) -> None:
    task = task_of(world, backbone, "pos")
    models = {seed: build(backbone, task, seed) for seed in SEEDS}
    with pytest.raises(StageError, match="compile, cache_bottom"):
        group(models, task, replace(SETTINGS, compile=True, cache_bottom=True))
    lora = {seed: build(backbone, task, seed, adapter={"method": "lora", "rank": 2}) for seed in SEEDS}
    with pytest.raises(VariantError, match="'lora' cannot be trained for several seeds"):
        group(lora, task, SETTINGS)
    full = {seed: build(backbone, task, seed, mode="full") for seed in SEEDS}
    with pytest.raises(VariantError):
        group(full, task, SETTINGS)
    mixed = {11: models[11], 22: build(backbone, task, 22, mode="head")}
    with pytest.raises(VariantError, match="other parts"):
        group(mixed, task, SETTINGS)
