"""A task added as docs/tasks.md says, word for word: one entry and one reader, and everything else works."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from contributing import blocks

import adapterxfer.data
from adapterxfer.catalog import (
    DataSet,
    TargetDev,
    TaskSpec,
    data_sets,
    families,
    task_parts,
    task_specs,
    tasks,
)
from adapterxfer.catalog.stand_ins import stand_in_name
from adapterxfer.cli.main import main
from adapterxfer.data.storage import read_task
from adapterxfer.errors import CatalogueError
from adapterxfer.plan import Plan, build_plan
from adapterxfer.recipe import load_recipe
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.prepare import execute

DOCS = Path(__file__).parents[2] / "docs" / "tasks.md"
RECIPE = """\
recipe: 1
name: reviews
backbones: [xlm-r-base]
backbone_sources: {xlm-r-base: {revision: aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd}}
intermediate_tasks: [none]
target_tasks: [reviews]
variants: [full-ft]
seeds: [1]
train:
  default: {batch_size: 8, steps: 10, learning_rate: 1e-3}
"""


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The two files of the page, in folders that Python takes for parts of the package; returns the data."""
    entry, reader = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    for package, content in ((families, entry), (adapterxfer.data, reader)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "reviews.py").write_text(content, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    root = tmp_path / "data"
    for split, count in (("train", 40), ("dev", 8), ("test", 10)):
        for code in ("de", "en", "sw"):
            path = root / "reviews" / code / f"{split}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{i}\t{code} {split} text {i}\t{'+-'[i % 2]}\n" for i in range(count)))
    forget()
    yield root
    for package in (families, adapterxfer.data):
        sys.modules.pop(f"{package.__name__}.reviews", None)
    forget()


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The task of CONTRIBUTING.md, whose reader is there already, in the folder that its recipe names."""
    (entry,) = blocks("Add a target task")
    folder = tmp_path / "families"
    folder.mkdir()
    (folder / "letters.py").write_text(entry, encoding="utf-8")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(folder)])
    monkeypatch.chdir(tmp_path)
    for code, split in itertools.product(("de", "en", "sw"), ("train", "dev", "test")):
        path = tmp_path / "texts" / "letters" / code / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"Dear O\nAnna B-PER\n{split}{i} O\n\n" for i in range(20)), encoding="utf-8")
    forget()
    yield tmp_path
    sys.modules.pop(f"{families.__name__}.letters", None)
    forget()


def test_the_task_of_the_page_for_contributors(letters: Path) -> None:
    (text,) = blocks("Add a target task", "yaml")
    Path("letters.yaml").write_text(text, encoding="utf-8")
    assert main(["data", "check", "--data-root", "texts", "--task", "letters"]) == 0
    assert main(["check", "letters.yaml"]) == 0
    assert {cell.target for cell in build_plan(load_recipe("letters.yaml")).cells} == {"letters"}


def forget() -> None:
    for table in (task_specs, task_parts, data_sets, tasks):
        table.cache_clear()


def prepared(plan: Plan, what: str, root: Path, folder: Path) -> dict[str, int]:
    stage = next(s for s in plan.stages.values() if s.kind == "prepare" and s.identity["what"] == what)
    folder.mkdir()
    result = execute(
        StageContext(stage=stage, inputs={}, scratch=folder, log=lambda line: None, settings={"data_root": str(root)})
    )
    assert read_task(folder).labels == ("negative", "positive")
    return result["examples"]


def test_a_new_task_is_a_full_citizen(added: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "reviews.yaml"
    recipe.write_text(RECIPE + f"data_root: {added}\noracle: true\n", encoding="utf-8")
    assert main(["check", str(recipe)]) == 0
    capsys.readouterr()
    assert main(["ls", "tasks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["entries"]
    assert {"name": "reviews", "kin": "sentiment"}.items() <= next(e for e in listed if e["name"] == "reviews").items()
    assert main(["data", "check", "--data-root", str(added), "--task", "reviews"]) == 0

    plan = build_plan(load_recipe(recipe))
    plan.require_runnable()
    assert {cell.target for cell in plan.cells} == {"reviews"}
    assert any(cell.control.startswith("oracle") for cell in plan.cells)
    read = prepared(plan, "task", added, tmp_path / "task")
    assert read == {"train.en": 40, "dev.en": 8, "test.de": 10, "test.en": 10, "test.sw": 10}
    assert prepared(plan, "target-dev", added, tmp_path / "oracle") == {"de": 8, "sw": 8}
    assert stand_in_name(tasks()["reviews"]) == "world-xnli"
    world = build_plan(load_recipe(recipe, ["world=true", "backbones=[world-nano]"]))
    assert not world.missing_data


def test_missing_files_are_named_before_anything_runs(added: Path, tmp_path: Path) -> None:
    (added / "reviews" / "sw" / "test.tsv").unlink()
    recipe = tmp_path / "reviews.yaml"
    recipe.write_text(RECIPE + f"data_root: {added}\n", encoding="utf-8")
    missing = build_plan(load_recipe(recipe)).missing_data
    assert "reviews/sw/test.tsv" in str(missing)
    assert "reviews is from the archive reviews.zip of the shared task" in str(missing)


@pytest.mark.parametrize("name", task_specs())
def test_every_entry_can_be_constructed_and_not_without_a_part(name: str) -> None:
    spec = task_specs()[name]
    assert replace(spec) == spec
    empty: dict[str, Any] = {"kin": "", "metric": "", "licence": "", "languages": ()}
    for part, value in empty.items():
        with pytest.raises(CatalogueError, match=f"task '{re.escape(name)}': missing {part}"):
            replace(spec, **{part: value})
    if spec.trained:
        with pytest.raises(CatalogueError, match=r"missing (train, test or both|parts.train|labels)"):
            replace(spec, parts=replace(spec.parts, train=(), dev=()))
    if spec.role == "target":
        with pytest.raises(CatalogueError, match="missing target_dev"):
            replace(spec, target_dev=None)
        with pytest.raises(CatalogueError, match="missing"):
            replace(spec, parts=replace(spec.parts, test=None))
        assert spec.target_dev is not None
        assert spec.parts.test is not None
        if spec.target_dev.why_not and not spec.parts.test.development():
            with pytest.raises(CatalogueError, match=r"missing (development files|split dev)"):
                replace(spec, target_dev=TargetDev())
    if spec.parts.labels and spec.parts.format == "sequence_classification":
        with pytest.raises(CatalogueError, match="missing labels"):
            replace(spec.parts, labels=())


@pytest.mark.parametrize("name", data_sets())
def test_every_data_set_can_be_constructed_and_not_without_a_part(name: str) -> None:
    data = data_sets()[name]
    assert replace(data) == data
    empty: dict[str, Any] = {"name": "", "citation": "", "metric": "", "files": {}, "reader": ""}
    for part, value in empty.items():
        with pytest.raises(CatalogueError, match=f"missing .*{part}"):
            replace(data, **{part: value})
    with pytest.raises(CatalogueError, match="reader as module:function"):
        replace(data, reader="read_it")
    with pytest.raises(CatalogueError, match="missing hub, or origin"):
        replace(data, hub=None, origin="")
    if data.hub is not None:
        for change in ({"repository": ""}, {"splits": {}, "lines": {}}, {"config": "", "folder": "", "lines": {}}):
            with pytest.raises(CatalogueError, match=r"repository '.*': missing"):
                replace(data.hub, **change)


def test_all_parts_at_once_are_named() -> None:
    with pytest.raises(CatalogueError) as error:
        DataSet(
            name="",
            files={},
            reader="",
            clusters=replace(data_sets()["xnli"].clusters, unit=""),
            citation="",
            metric="",
        )
    assert str(error.value).splitlines()[0] == (
        "data set '': missing name; citation; metric; clusters.unit; files of every split; reader; hub, or origin"
    )
    assert len(fields(TaskSpec)) > 6
    with pytest.raises(TypeError):
        TaskSpec("target", "nli", "accuracy")  # type: ignore[call-arg, misc]
