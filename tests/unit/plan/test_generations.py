"""Versions of stages: a change touches what it says and nothing else, and old results stay readable."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.cli.main import main
from adapterxfer.data.examples import PairExample
from adapterxfer.engines.worker import run_stage
from adapterxfer.errors import AdapterxferError, StageError
from adapterxfer.metrics import METRICS
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.plan.cells import PlannedCells
from adapterxfer.plan.generations import CHANGES, FIRST, NEWEST, changes_since, identity_at, version_of
from adapterxfer.plan.superseded import superseded
from adapterxfer.predict.table import write_predictions
from adapterxfer.recipe import load_recipe, parse_recipe
from adapterxfer.store.keys import Stage
from adapterxfer.store.provenance import provenance
from adapterxfer.store.store import Store

STUDY = """\
recipe: 1
name: study
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [TARGET]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2]
controls: false
train: {default: {learning_rate: 1e-3, steps: 1}}
"""
WORLD = STUDY.replace("TARGET", "world-xnli")
ADAPTERS = "variants: [stack]"
PAIRS = WORLD.replace("variants: [full-ft, stack]", ADAPTERS)
FILES = STUDY.replace("TARGET", "udpos").replace("variants: [full-ft, stack]", ADAPTERS) + "data_root: data\n"

Example = tuple[str, Mapping[str, Any]]
EXAMPLES: Mapping[str, tuple[Example, Example | None]] = {
    "answers, tags and hidden words of files": ((FILES, {"reading": 2}), (FILES, {})),
    "the same test items in every language": ((FILES, {"same_items": True}), (FILES, {})),
    "texts in composed Unicode": ((FILES, {"composed": True}), (FILES, {})),
    "segment ids of pairs": ((PAIRS.replace("world-nano", "rembert"), {}), (PAIRS, {})),
    "marks of the beginnings of words": ((FILES.replace("world-nano", "mmbert-small"), {}), (FILES, {})),
    "products by another library": ((WORLD, {}), None),
    "random numbers of dropout": ((WORLD, {}), None),
    "more products by another library": ((WORLD, {}), None),
    "order of sums in full fine-tuning": ((WORLD, {}), (WORLD.replace("variants: [full-ft, stack]", ADAPTERS), {})),
}
"""Change -> a recipe that it touches and one that it leaves alone, each with facts of the sources of its files.

No recipe is left alone by a change of every encoder's sums; its stages without an encoder are."""


def planned(example: Example, generation: int = NEWEST) -> Plan:
    text, facts = example
    recipe = parse_recipe(text)
    sources = Sources(
        recipe,
        files=lambda asked, root: {name: {"kind": "files", "files": {name: "hash"}, **facts} for name, _ in asked},
        world=lambda: "generator",
    )
    return build_plan(recipe, sources=sources, generation=generation)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_touches_what_it_says_and_nothing_else(change: Any) -> None:
    touched, untouched = EXAMPLES[change.name]
    now, before = planned(touched, change.generation), planned(touched, change.generation - 1)
    differing = [stage for key, stage in now.stages.items() if key not in before.stages]
    concerned = [stage for stage in differing if change.concerns(stage.kind, stage.identity)]
    assert concerned
    followers = {stage.key for stage in concerned}
    for stage in now.stages.values():
        if followers & set(stage.inputs.values()):
            followers.add(stage.key)
    assert {stage.key for stage in differing} == followers, "all others keep their keys"
    assert change in changes_since(change.generation - 1, planned(touched).stages.values())
    assert any(key in before.stages for key in now.stages), "data are prepared as before"
    if untouched is not None:
        assert planned(untouched, change.generation).stages == planned(untouched, change.generation - 1).stages
        assert change not in changes_since(1, planned(untouched).stages.values())


def test_every_change_has_an_example_and_says_what_it_moves() -> None:
    assert set(EXAMPLES) == {change.name for change in CHANGES}
    for change in CHANGES:
        assert change.text.endswith(".")
        assert len(change.text) > 80
        assert change.generation > 1
        assert bool(change.fact) == (not change.touches("report", {}) and change.touches.__name__ == "_nothing")


def test_versions_begin_with_the_first_generation() -> None:
    for kind, version in FIRST.items():
        assert version_of(kind, {}, 1) == version


def test_facts_of_later_generations_are_left_out() -> None:
    identity = {"what": "task", "source": {"kind": "files", "files": {"a": "b"}, "reading": 2, "same_items": True}}
    assert identity_at(identity, 2)["source"] == {"kind": "files", "files": {"a": "b"}, "reading": 2}
    assert identity_at(identity, 1)["source"] == {"kind": "files", "files": {"a": "b"}}
    assert identity_at(identity, NEWEST) is identity
    assert identity["source"] == {"kind": "files", "files": {"a": "b"}, "reading": 2, "same_items": True}


@pytest.mark.parametrize("number", [0, -1, NEWEST + 1])
def test_a_generation_that_is_not_there(number: int) -> None:
    with pytest.raises(AdapterxferError, match=f"generation {number} is not known"):
        planned((WORLD, {}), number)


def test_a_stage_of_another_version_is_never_computed(tmp_path: Path) -> None:
    """This code would store its own results under the key of an earlier version."""
    stage = next(iter(planned((WORLD, {})).stages.values()))
    other = replace(stage, version=stage.version + 1, key="")
    store = Store(tmp_path / "store")
    store.open()
    with pytest.raises(StageError, match=r"version 2; this version of adapterxfer makes version 1"):
        run_stage(other, store=store, settings={})
    assert store.find(other) is None


