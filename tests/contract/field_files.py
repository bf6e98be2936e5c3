"""A few rows, with made-up content, of the sets of news, sentiment, intents and knowledge in their published layout."""

from __future__ import annotations

import csv
import io
import json

from adapterxfer.catalog import data_sets
from adapterxfer.catalog.families.intents import INTENTS
from adapterxfer.catalog.families.news import MASAKHANEWS
from adapterxfer.catalog.families.sentiment import POLARITY

ROWS = 24


def quoted(header: str, rows: list[list[object]], delimiter: str) -> str:
    """A table with quoting where a cell needs it."""
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter, lineterminator="\n").writerows([header.split(), *rows])
    return target.getvalue()


def news(code: str) -> str:
    """Articles whose texts hold tabs, quotation marks and line breaks, as the published ones do."""
    labels = MASAKHANEWS.labels[:4] if code == "lin" else MASAKHANEWS.labels
    return quoted(
        "category headline text url",
        [
            [labels[i % len(labels)], f'"{code}" headline {i}', f'he said "so"\tand then\nmore {i}', f"/news/{i}"]
            for i in range(ROWS)
        ],
        "\t",
    )


def tweets(code: str, *, numbered: bool) -> str:
    """Tweets without quoting: one that begins with a quotation mark must not swallow the next."""
    rows = [
        ([f"{code}_{i}"] if numbered else []) + [f'"{code} tweet {i}' if i % 5 == 0 else f"{code} tweet {i}", label]
        for i, label in enumerate(POLARITY[i % 3] for i in range(ROWS))
    ]
    header = ["ID", "tweet", "label"] if numbered else ["tweet", "label"]
    return "\n".join("\t".join(row) for row in [header, *rows]) + "\n"


def sentences(code: str) -> str:
    """Translations of one set of sentences, in an order that is the same everywhere and not that of their ids."""
    return quoted("id text label", [[(7 * i) % ROWS + 300, f"{code}, {i}", POLARITY[i % 3]] for i in range(ROWS)], ",")


def inference(code: str) -> str:
    """Pairs with the number of their label."""
    rows: list[list[object]] = [[f"{code} a {i // 3}", f'"b" {i}', i % 3] for i in range(ROWS)]
    return quoted("premise hypothesis label", rows, "\t")


def questions(code: str) -> str:
    """Questions whose choices are a list in one cell."""
    rows: list[list[object]] = [
        ["subject", f"{code} question {i}?", str([f"it's {letter}" for letter in "wxyz"]), "ABCD"[i % 4]]
        for i in range(ROWS)
    ]
    return quoted("subject question choices answer", rows, "\t")


def utterances(code: str) -> str:
    """Utterances with their intents."""
    rows = [{"intent": INTENTS[i % len(INTENTS)], "text": f"{code} do {i}", "target": "x"} for i in range(ROWS)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def knowledge_rows(code: str) -> list[dict[str, str]]:
    """Rows of Global-MMLU-Lite."""
    return [
        {
            "subject": "s",
            "question": f"{code} {i}?",
            **{f"option_{letter}": f"{letter} {i}" for letter in "abcd"},
            "answer": "ABCD"[i % 4],
        }
        for i in range(ROWS)
    ]


def knowledge_parquet(code: str) -> bytes:
    """The same as the Hub keeps them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(knowledge_rows(code)), target)
    return target.getvalue()


def field_files(dataset: str, split: str, languages: tuple[str, ...]) -> dict[str, str | bytes]:
    """Relative path -> content of one split, English alone but for the test."""
    data = data_sets()[dataset]
    chosen = languages if split == "test" else ("en",)
    table: dict[str, str | bytes] = {}
    for language in chosen:
        code = data.code(language)
        match dataset:
            case "masakhanews":
                table[f"masakhane-news/data/{code}/{split}.tsv"] = news(code)
            case "afrisenti":
                table[f"afrisent-semeval-2023/data/{code}/{split}.tsv"] = tweets(code, numbered=code == "orm")
            case "nusax":
                name = {"dev": "valid"}.get(split, split)
                table[f"nusax/datasets/sentiment/{data.folders[language]}/{name}.csv"] = sentences(code)
            case "injongo-intent":
                table[f"InjongoIntent/{code}/{split}.jsonl"] = utterances(code)
            case "tweet-sentiment":
                name = {"dev": "validation"}.get(split, split)
                rows = [{"text": f"tweet {i}", "label": str(i % 3)} for i in range(ROWS)]
                content = "".join(json.dumps(row) + "\n" for row in rows)
                table[f"tweet_sentiment_multilingual/data/english/{name}.jsonl"] = content
            case "afrixnli":
                table[f"afrixnli/data/{code}/{split}.tsv"] = inference(code)
            case _:
                table[f"afrimmlu/data/{code}/{'val' if split == 'dev' else split}.tsv"] = questions(code)
    return table
