"""Official files of news, sentiment, intents and inference in many languages: one label per text or pair of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adapterxfer.catalog.families.intents import INTENTS
from adapterxfer.catalog.families.news import MASAKHANEWS
from adapterxfer.catalog.families.sentiment import POLARITY
from adapterxfer.catalog.labels import NLI
from adapterxfer.data.classification import NLI_NAMES, labelled_texts
from adapterxfer.data.examples import Example, PairExample
from adapterxfer.data.labelled import line_of
from adapterxfer.data.repeats import equal_together
from adapterxfer.data.rows import field, name_of, read_csv, read_jsonl, read_tsv, refuse_hidden, text

Notes = Counter[str]

_SAME_POLARITY = {name: name for name in POLARITY}


@equal_together
def read_masakhanews(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """MasakhaNEWS: headline and text are one text. Its columns stand between tabs and are quoted: texts hold both."""
    return labelled_texts(
        paths, language, notes, lambda path: read_csv(path, delimiter="\t"),
        lambda row: (line_of(row), f"{text(row, 'headline')} {text(row, 'text')}", None, field(row, "category")),
        {name: name for name in MASAKHANEWS.labels},
    )  # fmt: skip


@equal_together
def read_nusax(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """NusaX: sentences with the same id are translations of each other, so the id is the cluster."""
    del notes
    examples: list[Example] = []
    for path in paths:
        for row in read_csv(path):
            name, label = text(row, "id"), name_of(row, field(row, "label"), _SAME_POLARITY)
            examples.append(PairExample(name, name, language, text(row, "text"), None, label))
        refuse_hidden(path, [e.label for e in examples if isinstance(e, PairExample)])
    return examples


@equal_together
def read_afrisenti(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """AfriSenti's tweets; Oromo and Tigrinya have no training data, and Oromo's files a column of ids."""
    return labelled_texts(
        paths, language, notes, read_tsv,
        lambda row: (str(row[1].get("ID", line_of(row))), text(row, "tweet"), None, field(row, "label")),
        _SAME_POLARITY,
    )  # fmt: skip


@equal_together
def read_tweets(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """The tweets of XLM-T: labels are numbers, or already names."""
    return labelled_texts(
        paths, language, notes, read_jsonl,
        lambda row: (line_of(row), text(row, "text"), None, field(row, "label")),
        _SAME_POLARITY | dict(zip("012", POLARITY, strict=True)),
    )  # fmt: skip


@equal_together
def read_injongo(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """Injongo's utterances with the name of their intent."""
    return labelled_texts(
        paths, language, notes, read_jsonl,
        lambda row: (line_of(row), text(row, "text"), None, field(row, "intent", "label")),
        {name: name for name in INTENTS},
    )  # fmt: skip


@equal_together
def read_afrixnli(paths: Sequence[Path], language: str, notes: Notes) -> list[Example]:
    """AfriXNLI: row i is the same item in every language, so its number is id and cluster."""
    del notes
    examples: list[Example] = []
    names = NLI_NAMES | dict(zip("012", NLI, strict=True))
    for path in paths:
        for number, row in enumerate(read_csv(path, delimiter="\t")):
            label = name_of(row, field(row, "label"), names)
            first, second = text(row, "premise"), text(row, "hypothesis")
            examples.append(PairExample(str(number), str(number), language, first, second, label))
        refuse_hidden(path, [e.label for e in examples if isinstance(e, PairExample)])
    return examples
