"""Tasks survive the disk, and damaged ones are refused with the place named."""

import json
from dataclasses import replace

import pytest

from adapterxfer.data.examples import (
    ChoiceExample,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
    TaskData,
)
from adapterxfer.data.storage import read_task, task_fingerprint, write_task
from adapterxfer.errors import DataError

TASKS = {
    "pair": TaskData(
        "nli",
        "sequence_classification",
        ("yes", "no"),
        {
            ("train", "en"): [PairExample("1", "c1", "en", "a b", "c\td\n\u2028", "yes")],
            ("test", "zh"): [PairExample("1", "c1", "zh", "\u5317\u4eac", None, "no")],
            ("test", "en"): [
                PairExample("2", "c2", "en", "x", "", "no"),
                PairExample("1", "c1", "en", "y", "z", "yes"),
            ],
        },
        {"dropped": 3},
    ),
    "tagging": TaskData(
        "ner",
        "tagging",
        ("O", "B-PER"),
        {("test", "en"): [TaggingExample("1", "1", "en", ("Tom", "is"), ("B-PER", "O"))]},
    ),
    "span": TaskData(
        "qa",
        "span_qa",
        (),
        {
            ("test", "en"): [
                SpanExample(
                    example_id="1",
                    cluster_id="p",
                    language="en",
                    question="who?",
                    context="\U0001f600 Tom ran",
                    answers=("Tom",),
                    answer_starts=(2,),
                ),
                SpanExample(
                    example_id="2",
                    cluster_id="p",
                    language="en",
                    question="why?",
                    context="Tom ran",
                    answers=(),
                    answer_starts=(),
                ),
            ]
        },
    ),
    "choice": TaskData(
        "csqa",
        "multiple_choice",
        (),
        {
            ("test", "en"): [
                ChoiceExample(
                    example_id="1",
                    cluster_id="1",
                    language="en",
                    context="c",
                    question="q",
                    choices=("a", "b", "c"),
                    label=2,
                )
            ]
        },
    ),
    "retrieval": TaskData(
        "tatoeba", "retrieval", (), {("test", "de"): [RetrievalExample("1", "1", "de", "Hallo", "Hello")]}
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_round_trip(tmp_path, name):
    data = TASKS[name]
    content = write_task(tmp_path / "x=1", data, extra={"licence": "CC"})
    stored = read_task(tmp_path / "x=1")
    assert {key: stored.split(*key) for key in data.splits} == data.splits
    assert (stored.task, stored.format, stored.labels) == (data.task, data.format, data.labels)
    assert stored.languages("test") == data.languages("test")
    assert stored.languages("dev") == ()
    assert (dict(stored.notes), dict(stored.extra)) == (data.notes, {"licence": "CC"})
    assert stored.fingerprint == content["fingerprint"] == task_fingerprint(data)


def test_fingerprint_sees_every_field():
    data = TASKS["pair"]
    example = data.splits[("train", "en")][0]
    prints = {task_fingerprint(data)}
    for change in ({"text": "a  b"}, {"text_pair": None}, {"label": "no"}, {"cluster_id": "c2"}, {"example_id": "9"}):
        prints.add(
            task_fingerprint(replace(data, splits={**data.splits, ("train", "en"): [replace(example, **change)]}))
        )
    prints.add(task_fingerprint(replace(data, labels=("no", "yes"))))
    assert len(prints) == 7


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pair", {"label": "maybe"}, "label 'maybe'"),
        ("pair", {"language": "de"}, "language is 'de'"),
        ("tagging", {"tags": ("O",)}, "2 words but 1 tags"),
        ("tagging", {"tags": ("O", "X")}, "tag 'X'"),
        ("span", {"answer_starts": (3,)}, "not at character 3"),
        ("span", {"answer_starts": (-4,)}, "not at character -4"),
        ("span", {"answers": ("",), "answer_starts": (0,)}, "answer is empty"),
        ("choice", {"label": 3}, "label 3 of 3"),
    ],
)
def test_bad_examples_are_refused(tmp_path, name, change, message):
    data = TASKS[name]
    (split, language), examples = next(iter(data.splits.items()))
    bad = replace(data, splits={(split, language): [replace(examples[0], **change)]})
    with pytest.raises(DataError, match=message):
        write_task(tmp_path, bad)
    assert not (tmp_path / "task.json").exists()


def test_repeated_ids_empty_splits_and_bad_names_are_refused(tmp_path):
    data = TASKS["retrieval"]
    example = data.splits[("test", "de")][0]
    for splits, message in (
        ({("test", "de"): [example, example]}, "used twice"),
        ({("test", "de"): []}, "no examples"),
        ({("test", "../de"): [replace(example, language="../de")]}, "file name"),
        ({("test", "de"): [TASKS["pair"].splits[("test", "zh")][0]]}, "PairExample"),
        ({}, "no split"),
    ):
        with pytest.raises(DataError, match=message):
            write_task(tmp_path, replace(data, splits=splits))


def test_missing_and_damaged_folders(tmp_path):
    with pytest.raises(DataError, match="not found"):
        read_task(tmp_path)
    write_task(tmp_path, TASKS["retrieval"])
    with pytest.raises(DataError, match="already stored"):
        write_task(tmp_path, TASKS["retrieval"])
    with pytest.raises(DataError, match=r"no split 'test' in language 'fr'; it has test \(de\)"):
        read_task(tmp_path).split("test", "fr")
    path = tmp_path / "examples" / "test.de.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_task(tmp_path).split("test", "de")
    content = json.loads((tmp_path / "task.json").read_text())
    (tmp_path / "task.json").write_text(json.dumps({**content, "schema": 99}))
    with pytest.raises(DataError, match="schema 99"):
        read_task(tmp_path)
