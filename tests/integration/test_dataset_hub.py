"""The Hub path with the real `datasets.load_dataset` over HTTP: main and converted branches, broken repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("datasets")

SCRIPT = """
import dataclasses, json, os, sys
from collections import Counter
sys.path.insert(0, sys.argv[1])
from dataset_hub import DatasetHub, parquet

hub = DatasetHub({})
os.environ["HF_ENDPOINT"] = hub.url  # before anything imports the library, which reads it once

NLI = ["entailment", "neutral", "contradiction"]
NER = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-DATE", "I-DATE"]

def card(configs):
    lines = ["---", "configs:"]
    for name, splits in configs.items():
        lines += [f"- config_name: {name}", "  data_files:"]
        for split, path in splits.items():
            lines += [f"  - split: {split}", f"    path: {path}"]
    return "\\n".join([*lines, "---", ""]).encode()

def nli(language):
    rows = [{"premise": f"{language} {i // 3}", "hypothesis": f"h {i}", "label": i % 3} for i in range(6)]
    return parquet(rows, {"label": NLI})

def ner(language):
    rows = [{"id": str(i), "tokens": [language, "2020"], "ner_tags": [1, 7]} for i in range(4)]
    return parquet(rows, {"ner_tags": NER})

def squad(language):
    rows = [{"id": f"{language}{i}", "title": "t", "context": f"one two {i}", "question": "q",
             "answers": {"text": ["two"], "answer_start": [3 + i % 2]}} for i in range(4)]
    return parquet(rows)

hub.repositories.update({
    "facebook/xnli": {"main": {
        "README.md": card({c: {"validation": f"{c}/validation-*", "test": f"{c}/test-*"} for c in ("de", "sw")}),
        **{f"{c}/{s}-00000-of-00001.parquet": nli(c) for c in ("de", "sw") for s in ("validation", "test")},
    }},
    "google/xquad": {"51adfef1c1287aab1d2d91b5bead9bcfb9c68583": {
        "README.md": card({f"xquad.{c}": {"validation": f"xquad.{c}/validation-*"} for c in ("de", "th")}),
        **{f"xquad.{c}/validation-00000-of-00001.parquet": squad(c) for c in ("de", "th")},
    }},
    "google/xtreme": {"main": {
        "README.md": card({
            "XQuAD.ru": {"validation": "XQuAD.ru/validation-*"}, "XQuAD.th": {"validation": "XQuAD.th/validation-*"},
            "XNLI": {"test": "XNLI/test-*"}, "tatoeba.fin": {"validation": "tatoeba.fin/validation-*"},
        }),
        **{f"XQuAD.{c}/validation-00000-of-00001.parquet": squad(f"alternate-{c}") for c in ("ru", "th")},
        "XNLI/test-00000-of-00001.parquet": parquet([
            {"language": c, "sentence1": f"{c} {i // 3}", "sentence2": f"h {i}", "gold_label": NLI[i % 3]}
            for i in range(6) for c in ("ar", "zh")
        ]),
        "tatoeba.fin/validation-00000-of-00001.parquet": parquet([
            {"source_sentence": f"yksi {i}\\n", "target_sentence": f"one {i}\\n", "source_lang": "/cache/x"}
            for i in range(3)
        ]),
    }},
    "masakhane/masakhaner2": {
        "main": {"README.md": b"", "masakhaner2.py": b"raise SystemExit"},
        "refs/convert/parquet": {
            f"{c}/{s}/0000.parquet": ner(c) for c in ("hau", "yor") for s in ("train", "validation", "test")
        },
    },
})
with hub:
    from adapterxfer.data.hub import read_repository
    from adapterxfer.errors import DataError
    found = {}
    asked = (("xnli", "sw", "sequence_classification"), ("xquad", "th", "span_qa"), ("masakhaner2", "yor", "tagging"))
    for dataset, language, form in asked:
        notes = Counter()
        examples = read_repository(dataset, "test", language, form, notes)
        first = examples[0]
        kept = {k: v for k, v in notes.items() if v}
        texts = [getattr(first, name) for name in ("text", "words", "answers") if hasattr(first, name)]
        golds = [getattr(first, name) for name in ("label", "tags", "answer_starts") if hasattr(first, name)]
        row = {"n": len(examples), "notes": kept, "language": first.language, "text": texts[0], "gold": golds[0]}
        found[dataset] = row
    for name, dataset in (("script", "masakhaner2"), ("absent", "xcopa")):
        from adapterxfer.catalog import SOURCES
        from adapterxfer.data import hub as room
        source = SOURCES[dataset]
        if name == "script":
            source = dataclasses.replace(source, revision="", folder="", config="yor")
        try:
            room._load(source, "test", "th")
            found[name] = "loaded"
        except DataError as error:
            found[name] = str(error)
    # The pinned repository lacks the language, or is not there: the alternate serves, and the notes say so.
    for dataset, language, form in (("xquad", "ru", "span_qa"), ("xnli", "zh", "sequence_classification"),
                                    ("tatoeba", "fi", "retrieval"), ("xquad", "th", "span_qa")):
        notes = Counter()
        examples = read_repository(dataset, "test", language, form, notes)
        found[f"{dataset}.{language}"] = {
            "notes": {k: v for k, v in notes.items() if v},
            "first": dataclasses.asdict(examples[0]),
            "n": len(examples),
        }
    try:
        read_repository("xquad", "test", "el", "span_qa", Counter())
    except DataError as error:
        found["nowhere"] = str(error)
    found["server"] = sum("resolve" in request for request in hub.requests)
    print(json.dumps(found))
"""


def test_real_load_dataset_from_a_hub_on_localhost(tmp_path: Path) -> None:
    # A process of its own: the library reads its settings when it is imported.
    root = str(Path(__file__).parents[2])
    environment = {
        **os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0", "NO_PROXY": "127.0.0.1", "PYTHONPATH": root,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(Path(__file__).parent)],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["xnli"] == {"n": 6, "notes": {}, "language": "sw", "text": "sw 0", "gold": "entailment"}
    assert found["xquad"]["notes"] == {"answer offsets repaired": 2}
    # One language only: the converted branch without its folder would have given eight sentences.
    assert found["masakhaner2"]["n"] == 4
    assert found["masakhaner2"]["text"] == ["yor", "2020"]
    assert found["masakhaner2"]["gold"] == ["B-PER", "O"]
    assert "cannot be loaded" in found["script"]
    assert "cambridgeltl/xcopa" in found["absent"]
    assert found["server"] > 3
    # Pinned commit first; alternates only where it cannot serve, and then with a note.
    assert found["xquad.th"]["first"]["example_id"] == "th0"
    assert "examples from the alternate google/xtreme" not in found["xquad.th"]["notes"]
    assert found["xquad.ru"]["first"]["example_id"] == "alternate-ru0"
    assert found["xquad.ru"]["notes"]["examples from the alternate google/xtreme"] == 4
    assert found["xnli.zh"]["n"] == 6
    assert (found["xnli.zh"]["first"]["text"], found["xnli.zh"]["first"]["cluster_id"]) == ("zh 0", "0")
    assert found["tatoeba.fi"]["first"]["text"] == "yksi 0"
    assert found["tatoeba.fi"]["first"]["translation"] == "one 0"
    assert "google/xquad" in found["nowhere"]
    assert "google/xtreme" in found["nowhere"]
