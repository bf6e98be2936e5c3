"""Trainings with the rows of words that their texts use, against the same trainings with the whole word matrix."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_setup import ADAPTER, FORMATS, SETTINGS, identity, tagged, write_backbone

from adapterxfer.backbones import loading, rows
from adapterxfer.backbones.loaded import LoadedBackbone, with_words
from adapterxfer.backbones.loading import forget_backbones, load_backbone
from adapterxfer.data.examples import TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import BackboneError
from adapterxfer.formats.masked_lm import MaskedLm
from adapterxfer.formats.registry import get_format
from adapterxfer.hub.tensors import write_tensors
from adapterxfer.predict.table import read_predictions
from adapterxfer.stages import merge, predict, train
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage
from adapterxfer.training.optimiser import touched_rows
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import read_train_task
from adapterxfer.training.words import why_all_words
from adapterxfer.variants.storage import load_model, read_weights, stored_size, write_description, write_weights
from adapterxfer.variants.word_rows import IDS, ROWS

UNUSED = 60
CLIPPED = {**SETTINGS, "clip": 0.05}
WORD_MATRIX = "backbone.embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone with many words that no text has, and a task with test sentences that use words of no training."""
    root = tmp_path_factory.mktemp("wide")
    write_backbone(root / "backbone", hidden=32, unused=UNUSED)
    rng = np.random.default_rng(3)
    some = tagged(rng, 40)
    few = [replace(e, words=tuple("unused1" if w == "so" else w for w in e.words)) for e in tagged(rng, 12)]  # type: ignore[attr-defined,type-var]
    splits = {("train", "en"): some, ("dev", "en"): tagged(rng, 8), ("test", "en"): few}
    write_task(root / "pos", TaskData("pos", "tagging", ("X", "Y"), splits))  # type: ignore[arg-type]
    return root


