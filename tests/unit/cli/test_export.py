"""The command `export`: which system it takes, what it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.catalog.labels import NER
from adapterxfer.cli.main import main
from adapterxfer.data.examples import Example, PairExample, TaggingExample, TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS
from adapterxfer.plan import build_plan
from adapterxfer.predict.table import write_predictions
from adapterxfer.recipe import load_recipe
from adapterxfer.report.exporting import one_system
from adapterxfer.store.store import Store

RECIPE = """
recipe: 1
name: exported
backbones: [world-nano, world-mini]
intermediate_tasks: [none]
target_tasks: [xnli, world-xqa]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [3, 4]
controls: true
train: {default: {steps: 2, learning_rate: 1e-3}}
"""
NARROW = ["--only", "backbone=world-nano", "--only", "variant=stack"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "exported.yaml"
    path.write_text(RECIPE)
    return path


def finish(recipe: Path, store: Path, *, seed: int) -> None:
    """Predictions of the narrowed system in the store, as a run leaves them."""
    plan = build_plan(load_recipe(recipe), only=[NARROW[1], NARROW[3]])
    (cell,) = [c for c in plan.cells if c.target == "xnli" and c.seed == seed and not c.control]
    stage = plan.stages[cell.predict]
    folder = Store(store).root / stage.kind / stage.folder_name
    folder.mkdir(parents=True)
    labels = ("entailment", "neutral", "contradiction")
    examples = [
        PairExample(str(n), f"p{n // 3}", code, "a", "b", labels[n % 3]) for code in ("en", "sw") for n in range(6)
    ]
    metadata = {"stage_key": stage.key, "task": "xnli", "format": "sequence_classification", "protocol": "accuracy"}
    write_predictions(folder, examples, ["neutral"] * 12, METRICS["accuracy"], metadata=metadata)


def test_one_system_is_written_and_can_be_scored(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(recipe, tmp_path / "store", seed=3)
    mine, labels = str(tmp_path / "mine"), str(tmp_path / "labels")
    arguments = ["export", str(recipe), "--store", str(tmp_path / "store"), *NARROW, "--submission", mine]
    assert main([*arguments, "--labels", labels]) == 0
    printed = capsys.readouterr().out
    assert "2 files of 1 task" in printed
    assert "left out, in no benchmark: world-xqa" in printed
    score = [
        "score",
        "--benchmark",
        "xtreme-r",
        "--labels",
        labels,
        "--predictions",
        mine,
        "--resamples",
        "20",
        "--json",
    ]
    assert main(score) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tasks"]["xnli"]["average"]["value"] == pytest.approx(100 / 3)
    assert found["tasks"]["xnli"]["languages"]["sw"]["clusters"] == 2
    assert main([*arguments, "--seed", "4"]) == 2
    assert "no predictions yet for xnli" in capsys.readouterr().err


def test_equal_sentences_are_declared_as_one_cluster(tmp_path: Path) -> None:
    """The stored clusters are single sentences; those of the report hold equal ones together."""
    recipe = tmp_path / "exported.yaml"
    recipe.write_text(RECIPE.replace("[xnli, world-xqa]", "[panx]") + "tasks: {panx: {languages: [en, id]}}\n")
    plan = build_plan(load_recipe(recipe), only=[NARROW[1], NARROW[3]])
    (cell,) = [c for c in plan.cells if c.seed == 3 and not c.control]
    stage, store = plan.stages[cell.predict], Store(tmp_path / "store")
    texts = {"en": ("a", "b", "c d", "b"), "id": ("x", "x", "y", "x")}
    tests = {
        code: [TaggingExample(str(n), str(n), code, tuple(text.split()), ("B-PER", "O")[: len(text.split())])
               for n, text in enumerate(listed)]
        for code, listed in texts.items()
    }  # fmt: skip
    prepare = plan.stages[stage.inputs["data"]]
    folder = store.root / "prepare" / prepare.folder_name
    folder.mkdir(parents=True)
    splits: dict[tuple[str, str], list[Example]] = {("test", code): list(listed) for code, listed in tests.items()}
    write_task(folder, TaskData("panx", "tagging", NER, splits, {}), extra={"source": {"kind": "hub"}})
    folder = store.root / stage.kind / stage.folder_name
    folder.mkdir(parents=True)
    (folder / "stage.json").write_text(json.dumps({"schema": 1, "stage": stage.as_json()}))
    examples = [example for listed in tests.values() for example in listed]
    metadata = {"stage_key": stage.key, "task": "panx", "format": "tagging", "protocol": "spans"}
    predictions = [" ".join(example.tags) for example in examples]
    write_predictions(folder, examples, predictions, METRICS["chunk_f1"], metadata=metadata)
    mine = tmp_path / "mine"
    assert main(["export", str(recipe), "--store", str(store.root), *NARROW, "--submission", str(mine)]) == 0
    clusters = json.loads((mine / "submission.json").read_text())["tasks"]["panx"]["clusters"]
    assert [len(set(clusters[code])) for code in ("en", "id")] == [3, 2]
    assert clusters["en"][1] == clusters["en"][3]


def test_several_systems_or_none_are_refused(recipe: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["export", str(recipe), "--submission", str(tmp_path / "mine")]
    assert main(command) == 2
    assert "4 systems were evaluated on xnli: world-nano full-ft" in capsys.readouterr().err
    plan = build_plan(load_recipe(recipe), only=["variant=stack"])
    with pytest.raises(DataError, match="no system with seed 9"):
        one_system(plan, {"xnli"}, seed=9)
    assert main([*command, "--only", "target=world-xqa"]) == 2
    assert "no system with seed 3" in capsys.readouterr().err


def test_the_counts_of_items_are_tables_that_significance_reads(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (3, 4):
        finish(recipe, tmp_path / "store", seed=seed)
    command = ["export", str(recipe), *NARROW, "--store", str(tmp_path / "store"), "--format", "items"]
    assert main(command) == 2
    assert "--format items needs --out" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "items")]) == 0
    shown = capsys.readouterr().out
    assert "1 table, one per target, with the counts of 2 training runs" in shown
    assert "that have no predictions yet" in shown
    table = str(tmp_path / "items" / "xnli.parquet")
    assert f"adapterxfer significance {table}" in shown
    assert main([*command, "--out", str(tmp_path / "items"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [table]
