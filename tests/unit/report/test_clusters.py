"""Clusters of test items as they are judged: equal texts, parallel languages, and ids that mean nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.catalog import data_sets, task_specs
from adapterxfer.data.examples import Example, PairExample, SpanExample, TaggingExample, TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.metrics import METRICS
from adapterxfer.predict.table import write_predictions
from adapterxfer.report.clusters import domain_names, domains, grouping, judged
from adapterxfer.report.reading import Frame, read_frame

NLI = ("entailment", "neutral", "contradiction")
KEY = "0123456789abcdef" * 4


def store(root: Path, task: str, tests: dict[str, Sequence[Example]], *, source: Any = None, keep: bool = True) -> Path:
    """A prepare stage and a predict stage on it; returns the folder of the second."""
    spec = task_specs()[task]
    splits = {("test", code): list(examples) for code, examples in tests.items()}
    data = TaskData(task, spec.parts.format, spec.parts.labels, splits, {})
    if keep:
        folder = root / "prepare" / f"{task}-{KEY[:16]}"
        folder.mkdir(parents=True)
        write_task(folder, data, extra={"source": source or {"kind": "files", "files": {}}})
    predict = root / "predict" / f"system-{task}-{KEY[16:32]}"
    predict.mkdir(parents=True)
    examples = [example for listed in tests.values() for example in listed]
    gold = [_gold(example) for example in examples]
    metadata = {"stage_key": KEY, "task": task, "format": data.format, "protocol": spec.entry().protocol}
    write_predictions(predict, examples, gold, METRICS[spec.metric], metadata=metadata)
    stage = {"identity": {"task": task, "split": "test"}, "inputs": {"data": KEY}}
    (predict / "stage.json").write_text(json.dumps({"schema": 1, "stage": stage}))
    return predict


def _gold(example: Example) -> str:
    match example:
        case TaggingExample():
            return " ".join(example.tags)
        case SpanExample():
            return example.answers[0]
        case _:
            return str(example.label)  # type: ignore[union-attr]


def clusters(frame: Frame) -> dict[str, list[str]]:
    return {code: frame.cluster[frame.language == i].tolist() for i, code in enumerate(frame.languages)}


def read(folder: Path) -> Frame:
    return judged(folder, read_frame(folder))


def tagged(language: str, sentences: Sequence[str], prefix: str = "test") -> list[Example]:
    return [
        TaggingExample(f"{prefix}/{i}", f"{prefix}/{i}", language, tuple(text.split()), ("O",) * len(text.split()))
        for i, text in enumerate(sentences)
    ]


def pairs(language: str, count: int, name: str, labels: Sequence[str] = NLI) -> list[Example]:
    """Three hypotheses for a premise; names as of files that have the language in their names."""
    return [
        PairExample(name.format(i=i, lang=language), f"{name.format(i='c', lang=language)}/{i // 3}", language,
                    f"{language} premise {i // 3}", f"hypothesis {i}", labels[i % len(labels)])
        for i in range(count)
    ]  # fmt: skip


def test_equal_sentences_are_one_cluster(tmp_path: Path) -> None:
    frame = read(store(tmp_path, "panx", {"id": tagged("id", ["a b", "c", "a b", "d", "c", "a b"])}))
    ids = clusters(frame)["id"]
    assert ids[0] == ids[2] == ids[5] != ids[1] == ids[4] != ids[3]
    assert "3 clusters joined to others with the same text" in grouping(frame)


@pytest.mark.parametrize("task", ["panx", "masakhaner2"])
def test_equal_numbers_of_unrelated_sentences_mean_nothing(tmp_path: Path, task: str) -> None:
    """Files of all languages are called test.txt there, and number their sentences from 0."""
    first, second = task_specs()[task].languages[:2]
    tests = {code: tagged(code, [f"{code} {i}" for i in range(40)]) for code in (first, second)}
    frame = read(store(tmp_path, task, tests))
    own = clusters(frame)
    assert not set(own[first]) & set(own[second])
    assert domains(frame) == ((first,), (second,))
    assert domain_names(frame, task) == {first: f"{task}/{first}", second: f"{task}/{second}"}
    assert grouping(frame) == "each language resampled on its own"


@pytest.mark.parametrize(("shared", "together"), [(20, True), (1, False)])
def test_languages_with_many_equal_texts_are_drawn_together(tmp_path: Path, shared: int, together: bool) -> None:
    texts = {code: [f"{'x' if i < shared else code} {i}" for i in range(40)] for code in ("de", "en")}
    frame = read(store(tmp_path, "panx", {code: tagged(code, listed) for code, listed in texts.items()}))
    own = clusters(frame)
    assert len(set(own["de"]) & set(own["en"])) == (shared if together else 0)
    assert len(domains(frame)) == (1 if together else 2)


def test_parallel_rows_of_the_catalogue(tmp_path: Path) -> None:
    """Rows of AmericasNLI are translations of each other; its files and ids have the language in their names."""
    tests = {code: pairs(code, 30, "{lang}/{i}") for code in ("aym", "gn", "quy")}
    frame = read(store(tmp_path, "americasnli", tests))
    own = clusters(frame)
    assert own["aym"] == own["gn"] == own["quy"]
    assert len(set(own["aym"])) == 10
    assert "parallel by row" in grouping(frame)
    assert domain_names(frame, "americasnli") == dict.fromkeys(tests, "americasnli")


def test_rows_that_disagree_are_independent(tmp_path: Path) -> None:
    tests = {"aym": pairs("aym", 30, "{lang}/{i}"), "gn": pairs("gn", 30, "{lang}/{i}", NLI[::-1])}
    assert len(domains(read(store(tmp_path / "a", "americasnli", tests)))) == 2
    tests = {"aym": pairs("aym", 30, "{lang}/{i}"), "gn": pairs("gn", 27, "{lang}/{i}")}
    assert len(domains(read(store(tmp_path / "b", "americasnli", tests)))) == 2


@pytest.mark.parametrize("name", ["mine-{lang}.csv:{i}", "{i}"], ids=["without ids", "with ids alone"])
def test_a_described_parallel_layout(tmp_path: Path, name: str) -> None:
    source = {"kind": "files", "files": {}, "layout": {"test": {"path": "mine-{lang}.csv"}}}
    tests = {
        code: [replace(e, cluster_id=f"mine-{code}/{i // 3}") for i, e in enumerate(pairs(code, 30, name))]
        for code in ("de", "fr", "ru")
    }
    frame = read(store(tmp_path, "xnli", tests, source=source))
    own = clusters(frame)
    assert own["de"] == own["fr"] == own["ru"]
    assert len(set(own["de"])) == 10
    assert ("parallel by row" in grouping(frame)) == ("lang" in name)


def test_questions_that_some_languages_share(tmp_path: Path) -> None:
    """MLQA's paragraphs have equal numbers by chance; its questions have equal ids where they are the same."""

    def questions(language: str, numbers: Sequence[int]) -> list[Example]:
        return [
            SpanExample(
                example_id=f"q{n}",
                cluster_id=f"0/{place}",
                language=language,
                question="?",
                context=f"{language} {n} word",
                answers=("word",),
                answer_starts=(len(f"{language} {n} "),),
            )
            for place, n in enumerate(numbers)
        ]

    frame = read(store(tmp_path, "mlqa", {"de": questions("de", [1, 2, 3]), "en": questions("en", [3, 1, 2, 9])}))
    own = clusters(frame)
    assert own["de"] == [own["en"][1], own["en"][2], own["en"][0]]
    assert own["en"][3] not in own["de"]


