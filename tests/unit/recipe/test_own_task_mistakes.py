"""Mistakes in declarations of tasks: each is one message at `check`, with its place and what to do, and none waits."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapterxfer.cli.main import main

CSV = {"layout": "csv", "columns": {"text": "text", "label": "label"}}
REVIEWS: dict[str, Any] = {
    "format": "sequence_classification",
    "labels": ["bad", "good"],
    "languages": ["en", "sw"],
    "layout": {"train": {"path": "train.csv", **CSV}, "test": {"path": "{lang}.csv", **CSV}},
}
NAMES: dict[str, Any] = {
    "format": "tagging",
    "labels": ["O", "B-PER", "I-PER"],
    "languages": ["sw"],
    "layout": {
        "train": {"path": "tags.txt", "layout": "text", "record": 0, "columns": {"words": 0, "tags": 1}},
        "test": {"path": "tags-{lang}.txt", "layout": "text", "record": 0, "columns": {"words": 0, "tags": 1}},
    },
}
QA: dict[str, Any] = {
    "format": "span_qa",
    "languages": ["sw"],
    "layout": {
        "train": {"path": "squad.json", "layout": "squad"},
        "test": {"path": "squad-sw.json", "layout": "squad"},
    },
}
CHOICE: dict[str, Any] = {
    "format": "multiple_choice",
    "languages": ["sw"],
    "layout": {
        "train": {"path": "c.jsonl", "layout": "jsonl", "columns": {"choices": ["a", "b"], "label": "label"}},
        "test": {"path": "c-sw.jsonl", "layout": "jsonl", "columns": {"choices": ["a", "b"], "label": "label"}},
    },
}
BITEXT: dict[str, Any] = {
    "format": "retrieval",
    "languages": ["sw"],
    "layout": {"test": {"path": "bi.tsv", "layout": "tsv", "columns": {"text": "x", "translation": "y"}}},
}
HUB: dict[str, Any] = {
    "format": "sequence_classification",
    "labels": ["bad", "good"],
    "languages": ["en", "sw"],
    "hub": {
        "repository": "my-org/reviews",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "config": "{lang}",
        "split": {"train": "train", "test": "test"},
        "columns": {"text": "text", "label": "label"},
    },
}


def rows(labels: str = "bad good", count: int = 20) -> str:
    names = labels.split()
    return "text,label\n" + "".join(f"word{n},{names[n % len(names)]}\n" for n in range(count))


def tags(tag: str = "B-PER") -> str:
    return "".join(f"Anno{n} {tag}\nka O\n\n" for n in range(20))


def squad(answer: str) -> str:
    paragraphs = [
        {"context": f"ka lo Ulm {n}", "qas": [{"id": str(n), "question": "q", "answers": [{"text": answer,
         "answer_start": 6}]}]}
        for n in range(20)
    ]  # fmt: skip
    return json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]})


def choices(label: object) -> str:
    return "".join(json.dumps({"a": f"one {n}", "b": "two", "label": label if n else 0}) + "\n" for n in range(20))


FILES = {
    "train.csv": rows(),
    "en.csv": rows(count=6),
    "sw.csv": rows(count=6),
    "tags.txt": tags(),
    "tags-sw.txt": tags(),
    "squad.json": squad("Ulm"),
    "squad-sw.json": squad("Ulm"),
    "c.jsonl": choices(1),
    "c-sw.jsonl": choices(1),
    "bi.tsv": "x\ty\n" + "".join(f"a{n}\tb{n}\n" for n in range(9)),
}


def edited(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A declaration with other values at dotted paths; None removes a key."""
    task = copy.deepcopy(base)
    for path, value in changes.items():
        *steps, last = path.split(".")
        here = task
        for step in steps:
            here = here.setdefault(step, {})
        if value is None:
            del here[last]
        else:
            here[last] = value
    return task


Mistake = tuple[str, dict[str, Any], dict[str, Any], str]
"""Name of the task, declaration, changes of it, what the message says."""

