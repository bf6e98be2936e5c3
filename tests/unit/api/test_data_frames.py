"""`Results` as DataFrames: the numbers of the report, texts of the store, probabilities of the models in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from adapterxfer import Results, RunResult, build_plan, compare, load_recipe, run
from adapterxfer.cli.main import main
from adapterxfer.errors import DataError, RecipeError
from adapterxfer.report.settings import ReportSettings
from adapterxfer.store.store import Store

SMALL = [
    "backbones=[world-nano]",
    "seeds=[1]",
    "variants=[full-ft, stack]",
    "intermediate_tasks=[none, world-nli]",
    "target_tasks=[world-xnli, world-xqa]",
    "train.default.steps=2",
    "train.default.learning_rate=1e-3",
    "tasks.world-xnli={train_examples: 32, languages: [en, a1, b1]}",
    "tasks.world-xqa={train_examples: 32, languages: [en, a1, b1]}",
    "tasks.world-nli={train_examples: 32}",
    "statistics={resamples: 100}",
]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, str]:
    store = str(tmp_path_factory.mktemp("study") / "store")
    return run(load_recipe("quickstart", SMALL), store=store, jobs=1), store


@pytest.fixture(scope="module")
def results(study: tuple[RunResult, str]) -> Results:
    result, store = study
    return Results.from_plan(result.plan, store)


def test_a_path_is_as_good_as_a_store(study: tuple[RunResult, str], results: Results) -> None:
    result, store = study
    assert results.complete
    assert Results.from_plan(result.plan, Store(store)).scores().equals(results.scores())
    assert Results.from_plan(result.plan, Path(store)).cells == results.cells


def test_scores_are_those_of_the_prediction_files(results: Results) -> None:
    scores = results.scores()
    assert {"backbone", "variant", "target", "language", "family", "resource", "score"} <= set(scores.columns)
    predictions = results.predictions()
    chosen = {"variant": "stack", "intermediate": "world-nli", "target": "world-xnli", "language": "a1"}
    rows, score = predictions, scores
    for name, value in chosen.items():
        rows, score = rows[rows[name] == value], score[score[name] == value]
    assert 100 * float((rows["prediction"] == rows["gold"]).mean()) == pytest.approx(float(score["score"].iloc[0]))
    assert len(rows) == int(rows["total"].sum())


def test_texts_come_from_the_store(results: Results) -> None:
    pairs = results.select(target="world-xnli", variant="stack").predictions(texts=True)
    assert pairs["text"].str.len().min() > 0
    assert pairs["text_pair"].str.len().min() > 0
    answers = results.select(target="world-xqa", variant="stack").predictions(texts=True)
    assert {"question", "context"} <= set(answers.columns)
    english = answers[answers["language"] == "en"]
    assert all(
        json.loads(gold)[0] in context for gold, context in zip(english["gold"], english["context"], strict=True)
    )


def test_the_prediction_is_the_most_probable_label(results: Results) -> None:
    rows = results.select(target="world-xnli").predictions(probabilities=True)
    trained = rows[rows["control"] == ""]
    assert len(trained) > 100
    for row in trained.itertuples():
        assert sum(row.probabilities.values()) == pytest.approx(1.0)
        assert row.probability == max(row.probabilities.values())
    controls = rows[rows["control"] == "majority"]
    assert controls["probability"].isna().all()
    spans = results.select(target="world-xqa", variant="stack").predictions(probabilities=True)
    assert spans["probability"].isna().all()


def test_effects_are_those_of_the_report(study: tuple[RunResult, str], results: Results) -> None:
    result, _ = study
    assert result.report is not None
    report = json.loads((result.report / "report.json").read_text(encoding="utf-8"))
    effects = results.effects()
    assert len(effects) == len(report["effects"])
    assert np.allclose(effects["estimate"], [effect["estimate"] for effect in report["effects"]], atol=1e-6)
    assert len(results.effects(ReportSettings(resamples=50))) == len(effects)


def test_results_of_no_plan_say_what_they_lack(tmp_path: Path, results: Results) -> None:
    alone = Results.from_folders(results.cells, results.folders)
    assert len(alone.predictions()) == len(results.predictions())
    with pytest.raises(DataError, match="texts and probabilities are in the store"):
        alone.predictions(texts=True)
    with pytest.raises(DataError, match="of no plan"):
        alone.effects()
    empty = Results.from_plan(build_plan(load_recipe("quickstart", SMALL)), str(tmp_path))
    assert len(empty.predictions()) == len(empty.scores()) == 0


def test_compare_takes_what_the_command_takes(study: tuple[RunResult, str], capsys: pytest.CaptureFixture[str]) -> None:
    _, store = study
    recipe = load_recipe("quickstart", SMALL)
    said = compare(
        recipe, "stack", "full-ft", store=store, targets=["world-xnli"], of="score", scope="items", each=["language"],
        margin=20.0, over={"language": ("a1", "b1"), "intermediate": "world-nli"},
    )  # fmt: skip
    assert [test.subject for test in said.verdicts] == ["a1", "b1"]
    assert all(test.scope == "items" and test.margin == 20.0 for test in said.verdicts)
    assert len(said) == len(said.effects) == len(list(said))
    assert said[0] is said.effects[0]
    arguments = ["--target", "world-xnli", "--scope", "items", "--each", "language", "--margin", "20"]
    arguments += ["--over", "language=a1,b1", "--over", "intermediate=world-nli"]
    settings = [text for setting in SMALL for text in ("--set", setting)]
    command = ["compare", "quickstart", *settings, "--a", "stack", "--b", "full-ft", "--store", store]
    assert main([*command, *arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [test["estimate"] for test in printed["verdicts"]] == [
        pytest.approx(test.estimate, abs=1e-6) for test in said.verdicts
    ]
    with pytest.raises(RecipeError):
        compare(recipe, "stack", "full-ft", store=store, each=["colour"])
    with pytest.raises(RecipeError):
        compare(recipe, "stack", "full-ft", store=store, margin=-1.0)
