"""Official files of the targets that search a pool, small, and a model with a trained pooling head."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.catalog import tasks
from adapterxfer.data.files import list_files
from adapterxfer.data.original import read_original
from adapterxfer.data.storage import write_task
from adapterxfer.formats.registry import format_of_head
from adapterxfer.variants.composition import Composition, HeadPart
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.storage import write_description, write_weights

IDENTITY = {"name": "tiny", "kind": "folder", "dtype": "float32", "attention": "sdpa"}


WORDS = ("tom", "anna", "dog", "big", "cat", "saw", "ran", "the")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def bucc(root: Path) -> Path:
    """Sentence i of each side is the same text, and the gold pairs are the first three; one sentence is repeated."""
    for name, count in (("sample", 5), ("training", 7)):
        stem = root / "bucc2018" / "de-en" / f"de-en.{name}"
        texts = [f"{WORDS[i]} {WORDS[-1 - i]}" for i in range(count)]
        write(Path(f"{stem}.de"), "".join(f"de-{i}\t{text}\n" for i, text in enumerate([*texts, texts[-1]])))
        write(Path(f"{stem}.en"), "".join(f"en-{i}\t{text}\n" for i, text in enumerate(texts)))
        write(Path(f"{stem}.gold"), "".join(f"de-{i}\ten-{i}\n" for i in range(3)))
    return root


def lareqa(root: Path, languages: tuple[str, ...] = ("de", "el")) -> Path:
    for code in languages:
        context = f"tom saw {code}. anna ran."
        qas = [
            {"id": "q1", "question": f"who saw {code}", "answers": [{"text": "tom", "answer_start": 0}]},
            {
                "id": "q2",
                "question": f"who ran {code}",
                "answers": [{"text": "anna", "answer_start": len(context) - 9}],
            },
        ]
        middle = len(context) - 10
        breaks = [[0, middle], [middle + 1, len(context)]]
        sentences = [context[a:b] for a, b in breaks]
        paragraph = {"context": context, "sentences": sentences, "sentence_breaks": breaks, "qas": qas}
        write(root / "xquad-r" / f"{code}.json", json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    squad = [
        {
            "context": f"tom saw the {word} again. Anna ran. the end {i}",
            "qas": [{"id": f"s{i}", "question": f"who saw {word}", "answers": [{"text": "tom", "answer_start": 0}]}],
        }
        for i, word in enumerate(WORDS)
    ]
    for name in ("train", "dev"):
        write(root / f"{name}-v1.1.json", json.dumps({"data": [{"title": "", "paragraphs": squad}]}))
    return root


def entity(name: str, text: str) -> dict:
    return {"entity_id": name, "title": "T", "description": text, "sentence_spans": [{"start": 0, "end": len(text)}]}


def mention(name: str, language: str, text: str, word: str, entity_id: str) -> dict:
    start = text.index(word)
    return {
        "context": {"language": language, "text": text, "sentence_spans": [{"start": 0, "end": len(text)}]},
        "mentions": [
            {
                "example_id": name,
                "mention_span": {"start": start, "end": start + len(word), "text": word},
                "entity_id": entity_id,
            }
        ],
    }


def mewslix(root: Path) -> Path:
    def lines(rows: list[dict]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    write(
        root / "candidate_set_entities.jsonl",
        lines([entity(f"Q{i}", f"{word} the big") for i, word in enumerate(WORDS)]),
    )
    rows = [
        mention(f"{code}{i}", code, f"the {w} ran", w, f"Q{i}")
        for code in ("de", "en")
        for i, w in enumerate(WORDS[:3])
    ]
    write(root / "wikinews_mentions-test.jsonl", lines(rows))
    for name in ("train", "dev"):
        pairs = []
        for i, word in enumerate(WORDS):
            made = mention("x", "en", f"the {word} ran", word, f"Q{i}")
            pair = {"context": made["context"], "mention": made["mentions"][0]}
            pairs.append({"contextual_mention": pair, "entity": entity(f"Q{i}", f"{word} the big")})
        write(root / f"wikipedia_pairs-{name}.jsonl", lines(pairs))
    return root


MADE = {"bucc2018": (bucc, ["de"]), "lareqa": (lareqa, ["de", "el"]), "mewslix": (mewslix, ["de", "en"])}


def prepare(task: str, root: Path, **options: int | None) -> Path:
    make, languages = MADE[task]
    make(root)
    sizes = {"train_examples": None, "dev_examples": None, "test_examples": None} | options
    data = read_original(task, root, list_files(root), languages, seed=0, **sizes)
    write_task(root / "task", data, extra={"protocol": tasks()[task].protocol})
    return root / "task"


def save_model(folder: Path, backbone_folder: Path, task: str, *, std: float = 0.3) -> Path:
    loaded = load_backbone(IDENTITY, backbone_folder)
    head = format_of_head("retrieval").make_head(16, (), generator=torch.Generator().manual_seed(0), std=std)
    composition = Composition("head-only", (), (HeadPart("h00", task, "retrieval", ()),))
    folder.mkdir()
    model = TransferModel(loaded, composition, adapters={}, fusion=None, heads={"h00": head})
    write_weights(folder, model)
    write_description(folder, model)
    return folder
