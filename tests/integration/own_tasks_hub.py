"""Runs declared tasks from a Hub on localhost, in a process of its own (test_own_tasks_hub.py); prints JSON.

python own_tasks_hub.py FOLDER
"""

import contextlib
import io
import json
import os
import random
import sys
from pathlib import Path

from dataset_hub import DatasetHub, parquet

hub = DatasetHub({})
os.environ["HF_ENDPOINT"] = hub.url  # before anything imports the library, which reads it once

from own_data import FILLERS, NEWS, NLI, chosen, labelled, squad  # noqa: E402
from own_tasks_page import study  # noqa: E402

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
MORE = f"""\
hub-names:
  format: tagging
  labels: [O, B-PER, I-PER]
  languages: [sw]
  hub:
    repository: my-org/tags
    revision: {COMMIT}
    config: "{{lang}}"
    split: {{train: train, test: test}}
    columns: {{words: tokens, tags: ner_tags}}
hub-questions:
  format: span_qa
  languages: [sw, yo]
  hub:
    repository: my-org/questions
    revision: {COMMIT}
    split: {{train: train, test: test}}
    columns: {{context: context, question: question, answers: answers}}
    language_column: lang
hub-choices:
  format: multiple_choice
  languages: [sw]
  hub:
    repository: my-org/choices
    revision: {COMMIT}
    split: {{train: train, test: test}}
    columns: {{context: premise, choices: options, label: answer}}
    labels: {{A: "0", B: "1"}}
"""
NAMES = ("hub-names", "hub-questions", "hub-choices")


def card(configs: dict[str, list[str]]) -> bytes:
    lines = ["---", "configs:"]
    for name, splits in configs.items():
        lines += [f"- config_name: {name}", "  data_files:"]
        for split in splits:
            lines += [f"  - split: {split}", f"    path: {name}/{split}.parquet"]
    return "\n".join([*lines, "---", ""]).encode()


def repository(tables: dict[str, dict[str, bytes]]) -> dict[str, bytes]:
    files = {f"{name}/{split}.parquet": content for name, splits in tables.items() for split, content in splits.items()}
    return {"README.md": card({name: list(splits) for name, splits in tables.items()}), **files}


def news(count: int, seed: int) -> bytes:
    rows = [{"headline": a, "text": b, "category": NEWS.index(label)} for a, b, label in labelled(NEWS, count, seed)]
    return parquet(rows, {"category": NEWS})


def nli(count: int, seed: int) -> bytes:
    rows = [{"premise": a, "hypothesis": b, "label": label} for a, b, label in labelled(NLI, count, seed)]
    return parquet(rows)


def tags(count: int, seed: int) -> bytes:
    rng = random.Random(seed)
    rows = [
        {"tokens": [rng.choice(FILLERS), "Anno", "Zett"], "ner_tags": [0, 1, rng.choice([0, 2])]} for _ in range(count)
    ]
    return parquet(rows, {"ner_tags": ["O", "B-PER", "I-PER"]})


def questions(count: int, seeds: dict[str, int]) -> bytes:
    rows = []
    for code, seed in seeds.items():
        for paragraph in squad(count, seed)["data"][0]["paragraphs"]:
            (asked,) = paragraph["qas"]
            (answer,) = asked["answers"]
            answers = {"text": [answer["text"]], "answer_start": [answer["answer_start"]]}
            rows.append({"lang": code, "context": paragraph["context"], "question": "where ka", "answers": answers})
    return parquet(rows)


def options(count: int, seed: int) -> bytes:
    return parquet(
        [
            {"premise": row["premise"], "options": [row["choice1"], row["choice2"]], "answer": "AB"[row["label"]]}
            for row in chosen(count, seed)
        ]
    )


hub.repositories.update(
    {
        "my-org/my-news": {
            COMMIT: repository(
                {
                    "en": {"train": news(45, 1), "validation": news(12, 2)},
                    "ha": {"test": news(17, 3)},
                    "yo": {"test": news(17, 4)},
                }
            ),
            # What the branch holds since must not be read.
            "main": repository({"en": {"train": news(6, 9)}}),
        },
        "my-org/english-nli": {COMMIT: repository({"default": {"train": nli(45, 1)}})},
        "my-org/african-nli": {COMMIT: repository({code: {"test": nli(18, 2)} for code in ("sw", "ewe")})},
        "my-org/tags": {COMMIT: repository({"en": {"train": tags(40, 1)}, "sw": {"test": tags(20, 2)}})},
        "my-org/questions": {
            COMMIT: repository(
                {"default": {"train": questions(30, {"en": 1}), "test": questions(9, {"sw": 2, "yo": 3})}}
            )
        },
        "my-org/choices": {COMMIT: repository({"default": {"train": options(30, 1), "test": options(20, 2)}})},
    }
)

MISTAKES = {
    "config": ('config: "{lang}"', 'config: "{lang}-news"'),
    "split": ("dev: validation", "dev: development"),
    "column": ("text: headline", "text: title"),
    "label": ("labels: [business, health, sports]", "labels: [business, health, sport]"),
    "commit": (COMMIT, "1111111f" * 5),
    "repository": ("my-org/my-news", "my-org/no-news"),
}


def main(root: Path) -> dict[str, object]:
    from adapterxfer import build_plan, load_recipe, run
    from adapterxfer.cli.main import main as command
    from adapterxfer.predict.table import read_predictions
    from adapterxfer.report.results import Results
    from adapterxfer.store.keys import SHORT_KEY
    from adapterxfer.store.store import Store

    page = ["hub-news", "hub-inference"]
    (root / "more.yaml").write_text(MORE, encoding="utf-8")
    text = study(page, targets=[*page, *NAMES], intermediates=[], root=None, task_files=["more.yaml"])
    file, store = root / "own.yaml", root / "store"
    file.write_text(text, encoding="utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = command(["check", str(file)])
        result = run(load_recipe(file), store=store, jobs=1)
    plan = build_plan(load_recipe(file))
    results = Results.from_plan(plan, Store(store))
    scored: dict[str, object] = {}
    for target in results.targets:
        data = results.target(target)
        cell = next(cell for cell in data.cells if not cell.is_control)
        table = read_predictions(Store(store).completed()[cell.predict[:SHORT_KEY]])
        scores = data.scores_by_language(cell.predict)
        for index, language in enumerate(table.languages):
            rows = table.language == index
            scored[f"{target} {language}"] = [
                data.metric.name, table.prediction[rows].tolist(), table.gold[rows].tolist(), scores[language]
            ]  # fmt: skip
    refused = {}
    for name, (right, wrong) in MISTAKES.items():
        assert right in text
        errors = io.StringIO()
        (root / "wrong.yaml").write_text(text.replace(right, wrong), encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            refused[name] = (command(["check", str(root / "wrong.yaml")]), errors.getvalue())
    report = json.loads(next((store / "report").glob("*/report.json")).read_text(encoding="utf-8"))
    return {"check": code, "failed": len(result.outcome.failed), "scored": scored, "refused": refused,
            "declared": report["declared"]}  # fmt: skip


if __name__ == "__main__":
    with hub:
        sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
