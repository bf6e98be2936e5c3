"""The example cards in docs: one for every shipped recipe, as the generator writes them, honest about what they are."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from stand_in_hub import StandInHub, card_problems
from test_card import Redirected

from adapterxfer.hub.manifest import read_json, read_manifest

ROOT = Path(__file__).parents[3]
CARDS = ROOT / "docs" / "cards"


def script() -> ModuleType:
    """`scripts/make_example_cards.py`, which finds its table of studies beside it."""
    path = ROOT / "scripts" / "make_example_cards.py"
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location("make_example_cards", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


CARDS_SCRIPT = script()
STUDIES = CARDS_SCRIPT.STUDIES
WITHOUT_CARD = sys.modules["example_card_studies"].WITHOUT_CARD


def test_every_shipped_recipe_has_a_card() -> None:
    recipes = {path.stem for path in (ROOT / "recipes").glob("*.yaml")}
    assert {study.recipe for study in STUDIES.values()} == recipes - set(WITHOUT_CARD)
    assert set(WITHOUT_CARD) <= recipes
    assert {path.name for path in CARDS.iterdir()} == set(STUDIES)
    linked = set(re.findall(r"\(cards/([a-z0-9-]+)/README\.md\)", (ROOT / "docs" / "hub.md").read_text()))
    assert linked == set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_card_is_what_the_generator_writes_now(name: str) -> None:
    folder = CARDS / name
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == CARDS_SCRIPT.example(folder, name), "run: python scripts/make_example_cards.py --render"
    assert card_problems(text) == []
    manifest, results = read_manifest(folder), read_json(folder / "results.json")
    study = STUDIES[name]
    assert manifest.recipe["name"] == study.recipe
    figures = {path.relative_to(folder).as_posix() for path in folder.glob("figures/*")}
    assert figures == {file for file in manifest.files if file.startswith("figures/")}
    assert figures == set(re.findall(r"\]\((figures/[^)]+)\)", text))
    assert results["scores"], "a card without scores shows nothing"
    assert {path.name for path in folder.iterdir()} == {"README.md", "bundle.json", "results.json", "figures"}


@pytest.mark.parametrize("name", STUDIES)
def test_a_card_says_what_it_is(name: str) -> None:
    study = STUDIES[name]
    text = (CARDS / name / "README.md").read_text(encoding="utf-8")
    assert "> **Example.**" in text
    assert ("Synthetic demonstration" in text) == (not study.real)
    assert ("Not the whole recipe" in text) == bool(study.reduced)
    stand_ins = read_json(CARDS / name / "results.json")["stand_ins"]
    assert bool(stand_ins) == ("world=true" in study.changes)
    for task, made_up in stand_ins.items():
        assert f"`{task}` is played by the made-up task `{made_up}`" in text
        assert f"type: {task}\n" not in text, "no score is claimed on the real task"
    assert not re.search(r"/(tmp|root|home|mnt)/", text)


@pytest.mark.parametrize("name", STUDIES)
def test_the_hubs_own_validation_accepts_every_card(
    name: str, hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import ModelCard, repocard

    session = repocard.get_session
    monkeypatch.setattr(repocard, "get_session", lambda: Redirected(session(), hub.url))
    card = ModelCard((CARDS / name / "README.md").read_text(encoding="utf-8"))
    card.validate(repo_type="model")
    assert hub.count("POST", "/api/validate-yaml") == 1
    assert card.data.eval_results
    assert {result.dataset_split for result in card.data.eval_results} == {"test"}


def test_one_card_shows_an_adapter_with_a_gain() -> None:
    gains = {
        name: row["estimate"]
        for name in STUDIES
        for row in read_json(CARDS / name / "results.json")["gains"]
        if row["variant"].split()[0] in ("sequential", "stack", "fuse") and row["estimate"] > 0
    }
    assert gains, "choose an adapter system that gained among the studies, or run one"


def test_a_changed_result_would_be_noticed(tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(CARDS / "quickstart", tmp_path / "quickstart"))
    results = (folder / "results.json").read_text()
    score = read_json(folder / "results.json")["scores"][0]["score"]
    (folder / "results.json").write_text(results.replace(str(score), str(score - 5.0)))
    assert CARDS_SCRIPT.example(folder, "quickstart") != (folder / "README.md").read_text()