def test_without_the_data_the_clusters_are_the_readers(tmp_path: Path) -> None:
    tests = {code: [replace(e, example_id=str(i), cluster_id=str(i // 3)) for i, e in enumerate(pairs(code, 30, "{i}"))]
             for code in ("de", "fr")}  # fmt: skip
    folder = store(tmp_path, "xnli", tests, keep=False)
    frame = read_frame(folder)
    assert judged(folder, frame).cluster is frame.cluster
    (folder / "stage.json").unlink()
    assert judged(folder, frame).cluster is frame.cluster


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=8), min_size=1, max_size=3))
def test_clusters_are_the_coarsest_that_texts_ask_for(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[int]]
) -> None:
    """Within a language: equal texts, and nothing else, are one cluster of sentences that are sampled one by one."""
    languages = task_specs()["panx"].languages[: len(texts)]
    tests = {code: tagged(code, [f"{code} {n}" for n in own]) for code, own in zip(languages, texts, strict=True)}
    frame = read(store(tmp_path_factory.mktemp("store"), "panx", tests))
    for code, own in zip(languages, texts, strict=True):
        names = clusters(frame)[code]
        same = np.equal.outer(np.array(own), np.array(own))
        assert (same == np.equal.outer(np.array(names), np.array(names))).all()
    assert len(domains(frame)) == len(texts)


def test_which_sets_are_parallel_is_a_fact_of_the_catalogue() -> None:
    parallel = {name for name, data in data_sets().items() if data.clusters.parallel}
    assert parallel == {
        "xnli", "pawsx", "sib200", "xquad", "xquad-gold-sentence", "xcopa", "xstorycloze", "belebele", "lareqa",
        "afrimmlu", "afrixnli", "global-mmlu-lite", "nusax",
    }  # fmt: skip
    linked = {name: data.clusters.same_items for name, data in data_sets().items() if data.clusters.same_items}
    assert linked == {"mlqa": "ids", "americasnli": "rows"}
