"""Reads tasks from a Hub on localhost and prints what it found as JSON, in a process of its own (test_dataset_hub.py).

The repositories have the layouts of the real ones, with made-up rows.
"""

import dataclasses
import io
import json
import os
import sys
import tarfile
from collections import Counter

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
    return "\n".join([*lines, "---", ""]).encode()


def nli(language, split="test"):
    rows = [{"premise": f"{language} {i // 3}", "hypothesis": f"h {i}", "label": i % 3} for i in range(6)]
    if split == "validation":
        rows = [{**row, "premise": f"validation {row['premise']}"} for row in rows]
    return parquet(rows, {"label": NLI})


def ner(language):
    rows = [{"id": str(i), "tokens": [language, "2020"], "ner_tags": [1, 7]} for i in range(4)]
    return parquet(rows, {"ner_tags": NER})


def squad(language):
    rows = [
        {
            "id": f"{language}{i}",
            "title": "t",
            "context": f"one two {i}",
            "question": "q",
            "answers": {"text": ["two"], "answer_start": [3 + i % 2]},
        }
        for i in range(4)
    ]
    return parquet(rows)


def mention(language, name, **more):
    context = {
        "document_title": "t",
        "document_url": "u",
        "document_id": "d",
        "language": language,
        "text": f"Tom saw {name}.",
        "sentence_spans": [{"start": 0, "end": 40}],
        **more,
    }
    span = {"start": 8, "end": 8 + len(name), "text": name}
    found = {"example_id": f"{language}-{name}", "mention_span": span, "entity_id": f"Q{name}"}
    return {"context": context, "mentions": [found]}


def entity(name, **more):
    return {
        "entity_id": f"Q{name}",
        "title": name,
        "description": f"{name} is\u2028here",
        "description_language": "en",
        "sentence_spans": [{"start": 0, "end": 40}],
        **more,
    }


def pair(name, **more):
    one = mention("en", name)
    found = {"context": one["context"], "mention": one["mentions"][0]}
    return {"contextual_mention": found, "entity": entity(name), **more}


def lines(rows, packed=""):
    # Some lines have keys that others lack: a table reader refuses such a file.
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode() + b"\n"
    if not packed:
        return text
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        entry = tarfile.TarInfo(packed)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return target.getvalue()


def mewsli(names):
    return {
        "README.md": b"",
        "candidate_entities.jsonl.tar.gz": lines([entity(n) for n in names] + [entity("X", extra={"a": 1})], "c.jsonl"),
        "wikipedia_pairs/train.jsonl.tar.gz": lines([pair(n) for n in names], "train.jsonl"),
        "wikipedia_pairs/dev.jsonl.tar.gz": lines([pair(n, note="x") for n in names[:2]], "dev.jsonl"),
        **{
            f"wikinews_mentions/{c}/test.jsonl": lines(
                [mention(c, names[0], section_title="s"), *(mention(c, n) for n in names[1:])]
            )
            for c in ("ar", "de")
        },
    }


def bucc(words, gold):
    return {
        "README.md": card({"de-en": {"test": "de-en/test-*"}}),
        "de-en/test-00000-of-00001.parquet": parquet(
            [{"sentence1": [f"{w} de\n" for w in words], "sentence2": [f"{w} en" for w in words], "gold": gold}]
        ),
    }