DECLARED: list[Mistake] = [
    ("xnli", REVIEWS, {}, "'xnli' is a task of the catalogue.*give your task another name, as my-xnli"),
    ("multi", REVIEWS, {}, "'multi' means something else"),
    ("full-ft", REVIEWS, {}, "'full-ft' means something else"),
    ("My Reviews", REVIEWS, {}, "should be a short name of lower-case letters"),
    ("a+b", REVIEWS, {}, "should be a short name"),
    ("t", REVIEWS, {"format": None, "metric": "accuracy"}, "key 'tasks.t.format' is missing"),
    ("t", REVIEWS, {"format": "classification"}, "tasks.t.format = 'classification' is not one of.*did you mean"),
    ("t", REVIEWS, {"labels": None}, "needs at least two labels: labels: .bad, good."),
    ("t", REVIEWS, {"labels": ["good"]}, "needs at least two labels"),
    ("t", REVIEWS, {"labels": ["bad", "good", "bad"]}, "label 'bad' appears twice"),
    ("t", REVIEWS, {"labels": ["bad", 1]}, "tasks.t.labels.1 = 1: input should be a valid string"),
    ("t", REVIEWS, {"labels": ["-", "good"]}, "'-' cannot be a label"),
    ("t", REVIEWS, {"labels": "good"}, "tasks.t.labels = 'good' should be a list"),
    ("t", REVIEWS, {"metric": "f1"}, "'f1' is not one of: accuracy, macro_f1, weighted_f1, mcc, the scores of"),
    ("t", REVIEWS, {"metric": "span_f1"}, "'span_f1' is not one of: accuracy.*the scores of sequence_classification"),
    ("t", REVIEWS, {"role": "test"}, "tasks.t.role = 'test'.*'intermediate', 'target' or 'both'"),
    ("t", REVIEWS, {"licence": ""}, "tasks.t.licence"),
    ("t", REVIEWS, {"license": "mit"}, "unknown key 'tasks.t.license' .did you mean 'licence'"),
    ("t", REVIEWS, {"languages": None}, "key 'languages' is missing"),
    ("t", REVIEWS, {"languages": []}, "tasks.t.languages"),
    ("t", REVIEWS, {"languages": ["en", "Swahili"]}, "'Swahili' is a name: write its code, sw"),
    ("t", REVIEWS, {"languages": ["en", "swahili9"]}, "'swahili9' is no code of BCP 47"),
    ("t", REVIEWS, {"languages": ["en", "en"]}, "language 'en' appears twice"),
    (
        "t",
        REVIEWS,
        {"language_facts": {"gsw": {"family": "x"}}},
        "'gsw' is not among the languages of the task: en, sw",
    ),
    ("t", REVIEWS, {"language_facts": {"sw": {"family": "x"}}}, "Swahili is known: family Niger-Congo, tier low"),
    ("t", REVIEWS, {"language_facts": {"sw": {"tier": "tiny"}}}, "tier = 'tiny'.*'high', 'mid' or 'low'"),
    ("t", REVIEWS, {"layout": None}, "where are its data.*layout.*hub"),
    ("t", REVIEWS, {"layout.train": None}, "no train data: a sequence_classification target needs train and test"),
    ("t", REVIEWS, {"layout.test": None}, "no test data"),
    ("t", REVIEWS, {"layout.tset": {"path": "x"}}, "tasks.t.layout.tset.*'train', 'dev' or 'test'"),
    ("t", REVIEWS, {"layout.test.path": "sw.csv"}, "'sw.csv' is one file for 2 languages: write {lang} into it"),
    ("t", REVIEWS, {"layout.train.path": "en.csv"}, "train and test are the same data .en.csv.: hold some out"),
    ("t", REVIEWS, {"protocol": "xtreme"}, "has one protocol.*leave it out"),
    ("t", REVIEWS, {"source": "hub"}, "read from where its declaration says"),
    ("t", REVIEWS, {"test_seed": 3}, "the test set of 't' is given"),
    ("t", REVIEWS, {"hub": HUB["hub"]}, "never from both: keep one"),
    ("t", NAMES, {"labels": ["O", "I-PER"], "metric": "span_f1"}, "span_f1 scores spans, which begin with B-"),
    ("t", NAMES, {"labels": ["O", "B-PER", "I-LOC"]}, "tag 'I-LOC' goes on with a span that no tag begins: add B-LOC"),
    ("t", NAMES, {"labels": ["B-PER", "I-PER"]}, "need the tag O"),
    ("t", NAMES, {"labels": ["O", "B PER"]}, "tag 'B PER' has a blank"),
    ("t", NAMES, {"metric": "accuracy"}, "'accuracy' is not one of: span_f1, token_accuracy"),
    ("t", QA, {"labels": ["a", "b"]}, "span_qa has no labels"),
    ("t", BITEXT, {"role": "both"}, "declare two tasks"),
    ("t", BITEXT, {"layout.train": {"path": "bi.tsv"}}, "train data would never be read: nothing is trained on"),
    ("t", HUB, {"hub.revision": "main"}, "hub.revision = 'main' should be all 40 digits of a commit"),
    (
        "t",
        HUB,
        {"hub.repository": "reviews"},
        "hub.repository = 'reviews' should be a data set of the Hub, as OWNER/NAME",
    ),
    ("t", HUB, {"hub.columns": {"text": "text"}}, "column of 'label' is missing; sequence_classification needs text"),
    ("t", HUB, {"hub.columns.txet": "x"}, "'txet' is not one of: text, label.*did you mean 'text'"),
    ("t", HUB, {"hub.columns.text": "my text"}, "'my text': a column's name has no blanks"),
    ("t", HUB, {"hub.config": "all"}, "one configuration for 2 languages: write {lang} into config"),
    ("t", HUB, {"hub.split": {"train": "train", "test": "train"}}, "train and test are the same data .my-org/reviews"),
    ("t", HUB, {"hub.labels": {"0": "awful"}}, "label 'awful' is not one of: bad, good"),
    ("t", HUB, {"hub.split": None}, "key 'tasks.t.hub.split' is missing"),
]

