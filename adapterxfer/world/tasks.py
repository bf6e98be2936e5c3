"""Task data: records of every format, said in English for training and in all languages for the test.

A test item is one meaning said in every language, so its ids are the same everywhere. Training data depend on the
seed; the test has a seed of its own, and no training or development item says what a test item says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from adapterxfer.data.examples import Example, TaskData
from adapterxfer.data.readers import load_function
from adapterxfer.errors import DataError
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.languages import LANGUAGES, ZERO_SHOT
from adapterxfer.world.task_list import TASKS, WorldTask
from adapterxfer.world.task_makers import Item

__all__ = ["TASKS", "load_task"]


def load_task(
    name: str,
    *,
    train_examples: int | None = None,
    dev_examples: int | None = None,
    test_examples: int | None = None,
    languages: Sequence[str] | None = None,
    seed: int = 0,
    test_seed: int = 0,
    labels: Sequence[str] | None = None,
) -> TaskData:
    """Make one task.

    Args:
        name: a name in `TASKS`.
        train_examples: English training examples; None means the task's default.
        dev_examples: English development examples, likewise.
        test_examples: test examples in each language, likewise; a smaller number gives the first of them.
        languages: test languages; None means all (all but English for retrieval).
        seed: of training and development data.
        test_seed: of the test data; 0 is the test set all reported scores are about.
        labels: of a classification, those whose items are kept; None means all.

    Raises:
        DataError: the world has no such task or language.
    """
    task = known_task(name)
    codes = tuple(languages) if languages is not None else _default_languages(task)
    unknown = [code for code in codes if code not in LANGUAGES]
    if unknown:
        raise DataError(f"world: no language {', '.join(unknown)}; languages: {', '.join(LANGUAGES)}", fix="use these")
    items = drawn_items(
        name, train_examples=train_examples, dev_examples=dev_examples, test_examples=test_examples, seed=seed,
        test_seed=test_seed, labels=labels,
    )  # fmt: skip
    splits: dict[tuple[str, str], list[Example]] = {}
    for split in ("train", "dev", "test"):
        for code in codes if split == "test" else ("en",):
            if items[split]:
                splits[split, code] = [item.said(code) for item in items[split]]
    return TaskData(name, task.format, tuple(labels or task.labels), splits)


def known_task(name: str) -> WorldTask:
    """The facts about a task of the world.

    Raises:
        DataError: there is no such task.
    """
    if name not in TASKS:
        raise DataError(f"world: no task {name!r}; tasks: {', '.join(TASKS)}", fix="use one of these names")
    return TASKS[name]


def drawn_items(
    name: str,
    *,
    train_examples: int | None,
    dev_examples: int | None,
    test_examples: int | None,
    seed: int,
    test_seed: int,
    labels: Sequence[str] | None = None,
) -> dict[str, list[Item]]:
    """The meanings of each split, before they are said in a language; arguments as in `load_task`."""
    task = known_task(name)
    counts = {
        "train": task.train_examples if train_examples is None else train_examples,
        "dev": task.dev_examples if dev_examples is None else dev_examples,
        "test": task.test_examples if test_examples is None else test_examples,
    }
    if task.role == "intermediate":
        counts["test"] = 0
    seen: set[str] = set()
    tested = max(counts["test"], task.test_examples)
    test = list(islice(_items(name, "test", test_seed, seen, labels), tested))[: counts["test"]]
    splits = {"test": test}
    for split in ("dev", "train"):
        splits[split] = list(islice(_items(name, split, seed, seen, labels), counts[split]))
    return splits


def _default_languages(task: WorldTask) -> tuple[str, ...]:
    return ZERO_SHOT if task.format == "retrieval" else tuple(LANGUAGES)


def _items(name: str, split: str, seed: int, seen: set[str], labels: Sequence[str] | None = None) -> Iterator[Item]:
    """Items of one split, without those already seen in another split or in this one, or with other labels."""
    rng = Draws(generator("task", name, split, seed))
    make: Callable[[Draws, str], Iterator[Item]] = load_function(TASKS[name].maker)
    for item in make(rng, f"{name}-{split}"):
        if labels is not None and getattr(item.said("en"), "label", None) not in labels:
            continue
        if item.fingerprint not in seen:
            seen.add(item.fingerprint)
            yield item
