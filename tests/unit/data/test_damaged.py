"""300 damaged files: each ends in one clear error or in examples that are all right, never in silently wrong labels."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapterxfer.data import choices, classification, questions, tagged
from adapterxfer.errors import DataError

NLI = ("entailment", "neutral", "contradiction")
ROWS = 24


def nli() -> bytes:
    return "".join(
        json.dumps({"sentence1": f"premise {i}", "sentence2": f"it is {NLI[i % 3]}", "gold_label": NLI[i % 3]}) + "\n"
        for i in range(ROWS)
    ).encode()


def pawsx() -> bytes:
    lines = [f"{i}\tfirst {i}\tsays {i % 2}\t{i % 2}" for i in range(ROWS)]
    return ("id\tsentence1\tsentence2\tlabel\n" + "\n".join(lines) + "\n").encode()


def panx() -> bytes:
    return "".join(f"de:w{i}\tO\nde:Ort{i}\tB-LOC\n\n" for i in range(ROWS)).encode()


def copa() -> bytes:
    return "".join(
        json.dumps({"premise": f"p{i}", "choice1": f"is {i} 0", "choice2": f"is {i} 1", "question": "cause",
                    "label": i % 2, "idx": i}) + "\n"
        for i in range(ROWS)
    ).encode()  # fmt: skip


def squad() -> bytes:
    paragraphs = [
        {"context": f"c{i} answer{i} end", "qas": [{"id": str(i), "question": f"q{i}", "answers": [
            {"text": f"answer{i}", "answer_start": len(f"c{i} ")}]}]}
        for i in range(ROWS)
    ]  # fmt: skip
    return json.dumps({"data": [{"paragraphs": paragraphs}]}).encode()


def right(example: Any) -> bool:
    """Whether text and gold of an example still belong together: every text names its own gold."""
    kind = type(example).__name__
    if kind == "PairExample":
        return example.text_pair in (f"it is {example.label}", f"says {example.label}")
    if kind == "TaggingExample":
        return all(
            (word.startswith("Ort")) == (tag == "B-LOC") for word, tag in zip(example.words, example.tags, strict=True)
        )
    if kind == "ChoiceExample":
        return example.choices[example.label].split()[-1] == str(example.label)
    return all(
        answer == f"answer{example.example_id}" and example.context[s : s + len(answer)] == answer
        for answer, s in zip(example.answers, example.answer_starts, strict=True)
    )


CASES: dict[str, tuple[Callable[[], bytes], Callable[..., Sequence[Any]], str]] = {
    "nli": (nli, classification.read_nli, "snli_1.0_dev.jsonl"),
    "pawsx": (pawsx, classification.read_pawsx, "test_2k.tsv"),
    "panx": (panx, tagged.read_panx, "test"),
    "copa": (copa, choices.read_copa, "val.jsonl"),
    "squad": (squad, questions.read_answerable, "xquad.de.json"),
}


def damage(content: bytes, how: str, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(1, len(content)))
    lines = content.split(b"\n")
    if how == "truncated":
        return content[:at]
    if how == "wrong encoding":
        return content[:at] + "\u00e9".encode("latin-1") + content[at:]
    if how == "utf-16":
        return content.decode().encode("utf-16")
    if how == "shuffled columns":
        return b"\n".join(b"\t".join(reversed(line.split(b"\t"))) for line in lines)
    if how == "labels missing":
        return b"\n".join(
            line.rpartition(b"\t")[0] if b"\t" in line else line.replace(b"label", b"lable") for line in lines
        )
    if how == "mixed line ends":
        ends = [b"\n", b"\r\n", b"\r"]
        return b"".join(line + ends[int(rng.integers(3))] for line in lines[:-1]) + lines[-1]
    if how == "line lost in the middle":
        row = int(rng.integers(len(lines)))
        return b"\n".join([*lines[:row], *lines[row + 1 :]])
    if how == "zero bytes":
        return content[:at] + b"\x00" * 5 + content[at:]
    if how == "lines joined":
        row = int(rng.integers(len(lines) - 1)) if len(lines) > 1 else 0
        return b"\n".join([*lines[:row], b"".join(lines[row : row + 2]), *lines[row + 2 :]])
    return b""


HOW = ("truncated", "wrong encoding", "utf-16", "shuffled columns", "labels missing", "mixed line ends",
       "line lost in the middle", "zero bytes", "lines joined", "empty")  # fmt: skip


def test_three_hundred_damaged_files(tmp_path: Path):
    rng = np.random.default_rng(7)
    outcomes: Counter[str] = Counter()
    unclear = 0
    for number in range(300):
        task = list(CASES)[number % len(CASES)]
        how = HOW[(number // len(CASES)) % len(HOW)]
        make, read, name = CASES[task]
        content = damage(make(), how, rng)
        path = tmp_path / f"{number}" / (name + (".gz" if number % 7 == 0 else ""))
        path.parent.mkdir()
        path.write_bytes(gzip.compress(content) if number % 7 == 0 else content)
        try:
            examples = read([path], "de", Counter())
        except DataError as error:
            unclear += str(path) not in str(error) or not error.fix
            outcomes[f"{how}: error"] += 1
            continue
        outcomes[f"{how}: read"] += 1
        wrong = [example for example in examples if not right(example)]
        # Damage inside a text is damage of that text, as anywhere; it may not move gold to other texts.
        assert len(wrong) <= 1, (task, how, wrong[:2])
    assert outcomes["wrong encoding: error"] == 30
    assert outcomes["utf-16: error"] == 30
    assert outcomes["labels missing: read"] <= 6  # SQuAD's file has no labels to lose
    assert outcomes["mixed line ends: read"] == 30
    assert sum(outcomes.values()) == 300
    assert unclear == 0  # every error names its file and a way out
