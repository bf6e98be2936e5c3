"""Kept states of the lower layers: the same training as computing them each time, without dropout there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.errors import StageError, VariantError
from adapterxfer.training import bottom
from adapterxfer.training.building import build_fusion, build_single
from adapterxfer.training.loop import train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.adapter import AdapterShape
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import read_description

SETTINGS: dict[str, Any] = {"learning_rate": 4e-3, "batch_size": 8, "steps": 20, "max_length": 32}
UPPER = {"method": "seq_bn", "bottleneck_size": 6, "layers": "upper-half"}
FORMATS = {"nli": "sequence_classification", "pos": "tagging", "qa": "span_qa"}


@pytest.fixture(autouse=True)
def _empty() -> None:
    bottom.forget_bottoms()


def nothing(line: Mapping[str, Any]) -> None:
    pass


def task_of(world: Path, backbone: LoadedBackbone, name: str) -> TrainTask:
    return read_train_task(world / name, name, FORMATS[name], backbone, max_length=32, dev=False)


def build(backbone: LoadedBackbone, task: TrainTask, mode: str = "adapter", adapter: Any = UPPER) -> TransferModel:
    return build_single(backbone, [task], mode=mode, composition="fresh", adapter=adapter, intermediate=None, seed=1)


def weights(model: TransferModel) -> torch.Tensor:
    """All that train, but biases that cancel in a softmax: of them Adam learns rounding noise."""
    idle = ("heads.h00.out.bias",) if model.composition.heads[0].format == "span_qa" else ()
    return torch.cat([p.detach().flatten() for n, p in model.trainable().items() if n not in idle])


def run(model: TransferModel, task: TrainTask, **settings: Any) -> tuple[float, torch.Tensor]:
    result = train(model, [task], TrainSettings.of({**SETTINGS, **settings}), seed=3, log=nothing)
    return result.last_loss, weights(model)


@pytest.mark.parametrize("name", ["nli", "pos", "qa"])
@pytest.mark.parametrize("mode", ["adapter", "head"])
def test_same_training_as_without(world: Path, backbone: LoadedBackbone, name: str, mode: str) -> None:
    """The backbone has no dropout, so nothing but rounding may differ."""
    task = task_of(world, backbone, name)
    plain, plain_weights = run(build(backbone, task, mode), task)
    kept, kept_weights = run(build(backbone, task, mode), task, cache_bottom=True)
    assert kept == pytest.approx(plain, abs=1e-5)
    assert (kept_weights - plain_weights).abs().max().item() < 5e-5
    assert (weights(build(backbone, task, mode)) - kept_weights).abs().max().item() > 1e-3


def test_fusion_in_the_upper_half(world: Path, backbone: LoadedBackbone, run_upper: Any) -> None:
    task = task_of(world, backbone, "pos")
    folders = {"nli": run_upper("nli"), "pos": run_upper("pos")}
    results = []
    for kept in (False, True):
        model = build_fusion(backbone, task, intermediates={"nli": folders["nli"]}, target=folders["pos"], seed=1)
        assert {name.split(".")[1] for name, _ in model.named_parameters() if name.startswith("fusion.")} == {"1"}
        results.append(run(model, task, cache_bottom=kept))
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-5)


@pytest.fixture
def run_upper(run: Any, world: Path) -> Any:
    def make(name: str) -> Path:
        inputs, change = {"data": world / name}, {"task": name, "format": FORMATS[name]}
        settings = {**SETTINGS, "steps": 6, "cache_bottom": True}
        folder: Path = run("train_target", inputs, adapter=UPPER, settings=settings, **change)
        return folder

    return make


def test_stage_says_so_and_lower_layers_have_no_adapter(run_upper: Any) -> None:
    stored = read_description(run_upper("nli"))
    assert stored.content["training"]["settings"]["cache_bottom"] is True
    (part,) = stored.composition.adapters
    assert part.first_layer == 1
    assert stored.content["composition"]["adapters"][0]["first_layer"] == 1


def test_bits_do_not_depend_on_what_was_kept_before(world: Path, backbone: LoadedBackbone) -> None:
    task = task_of(world, backbone, "nli")
    _, first = run(build(backbone, task), task, cache_bottom=True)
    _, again = run(build(backbone, task), task, cache_bottom=True)  # all states are there now
    assert torch.equal(first, again)


def test_examples_beyond_the_limit_are_computed_again(
    world: Path, backbone: LoadedBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(world, backbone, "nli")
    monkeypatch.setattr(bottom, "CHUNK_TOKENS", 64)
    model = build(backbone, task)
    kept = bottom.Bottom(model, [task], dtype="fp32", limit=300 * 24 * 4)
    batch = task.format.collate(task.features, pad_id=task.pad_id)
    assert batch.reads is not None
    expected = model(batch.input_ids, batch.attention_mask).flatten(0, 1)[batch.reads.positions]
    found = kept.hidden(task, task.features, batch).flatten(0, 1)[batch.reads.positions]
    assert (found - expected).abs().max().item() < 1e-5
    (entry,) = bottom._kept.values()
    assert 0 < entry.room < len(entry.chunks)
    assert entry.bytes == sum(state.numel() * 4 for states in entry.states.values() for state in states)
    assert 0 < len(entry.states) < len(task.features)


def test_dropout_stays_above(world: Path, backbone: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout in the configuration the kept states are those of evaluation, and the layers above drop."""
    task = task_of(world, backbone, "nli")
    monkeypatch.setattr(backbone.config, "hidden_dropout_prob", 0.3)
    model = build(backbone, task).train()
    kept = bottom.Bottom(model, [task], dtype="fp32")
    batch = task.format.collate(task.features[:8], pad_id=task.pad_id)
    one, two = (kept.hidden(task, task.features[:8], batch) for _ in range(2))
    assert not torch.equal(one, two)
    model.eval()
    lower = model.hidden_states(batch.input_ids, batch.attention_mask, layer=1)
    (entry,) = bottom._kept.values()
    length = task.features[0].length
    assert (entry.states[0][0] - lower[0, :length]).abs().max().item() < 1e-5


