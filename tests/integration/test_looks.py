"""Looks at a real study: the store knows earlier ones, and more seeds are trained only for what is undecided."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.cli.main import main
from adapterxfer.store.store import Store

RECIPE = """\
recipe: 1
name: looked-at
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, head-only]
seeds: [{seeds}]
controls: false
tasks: {{world-nli: {{train_examples: 32, dev_examples: 4}},
  world-xnli: {{train_examples: 32, dev_examples: 4, test_examples: 30}}}}
train: {{default: {{learning_rate: 1e-3, steps: 2, batch_size: 8, max_length: 32}}}}
statistics:
  resamples: 100
  {looks}
  hypotheses: [{{id: helps, contrast: gain}}]
"""


def write(folder: Path, *, seeds: str, looks: str = "") -> str:
    path = folder / "study.yaml"
    path.write_text(RECIPE.format(seeds=seeds, looks=looks), encoding="utf-8")
    return str(path)


def test_looks_of_a_trained_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(tmp_path / "store")]
    recipe = write(tmp_path, seeds="1, 2", looks="looks: [2, 3]")
    assert main(["check", recipe]) == 2
    assert "the last look is at 3 seeds, but the recipe has 2" in capsys.readouterr().err

    recipe = write(tmp_path, seeds="1, 2, 3", looks="looks: [2, 3]")
    assert main(["run", recipe, *store, "--jobs", "1", "--until-decided", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["seeds"] for row in told["looks"]] == [2, 3]
    assert told["looks"][0] == {"seeds": 2, "undecided": ["helps"], "next": 2}, "the control takes no more seeds"
    trained = [s.name for s in Store(tmp_path / "store").completed_of("train_target")]
    assert sum("-s3-" in name for name in trained) == 2, "full-ft with and without, and no head-only"
    report = json.loads((tmp_path / told["report"] / "report.json").read_text(encoding="utf-8"))
    assert report["settings"]["look"]["seeds"] == 3
    assert "undeclared looks" not in {caution["check"] for caution in report["cautions"]}

    # The same study without declared looks: the report on two seeds was a look.
    recipe = write(tmp_path, seeds="1, 2, 3")
    folder = tmp_path / "report"
    assert main(["report", recipe, *store, "--out", str(folder)]) == 0
    cautions = json.loads((folder / "report.json").read_text(encoding="utf-8"))["cautions"]
    assert "undeclared looks" in {caution["check"] for caution in cautions}


def test_a_budget_buys_seeds_for_what_is_undecided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, store = write(tmp_path, seeds="1, 2, 3"), ["--store", str(tmp_path / "store"), "--jobs", "1"]
    assert main(["run", recipe, *store, "--budget", "0.5"]) == 2
    assert "no cell is finished" in capsys.readouterr().err
    assert main(["run", recipe, *store, "--only", "seed=1,2", "--json"]) == 0
    capsys.readouterr()
    assert main(["run", recipe, *store, "--budget", "1e-9", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bought"] == []
    assert main(["run", recipe, *store, "--budget", "1", "--json"]) == 0
    (bought,) = json.loads(capsys.readouterr().out)["bought"]
    assert (bought["backbone"], bought["seed"]) == ("world-nano", 3)
    assert 0 < bought["narrowing"] <= 1
    assert 0 < bought["hours"] < 1
    with pytest.raises(SystemExit, match="2"):
        main(["run", recipe, *store, "--budget", "none"])
