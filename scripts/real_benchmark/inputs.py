"""What every side reads: English sentences to train on, sentences of nine languages to predict, a backbone's folder."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from adapterxfer.data.conllu import read_conllu
from adapterxfer.data.examples import Example, TaggingExample, TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.errors import DataError

TREEBANKS = {
    "en": "UD_English-EWT", "ar": "UD_Arabic-PUD", "de": "UD_German-GSD", "es": "UD_Spanish-GSD",
    "fi": "UD_Finnish-TDT", "hi": "UD_Hindi-PUD", "id": "UD_Indonesian-GSD", "ru": "UD_Russian-GSD",
    "tr": "UD_Turkish-IMST",
}  # fmt: skip
"""Language -> folder of its treebank."""

TARGET, SECOND_TARGET = "udpos", "udpos-b"
INTERMEDIATES = ("pos-a", "pos-b")
"""Names under which other English sentences serve as intermediate tasks: what they are about does not change speed."""

MAX_LENGTH = 128


def prepare(data: Path, work: Path, *, train: int, test: int) -> None:
    """Write the tasks, and the same examples as plain JSON for the other side.

    Args:
        data: folder with the treebanks, in any folders below it.
        work: where everything is written.
        train: English training sentences.
        test: sentences of each language.

    Raises:
        DataError: a treebank is missing.
    """
    from adapterxfer.catalog.labels import UPOS  # a checkout that is measured beside this one may have no such module

    english = _sentences(data, "en", "train")
    tests = {language: _sentences(data, language, "test")[:test] for language in TREEBANKS}
    splits: dict[tuple[str, str], list[Example]] = {("train", "en"): english[:train]}
    splits |= {("test", language): list(examples) for language, examples in tests.items()}
    write_task(work / TARGET, TaskData(TARGET, "tagging", UPOS, splits))
    rows = {"train": _rows(english[:train]), **{language: _rows(examples) for language, examples in tests.items()}}
    for number, name in enumerate((*INTERMEDIATES, SECOND_TARGET), start=1):
        some = english[number * train : (number + 1) * train]
        more = {split: examples for split, examples in splits.items() if split[0] == "test" and name == SECOND_TARGET}
        write_task(work / name, TaskData(name, "tagging", UPOS, {("train", "en"): some, **more}))
        rows[f"train {name}"] = _rows(some)
    content = {"labels": list(UPOS), "max_length": MAX_LENGTH, "rows": rows}
    (work / "examples.json").write_text(json.dumps(content), encoding="utf-8")


def _sentences(data: Path, language: str, split: str) -> list[Example]:
    files = sorted(data.rglob(f"{TREEBANKS[language]}/*-ud-{split}.conllu*"))
    if not files:
        raise DataError(
            f"{data}: no {TREEBANKS[language]}/*-ud-{split}.conllu", fix="give the folder that holds the UD treebanks"
        )
    return read_conllu(files[0], language, Counter())


def _rows(examples: list[Example]) -> list[dict[str, Any]]:
    return [{"words": e.words, "tags": e.tags} for e in examples if isinstance(e, TaggingExample)]
