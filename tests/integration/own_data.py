"""Invented data in the shapes of files that people have: made-up words, whose label follows from one of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

FILLERS = ("ka", "lo", "mi", "ne", "pu", "ra")


def sentence(rng: random.Random, key: str) -> str:
    words = [rng.choice(FILLERS) for _ in range(5)]
    words[rng.randrange(5)] = key
    return " ".join(words)


def labelled(labels: list[str], count: int, seed: int) -> list[tuple[str, str, str]]:
    """Two texts and a label; every label occurs."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        label = labels[number % len(labels)]
        rows.append((sentence(rng, f"{label[:3]}o"), sentence(rng, "ti"), label))
    return rows


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def table(rows: list[tuple[str, ...]], delimiter: str) -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def conll(count: int, seed: int) -> str:
    rng = random.Random(seed)
    text = "-DOCSTART- O\n\n"
    for _ in range(count):
        rows = [(rng.choice(FILLERS), "O") for _ in range(2)]
        rows += [("Anno", "B-PER"), ("Zett", "I-PER")] if rng.random() < 0.5 else [("Ulm", "B-LOC")]
        rows.append((rng.choice(FILLERS), "O"))
        text += "".join(f"{word} {tag}\n" for word, tag in rows) + "\n"
    return text


def squad(count: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    paragraphs = []
    for number in range(count):
        words = [rng.choice(FILLERS) for _ in range(8)]
        words[4] = "Ulm"
        context = " ".join(words)
        start = context.index("Ulm")
        answer = {"text": " ".join(words[4:6]), "answer_start": start}
        paragraphs.append(
            {"context": context, "qas": [{"id": f"{seed}-{number}", "question": "where ka", "answers": [answer]}]}
        )
    return {"version": "1.1", "data": [{"title": "made up", "paragraphs": paragraphs}]}


def chosen(count: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        offered = [sentence(rng, "ti"), sentence(rng, "zo")]
        rows.append({"premise": sentence(rng, "su"), "choice1": offered[0], "choice2": offered[1], "label": number % 2})
    return rows


def bitext(count: int, seed: int) -> list[tuple[str, str]]:
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        text = f"{sentence(rng, 'su')} {number}"
        rows.append((text, " ".join(reversed(text.split()))))
    return rows


NEWS = ["business", "health", "sports"]
NLI = ["entailment", "neutral", "contradiction"]
FEELINGS = ["negative", "neutral", "positive"]


def write_all(root: Path) -> None:
    """A file for every path of docs/own-tasks.md."""
    for number, name in enumerate(("train", "en", "sw")):
        rows = [(text, label) for text, _, label in labelled(["bad", "good"], 60 if name == "train" else 20, number)]
        write(root, f"reviews/{name}.csv", table([("text", "label"), *rows], ","))
    for number, name in enumerate(("eng/train", "eng/dev", "ha/test", "yo/test")):
        rows = [(label, first, second, f"https://example.org/{k}") for k, (first, second, label)
                in enumerate(labelled(NEWS, 45 if "train" in name else 17, number))]  # fmt: skip
        write(root, f"news/{name}.tsv", table([("category", "headline", "text", "url"), *rows], "\t"))
    for number, name in enumerate(("train", "sw", "ewe")):
        rows_ = [{"premise": first, "hypothesis": second, "label": NLI.index(label)}
                 for first, second, label in labelled(NLI, 18 if number else 45, 0 if number else 9)]  # fmt: skip
        write(root, f"nli/{name}.jsonl", lines(rows_))
    for number, name in enumerate(("english/train", "id/test", "ace/test")):
        rows = [(str(k), text, label) for k, (text, _, label) in enumerate(labelled(FEELINGS, 31, number))]
        write(root, f"nusax/{name}.csv", table([("id", "text", "label"), *rows], ","))
    for number, name in enumerate(("train", "sw", "gsw")):
        write(root, f"names/{name}.txt", conll(40, number))
    for number, name in enumerate(("train", "en", "sw")):
        write(root, f"squad/{name}.json", json.dumps(squad(24, number)))
    for number, name in enumerate(("train", "sw")):
        write(root, f"choices/{name}.jsonl", lines(chosen(30, number)))
    for number, name in enumerate(("sw", "yo")):
        write(root, f"bitext/{name}.tsv", table([("theirs", "english"), *bitext(12, number)], "\t"))
    write(root, "bitext/train.tsv", table([("query", "answer"), *bitext(40, 7)], "\t"))