hub.repositories.update(
    {
        # The main branches hold something else: what is read has to be the commit of the catalogue.
        "izhx/mewsli-x": {
            "315f267bc74ca5aa1541e825a7bc702bb08e5293": mewsli(["Ann", "Bob", "Cid"]),
            "main": mewsli(["No", "Nix"]),
        },
        "mteb/BUCC": {
            "414572247440f0ccacf7eb0bb70a31533a0e5443": bucc(["a", "b", "c", "d"], [[1, 1], [3, 3]]),
            "main": bucc(["no"], [[1, 1]]),
        },
        "facebook/xnli": {
            "main": {
                "README.md": card(
                    {c: {"validation": f"{c}/validation-*", "test": f"{c}/test-*"} for c in ("de", "sw")}
                ),
                **{f"{c}/{s}-00000-of-00001.parquet": nli(c, s) for c in ("de", "sw") for s in ("validation", "test")},
            },
            "refs/older": {
                "README.md": card({"sw": {"test": "sw/test-*"}}),
                "sw/test-00000-of-00001.parquet": nli("old"),
            },
        },
        "google/xquad": {
            "51adfef1c1287aab1d2d91b5bead9bcfb9c68583": {
                "README.md": card({f"xquad.{c}": {"validation": f"xquad.{c}/validation-*"} for c in ("de", "th")}),
                **{f"xquad.{c}/validation-00000-of-00001.parquet": squad(c) for c in ("de", "th")},
            }
        },
        "google/xtreme": {
            "main": {
                "README.md": card(
                    {
                        "XQuAD.ru": {"validation": "XQuAD.ru/validation-*"},
                        "XQuAD.th": {"validation": "XQuAD.th/validation-*"},
                        "XNLI": {"test": "XNLI/test-*"},
                        "tatoeba.fin": {"validation": "tatoeba.fin/validation-*"},
                    }
                ),
                **{f"XQuAD.{c}/validation-00000-of-00001.parquet": squad(f"alternate-{c}") for c in ("ru", "th")},
                "XNLI/test-00000-of-00001.parquet": parquet(
                    [
                        {"language": c, "sentence1": f"{c} {i // 3}", "sentence2": f"h {i}", "gold_label": NLI[i % 3]}
                        for i in range(6)
                        for c in ("ar", "zh")
                    ]
                ),
                "tatoeba.fin/validation-00000-of-00001.parquet": parquet(
                    [
                        {"source_sentence": f"yksi {i}\n", "target_sentence": f"one {i}\n", "source_lang": "/cache/x"}
                        for i in range(3)
                    ]
                ),
            }
        },
        "masakhane/masakhaner2": {
            "main": {"README.md": b"", "masakhaner2.py": b"raise SystemExit"},
            "refs/convert/parquet": {
                f"{c}/{s}/0000.parquet": ner(c) for c in ("hau", "yor") for s in ("train", "validation", "test")
            },
        },
    }
)
with hub:
    from adapterxfer.catalog import data_sets
    from adapterxfer.data.hub import read_repository
    from adapterxfer.errors import DataError

    found = {}
    asked = (("xnli", "sw", "sequence_classification"), ("xquad", "th", "span_qa"), ("masakhaner2", "yor", "tagging"))
    for dataset, language, form in asked:
        notes = Counter()
        examples = read_repository(data_sets()[dataset], "test", language, form, notes)
        first = examples[0]
        kept = {k: v for k, v in notes.items() if v}
        texts = [getattr(first, name) for name in ("text", "words", "answers") if hasattr(first, name)]
        golds = [getattr(first, name) for name in ("label", "tags", "answer_starts") if hasattr(first, name)]
        row = {"n": len(examples), "notes": kept, "language": first.language, "text": texts[0], "gold": golds[0]}
        found[dataset] = row
    for name, dataset in (("script", "masakhaner2"), ("absent", "xcopa")):
        from adapterxfer.data import hub as room

        source = data_sets()[dataset].hub
        if name == "script":
            source = dataclasses.replace(source, revision="", folder="", config="yor")
        try:
            room._load(source, "test", "th", "th")
            found[name] = "loaded"
        except DataError as error:
            found[name] = str(error)
    # The pinned repository lacks the language, or is not there: the alternate serves, and the notes say so.
    for dataset, language, form in (
        ("xquad", "ru", "span_qa"),
        ("xnli", "zh", "sequence_classification"),
        ("tatoeba", "fi", "retrieval"),
        ("xquad", "th", "span_qa"),
    ):
        notes = Counter()
        examples = read_repository(data_sets()[dataset], "test", language, form, notes)
        found[f"{dataset}.{language}"] = {
            "notes": {k: v for k, v in notes.items() if v},
            "first": dataclasses.asdict(examples[0]),
            "n": len(examples),
        }
    # A commit of the recipe is what is read, and no alternate in its place.
    commit = hub.commit_of("facebook/xnli", "refs/older")
    asked = read_repository(
        data_sets()["xnli"], "test", "sw", "sequence_classification", Counter(), revisions={"facebook/xnli": commit}
    )
    found["xnli.pinned"] = [asked[0].text, len(asked)]
    try:
        read_repository(
            data_sets()["xnli"], "test", "zh", "sequence_classification", Counter(), revisions={"facebook/xnli": commit}
        )
    except DataError as error:
        found["xnli.pinned-refused"] = str(error)
    try:
        read_repository(data_sets()["xquad"], "test", "el", "span_qa", Counter())
    except DataError as error:
        found["nowhere"] = str(error)
    from adapterxfer.data.hub import read_hub

    sizes = {"train_examples": None, "dev_examples": None, "test_examples": None, "seed": 0}
    for task, spoken, protocol in (
        ("mewslix", ["ar", "de"], ""),
        ("bucc2018", ["de"], "bucc/threshold-cross-fitted"),
        ("bucc2018", ["de"], ""),
        ("lareqa", ["de"], ""),
    ):
        try:
            data = read_hub(task, spoken, protocol=protocol, **sizes)
        except DataError as error:
            found[task + "-refused"] = str(error)
            continue
        found[task] = {
            f"{split}.{language}": [dataclasses.asdict(e) for e in examples]
            for (split, language), examples in data.splits.items()
        }
    # Development data in the target languages: the split of that name, of each language by itself.
    from adapterxfer.data.target_dev import read_hub_dev

    for task, spoken in (("xnli", ["de", "sw"]), ("masakhaner2", ["hau", "yor"])):
        data = read_hub_dev(task, spoken, dev_examples=2, seed=0)
        found[f"{task}.target-dev"] = {
            f"{split}.{language}": [dataclasses.asdict(e) for e in examples]
            for (split, language), examples in data.splits.items()
        }
    commit = hub.commit_of("facebook/xnli", "refs/older")
    for name, task, revisions in (("udpos", "udpos", {}), ("pinned", "xnli", {"facebook/xnli": commit})):
        try:
            read_hub_dev(task, ["sw"], dev_examples=2, seed=0, revisions=revisions)
        except DataError as error:
            found[f"{name}.target-dev-refused"] = str(error)
    found["server"] = sum("resolve" in request for request in hub.requests)
    sys.stdout.write(json.dumps(found))
