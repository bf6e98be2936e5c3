"""Tasks that a recipe declares, from files in the shapes that people have to a report: every example of the page."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from own_data import write_all
from own_references import reference
from own_tasks_page import declarations, recipe, study

from adapterxfer import build_plan, load_bundle, load_recipe, run
from adapterxfer.catalog import task_specs
from adapterxfer.cli.main import main
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.making import make_bundle
from adapterxfer.predict.table import read_predictions
from adapterxfer.recipe import parse_recipe
from adapterxfer.report.results import Results
from adapterxfer.store.keys import SHORT_KEY
from adapterxfer.store.store import Store

TARGETS = ["news", "inference", "sentiment", "names", "questions", "choices", "translations"]
INTERMEDIATES = ["inference", "pairs"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The recipe of all declarations that read files, and the store of its finished run."""
    root = tmp_path_factory.mktemp("own")
    write_all(root / "data")
    file = root / "own.yaml"
    names = [name for name in declarations() if not name.startswith("hub-")]
    file.write_text(study(names, targets=TARGETS, intermediates=INTERMEDIATES, root=root / "data"), encoding="utf-8")
    assert main(["check", str(file)]) == 0
    # Two workers: neither has the recipe, only the stages that it is handed.
    result = run(load_recipe(file), store=root / "store", jobs=2)
    assert not result.outcome.failed
    return file, root / "store"


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("target", TARGETS)
def test_scores_are_those_of_the_libraries(made: tuple[Path, Path], target: str) -> None:
    file, store = made
    plan = build_plan(load_recipe(file))
    data = Results.from_plan(plan, Store(store)).target(target)
    assert len(data.cells) > 1
    for cell in data.cells:
        if cell.is_control:
            continue  # of which some write expected counts
        table = read_predictions(Store(store).completed()[cell.predict[:SHORT_KEY]])
        scores = data.scores_by_language(cell.predict)
        for index, code in enumerate(table.languages):
            rows = table.language == index
            answers = table.prediction[rows].tolist(), table.gold[rows].tolist()
            assert scores[code] == pytest.approx(reference(data.metric.name, *answers), abs=1e-9)


def test_every_declaration_of_the_page_has_fifteen_lines_at_most() -> None:
    texts = declarations()
    assert set(texts) == {*TARGETS, *INTERMEDIATES, "hub-news", "hub-inference"}
    assert {name: len(text.splitlines()) for name, text in texts.items() if len(text.splitlines()) > 15} == {}
    first = recipe()
    assert len(first[first.index("  reviews:") :].splitlines()) <= 15


def test_the_complete_recipe_of_the_page_is_checked_with_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text(recipe(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["check", "mine.yaml"]) == 0


def report_of(store: Path) -> dict[str, Any]:
    (path,) = (store / "report").glob("*/report.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_the_report_says_what_the_recipe_says(made: tuple[Path, Path]) -> None:
    report = report_of(made[1])
    declared = {facts["name"]: facts for facts in report["declared"]}
    assert set(declared) == {*TARGETS, *INTERMEDIATES}
    assert (declared["news"]["licence"], declared["news"]["citation"]) == ("cc-by-4.0", "not stated")
    assert declared["names"]["citation"] == "Me and my annotators 2026"
    languages = {row["code"]: (row["name"], row["family"], row["resource"]) for row in report["languages"]}
    assert languages["ha"] == ("Hausa", "Afro-Asiatic", "low")  # as the recipe says
    assert languages["yo"] == ("Yoruba", "Niger-Congo", "low")  # as the catalogue says
    assert languages["gsw"] == ("gsw", "unknown", "unknown")  # as nobody says
    table = next((made[1] / "report").glob("*/tables/declared-tasks.csv")).read_text(encoding="utf-8")
    assert "news,sequence_classification,weighted_f1,files,ha yo,cc-by-4.0,not stated" in table
    overlap = next(caution for caution in report["cautions"] if caution["check"] == "overlapping data")
    assert "inference with inference" in overlap["text"]
    targets = {facts["name"]: facts for facts in report["targets"]}
    assert targets["inference"]["parallel"]
    assert not targets["news"]["parallel"]


def test_the_card_is_about_this_task_and_no_other(made: tuple[Path, Path], tmp_path: Path) -> None:
    file, store = made
    plan = build_plan(load_recipe(file))
    narrowed = build_plan(load_recipe(file), only=["target=sentiment", "intermediate=none", "variant=full-ft"])
    chosen = choose(narrowed)[0]
    folder, _ = make_bundle(plan, Store(store), chosen, tmp_path, full_weights=True)
    card = (folder / "README.md").read_text(encoding="utf-8")
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["license"] == "other"  # nothing is stated
    assert metadata["language"] == ["ace", "id"]
    assert "datasets" not in metadata
    results = metadata["model-index"][0]["results"]
    assert {row["dataset"]["type"] for row in results} == {"sentiment"}
    assert {row["metrics"][0]["type"] for row in results} == {"mcc"}
    assert "Licence: not stated. Citation: not stated." in card
    assert 'bundle.classify("A text.")' in card
    for name in task_specs():
        assert not re.search(rf"\b{re.escape(name)}\b", card), name
    stored = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert [row["licence"] for row in stored["training"]] == ["not stated"]
    by_language = {row["language"]: row["score"] for row in stored["scores"] if not row["secondary"]}
    data = Results.from_plan(plan, Store(store)).target("sentiment")
    assert by_language["ace"] == pytest.approx(data.scores_by_language(chosen_predict(plan, chosen))["ace"], abs=1e-5)
    bundle = load_bundle(folder)
    one, pair = bundle.classify("ka lo nego"), bundle.classify(("ka", "lo"))
    assert (len(one), len(pair)) == (1, 1)
    assert one[0].label in ("negative", "neutral", "positive")
    assert [answer.label for answer in bundle.classify(["ka lo nego"])] == [one[0].label]


def chosen_predict(plan: Any, key: Any) -> str:
    return next(c.predict for c in plan.cells if plan.stages[c.predict].inputs.get("model") == key.key)


def test_two_recipes_of_one_process_may_give_one_name_to_two_tasks(tmp_path: Path) -> None:
    first = study(["sentiment"], targets=["sentiment"], intermediates=[], root=tmp_path)
    second = first.replace("[negative, neutral, positive]", "[bad, good]").replace("metric: mcc", "metric: accuracy")
    recipes = [parse_recipe(first), parse_recipe(second), parse_recipe(first)]
    assert [recipe.task("sentiment").labels[0] for recipe in recipes] == ["negative", "bad", "negative"]
    assert [recipe.task("sentiment").metric for recipe in recipes] == ["mcc", "accuracy", "mcc"]
    assert "sentiment" not in task_specs()
    assert recipes[0].digest != recipes[1].digest
