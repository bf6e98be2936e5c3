"""Fewer items of a parallel test set are the same items in every language, whatever their ids; other choices stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterxfer.catalog import parts_of_task, task_specs
from adapterxfer.data.examples import Example, PairExample
from adapterxfer.data.files import list_files
from adapterxfer.data.held_out import keep, keep_tests
from adapterxfer.data.original import read_original
from adapterxfer.data.same_items import SAME_ITEMS, chooses_otherwise
from adapterxfer.data.sources import describe_layouts
from adapterxfer.plan import build_plan
from adapterxfer.recipe import parse_recipe

from tiny_files import jsonl, put, squad  # isort: skip

LABELS = ("entailment", "neutral", "contradiction")


def pairs(code: str, names: Sequence[str]) -> list[Example]:
    return [PairExample(name, name, code, f"{code} {name}", None, "neutral") for name in names]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sets(st.integers(0, 30)).map(sorted), min_size=2, max_size=5), st.integers(1, 20), st.integers(0, 3))
def test_by_ids_those_that_more_languages_have_go_first(ids: list[list[int]], count: int, seed: int) -> None:
    tests = {f"l{n}": pairs(f"l{n}", [f"i{number}" for number in own]) for n, own in enumerate(ids)}
    kept = {code: [e.example_id for e in examples] for code, examples in
            keep_tests(tests, count, seed, by="ids").items()}  # fmt: skip
    everywhere = set.intersection(*({f"i{number}" for number in own} for own in ids))
    for code, names in kept.items():
        have = [example.example_id for example in tests[code]]
        assert names == [name for name in have if name in names], "in the order of the file"
        assert len(names) == min(count, len(have))
        assert len(everywhere & set(names)) == min(count, len(everywhere))
        more = [e.example_id for e in keep_tests(tests, count + 1, seed, by="ids")[code]]
        assert set(names) <= set(more), "more items include the fewer"
    if len(everywhere) >= count:
        assert len({tuple(sorted(names)) for names in kept.values()}) == 1
    if all(set(own) == set(ids[0]) for own in ids):
        assert kept == {code: [e.example_id for e in keep(listed, count, seed)] for code, listed in tests.items()}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(2, 6), st.integers(1, 45), st.integers(0, 3))
def test_by_rows_every_language_keeps_the_same_rows(rows: int, languages: int, count: int, seed: int) -> None:
    tests = {f"l{n}": pairs(f"l{n}", [f"l{n}-{row}" for row in range(rows)]) for n in range(languages)}
    kept = keep_tests(tests, count, seed, by="rows")
    numbers = [[e.example_id.rpartition("-")[2] for e in examples] for examples in kept.values()]
    assert all(own == numbers[0] for own in numbers)
    assert len(numbers[0]) == min(count, rows)
    assert numbers[0] == sorted(numbers[0], key=int)


COLUMNS = {
    "sequence_classification": {"text": "text", "text_pair": "pair", "label": "label"},
    "multiple_choice": {"context": "text", "choices": "choices", "label": "label"},
    "span_qa": {"context": "text", "question": "pair", "answers": "answer"},
}
DESCRIBED = sorted(
    name
    for name, spec in task_specs().items()
    if (test := spec.parts.test) is not None and (test.clusters.parallel or test.clusters.same_items)
    and spec.parts.layouts and spec.parts.format in COLUMNS
)  # fmt: skip
"""Parallel tasks that can be described, by name."""

IDS: Mapping[str, Callable[[str, int], str]] = {
    "none": lambda code, row: "",
    "of each language": lambda code, row: f"{code}-{row}",
    "shared": lambda code, row: str(row),
    "shared in part": lambda code, row: str(row + 10 * (code == "second")),
}


@pytest.mark.parametrize("task", DESCRIBED)
@pytest.mark.parametrize("ids", IDS)
def test_described_parallel_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, ids: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    parts = parts_of_task(task)
    assert parts.test is not None
    languages = ["first", "second", "third"]
    for code in ("train", *languages):
        # The number in the text tells the row.
        rows = [
            {
                "id": IDS[ids](code, row),
                "text": f"{code} one {row}",
                "pair": f"what {row}",
                "answer": f"one {row}",
                "choices": ["a", "b"],
                "label": (parts.labels or ("0", "1"))[row % 2],
            }
            for row in range(40)
        ]
        put(tmp_path, f"{code}.jsonl", jsonl(*rows))
    columns = {**COLUMNS[parts.format], **({} if ids == "none" else {"id": "id"})}
    layouts = {
        role: {"path": path, "layout": "jsonl", "columns": columns}
        for role, path in (("train", "train.jsonl"), ("dev", "train.jsonl"), ("test", "{lang}.jsonl"))
        if role == "test" or getattr(parts, role)
    }
    source = describe_layouts(task, tmp_path, languages, layouts)
    protocol = task_specs()[task].entry().protocol
    same = chooses_otherwise(task, tmp_path, source, languages, protocol=protocol, count=12, seed=0)
    data = read_original(
        task, tmp_path, source["files"], languages, train_examples=None, dev_examples=2, test_examples=12, seed=0,
        layouts=source["layout"], protocol=protocol, same_items=same,
    )  # fmt: skip
    kept = [data.splits["test", code] for code in languages]
    names, chosen = ([{of(example) for example in examples} for examples in kept] for of in (_id, _row))
    assert all(len(examples) == 12 for examples in kept)
    match ids, parts.test.clusters.same_items:
        case "shared", _:
            assert not same, "these chose the same items before, and keep their keys"
            assert names[0] == names[1] == names[2]
        case "shared in part", "":
            assert same
            assert names[0] == names[1] == names[2]
        case "shared in part", "ids":
            assert same
            assert names[0] == names[1] == names[2]
        case _, "ids":
            assert not same, "MLQA's files have no rows in common: without common ids nothing tells its items"
        case _:
            assert same
            assert chosen[0] == chosen[1] == chosen[2]


def _id(example: Example) -> str:
    return example.example_id


def _row(example: Example) -> str:
    text = getattr(example, "text", "") or getattr(example, "context", "")
    return str(text).rpartition(" ")[2]


def test_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLQA's languages share some questions; AmericasNLI's files are parallel by row, with ids of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for code, first in (("en", 0), ("de", 20), ("hi", 30)):
        questions = [(f"q{n}", f"text {code} one {n}", f"what {n}", [(f"one {n}", len(f"text {code} "))])
                     for n in range(first, 60)]  # fmt: skip
        put(tmp_path, f"mlqa/test-context-{code}-question-{code}.json", squad(questions))
    for code in ("aym", "bzd"):
        lines = [f"{code} premise {n}\t{code} hypothesis\t{LABELS[n % 3]}" for n in range(40)]
        put(tmp_path, f"AmericasNLI/test/{code}.tsv", "premise\thypothesis\tlabel\n" + "\n".join(lines) + "\n")
    needs = {"mlqa": ["en", "de", "hi"], "americasnli": ["aym", "bzd"]}
    for task, languages in needs.items():
        files = {path: "hash" for path in list_files(tmp_path) if task in path.lower()}
        source = {"kind": "files", "files": files}
        assert chooses_otherwise(task, tmp_path, source, languages, protocol="", count=15, seed=0)
        assert not chooses_otherwise(task, tmp_path, source, languages[:1], protocol="", count=15, seed=0)
        assert not chooses_otherwise(task, tmp_path, source, languages, protocol="", count=60, seed=0) or task == "mlqa"


@pytest.mark.parametrize(("task", "otherwise"), [("mlqa", True), ("xquad", False), ("panx", False), ("tydiqa", False)])
def test_of_repositories_the_catalogue_decides(task: str, otherwise: bool) -> None:
    recipe = f"""\
recipe: 1
name: hub
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [{task}]
variants: [full-ft]
seeds: [1]
tasks: {{{task}: {{test_examples: 100, languages: [ar, en, fi]}}}}
train: {{default: {{steps: 1, learning_rate: 1e-3}}}}
""".replace("ar, en, fi", "en, de, hi" if task in ("mlqa", "xquad") else "ar, en, fi")
    for lines, wanted in ((recipe, otherwise), (recipe.replace("test_examples: 100, ", ""), False)):
        (stage,) = [stage for stage in build_plan(parse_recipe(lines)).stages.values() if stage.kind == "prepare"]
        assert (SAME_ITEMS in stage.identity["source"]) == wanted