@pytest.mark.parametrize("mode", ["adapter", "full"])
def test_refused_where_nothing_lies_below(world: Path, backbone: LoadedBackbone, mode: str) -> None:
    task = task_of(world, backbone, "nli")
    with pytest.raises(StageError, match="from the first layer on"):
        run(build(backbone, task, mode, {"method": "seq_bn", "bottleneck_size": 6}), task, cache_bottom=True)


def test_not_with_compile() -> None:
    with pytest.raises(StageError, match="cannot be combined"):
        TrainSettings.of({**SETTINGS, "compile": True, "cache_bottom": True})


def test_only_bottlenecks_leave_layers_out() -> None:
    assert AdapterShape.of(UPPER, 24, layers=5) == AdapterShape("seq_bn", 6, 2)
    with pytest.raises(VariantError, match="cannot be built"):
        AdapterShape.of({"method": "lora", "rank": 2, "layers": "upper-half"}, 24, layers=4)
    with pytest.raises(VariantError, match="1 layers"):
        AdapterShape.of(UPPER, 24, layers=1)


def refuse(*_: Any, **__: Any) -> torch.Tensor:
    raise AssertionError("computed although it is on the disk")


def run_stored(world: Path, backbone: LoadedBackbone, folder: Path, name: str = "nli", seed: int = 3) -> torch.Tensor:
    bottom.forget_bottoms()
    task = task_of(world, backbone, name)
    model = build(backbone, task)
    settings = TrainSettings.of({**SETTINGS, "cache_bottom": True})
    train(model, [task], settings, seed=seed, log=nothing, states=folder)
    return weights(model)


@pytest.mark.parametrize("name", ["nli", "pos", "qa"])
def test_other_processes_and_seeds_read_what_one_has_computed(
    world: Path, backbone: LoadedBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task = task_of(world, backbone, name)
    _, plain = run(build(backbone, task), task, cache_bottom=True)
    first = run_stored(world, backbone, tmp_path, name)
    monkeypatch.setattr(bottom, "encode", refuse)
    assert torch.equal(run_stored(world, backbone, tmp_path, name), first)
    assert torch.equal(first, plain)
    assert not torch.equal(run_stored(world, backbone, tmp_path, name, seed=4), first)
    assert len(list(tmp_path.iterdir())) == 2


def test_damaged_states_are_computed_again(world: Path, backbone: LoadedBackbone, tmp_path: Path) -> None:
    first = run_stored(world, backbone, tmp_path)
    (path,) = tmp_path.glob("*.states")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 8
    path.write_bytes(content)
    assert torch.equal(run_stored(world, backbone, tmp_path), first)
    assert path.read_bytes() != bytes(content)  # mended
    path.unlink()
    assert torch.equal(run_stored(world, backbone, tmp_path), first)
    (sums,) = tmp_path.glob("*.sums")
    sums.write_bytes(b"short")
    assert torch.equal(run_stored(world, backbone, tmp_path), first)


def test_another_data_set_has_states_of_its_own(world: Path, backbone: LoadedBackbone, tmp_path: Path) -> None:
    run_stored(world, backbone, tmp_path, "nli")
    run_stored(world, backbone, tmp_path, "pos")
    assert len(list(tmp_path.glob("*.states"))) == 2


def test_stored_states_are_garbage_that_anything_may_remove(tmp_path: Path) -> None:
    from adapterxfer.store.removal import find_garbage
    from adapterxfer.store.store import Store

    store = Store(tmp_path / "store")
    store.states_folder.mkdir(parents=True)
    (store.states_folder / "name.states").write_bytes(b"1234")
    assert find_garbage(store, ()).leftovers == {store.states_folder / "name.states": 4}
