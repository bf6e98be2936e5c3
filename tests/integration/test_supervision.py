"""Labelled data in the target language: from a recipe to the report, on the world and on files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.cli.main import main
from adapterxfer.store.store import Store

WORLD = """\
recipe: 1
name: taught
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [full-ft, fuse]
adapters: [{method: seq_bn, reduction_factor: 4}]
seeds: [1, 2]
train:
  default: {batch_size: 8, steps: 3, max_length: 48, learning_rate: 1e-3}
tasks:
  world-xnli: {train_examples: 24, dev_examples: 12, test_examples: 30, languages: [en, a1, b1]}
  world-nli: {train_examples: 24, dev_examples: 8}
supervision:
  few-shot: {examples: 4, draws: 2, from: dev, train: {steps: 2}}
  translate-train: {folder: world, variants: [full-ft]}
  in-language: {train_examples: [8, 24], languages: [b1]}
  sources: [en, a1]
controls: false
statistics: {resamples: 100}
"""

FILES = """\
recipe: 1
name: taught
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [udpos, xnli]
variants: [full-ft]
seeds: [1]
train:
  default: {learning_rate: 1e-3, steps: 2, batch_size: 4, max_length: 32}
tasks:
  udpos: {languages: [en, de, hi]}
  xnli: {languages: [en, de]}
supervision:
  in-language: {targets: [udpos]}
  translate-train: {targets: [xnli], folder: mt, by: a dictionary}
  few-shot: {examples: 3, from: dev, train: {steps: 2}}
controls: false
statistics: {resamples: 100}
"""

TAGS = ("NOUN", "VERB", "DET")
LABELS = ("neutral", "entailment", "contradiction")


def descriptions(store: Path) -> list[dict[str, Any]]:
    """What trainings with labelled data in the target language say of it."""
    folders = Store(store).completed().values()
    models = [
        json.loads((f / "model.json").read_text(encoding="utf-8")) for f in folders if (f / "model.json").is_file()
    ]
    return [model["training"]["supervision"] for model in models if "supervision" in model["training"]]


def table(store: Path, name: str) -> list[dict[str, str]]:
    (path,) = store.glob(f"report/*/tables/{name}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_arm_on_the_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, store = tmp_path / "r.yaml", tmp_path / "store"
    recipe.write_text(WORLD, encoding="utf-8")
    assert main(["check", str(recipe)]) == 0
    assert main(["run", str(recipe), "--store", str(store), "--jobs", "1"]) == 0, capsys.readouterr().out
    drawn = descriptions(store)
    few = [facts["drawn"] for facts in drawn if facts["label"] == "few-shot-4"]
    ids = {(code, tuple(facts["ids"])) for by_language in few for code, facts in by_language.items()}
    assert len(ids) == 2 * 2 * 2, (
        "languages, seeds, draws: shared by variants and intermediate tasks, and by nothing else"
    )
    assert all(facts["examples"] == len(facts["ids"]) == 4 for by_language in few for facts in by_language.values())
    small, large = (
        {
            facts["sha256_of_ids"]: set(facts["ids"])
            for d in drawn
            if d["label"] == label
            for facts in d["drawn"].values()
        }
        for label in ("in-language-8", "in-language-24")
    )
    assert all(any(eight <= whole for whole in large.values()) for eight in small.values())
    assert {tuple(d["drawn"]) for d in drawn if d["kind"] == "sources"} == {("a1",)}, "English is whole"

    rows = table(store, "supervision")
    asked = {(row["supervision"], row["language"]) for row in rows}
    assert {("few-shot-4", "mean"), ("few-shot-4", "a1"), ("sources-en+a1", "b1"), ("in-language-24", "b1")} <= asked
    assert ("sources-en+a1", "a1") not in asked, "no zero-shot language of that arm"
    assert ("in-language-24", "a1") not in asked
    for row in rows:
        points = float(row["score"].split(" ")[0])
        assert points - float(row["zero-shot"]) == pytest.approx(float(row["difference"]), abs=0.11)
    gains = table(store, "supervised-gain")
    assert {row["supervision"] for row in gains} == {row["supervision"] for row in rows}
    assert all(row["minus zero-shot gain"] for row in gains if row["language"] == "mean")
    assert {(row["supervision"], row["draws of each"]) for row in table(store, "draws")} >= {("few-shot-4", "2")}

    scores = table(store, "all-scores")
    assert {row["group_kind"] for row in scores if "@" in row["target"]} == {"target", "family", "resource", "language"}
    assert not [row for row in scores if row["group_kind"] == "zero-shot" and "@" in row["target"]]
    (report,) = store.glob("report/*/report.json")
    findings = json.loads(report.read_text(encoding="utf-8"))
    protocols = {facts["name"]: facts["protocol"] for facts in findings["targets"]}
    assert protocols["world-xnli@few-shot-4"] == protocols["world-xnli"] + "/few-shot-4"
    plain = [e for e in findings["effects"] if e["kind"] in ("gain", "gain kept", "variant difference")]
    assert plain
    assert not [effect for effect in plain if "@" in effect["target"]]


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def treebank(count: int, salt: str) -> str:
    lines = []
    for number in range(count):
        lines.append(f"# sent_id = {salt}{number}")
        for place in range(3):
            tag = TAGS[(number + place) % 3]
            lines.append(f"{place + 1}\t{salt}{number}{tag.lower()}\t_\t{tag}\t_\t_\t0\t_\t_\t_")
        lines.append("")
    return "\n".join([*lines, ""])


def pairs(count: int, salt: str) -> list[tuple[str, str, str]]:
    return [(f"{salt} premise {i}", f"{salt} {LABELS[i % 3]}", LABELS[i % 3]) for i in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    treebanks = {"en_ewt-ud-train": 8, "en_ewt-ud-dev": 4, "en_ewt-ud-test": 4}
    treebanks |= {f"{name}-ud-{split}": 4 for name in ("de_gsd", "hi_hdtb") for split in ("dev", "test")}
    for name, count in treebanks.items():
        write(root, f"ud/{name}.conllu", treebank(count, name.replace("-ud-", "")))
    write(root, "ud/de_gsd-ud-train.conllu", treebank(6, "de_gsdtrain") + treebank(2, "de_gsdtest"))
    write(root, "ud/hi_hdtb-ud-train.conllu", treebank(5, "hi"))
    for place, salt in (("", "en"), ("mt/de/", "de")):
        rows = [{"sentence1": a, "sentence2": b, "gold_label": label} for a, b, label in pairs(9, salt)]
        write(root, f"{place}multinli_1.0_train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    for split in ("dev", "test"):
        lines = ["language\tgold_label\tsentence1\tsentence2"]
        lines += [f"{code}\t{y}\t{a}\t{b}" for code in ("en", "de") for a, b, y in pairs(6, f"{split}-{code}")]
        write(root, f"xnli.{split}.tsv", "\n".join(lines) + "\n")
    return root


def test_files_of_the_target_language(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, store = tmp_path / "r.yaml", tmp_path / "store"
    recipe.write_text(FILES, encoding="utf-8")
    arguments = [str(recipe), "--set", f"data_root={folder}"]
    assert main(["check", *arguments]) == 0, capsys.readouterr().out
    assert main(["run", *arguments, "--store", str(store), "--jobs", "1"]) == 0, capsys.readouterr().out
    drawn = {(d["label"], code): facts for d in descriptions(store) for code, facts in d["drawn"].items()}
    assert drawn["in-language", "de"]["examples"] == 6
    assert drawn["in-language", "de"]["equal_to_test_items"] == 2, "sentences of the test in the training file"
    assert drawn["in-language", "hi"]["examples"] == 5
    assert drawn["translate-train", "de"]["examples"] > 0
    assert {key[1] for key in drawn if key[0] == "few-shot-3"} == {"de", "hi"}
    (report,) = store.glob("report/*/report.json")
    targets = json.loads(report.read_text(encoding="utf-8"))["targets"]
    protocols = {facts["name"]: facts["protocol"] for facts in targets}
    assert protocols["xnli@translate-train"] == protocols["xnli"] + "/translate-train by a dictionary"


def test_a_missing_file_is_named_before_anything_trains(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(FILES, encoding="utf-8")
    (folder / "ud" / "hi_hdtb-ud-train.conllu").unlink()
    assert main(["run", str(recipe), "--set", f"data_root={folder}", "--store", str(tmp_path / "store")]) != 0
    told = capsys.readouterr()
    assert "train hi (udpos): missing, expected */hi_*-ud-train.conllu" in told.out + told.err


def test_a_training_file_that_is_tested_on_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(FILES, encoding="utf-8")
    tested = (folder / "ud" / "hi_hdtb-ud-test.conllu").read_bytes()
    (folder / "ud" / "hi_hdtb-ud-train.conllu").write_bytes(tested)
    assert main(["run", str(recipe), "--set", f"data_root={folder}", "--store", str(tmp_path / "store")]) != 0
    told = capsys.readouterr()
    assert "the recipe tests on what it would train on" in told.out + told.err


OWN = """\
recipe: 1
name: own
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [reviews]
variants: [full-ft]
seeds: [1]
train:
  default: {learning_rate: 1e-3, steps: 2, batch_size: 4, max_length: 32}
