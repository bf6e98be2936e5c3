"""Rows of the Hub as examples: labels by name, every repository's own layout; the loading itself is stood in for."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from adapterxfer.catalog import data_sets, task_specs
from adapterxfer.data import hub
from adapterxfer.data.origins import need_files, off_hub
from adapterxfer.data.storage import check_task
from adapterxfer.errors import DataError

NLI = ("entailment", "neutral", "contradiction")


@pytest.fixture
def rows(monkeypatch):
    """Set the rows that every split of every repository has: ``rows[repository] = (rows, names)``."""
    table: dict[str, tuple[list[dict[str, Any]], dict[str, tuple[str, ...]]]] = {}

    def load(source: Any, split: str, language: str, code: str):
        return table[source.repository]

    monkeypatch.setattr(hub, "_load", load)
    return table


def one(dataset: str, language: str = "en", form: str = "sequence_classification", role: str = "train"):
    from collections import Counter

    notes: Counter[str] = Counter()
    return hub.read_repository(data_sets()[dataset], role, language, form, notes), notes  # type: ignore[arg-type]


def test_ids_become_names_in_the_order_the_repository_states(rows):
    rows["stanfordnlp/snli"] = (
        [{"premise": "a", "hypothesis": "b", "label": 0}, {"premise": "a", "hypothesis": "c", "label": -1}],
        {"label": ("contradiction", "entailment", "neutral")},
    )
    (example,), notes = one("snli")
    assert example.label == "contradiction"
    assert notes["examples without a gold label left out"] == 1
    rows["stanfordnlp/snli"] = ([{"premise": "a", "hypothesis": "b", "label": 0}], {})
    with pytest.raises(DataError, match="numbers without names"):
        one("snli")


def test_one_based_text_labels(rows):
    rows["lighteval/siqa"] = (
        [{"context": "c", "question": "q", "answerA": "x", "answerB": "y", "answerC": "z", "label": "3"}], {},
    )  # fmt: skip
    (example,), _ = one("siqa", form="multiple_choice")
    assert example.choices[example.label] == "z"


def test_choices_in_one_column(rows):
    rows["tau/commonsense_qa"] = (
        [{"id": "i", "question": "q", "choices": {"label": ["A", "B"], "text": ["x", "y"]}, "answerKey": "B"}], {},
    )  # fmt: skip
    (example,), _ = one("commonsenseqa", form="multiple_choice")
    assert example.choices[example.label] == "y"


def test_xcopa_questions_come_from_estonian(rows, monkeypatch):
    row = {"premise": "p", "choice1": "a", "choice2": "b", "label": 1, "idx": 3}
    table = {"th": [{**row, "question": "effect"}], "et": [{**row, "question": "cause"}]}
    monkeypatch.setattr(hub, "_load", lambda source, split, language, code: (table[language], {}))
    (example,), notes = one("xcopa", "th", "multiple_choice", "test")
    assert example.question == "What was the cause?"
    assert notes["questions repaired from 'et'"] == 1


def test_tags_by_name_dates_out(rows):
    names = data_sets()["masakhaner2"].labels
    rows["masakhane/masakhaner2"] = (
        [{"id": "0", "tokens": ["Ade", "", "2020"], "ner_tags": [1, 0, 7]}], {"ner_tags": names},
    )  # fmt: skip
    (example,), notes = one("masakhaner2", "yor", "tagging", "test")
    assert (example.words, example.tags) == (("Ade", "2020"), ("B-PER", "O"))
    assert notes["tags of dates made O"] == 1


def test_stripped_contexts_are_repaired(rows):
    rows["google/xquad"] = (
        [{"id": "a", "context": "one two", "question": "q", "answers": {"text": ["two"], "answer_start": [5]}}], {},
    )  # fmt: skip
    (example,), notes = one("xquad", "zh", "span_qa", "test")
    assert example.answer_starts == (4,)
    assert notes["answer offsets repaired"] == 1


def test_a_whole_task(rows):
    rows["nyu-mll/glue"] = (
        [{"premise": f"p{i}", "hypothesis": "h", "label": i % 3, "idx": i} for i in range(30)],
        {"label": NLI},
    )
    rows["facebook/xnli"] = (
        [{"premise": f"p{i // 3}", "hypothesis": "h", "label": i % 3} for i in range(6)],
        {"label": NLI},
    )
    data = hub.read_hub("xnli", ("de", "sw"), train_examples=10, dev_examples=None, test_examples=None, seed=0)
    check_task(data)
    assert {split: len(found) for split, found in data.splits.items()} == {
        ("train", "en"): 10, ("dev", "en"): 6, ("test", "de"): 6, ("test", "sw"): 6,
    }  # fmt: skip
    assert [e.cluster_id for e in data.splits["test", "sw"]] == ["0"] * 3 + ["1"] * 3


def test_tasks_without_repository_say_where_to_get_them():
    with pytest.raises(DataError, match="not on the Hub"):
        one("ccg", form="tagging")


def test_every_pin_of_the_catalogue_reaches_the_loader(monkeypatch):
    """The revision of every repository, first and alternate, is what the library is asked for."""
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[str, Any]] = []

    def load(repository: str, **options: Any):
        url = str(options.get("data_files", {}).get("lines", ""))
        if url:
            repository, _, rest = url.removeprefix("hf://datasets/").partition("@")
            options["revision"] = rest.partition("/")[0]
        asked.append((repository, options.get("revision")))
        raise OSError("not reached")

    monkeypatch.setattr(datasets, "load_dataset", load)
    pinned = 0
    tested = {name for name in data_sets() if "/" not in name}
    for name, data in data_sets().items():
        if name not in tested:
            continue
        for place in data.hub.places() if data.hub is not None else ():
            asked.clear()
            split = next(iter(place.splits.values()), ("",))[0]
            read = (
                partial(one, name, "de", "retrieval", "test")
                if place.lines
                else partial(hub._load, place, split, "de", "de")
            )
            with pytest.raises(DataError):
                read()
            assert asked == [(place.repository, place.revision or None)]
            pinned += place.pinned is not None
    # xquad, bucc2018, tatoeba, mewslix, sib200, afrixnli, afrimmlu, nusax, afrisenti, tweets; the alternates of sib200,
    # masakhanews, injongo-intent and afrixnli
    assert pinned == 14


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"sentence1": ["a"], "sentence2": ["b"], "gold": [[0, 1]]}, "counted from 1"),
        ({"sentence1": ["a"], "sentence2": ["b"], "gold": [[1, 2]]}, "counted from 1"),
        ({"sentence1": ["a"], "sentence2": ["b"], "gold": []}, "no gold pair"),
        (None, "2 rows"),
    ],
)
def test_damaged_sides_of_bucc_are_refused(rows, row, message):
    whole = {"sentence1": ["a"], "sentence2": ["b"], "gold": [[1, 1]]}
    rows["mteb/BUCC"] = ([row] if row else [whole, whole], {})
    with pytest.raises(DataError, match=message):
        one("bucc2018", "de", "retrieval", "test")


@pytest.mark.parametrize(
    ("task", "protocol", "absent"),
    [
        ("xnli", "", []),
        ("anli+", "", []),
        ("tatoeba", "", []),
        ("mewslix", "", []),
        ("bucc2018", "bucc/threshold-cross-fitted", []),
        ("bucc2018", "bucc/threshold-from-sample", [("bucc2018", "sample"), ("bucc2018", "sample-pool")]),
        ("lareqa", "", [("lareqa", "test"), ("lareqa", "test-pool")]),
        ("masakhapos", "", [("masakhapos", "test")]),
        ("ccg", "", [("ccg", "train")]),
        ("udpos", "", []),
        ("udpos", "udpos/fused-words", [("udpos/fused", "train"), ("udpos/fused", "test")]),
    ],
)
def test_what_no_repository_holds(task, protocol, absent):
    missing = off_hub(task, protocol)
    assert [(data.name, split) for data, split in missing] == absent
    if absent:
        text = str(need_files(task, ("de", "fr"), missing, protocol=protocol))
        assert text.startswith(f"{task}: ")
        assert "--set data_root=PATH" in text


def test_only_what_is_named_here_is_off_the_hub():
    assert {task for task in task_specs() if off_hub(task) and "gold" not in task} == {
        "bucc2018",
        "lareqa",
        "masakhapos",
        "ccg",
    }
    for dataset in ("bucc2018", "lareqa", "masakhapos", "ccg"):
        assert data_sets()[dataset].origin
