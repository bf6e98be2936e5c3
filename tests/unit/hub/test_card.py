"""The card says what the results say, in metadata that the Hub accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_study import Make, StudyFiles
from stand_in_hub import StandInHub, card_problems

from adapterxfer.hub.bundle_results import collect_results
from adapterxfer.hub.card import render_card
from adapterxfer.hub.licences import facts_of, most_restrictive
from adapterxfer.hub.manifest import Manifest, read_manifest
from adapterxfer.plan import build_plan
from adapterxfer.recipe.loading import parse_recipe
from adapterxfer.report.results import Results
from adapterxfer.store.store import Store


def parts(bundle: Make, variant: str = "stack", target: str = "world-xnli", **more: Any) -> tuple[Manifest, Any, str]:
    folder = bundle(variant, target, **more)
    results = json.loads((folder / "results.json").read_text())
    return read_manifest(folder), results, (folder / "README.md").read_text()


def metadata(card: str) -> dict[str, Any]:
    content = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("variant", ["full-ft", "sequential", "stack", "fuse"])
def test_metadata_is_valid_and_honest(bundle: Make, variant: str) -> None:
    manifest, results, card = parts(bundle, variant)
    data = metadata(card)
    assert card_problems(card) == []
    assert data["tags"] == sorted(data["tags"])
    assert "synthetic" in data["tags"]
    assert "language" not in data, "a made-up language has no code"
    assert "base_model" not in data, "the backbone is not on the Hub"
    assert data["license"] == "other", "the bundle holds an encoder that was pretrained on files without a licence"
    assert data["library_name"] == ("transformers" if variant == "full-ft" else "adapter-transformers")
    values = {r["dataset"]["config"]: r["metrics"][0]["value"] for r in data["model-index"][0]["results"]}
    for row in results["scores"]:
        assert values[row["language"]] == pytest.approx(row["score"], abs=0.005)
    assert "Synthetic demonstration" in card
    assert manifest.name in card


def test_the_hubs_own_validation_accepts_it(bundle: Make, hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import ModelCard, repocard

    session = repocard.get_session
    monkeypatch.setattr(repocard, "get_session", lambda: Redirected(session(), hub.url))
    for variant in ("stack", "full-ft"):
        ModelCard(parts(bundle, variant)[2]).validate(repo_type="model")
    assert hub.count("POST", "/api/validate-yaml") == 2
    broken = ModelCard(parts(bundle)[2].replace("license: other", "license: mine"))
    with pytest.raises(ValueError, match="license"):
        broken.validate(repo_type="model")


class Redirected:
    """A session whose posts to the public Hub go to the stand-in."""

    def __init__(self, session: Any, url: str) -> None:
        self.session, self.url = session, url

    def post(self, address: str, *body: Any, **options: Any) -> Any:
        return self.session.post(address.replace("https://huggingface.co", self.url), *body, **options)


def test_scores_are_those_of_the_report(bundle: Make, study: StudyFiles) -> None:
    _, results, card = parts(bundle)
    known = {
        row.language: row.score
        for row in Results.from_plan(study.plan(), Store(study.store)).score_rows()
        if (row.variant, row.target, row.intermediate) == ("stack", "world-xnli", "world-nli")
    }
    rows = {row["language"]: row for row in results["scores"]}
    assert set(rows) == {*known, "zero-shot"}
    for language, score in known.items():
        assert rows[language]["score"] == pytest.approx(score)
        assert rows[language]["low"] <= score <= rows[language]["high"]
        assert f"| {score:.1f} | {rows[language]['low']:.1f} to {rows[language]['high']:.1f} |" in card
    mean = sum(known[language] for language in ("a1", "c1")) / 2
    assert rows["zero-shot"]["score"] == pytest.approx(mean)


def test_gains_are_those_of_the_report(bundle: Make, study: StudyFiles) -> None:
    _, results, card = parts(bundle)
    plan, store = study.plan(), Store(study.store)
    assert plan.report is not None
    report = json.loads((store.folder(plan.report) / "report.json").read_text())
    (effect,) = [
        e
        for e in report["effects"]
        if (e["kind"], e["backbone"], e["variant"], e["intermediate"], e["target"], e["group_kind"])
        == ("gain", "tiny", "stack", "world-nli", "world-xnli", "zero-shot")
    ]
    (gain,) = results["gains"]
    for name in ("estimate", "low", "high", "p_adjusted", "verdict", "remark"):
        assert gain[name] == effect[name]
    assert f"| world-xnli | world-nli | {effect['estimate']:+.1f} |" in card
    remark = f"; {effect['remark']}" if effect["remark"] else ""
    assert f"| {effect['verdict']}{remark} |" in card


def test_a_baseline_claims_no_gain(bundle: Make) -> None:
    manifest, results, card = parts(bundle, "stack", intermediate="none")
    assert manifest.composition.variant == "adapter"
    assert results["gains"] == []
    assert "No intermediate task was used" in card


def test_training_data_name_every_phase(bundle: Make) -> None:
    _, results, card = parts(bundle, "fuse")
    assert [(row["task"], row["phase"]) for row in results["training"]] == [
        ("world-xnli", "fusion"),
        ("text", "pretraining"),
        ("world-nli", "intermediate"),
    ]
    assert "| text | pretraining | all | original files | unstated |" in card
    _, results, card = parts(bundle, "fuse", full=False)
    assert [row["task"] for row in results["training"]] == ["world-xnli", "world-nli"]
    assert metadata(card)["license"] == "apache-2.0"
    assert "| world-nli | intermediate |" in card


def test_an_unfinished_study_gives_a_card_too(bundle: Make, study: StudyFiles, tmp_path: Any) -> None:
    manifest, _, _ = parts(bundle)
    results = collect_results(study.plan(), Store(tmp_path / "empty"), manifest.lineage[0].key)
    card = render_card(manifest, results)
    assert "This model was not evaluated" in card
    assert card_problems(card) == []


@pytest.mark.parametrize(
    ("stated", "identifier", "flag"),
    [
        ("apache-2.0", "apache-2.0", ""),
        ("mit", "mit", ""),
        ("cc-by-4.0", "cc-by-4.0", ""),
        ("cc-by-sa-4.0", "cc-by-sa-4.0", "share alike"),
        ("cc-by-nc-4.0", "cc-by-nc-4.0", "non-commercial"),
        ("cc-by-nc-4.0 (ANLI part)", "other", "non-commercial"),
        ("non-commercial research only", "other", "non-commercial"),
        ("LDC2005T13, users must own it", "other", "LDC: users of the data must own a licence"),
        ("unstated", "other", "licence: unstated"),
        ("mixed (OANC, cc-by, cc-by-sa)", "other", "licence: mixed (OANC, cc-by, cc-by-sa)"),
    ],
)
def test_licences(stated: str, identifier: str, flag: str) -> None:
    facts = facts_of(stated)
    assert facts.identifier == identifier
    assert facts.flags == ((flag,) if flag else ())


def test_the_most_restrictive_licence_wins() -> None:
    assert most_restrictive(["mit", "cc-by-sa-4.0", "apache-2.0"]) == "cc-by-sa-4.0"
    assert most_restrictive(["cc-by-nc-4.0", "unstated"]) == "cc-by-nc-4.0"
    assert most_restrictive(["cc-by-nc-4.0", "LDC2005T13"]) == "other"
    assert most_restrictive(["unstated", "mit"]) == "other"


def test_every_licence_of_the_catalogue_is_understood() -> None:
    from adapterxfer.catalog import tasks

    for task in tasks().values():
        facts = facts_of(task.licence)
        assert facts.identifier != "other" or facts.flags, task.name


def test_flags_reach_the_card(bundle: Make) -> None:
    manifest, results, _ = parts(bundle)
    results["training"][0] |= {"flags": ["non-commercial"], "licence": "cc-by-nc-4.0"}
    changed = manifest.model_copy(update={"license": "cc-by-nc-4.0"})
    card = render_card(changed, results)
    assert metadata(card)["license"] == "cc-by-nc-4.0"
    assert f"- {results['training'][0]['task']}: non-commercial" in card


def planned(text: str, only: str, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """Key and results of one training of a recipe of which nothing was run."""
    plan = build_plan(parse_recipe(text), only=[only])
    key = next(s.key for s in plan.stages.values() if s.kind == "train_target" and s.labels["intermediate"] != "none")
    return key, collect_results(plan, Store(tmp_path / "empty"), key)


WORLD = """
recipe: 1
name: stand-ins
backbones: [world-nano]
intermediate_tasks: [none, INTERMEDIATE]
target_tasks: [TARGET]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1]
train: {default: {learning_rate: 1e-2, batch_size: 8, max_length: 32, steps: 3}}
"""


def test_a_stand_in_claims_no_score_of_the_task_whose_name_it_bears(bundle: Make, tmp_path: Path) -> None:
    text = WORLD.replace("INTERMEDIATE", "mnli").replace("TARGET", "xnli") + "world: true\n"
    _, results = planned(text, "intermediate=mnli", tmp_path)
    assert results["stand_ins"] == {"mnli": "world-nli", "xnli": "world-xnli"}
    manifest, scored, _ = parts(bundle)
    rows = [{**row, "target": "xnli"} for row in scored["scores"]]
    card = render_card(manifest, {**scored, "scores": rows, "stand_ins": results["stand_ins"]})
    found = metadata(card)["model-index"][0]["results"]
    assert {row["dataset"]["type"] for row in found} == {"world-xnli"}
    assert not any("xnli" in row["dataset"]["name"].replace("world-xnli", "") for row in found)
    assert "`xnli` is played by the made-up task `world-xnli`" in card
    assert "Stand-ins" not in parts(bundle)[2]


@pytest.mark.parametrize(
    ("arm", "option", "said"),
    [
        ("mlm", "mlm_mix: {share: 0.25, texts: world, lines: 10}", "masked words in unlabelled text of N languages"),
        ("translated", "translated: {folder: world}", "were labelled examples in N languages"),
    ],
)  # fmt: skip
def test_arms_are_named_with_their_languages(bundle: Make, tmp_path: Path, arm: str, option: str, said: str) -> None:
    text = WORLD.replace("INTERMEDIATE", f"world-nli, world-nli+{arm}").replace("TARGET", "world-xnli") + option + "\n"
    _, results = planned(text, f"intermediate=world-nli+{arm}", tmp_path)
    (row,) = [row for row in results["training"] if row.get("arm") == arm]
    assert (row["phase"], row["synthetic"], row["licence"]) == ("intermediate", True, "apache-2.0")
    manifest, scored, plain = parts(bundle)
    first = manifest.lineage[0].model_copy(
        update={"labels": {**manifest.lineage[0].labels, "intermediate": f"world-nli+{arm}"}}
    )
    changed = manifest.model_copy(update={"lineage": [first, *manifest.lineage[1:]]})
    card = render_card(changed, {**scored, "training": results["training"]})
    assert f"# stack: world-nli+{arm}, then world-xnli, on tiny" in card
    assert said.replace("N", str(len(row["languages"]))) in card
    assert "Trained on English only" not in card
    assert f"languages: {', '.join(row['languages'])}" in card
    assert ("without any labelled data in the language" in card) == (arm == "mlm")
    assert "Trained on English only" in plain


def test_an_interval_stands_on_the_card_as_the_report_has_it(bundle: Make) -> None:
    manifest, results, _ = parts(bundle)
    results["gains"] = [{**results["gains"][0], "low": -151.25, "high": 200.0}]  # of a correlation, two seeds
    assert "| -151.2 to +200.0 |" in render_card(manifest, results)
    assert all(-100.0 <= row["low"] <= row["high"] <= 100.0 for row in parts(bundle)[1]["gains"])


def test_the_figure_has_every_language(bundle: Make) -> None:
    svg = (bundle("stack") / "figures" / "scores-world-xnli.svg").read_text()
    for language in ("en", "a1", "c1"):
        assert f">{language}<" in svg
    assert "http://" not in svg.replace("http://www.w3.org", "")