tasks:
  reviews:
    format: sequence_classification
    labels: [bad, good]
    languages: [en, de]
    layout:
      train: {path: "{lang}/train.csv", layout: csv, columns: {text: text, label: label}}
      test: {path: "{lang}/test.csv", layout: csv, columns: {text: text, label: label}}
supervision:
  few-shot: {examples: 3, train: {steps: 2}}
  in-language: {}
controls: false
statistics: {resamples: 100}
"""


def test_a_task_of_the_recipe_has_arms_where_its_training_files_name_the_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, recipe, store = tmp_path / "data", tmp_path / "r.yaml", tmp_path / "store"
    for code in ("en", "de"):
        for split in ("train", "test"):
            rows = [f"{code} {split} film {number},{('bad', 'good')[number % 2]}" for number in range(8)]
            write(root, f"{code}/{split}.csv", "\n".join(["text,label", *rows]) + "\n")
    recipe.write_text(OWN, encoding="utf-8")
    arguments = [str(recipe), "--set", f"data_root={root}"]
    assert main(["run", *arguments, "--store", str(store), "--jobs", "1"]) == 0, capsys.readouterr().out
    drawn = {d["label"]: d["drawn"]["de"] for d in descriptions(store)}
    assert {label: facts["examples"] for label, facts in drawn.items()} == {"few-shot-3": 3, "in-language": 8}
    recipe.write_text(OWN.replace("{lang}/train", "en/train"), encoding="utf-8")
    assert main(["check", *arguments]) == 2
    told = capsys.readouterr()
    assert "its training layout is one file; write {lang} into its path" in told.out + told.err