RECIPE = """\
recipe: 1
name: rows
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [xnli]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1, 2, 3]
data_root: data
controls: false
tasks:
  xnli:
    languages: [de, tr]
    test_examples: 30
    layout:
      train: {path: train.csv, layout: csv, columns: {text: a, text_pair: b, label: y}}
      dev: {path: train.csv, layout: csv, columns: {text: a, text_pair: b, label: y}}
      test: {path: "test-{lang}.csv", layout: csv, columns: {text: a, text_pair: b, label: y}}
train: {default: {learning_rate: 1e-3, steps: 1}}
statistics: {resamples: 100}
"""
LABELS = ("entailment", "neutral", "contradiction")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recipe on parallel files without ids, of which the second generation chose other items in each language."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("data").mkdir()
    for name in ("train", "test-de", "test-tr"):
        with Path(f"data/{name}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["a", "b", "y", "number"])
            rows.writerows([f"{name} {n}", "and so on", LABELS[n * n % 3], n] for n in range(60))
    Path("rows.yaml").write_text(RECIPE, encoding="utf-8")
    return "rows.yaml"


def finish(plan: Plan, store: Store) -> None:
    """Plant predictions of a plan."""
    store.open()
    for stage in plan.stages.values():
        if stage.kind == "predict":
            with store.scratch(stage) as scratch:
                plant(stage, scratch)
                store.commit(stage, scratch, result={}, provenance=provenance(seconds=0.0))


def plant(stage: Stage, folder: Path) -> None:
    shift = 3 * (stage.labels["intermediate"] != "none") + int(stage.labels["seed"])
    examples = [PairExample(f"{code}{n}", f"{code}{n}", code, "a", None, "neutral") for code in ("de", "tr")
                for n in range(60)]  # fmt: skip
    predictions = ["neutral" if (n * 7 + shift) % 5 < 2 + (shift > 3) else "entailment" for n in range(120)]
    metadata = {"stage_key": stage.key, "task": "xnli", "format": "sequence_classification", "protocol": "accuracy"}
    write_predictions(folder, examples, predictions, METRICS["accuracy"], metadata=metadata)


def test_earlier_results_are_named_and_read_with_a_caution(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    earlier, today = build_plan(load_recipe(study), generation=2), build_plan(load_recipe(study))
    store = Store("store")
    finish(earlier, store)
    assert not {cell.predict for cell in earlier.cells} & {cell.predict for cell in today.cells}

    assert main(["status", study]) == 0
    shown = capsys.readouterr().out
    assert "6 cells that are missing are in the store as an earlier version computed them" in shown
    assert "the same test items in every language" in shown
    assert "adapterxfer report rows.yaml --generation 2" in shown
    assert main(["status", study, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["superseded"]["generation"] == 2
    assert main(["report", study]) == 2
    assert "--generation 2" in capsys.readouterr().err

    assert main(["report", study, "--generation", "2", "--out", "old"]) == 0
    printed = capsys.readouterr()
    assert "6 of 6 cells finished" in printed.out
    assert "caution: These results were computed by an earlier version (generation 2" in printed.err
    report = json.loads(Path("old/report.json").read_text(encoding="utf-8"))
    (caution, *_) = report["cautions"]
    assert caution["check"] == "results of an earlier version"
    for page in ("old/report.html", "old/report.md"):
        text = Path(page).read_text(encoding="utf-8")
        # At the top and in the list.
        assert text.count("computed by an earlier version") == 2
    assert main(["power", study, "--generation", "2", "--json"]) == 0
    assert "caution" in capsys.readouterr().err


def test_generations_are_never_mixed(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    earlier, today = build_plan(load_recipe(study), generation=2), build_plan(load_recipe(study))
    store = Store("store")
    finish(earlier, store)
    first = today.cells[0].predict
    one = replace(today, cells=PlannedCells(today.cells.runs[:1]), stages={first: today.stages[first]})
    finish(one, store)
    left = superseded(today, store.completed())
    assert left is not None
    assert (left.generation, left.cells) == (2, 5)
    assert main(["report", study, "--out", "new"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 6 cells finished" in printed
    assert "5 cells that are missing are in the store" in printed
    assert "earlier version" not in Path("new/report.md").read_text(encoding="utf-8")


def test_nothing_is_said_where_nothing_changed(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Files whose languages share their ids chose the same items before."""
    text = Path(study).read_text(encoding="utf-8").replace("label: y}}\ntrain", "label: y, id: number}}\ntrain")
    Path(study).write_text(text, encoding="utf-8")
    *earlier, _, today = [build_plan(load_recipe(study), generation=number) for number in range(1, NEWEST + 1)]
    assert all(plan.stages == earlier[0].stages for plan in earlier), "only the newest two change every encoder"
    finish(today, Store("store"))
    assert superseded(today, Store("store").completed()) is None
    assert main(["report", study, "--generation", str(NEWEST), "--out", "old"]) == 0
    assert "caution" not in capsys.readouterr().err
    assert "earlier version" not in Path("old/report.md").read_text(encoding="utf-8")


def test_the_store_is_cleaned_of_them_only_on_demand(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    finish(build_plan(load_recipe(study), generation=2), Store("store"))
    finish(build_plan(load_recipe(study)), Store("store"))
    assert main(["store", "gc", study, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unreferenced"] == []
    assert main(["store", "gc", study, "--superseded", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["unreferenced"]) == 6