LAYOUTS: list[Mistake] = [
    ("t", REVIEWS, {"layout.train.layout": "excel"}, "t.train: no layout 'excel'"),
    ("t", REVIEWS, {"layout.train.columns": {"text": "text"}}, "t.train: column of 'label' is missing"),
    ("t", REVIEWS, {"layout.train.columns.words": "w"}, "t.train: 'words' is no field"),
    ("t", REVIEWS, {"layout.train.labels": {"good": "great"}}, "t.train: no label 'great'"),
    ("t", REVIEWS, {"layout.train.path": "/abs.csv"}, "path '/abs.csv' is not below the data root"),
    ("t", REVIEWS, {"layout.train.path": "other.csv"}, "train en: no file other.csv"),
    ("t", REVIEWS, {"languages": ["en", "yo"]}, "test yo: no file yo.csv"),
    ("t", REVIEWS, {"layout.train.layout": "squad"}, "'columns' means nothing for layout squad"),
]

Damage = tuple[dict[str, Any], dict[str, str], str]

CONTENTS: list[Damage] = [
    (REVIEWS, {"sw.csv": rows("bad great")}, r"sw.csv:3: label 'great' is not one of: bad, good"),
    (REVIEWS, {"sw.csv": "words,label\nx,bad\n"}, r"sw.csv.*no column 'text'; it has words, label"),
    (REVIEWS, {"sw.csv": "text,label\n"}, r"sw.csv"),
    (REVIEWS, {"train.csv": rows("bad", 20)}, r"train.csv"),
    (NAMES, {"tags-sw.txt": tags("B-LOC")}, r"tags-sw.txt:1: tag 'B-LOC'; expected O B-PER I-PER"),
    (NAMES, {"tags.txt": "Anno B-PER\nka\n\n"}, r"tags.txt:2: 1 columns after 2"),
    (QA, {"squad.json": squad("Köln")}, r"squad.json|no example|training"),
    (CHOICE, {"c-sw.jsonl": choices(7)}, r"c-sw.jsonl:2"),
]


def checked(root: Path, capsys: pytest.CaptureFixture[str], name: str, task: dict[str, Any]) -> tuple[int, str]:
    """Exit code and messages of `check`."""
    role = task.get("role", "target")
    axes = {
        "intermediate_tasks": ["none", name] if role == "intermediate" else ["none"],
        "target_tasks": ["world-xnli"] if role == "intermediate" else [name],
    }
    recipe = {
        "recipe": 1, "name": "r", "backbones": ["world-nano"], **axes, "variants": ["full-ft"], "seeds": [1],
        "data_root": str(root), "train": {"default": {"steps": 2, "batch_size": 4, "learning_rate": 0.001}},
        "tasks": {name: task},
    }  # fmt: skip
    file = root / "recipe.yaml"
    plain = json.loads(json.dumps(recipe))  # without shared parts, which YAML would write as aliases
    file.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    code = main(["check", str(file)])
    return code, capsys.readouterr().err


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_there_are_sixty_mistakes() -> None:
    assert len(DECLARED) + len(LAYOUTS) + len(CONTENTS) >= 60


@pytest.mark.parametrize("base", [REVIEWS, NAMES, QA, CHOICE, BITEXT], ids=lambda task: task["format"])
def test_the_declarations_are_right_without_them(
    root: Path, capsys: pytest.CaptureFixture[str], base: dict[str, Any]
) -> None:
    assert checked(root, capsys, "t", base) == (0, "")


@pytest.mark.parametrize(("name", "base", "changes", "message"), DECLARED, ids=range(len(DECLARED)))
def test_a_mistake_in_a_declaration_has_its_line(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    base: dict[str, Any],
    changes: dict[str, Any],
    message: str,
) -> None:
    code, said = checked(root, capsys, name, edited(base, changes))
    assert code == 2
    places = re.findall(r"recipe\.yaml:(\d+):\d+: (.*)", said)
    assert len(places) == 1, said
    assert int(places[0][0]) > 13, "below `tasks:`"
    assert re.search(message, places[0][1]), said


@pytest.mark.parametrize(("name", "base", "changes", "message"), LAYOUTS, ids=range(len(LAYOUTS)))
def test_a_mistake_in_a_layout_names_task_and_role(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    base: dict[str, Any],
    changes: dict[str, Any],
    message: str,
) -> None:
    code, said = checked(root, capsys, name, edited(base, changes))
    assert code == 2
    assert re.search(message, said), said
    assert said.count("fix: ") == 1


@pytest.mark.parametrize(("base", "files", "message"), CONTENTS, ids=range(len(CONTENTS)))
def test_a_mistake_in_the_data_names_file_and_line(
    root: Path, capsys: pytest.CaptureFixture[str], base: dict[str, Any], files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    code, said = checked(root, capsys, "t", base)
    assert code == 2
    assert re.search(rf"tasks\.t: .*({message})", said), said
    assert said.count("fix: ") == 1
