"""The diagnostic of real tasks through the command line: original files in, a labelled column in the report out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from adapterxfer.cli.main import main
from adapterxfer.store.store import Store

RECIPE = """\
recipe: 1
name: study
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [udpos, xnli]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
controls: [majority]
oracle: true
train:
  default: {learning_rate: 1e-3, steps: 4, batch_size: 4, max_length: 32}
tasks:
  udpos: {languages: [en, de, hi, yo]}
  xnli: {languages: [en, de]}
statistics: {resamples: 100}
"""

TAGS = ("NOUN", "VERB", "DET")
LABELS = ("neutral", "entailment", "contradiction")


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
            lines.append(f"{place + 1}\t{salt}{tag.lower()}\t_\t{tag}\t_\t_\t0\t_\t_\t_")
        lines.append("")
    return "\n".join([*lines, ""])


def pairs(count: int, salt: str) -> list[tuple[str, str, str]]:
    return [(f"{salt} premise {i // 3}", f"{salt} {LABELS[i % 3]}", LABELS[i % 3]) for i in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    treebanks = {"en_ewt-ud-train": 12, "en_ewt-ud-dev": 4, "en_ewt-ud-test": 4, "de_gsd-ud-dev": 5}
    treebanks |= {"de_gsd-ud-test": 4, "hi_hdtb-ud-dev": 3, "hi_pud-ud-test": 4, "yo_ytb-ud-test": 4}
    for name, count in treebanks.items():
        write(root, f"ud/{name}.conllu", treebank(count, name[:2]))
    train = [{"sentence1": a, "sentence2": b, "gold_label": label} for a, b, label in pairs(12, "en")]
    write(root, "multinli_1.0_train.jsonl", "".join(json.dumps(row) + "\n" for row in train))
    for split, count in (("dev", 6), ("test", 9)):
        rows = [(code, *pair) for code in ("en", "de") for pair in pairs(count, f"{split}-{code}")]
        lines = ["language\tgold_label\tsentence1\tsentence2", *(f"{c}\t{y}\t{a}\t{b}" for c, a, b, y in rows)]
        write(root, f"xnli.{split}.tsv", "\n".join(lines) + "\n")
    return root


def test_from_files_to_the_report(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, store = tmp_path / "r.yaml", tmp_path / "store"
    recipe.write_text(RECIPE, encoding="utf-8")
    arguments = [str(recipe), "--set", f"data_root={folder}"]
    assert main(["check", *arguments]) == 0
    assert main(["run", *arguments, "--store", str(store), "--jobs", "1"]) == 0, capsys.readouterr().out
    done = Store(store).completed()
    stored = [json.loads((place / "stage.json").read_text(encoding="utf-8")) for place in done.values()]
    prepared = {
        entry["stage"]["identity"]["task"]: entry
        for entry in stored
        if entry["stage"]["identity"].get("what") == "target-dev"
    }
    assert prepared["udpos"]["result"]["examples"] == {"de": 5, "hi": 3}, "no English, no Yoruba"
    assert prepared["xnli"]["result"]["examples"] == {"de": 6}
    assert set(prepared["xnli"]["stage"]["identity"]["source"]["files"]) == {"xnli.dev.tsv"}
    (page,) = store.glob("report/*/report.md")
    assert "tables/oracle.csv" in page.read_text(encoding="utf-8")
    with (page.parent / "tables" / "oracle.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] == "udpos"]
    assert [row[2] for row in rows] == ["full-ft", "adapter baseline seq_bn/2"]
    assert [row[6:8] for row in rows] == [["2 of 3", "yo"]] * 2
    assert all(float(row[4]) >= 0 and float(row[5]) >= 0 for row in rows), "both columns have values"
    html = page.with_suffix(".html").read_text(encoding="utf-8")
    assert "diagnostic: oracle (target dev)" in html
    assert "zero-shot transfer does not have" in html
    report = json.loads(page.with_name("report.json").read_text(encoding="utf-8"))
    found = {(s["target"], s["group_kind"], s["group"]) for s in report["scores"] if s["control"].startswith("oracle")}
    assert ("udpos", "language", "de") in found
    assert not {("udpos", "language", "yo"), ("udpos", "zero-shot", "zero-shot")} & found
    assert ("xnli", "zero-shot", "zero-shot") in found
    assert not [e for e in report["effects"] if "oracle" in json.dumps(e)]
