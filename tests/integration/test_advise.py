"""`adapterxfer advise` before and after a study is trained, on the smallest embedded backbone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.api import run
from adapterxfer.cli.main import main
from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: advised
backbones: [world-nano]
intermediate_tasks: [none, world-nli, world-qa]
target_tasks: [world-xnli, world-retrieval]
variants: [full-ft, stack, fuse]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
train:
  default: {batch_size: 8, steps: 6, learning_rate: 1e-3, max_length: 64}
tasks:
  world-nli: {train_examples: 48, dev_examples: 12}
  world-qa: {train_examples: 48, dev_examples: 12}
  world-xnli: {train_examples: 48, dev_examples: 12, test_examples: 10}
  world-retrieval: {test_examples: 10}
controls: false
statistics: {resamples: 100}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "advised.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def ask(capsys: pytest.CaptureFixture[str], recipe: Path, *more: str) -> Any:
    store = str(recipe.parent / "store")
    assert main(["advise", str(recipe), "--store", store, "--json", "--steps", "2", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_before_anything_is_trained(capsys: pytest.CaptureFixture[str], recipe: Path) -> None:
    answer = ask(capsys, recipe, "--examples", "20")
    assert {folder.parent.name for folder in Store(recipe.parent / "store").folders()} == {"prepare"}
    rows = {(row["adapter"], row["intermediate"]): row for row in answer["rows"]}
    assert set(rows) == {(adapter, name) for adapter in ("", "seq_bn/2") for name in ("none", "world-nli", "world-qa")}
    inference, questions = rows["seq_bn/2", "world-nli"], rows["seq_bn/2", "world-qa"]
    assert 1 >= inference["predictions"]["text-embeddings"] > questions["predictions"]["text-embeddings"]
    assert (inference["ranks"], questions["ranks"]) == ({"text-embeddings": 1}, {"text-embeddings": 2})
    assert rows["", "none"]["ranks"] == {}
    assert inference["reasons"]["logme"] == "its intermediate training is not in the store"
    assert inference["reasons"]["few-steps"] == "its intermediate training is not in the store"
    assert rows["", "none"]["predictions"].keys() == {"logme", "few-steps"}
    assert list(answer["refused"]) == ["world-retrieval"]
    assert answer["judged"] == []
    assert answer["unjudged"] == ["no target training of the recipe is finished in this store"]
    assert answer["protocol"]["examples"] == 20
    assert answer["synthetic"]


def test_after_the_matrix_is_trained(capsys: pytest.CaptureFixture[str], recipe: Path) -> None:
    assert not run(recipe, store=recipe.parent / "store", jobs=1).outcome.failed
    capsys.readouterr()
    answer = ask(capsys, recipe)
    for row in answer["rows"]:
        expected = {"logme", "few-steps"} | ({"text-embeddings"} if row["intermediate"] != "none" else set())
        assert row["predictions"].keys() == expected
    by_adapter = {(row["adapter"], row["intermediate"]): row["predictions"]["logme"] for row in answer["rows"]}
    assert by_adapter["", "none"] == by_adapter["seq_bn/2", "none"]
    assert len(set(by_adapter.values())) == 5
    judged = {(entry["variant"], entry["predictor"], entry["k"]) for entry in answer["judged"]}
    predictors = ("text-embeddings", "logme", "few-steps", "always-nli", "random")
    assert judged == {(v, p, 1) for v in ("full-ft", "stack seq_bn/2", "fuse seq_bn/2") for p in predictors}
    assert all(entry["regret"] >= 0 for entry in answer["judged"])
    assert ask(capsys, recipe)["rows"] == answer["rows"]
    assert main(["advise", str(recipe), "--store", str(recipe.parent / "store"), "--steps", "0"]) == 0
    shown = capsys.readouterr().out
    assert "synthetic demonstration" in shown
    assert "no few-steps with none, world-nli, world-qa: short runs were left out" in shown
    assert "regret@3: no more than 3 candidates anywhere" in shown


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seed", "9"], "seed 9 is not one of the recipe's (1, 2)"),
        (["--only", "target=world-retrieval"], "nothing is trained on world-retrieval"),
        (["--only", "intermediate=none"], "no choice of an intermediate task"),
        (["--layer", "deep"], "layer is 'deep'"),
        (["--only", "target=absent"], "absent"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], recipe: Path, more: list[str], message: str) -> None:
    assert main(["advise", str(recipe), "--store", str(recipe.parent / "store"), *more]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "fix:" in told
    assert not (recipe.parent / "store").exists()
