"""`law`: forms, predictions, registration before a run and scoring after it; errors a user can make."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sized_study import plant_sizes, write_recipe

from adapterxfer.api.laws import laws
from adapterxfer.cli.main import main
from adapterxfer.report.law import law_of_gain
from adapterxfer.statistics.intervals import Bounds

FIVE = ("s1", "s2", "s3", "s4", "s5")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Recipe and store of five of its six sizes, with gains that fall by three points from size to size."""
    root = tmp_path_factory.mktemp("sizes")
    recipe = write_recipe(root)
    plant_sizes(recipe, root / "store", lambda size: 18.0 - 3.0 * size, FIVE)
    return str(recipe), str(root / "store")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_forms_and_predictions(study: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    recipe, store = study
    found = answer(capsys, "law", recipe, "--store", store, "--at", "6.3M", "--language", "a9=A", "--language", "z=Z")
    (law,) = found["laws"]
    assert list(law["backbones"]) == list(FIVE)
    assert [round(effect) for effect in law["effects"]] == pytest.approx([18, 15, 12, 9, 6], abs=3)
    assert sum(form["weight"] for form in law["forms"]) == pytest.approx(1.0)
    assert all(form["left_out_error"] is not None for form in law["forms"])
    mean, *others = law["expected"]
    assert mean["kind"] == "mean"
    assert mean["low"] < 3.0 < mean["high"]
    assert mean["forms"]["linear"][0] == pytest.approx(3.0, abs=2.5)
    families = {item["name"]: item for item in others if item["kind"] == "family"}
    assert families["A"]["value"] > families["B"]["value"] > families["C"]["value"]
    languages = {item["name"]: item for item in others if item["kind"] == "language"}
    assert languages["a9"]["family"] == "A"
    assert languages["z"]["family"] == ""
    assert languages["z"]["high"] - languages["z"]["low"] > languages["a9"]["high"] - languages["a9"]["low"]


def test_it_says_when_forms_cannot_be_told_apart(study: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    recipe, store = study
    only = ["--only", "backbone=s1,s2,s3"]
    assert main(["law", recipe, "--store", store, *only, "--at", "1M"]) == 0
    said = capsys.readouterr().out
    assert "3 sizes: none can be left out, so the forms cannot be compared" in said
    assert "more than half of their range" in said
    assert main(["law", recipe, "--store", store]) == 0
    said = capsys.readouterr().out
    assert "the sizes cannot tell the forms apart" in said
    assert "synthetic demonstration" in said


def test_predictions_end_where_gains_end(study: tuple[str, str]) -> None:
    recipe, store = study
    fitted, _ = laws(recipe, store=store, only=["backbone=s1,s2,s3"], at=[1e9], level=0.9999)
    (law,) = fitted
    assert law.series.reach == law.series.reach_by_language == pytest.approx((-100.0, 100.0)), "two accuracies"
    (mean,) = (item for item in law.expected if item.kind == "mean")
    ends = [(mean.low, mean.high), *((low, high) for _, low, high in mean.forms.values())]
    assert all(-100.0 <= low <= high <= 100.0 for low, high in ends)
    assert (mean.low, mean.high) == pytest.approx((-100.0, 100.0)), "three sizes decide no law"
    correlations = replace(law.series, reach=Bounds(-200.0, 200.0), reach_by_language=Bounds(-200.0, 200.0))
    wider = law_of_gain(correlations, at=[1e9], level=0.9999).expected[0]
    assert (wider.low, wider.high) == pytest.approx((-200.0, 200.0))


def test_registered_before_and_scored_after(
    study: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    recipe = study[0]
    store = str(shutil.copytree(study[1], tmp_path / "store"))
    size = _parameters(recipe, "s6")
    file = tmp_path / "prediction.json"
    command = ["law", recipe, "--store", store]
    register = [*command, "--only", "backbone=s1,s2,s3,s4,s5", "--at", str(size), "--register", str(file)]
    assert main(register) == 0
    said = capsys.readouterr().out
    assert json.loads(file.read_text())["sha256"] in said
    assert main(register) == 2, "what is registered is never replaced"
    assert "is not replaced" in capsys.readouterr().err
    score = [*command, "--score", str(file)]
    before = answer(capsys, *score)
    assert before["scored"] == []
    assert all("no backbone of this size" in line for line in before["missing"])

    plant_sizes(Path(recipe), Path(store), lambda size: 3.0, ["s6"])
    rows = answer(capsys, *score)["scored"]
    assert [(row["kind"], row["name"]) for row in rows] == [
        ("mean", ""), ("family", "A"), ("family", "B"), ("family", "C"),
    ]  # fmt: skip
    assert all(row["inside"] and row["backbone"] == "s6" for row in rows)
    assert rows[0]["measured"] == pytest.approx(3.0, abs=2.5)
    assert main(score) == 0
    assert "4 of 4 inside their 95% interval" in capsys.readouterr().out
    assert main([*command, "--at", str(size), "--register", str(tmp_path / "late.json")]) == 2
    assert "is measured already" in capsys.readouterr().err

    content = json.loads(file.read_text())
    content["series"][0]["expected"][0]["low"] = -100.0
    file.write_text(json.dumps(content))
    assert main(score) == 2
    assert "was changed after it was registered" in capsys.readouterr().err


def test_a_backbone_that_was_trained_before_is_no_prediction(
    study: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, store = study
    file = tmp_path / "prediction.json"
    size = str(_parameters(recipe, "s5"))
    only = ["--only", "backbone=s1,s2,s3,s4"]
    assert main(["law", recipe, "--store", store, *only, "--at", size, "--register", str(file)]) == 0
    content = json.loads(file.read_text())
    assert main(["law", recipe, "--store", store, "--score", str(file)]) == 0
    said = capsys.readouterr().out
    # Registered within the second in which the study was planted, or later: never before it.
    assert content["registered_at"] in said
    assert "s5 was trained before the registration: this is no prediction" in said


def _parameters(recipe: str, backbone: str) -> int:
    from adapterxfer.plan import build_plan
    from adapterxfer.recipe import load_recipe

    cells = build_plan(load_recipe(recipe)).cells
    cell = next(cell for cell in cells if cell.backbone == backbone)
    return cell.non_embedding_parameters or cell.parameters


def test_text_of_a_language_explains_its_level(
    study: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, store = study
    amounts = {"a1": 100, "a2": 90, "b1": 10, "b2": 9, "c1": 1, "c2": 0.9, "x": 1000}
    file = tmp_path / "amounts.json"
    file.write_text(json.dumps(amounts))
    command = ["law", recipe, "--store", store, "--at", "1M", "--language", "x=X"]
    (plain,) = answer(capsys, *command)["laws"]
    (law,) = answer(capsys, *command, "--text", str(file))["laws"]
    assert law["expected"][-1]["value"] > plain["expected"][-1]["value"] + 2.0, "more text, more gain, here by design"
    file.write_text(json.dumps({"a1": 100}))
    assert main([*command, "--text", str(file)]) == 2
    assert "no amount of text for a2, b1, b2, c1, c2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--only", "backbone=s1,s2"], "gains at 2 sizes; a law needs 3"),
        (["--language", "x=X"], "--language without a size"),
        (["--at", "1M", "--language", "x"], "expected CODE=FAMILY"),
        (["--level", "95"], "expected between 0 and 1"),
        (["--score", "nowhere.json"], "nowhere.json"),
        (["--score", "nowhere.json", "--at", "1M"], "--score takes its questions from the file"),
        (["--register", "x.json"], "nothing is predicted"),
        (["--text", "klingon"], "--text klingon"),
        (["--text", "nowhere.json"], "--text nowhere.json"),
        (["--at", "1M", "--register", "no/such/folder.json"], "give a file in a folder that exists"),
    ],
)
def test_wrong_input(
    study: tuple[str, str], arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    recipe, store = study
    assert main(["law", recipe, "--store", store, *arguments]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("size", ["0", "big", "-5", "1T", "nan"])
def test_wrong_sizes(study: tuple[str, str], size: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["law", study[0], "--at", size])
    assert ended.value.code == 2


def test_a_file_that_is_no_registration(
    study: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("", "[]", "{}", '{"sha256": 1}', '{"sha256": "0", "schema": 2}'):
        (tmp_path / "x.json").write_text(text)
        assert main(["law", study[0], "--store", study[1], "--score", str(tmp_path / "x.json")]) == 2
        assert "no registered prediction" in capsys.readouterr().err