@pytest.fixture
def stage_of(wide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Runs a stage with the rows in use alone, or with the whole matrix; returns its folder."""
    count = 0

    def call(
        kind: str, inputs: Mapping[str, Path], /, *, sliced: bool, resume: Path | None = None, again: bool = False,
        **changes: Any,
    ) -> Path:  # fmt: skip
        nonlocal count
        count += 1
        monkeypatch.setattr(rows, "LARGE", 0 if sliced else 10**9)
        if not again:  # otherwise in the process of the stage before
            forget_backbones()
        base: dict[str, Any] = {"backbone": identity("backbone"), "seed": 11}
        if kind == "train_target":
            base |= {"mode": "full", "composition": "fresh", "task": "pos", "format": FORMATS["pos"],
                     "adapter": ADAPTER, "settings": CLIPPED}  # fmt: skip
        stage = Stage(kind=kind, version=1, identity={**base, **changes}, inputs=dict.fromkeys(inputs, "0" * 64))
        scratch = tmp_path / f"stage{count}"
        scratch.mkdir()
        execute = {"train_target": train.execute, "predict": predict.execute, "merge": merge.execute}[kind]
        execute(StageContext(
            stage=stage, inputs={"backbone": wide / "backbone", **inputs}, scratch=scratch, log=lambda _: None,
            settings={"checkpoint_steps": 4}, resume=resume,
        ))  # fmt: skip
        return scratch

    return call


def whole_state(folder: Path, wide: Path) -> dict[str, torch.Tensor]:
    """Everything a model folder stands for, with the whole word matrix."""
    forget_backbones()
    backbone = load_backbone(identity("backbone"), wide / "backbone")
    return load_model(folder, backbone, make_head=_head(backbone)).own_state()


def _head(backbone: LoadedBackbone) -> Any:
    return lambda part: get_format(part.format).make_head(
        backbone.hidden_size, part.labels, generator=torch.Generator()
    )


def assert_equal(some: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    assert some.keys() == other.keys()
    assert [name for name in some if not torch.equal(some[name], other[name])] == []


@pytest.mark.parametrize("selection", ["last", "dev", "mean"])
def test_rows_in_use_train_as_in_the_whole_matrix(wide: Path, stage_of: Any, tmp_path: Path, selection: str) -> None:
    """Weights, optimiser, log and predictions, bit for bit, with clipping at work."""
    data = {"data": wide / "pos"}
    settings = {**CLIPPED, "selection": selection}
    folders, states, predicted = [], [], []
    for sliced in (True, False):
        resume = tmp_path / f"resume-{sliced}"
        folder = stage_of("train_target", data, sliced=sliced, resume=resume, settings=settings)
        folders.append(folder)
        states.append(Checkpoints(resume, stage=_key(folder)).load())
        asked = {"system": {"kind": "trained"}, "split": "test", "protocol": ""}
        answers = stage_of("predict", {**data, "model": folder}, sliced=sliced, **asked)
        predicted.append(read_predictions(answers).prediction.tolist())
    assert_equal(whole_state(folders[0], wide), whole_state(folders[1], wide))
    assert (folders[0] / "train.jsonl").read_bytes() == (folders[1] / "train.jsonl").read_bytes()
    assert predicted[0] == predicted[1]
    assert states[0] is not None
    assert states[1] is not None
    ids = used_ids(wide)
    for name, tensor in states[1].tensors.items():
        kept = states[0].tensors[name]
        assert torch.equal(tensor if kept.shape == tensor.shape else tensor[ids], kept), name
    unclipped = stage_of("train_target", data, sliced=True, settings={**settings, "clip": 0.0})
    assert not torch.equal(whole_state(unclipped, wide)[WORD_MATRIX], whole_state(folders[0], wide)[WORD_MATRIX])


def test_weights_are_held_once(wide: Path, stage_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What full fine-tuning copies is freed while the copy trains, and is there again for the next stage."""
    data, held, train_alone = {"data": wide / "pos"}, [], train.train

    def watched(*arguments: Any, **options: Any) -> Any:
        shared = [kept.loaded.model for kept in loading._pristine.values()]
        held.append(sum(parameter.numel() for model in shared for parameter in model.parameters()))
        return train_alone(*arguments, **options)

    monkeypatch.setattr(train, "train", watched)
    first = stage_of("train_target", data, sliced=True)
    alone = stage_of("train_target", data, sliced=True, mode="adapter", seed=12)
    assert held[0] == 0 < held[1]
    for changes in ({}, {"mode": "adapter", "seed": 12}):
        stage_of("train_target", data, sliced=True)
        after = stage_of("train_target", data, sliced=True, again=True, **changes)
        expected = alone if changes else first
        assert (after / "model.safetensors").read_bytes() == (expected / "model.safetensors").read_bytes()


def test_weights_that_changed_are_not_read_again(wide: Path, stage_of: Any) -> None:
    data, path = {"data": wide / "pos"}, wide / "backbone" / "model.safetensors"
    stage_of("train_target", data, sliced=True)
    before = path.stat()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(BackboneError, match="changed while it was in use"):
        stage_of("train_target", data, sliced=True, again=True)


def _key(folder: Path) -> str:
    return str(json.loads((folder / "model.json").read_text())["training"]["stage"])


def used_ids(wide: Path) -> torch.Tensor:
    backbone = load_backbone(identity("backbone"), wide / "backbone")
    task = read_train_task(wide / "pos", "pos", "tagging", backbone, max_length=32, dev=True)
    assert task.dev is not None
    found = {1} | {i for f in (*task.features, *task.dev.features) for i in f.sequences[0]}
    return torch.tensor(sorted(found))


def test_what_is_stored(wide: Path, stage_of: Any) -> None:
    sliced, whole = (stage_of("train_target", {"data": wide / "pos"}, sliced=s) for s in (True, False))
    stored, described = read_weights(sliced), json.loads((sliced / "model.json").read_text())
    assert WORD_MATRIX not in stored
    before = load_file(wide / "backbone" / "model.safetensors")["roberta.embeddings.word_embeddings.weight"].float()
    after = read_weights(whole)[WORD_MATRIX]
    changed = (before != after).any(1).nonzero()[:, 0]
    assert 20 < len(changed) < len(before) - UNUSED
    assert torch.equal(stored[IDS], changed)
    assert torch.equal(stored[ROWS], after[changed])
    assert described.pop("word_rows") == {"stored": len(changed), "of": len(before)}
    assert described == json.loads((whole / "model.json").read_text())
    assert stored_size(sliced) == stored_size(whole)
    assert sum(t.nbytes for t in stored.values()) < sum(t.nbytes for t in read_weights(whole).values())


def test_a_second_training_carries_what_the_first_one_changed(wide: Path, stage_of: Any, tmp_path: Path) -> None:
    """Rows that the intermediate training moved and the target never sees come out as the first training left them."""
    rng = np.random.default_rng(5)
    few = [replace(e, words=tuple("red" if i % 2 else "cat" for i in range(len(e.words)))) for e in tagged(rng, 20)]  # type: ignore[attr-defined,type-var]
    write_task(tmp_path / "few", TaskData("pos", "tagging", ("X", "Y"), {("train", "en"): list(few)}))  # type: ignore[arg-type]
    states, results = [], []
    for sliced in (True, False):
        first = stage_of("train_target", {"data": wide / "pos"}, sliced=sliced)
        second = stage_of(
            "train_target", {"data": tmp_path / "few", "intermediate": first}, sliced=sliced, composition="sequential"
        )
        states.append(whole_state(second, wide))
        results.append(second)
    assert_equal(*states)
    ids = read_weights(results[0])[IDS]
    assert len(ids) > 20, "the target's texts have two words"
    stored_whole = stage_of(
        "train_target", {"data": tmp_path / "few", "intermediate": first}, sliced=True, composition="sequential"
    )
    assert_equal(whole_state(stored_whole, wide), states[0])


def test_a_bundle_with_full_weights_holds_the_whole_encoder(wide: Path, stage_of: Any, tmp_path: Path) -> None:
    files = []
    for sliced in (True, False):
        folder = stage_of("train_target", {"data": wide / "pos"}, sliced=sliced)
        backbone = load_backbone(identity("backbone"), wide / "backbone")
        out = tmp_path / f"bundle-{sliced}"
        out.mkdir()
        write_tensors(out, load_model(folder, backbone, make_head=_head(backbone)), {}, encoder=True)
        files.append({path.name: path.read_bytes() for path in out.rglob("*.safetensors")})
    assert len(files[0]) == 2
    assert files[0] == files[1]


@pytest.mark.parametrize("kind", ["soup", "arithmetic"])
def test_merges_of_rows(wide: Path, stage_of: Any, kind: str) -> None:
    states = []
    for sliced in (True, False):
        folders = [stage_of("train_target", {"data": wide / "pos"}, sliced=sliced, seed=seed) for seed in (11, 12)]
        inputs = {f"model.{number:02d}": folder for number, folder in enumerate(folders)}
        weights = [0.5, 0.5] if kind == "soup" else [0.7, 0.4]
        merged = stage_of("merge", inputs, sliced=sliced, kind=kind, weights=weights, adapter=None)
        assert (IDS in read_weights(merged)) == sliced
        states.append(whole_state(merged, wide))
    assert_equal(*states)


@pytest.mark.parametrize(
    ("mode", "changes", "hidden", "because"),
    [
        ("full", {}, 32, ""),
        ("full", {"weight_decay": 0.01}, 32, "weight decay"),
        ("full", {}, 24, "24 numbers"),
        ("adapter", {"weight_decay": 0.01}, 24, ""),
    ],
)
def test_who_carries_the_whole_matrix(
    wide: Path, mode: str, changes: dict[str, Any], hidden: int, because: str
) -> None:
    backbone = load_backbone(identity("backbone"), wide / "backbone")
    task = read_train_task(wide / "pos", "pos", "tagging", backbone, max_length=32, dev=False)
    settings = [TrainSettings.of({**SETTINGS, **changes})]
    why = why_all_words([task], settings, trains=mode == "full", width=hidden)
    assert (because in why) if because else not why
    masked = replace(task, format=MaskedLm(vocabulary=30))
    assert "output matrix" in why_all_words([task, masked], settings, trains=mode == "full", width=hidden)


def test_weight_decay_moves_every_row(wide: Path, stage_of: Any) -> None:
    """Decay takes the full path, and what it stores is the whole matrix: the same as without rows."""
    settings = {**CLIPPED, "weight_decay": 0.1}
    folders = [stage_of("train_target", {"data": wide / "pos"}, sliced=s, settings=settings) for s in (True, False)]
    some, other = (read_weights(folder) for folder in folders)
    assert_equal(some, other)
    before = load_file(wide / "backbone" / "model.safetensors")["roberta.embeddings.word_embeddings.weight"].float()
    assert bool((some[WORD_MATRIX] != before).any(1).sum() >= len(before) - 1), "all but the padding's"


def test_the_norm_does_not_depend_on_rows_that_are_carried_along() -> None:
    generator = torch.Generator().manual_seed(1)
    touched = torch.randn((37, 48), generator=generator)
    whole = torch.zeros((5000, 48))
    whole[torch.randperm(5000, generator=generator)[:37].sort().values] = touched
    assert torch.equal(touched_rows(whole), touched)
    assert touched_rows(touched) is touched
    norms = {float(torch.linalg.vector_norm(touched_rows(some))) for some in (whole, touched)}
    assert len(norms) == 1


def test_a_word_without_a_row_is_refused(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LARGE", 0)
    forget_backbones()
    backbone = with_words(load_backbone(identity("backbone"), wide / "backbone", words=False), np.array([0, 2, 7]))
    assert backbone.model(input_ids=torch.tensor([[0, 7, 2, 1]])).last_hidden_state.shape == (1, 4, 32)
    with pytest.raises(IndexError):
        backbone.model(input_ids=torch.tensor([[0, 8, 2]]))


def test_rows_written_again_are_the_same(wide: Path, stage_of: Any, tmp_path: Path) -> None:
    """Loaded whole and written once more, a model has the same file: what differs is found anew."""
    folder = stage_of("train_target", {"data": wide / "pos"}, sliced=True)
    forget_backbones()
    backbone = load_backbone(identity("backbone"), wide / "backbone")
    model = load_model(folder, backbone, make_head=_head(backbone))
    again = tmp_path / "again"
    again.mkdir()
    write_weights(again, model)
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    content = write_description(again, model)
    assert content["trainable_parameters"] == json.loads((folder / "model.json").read_text())["trainable_parameters"]
