"""Selection by development data in the target languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapterxfer.data.examples import TaggingExample, TaskData
from adapterxfer.data.storage import read_task, write_task
from adapterxfer.errors import StageError
from adapterxfer.variants.storage import read_weights

Run = Callable[..., Path]
LONG = {"learning_rate": 3e-2, "batch_size": 8, "steps": 40, "max_length": 32}


@pytest.fixture
def target_dev(world: Path, tmp_path: Path) -> Path:
    """Tags turned round: what helps in English hurts here, so the first moments are the best."""
    english = [e for e in read_task(world / "pos").split("dev", "en") if isinstance(e, TaggingExample)]
    turned = {"X": "Y", "Y": "X"}
    found = [replace(e, language="xx", tags=tuple(turned[tag] for tag in e.tags)) for e in english]
    folder = tmp_path / "target_dev"
    folder.mkdir()
    write_task(folder, TaskData("pos", "tagging", ("X", "Y"), {("dev", "xx"): found}))  # type: ignore[arg-type]
    return folder


def test_it_keeps_what_is_best_in_the_target_languages(run: Run, world: Path, target_dev: Path) -> None:
    data = {"data": world / "pos"}
    english = run("train_target", data, settings={**LONG, "selection": "dev"})
    oracle = run("train_target", {**data, "target_dev": target_dev}, settings={**LONG, "selection": "oracle"})
    chosen = {
        name: json.loads((folder / "model.json").read_text())["training"]
        for name, folder in (("english", english), ("oracle", oracle))
    }
    scores = [
        json.loads(line)["dev"]["pos"]
        for line in (oracle / "train.jsonl").read_text().splitlines()
        if "dev" in json.loads(line)
    ]
    assert len(scores) == 4
    assert chosen["oracle"]["dev_score"] == max(scores)
    assert chosen["oracle"]["selected_step"] < chosen["english"]["selected_step"]
    assert chosen["oracle"]["settings"]["selection"] == "oracle"
    first, second = read_weights(english), read_weights(oracle)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_other_data_are_refused(run: Run, world: Path, target_dev: Path) -> None:
    settings = {**LONG, "selection": "oracle"}
    with pytest.raises(StageError, match="input 'target_dev' is missing"):
        run("train_target", {"data": world / "pos"}, settings=settings)
    with pytest.raises(StageError, match="holds task 'nli'"):
        run("train_target", {"data": world / "pos", "target_dev": world / "nli"}, settings=settings)


def test_languages_count_alike(run: Run, world: Path, target_dev: Path, tmp_path: Path) -> None:
    """Many turned sentences in one language, a few as in English in another: pooled, the many decide; as a mean the
    scores of both languages weigh the same, whatever their sizes."""
    turned = read_task(target_dev)
    english = [e for e in read_task(world / "pos").split("dev", "en") if isinstance(e, TaggingExample)]
    few = [replace(e, language="yy") for e in english[:2]]
    folder = tmp_path / "two"
    folder.mkdir()
    splits = {("dev", "xx"): turned.split("dev", "xx"), ("dev", "yy"): few}
    write_task(folder, TaskData("pos", "tagging", ("X", "Y"), splits))  # type: ignore[arg-type]
    settings = {**LONG, "selection": "oracle"}
    scores = {}
    for name, more in (("pooled", {}), ("alike", {"selected_by": "mean over languages"})):
        stored = run("train_target", {"data": world / "pos", "target_dev": folder}, settings=settings, **more)
        lines = [json.loads(line) for line in (stored / "train.jsonl").read_text().splitlines()]
        scores[name] = [line["dev"]["pos"] for line in lines if "dev" in line]
    share = sum(len(e.words) for e in few) / sum(len(e.words) for e in [*few, *turned.split("dev", "xx")])  # type: ignore[union-attr]
    # Turned and unturned tags: a score a in one language is about 100 - a in the other, so the mean stays near 50.
    assert share < 0.25
    assert max(abs(score - 50) for score in scores["alike"]) < min(20, abs(scores["pooled"][-1] - 50))
