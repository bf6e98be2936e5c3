"""Draws of labelled examples: nested in size, other in every run, and never a test item."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from adapterxfer.data.drawing import LanguageDraw, draw, lot_of
from adapterxfer.data.examples import PairExample, TaskData
from adapterxfer.data.storage import StoredTask, read_task, write_task
from adapterxfer.errors import DataError


def stored(folder: Path, split: str, texts: dict[str, list[str]]) -> StoredTask:
    splits = {
        (split, code): [
            PairExample(f"{split}-{n}", f"{split}-{n}", code, text, "so", ("yes", "no")[n % 2])
            for n, text in enumerate(lines)
        ]
        for code, lines in texts.items()
    }
    write_task(folder, TaskData("t", "sequence_classification", ("yes", "no"), splits))  # type: ignore[arg-type]
    return read_task(folder)


@pytest.fixture
def pool(tmp_path: Path) -> StoredTask:
    return stored(tmp_path / "pool", "train", {code: [f"{code} {n}" for n in range(60)] for code in ("a", "b")})


@pytest.fixture
def test(tmp_path: Path) -> StoredTask:
    return stored(tmp_path / "test", "test", {"a": ["a 3", "a 7", "other"], "b": ["b x"]})


def drawn(
    pool: StoredTask, test: StoredTask, count: int | None, lot: str, code: str = "a", **more: int
) -> LanguageDraw:
    return draw(pool, "train", code, test=test, examples=count, limit=more.get("limit"), lot=lot)


def test_a_larger_draw_contains_the_smaller(pool: StoredTask, test: StoredTask) -> None:
    sizes = [set(drawn(pool, test, count, "b/1/0").ids) for count in (1, 4, 16, 50)]
    assert [len(ids) for ids in sizes] == [1, 4, 16, 50]
    assert all(small < large for small, large in pairwise(sizes))


def test_no_two_runs_share_a_draw(pool: StoredTask, test: StoredTask) -> None:
    lots = [lot_of(backbone, seed, number) for backbone in ("x", "y") for seed in (1, 2) for number in (0, 1)]
    draws = [drawn(pool, test, 8, lot) for lot in lots]
    assert len({one.fingerprint for one in draws}) == len(lots)
    overlap = [len(set(a.ids) & set(b.ids)) / 8 for a, b in combinations(draws, 2)]
    assert sum(overlap) / len(overlap) < 0.3, "as many as independent draws of 8 of 58 have in common"
    assert drawn(pool, test, 8, lots[0]) == draws[0]
    assert drawn(pool, test, 8, lots[0], "b").ids != draws[0].ids, "other items in another language"


def test_what_a_test_item_says_is_never_drawn(pool: StoredTask, test: StoredTask) -> None:
    whole = drawn(pool, test, None, "x/1/0")
    assert (len(whole.examples), whole.pool, whole.tested) == (58, 58, 2)
    assert not {"train-3", "train-7"} & set(whole.ids)
    assert drawn(pool, test, None, "x/1/0", limit=10).ids == drawn(pool, test, 10, "x/1/0").ids
    assert [e.example_id for e in whole.examples] == [f"train-{n}" for n in range(60) if n not in (3, 7)]


def test_too_few_examples_are_an_error_that_says_how_many_there_are(pool: StoredTask, test: StoredTask) -> None:
    with pytest.raises(
        DataError, match="59 examples of 't' in 'a' are to be drawn; its 'train' split has 60, 2 of which are test"
    ):
        drawn(pool, test, 59, "x/1/0")


def test_a_pool_of_test_items_alone_is_refused(tmp_path: Path, test: StoredTask) -> None:
    same = stored(tmp_path / "same", "train", {"a": ["a 3", "a 7"]})
    with pytest.raises(DataError, match="leave the language out"):
        drawn(same, test, None, "x/1/0")
    assert replace(drawn(stored(tmp_path / "one", "train", {"a": ["q"]}), test, 1, "x"), pool=0).ids == ("train-0",)
