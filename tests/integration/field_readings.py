"""Reads sets in many languages from a Hub on localhost and prints them as JSON, for test_field_hub.py.

The repositories have the layouts of the real ones, with made-up rows.
"""

import dataclasses
import json
import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from dataset_hub import DatasetHub, parquet
from field_files import ROWS, inference, knowledge_rows, news, questions, tweets, utterances

hub = DatasetHub({})
os.environ["HF_ENDPOINT"] = hub.url  # before anything imports the library, which reads it once

NLI = ["entailment", "neutral", "contradiction"]
POLARITY = ["negative", "neutral", "positive"]
TOPICS = ["science/technology", "travel", "politics", "sports", "health", "entertainment", "geography"]


def repository(files, ending, splits, *, folder="data/", column=""):
    """A card with one configuration per language, and its files."""
    lines = ["---", "configs:"]
    for code in files:
        lines += [f"- config_name: {code}", "  data_files:"]
        for split, name in splits.items():
            lines += [f"  - split: {split}", f"    path: {folder}{code}/{name}.{ending}"]
    content = {"README.md": "\n".join([*lines, "---", ""]).encode()}
    for code, body in files.items():
        for name in splits.values():
            content[f"{folder}{code}/{name}.{ending}"] = body if isinstance(body, bytes) else body.encode()
    return content


def plain(code, names, **more):
    """Rows of text and label."""
    return [{"text": f"{code} {i}", "label": names[i % len(names)], **more} for i in range(ROWS)]


USUAL = {"train": "train", "validation": "dev", "test": "test"}
BELEBELE = [
    {"link": f"l{i // 2}", "question_number": 1 + i % 2, "flores_passage": f"a {i // 2}", "question": f"q {i}",
     "mc_answer1": "w", "mc_answer2": "x", "mc_answer3": "y", "mc_answer4": "z", "correct_answer_num": str(1 + i % 4)}
    for i in range(ROWS)
]  # fmt: skip
STORIES = [
    {"story_id": f"s{i}", **{f"input_sentence_{n}": f"a{n}" for n in (1, 2, 3, 4)}, "sentence_quiz1": "x",
     "sentence_quiz2": "y", "answer_right_ending": 1 + i % 2}
    for i in range(ROWS)
]  # fmt: skip
hub.repositories.update(
    {
        "masakhane/masakhanews": {
            "main": repository({"swa": news("swa"), "lin": news("lin")}, "tsv", USUAL),
        },
        # Integers whose names the repository does not state.
        "mteb/NusaX-senti": {
            "7b2ff4facde8a6473f667a38edef1d03ce9ca0dc": repository(
                {c: parquet(plain(c, [0, 1, 2])) for c in ("ace", "ind")}, "parquet", USUAL
            )
        },
        "indonlp/NusaX-senti": {
            "main": {"README.md": b"", "NusaX-senti.py": b"raise SystemExit"},
            "refs/convert/parquet": {
                f"sun/{s}/0000.parquet": parquet(
                    [{"id": str(i), **row} for i, row in enumerate(plain("sun", [0, 1, 2]))], {"label": POLARITY}
                )
                for s in ("train", "validation", "test")
            },
        },
        "mteb/AfriSentiClassification": {
            "463850b9da81847227ff03f3f80a3310b93cba3c": repository(
                {"swa": parquet([{"tweet": r["text"], "label": r["label"]} for r in plain("swa", [0, 1, 2])])},
                "parquet",
                {"train": "train", "test": "test"},
            )
        },
        "masakhane/afrisenti": {
            "main": repository({"orm": tweets("orm", numbered=False).replace('"', "")}, "tsv", USUAL)
        },
        "masakhane/InjongoIntent": {
            "main": repository({"wol": utterances("wol")}, "jsonl", USUAL, folder=""),
        },
        "masakhane/afrixnli": {
            "e3ca06b30f3e7af2a86f6c8609ea76fee326bc56": repository(
                {c: inference(c) for c in ("twi", "orm")}, "tsv", {"validation": "dev", "test": "test"}
            )
        },
        "masakhane/afrimmlu": {
            "96f247619673906ae4c321a3232afc67b98ea57e": repository(
                {c: questions(c) for c in ("sot", "eng")}, "tsv", {"validation": "val", "test": "test"}
            )
        },
        "CohereLabs/Global-MMLU-Lite": {
            "main": repository(
                {c: parquet(knowledge_rows(c)) for c in ("yo", "sw")},
                "parquet",
                {"test": "test-00000-of-00001", "dev": "dev-00000-of-00001"},
                folder="",
            )
        },
        "nala-cub/americas_nli": {
            "main": repository(
                {
                    "quy": parquet(
                        [{"premise": f"p {i}", "hypothesis": f"h {i}", "label": i % 3} for i in range(ROWS)],
                        {"label": NLI},
                    )
                },
                "parquet",
                {"validation": "validation", "test": "test"},
                folder="",
            )
        },
        "facebook/belebele": {
            "main": repository(
                {"ary_Arab": "".join(json.dumps(row) + "\n" for row in BELEBELE)}, "jsonl", {"test": "test"}
            )
        },
        "Davlan/sib200": {
            "38977a667f6fc264d5c26ec57a01e16db040b358": repository(
                {"nqo_Nkoo": "index_id\tcategory\ttext\n" + "".join(
                    f"{i}\t{TOPICS[i % 7]}\ttext {i}\n" for i in range(ROWS)
                )},
                "tsv",
                USUAL,
            )
        },
        "juletxara/xstory_cloze": {
            "refs/convert/parquet": {f"my/{s}/0000.parquet": parquet(STORIES) for s in ("train", "eval")}
        },
    }
)  # fmt: skip
ASKED = (
    ("masakhanews", "sw"), ("masakhanews", "lin"), ("nusax", "ace"), ("nusax", "sun"), ("afrisenti", "sw"),
    ("afrisenti", "gaz"), ("injongo-intent", "wo"), ("afrixnli", "twi"), ("afrixnli", "gaz"), ("afrimmlu", "sot"),
    ("afrimmlu", "en"), ("global-mmlu-lite", "yo"), ("americasnli", "quy"), ("belebele", "ary"), ("sib200", "nqo"),
    ("xstorycloze", "my"),
)  # fmt: skip
with hub:
    from adapterxfer.catalog import parts_of_task
    from adapterxfer.data.hub import read_repository
    from adapterxfer.data.target_dev import read_hub_dev

    result = {}
    for task, language in ASKED:
        parts, notes = parts_of_task(task), Counter()
        examples = read_repository(parts.test, "test", language, parts.format, notes)
        result[f"{task}.{language}"] = {
            "n": len(examples),
            "first": dataclasses.asdict(examples[0]),
            "golds": [example.label for example in examples[:4]],
            "notes": {name: count for name, count in notes.items() if count},
        }
    held = read_hub_dev("afrixnli", ["twi"], dev_examples=3, seed=0)
    result["afrixnli.dev"] = [example.label for example in held.splits[("dev", "twi")]]
    sys.stdout.write(json.dumps(result))
