"""What the world offers to the arms of an intermediate training: text in all languages, and exact translations.

The translations say the very meanings of the English examples, without an error: better than any machine translation,
so what that arm reaches here is a bound for what it could reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapterxfer.data.examples import Example, TaskData
from adapterxfer.errors import DataError
from adapterxfer.world.documents import document, texts
from adapterxfer.world.draws import Draws, generator
from adapterxfer.world.languages import LANGUAGES
from adapterxfer.world.task_makers import Item
from adapterxfer.world.tasks import drawn_items, known_task

_LANGUAGE_SEEDS = 1_000_003
"""Seeds of training data in other languages lie this far from those in English, and from each other's test sets."""


def load_texts(languages: Sequence[str], lines: int, *, seed: int = 0) -> dict[str, list[str]]:
    """Fresh documents in each language, of the kinds the backbones were pretrained on.

    Args:
        languages: codes of the world.
        lines: documents per language; the same number for all, whatever a language's tier.
        seed: of the documents.

    Raises:
        DataError: the world has no such language.
    """
    _check(languages)
    splits = {}
    for code in languages:
        rng = Draws(generator("texts", code, seed))
        splits[code] = [" ".join(texts(document(rng), code)) for _ in range(lines)]
    return splits


def load_translations(
    name: str,
    languages: Sequence[str],
    *,
    train_examples: int | None = None,
    dev_examples: int | None = None,
    seed: int = 0,
    test_seed: int = 0,
    labels: Sequence[str] | None = None,
) -> TaskData:
    """The training examples of `load_task` with the same arguments, said in other languages.

    Raises:
        DataError: the world has no such task or language.
    """
    _check(languages)
    items = drawn_items(
        name, train_examples=train_examples, dev_examples=dev_examples, test_examples=None, seed=seed,
        test_seed=test_seed, labels=labels,
    )  # fmt: skip
    return _said(name, "train", items, languages, labels)


def load_target_dev(
    name: str,
    languages: Sequence[str],
    *,
    dev_examples: int | None = None,
    seed: int = 0,
    test_seed: int = 0,
    labels: Sequence[str] | None = None,
) -> TaskData:
    """The development examples of `load_task` with the same arguments, said in other languages, as split ``dev``.

    Raises:
        DataError: the world has no such task or language.
    """
    _check(languages)
    items = drawn_items(
        name, train_examples=0, dev_examples=dev_examples, test_examples=None, seed=seed, test_seed=test_seed,
        labels=labels,
    )  # fmt: skip
    return _said(name, "dev", items, languages, labels)


def load_target_train(
    name: str,
    languages: Sequence[str],
    *,
    train_examples: int | None = None,
    seed: int = 0,
    test_seed: int = 0,
    labels: Sequence[str] | None = None,
) -> TaskData:
    """Training examples of a task in other languages, each language with meanings of its own: no translations.

    Args:
        train_examples: in each language; None means the task's default.
        seed, test_seed, labels: as of `load_task`. No example says what a test item says.

    Raises:
        DataError: the world has no such task or language.
    """
    _check(languages)
    splits: dict[tuple[str, str], list[Example]] = {}
    for code in languages:
        items = drawn_items(
            name, train_examples=train_examples, dev_examples=0, test_examples=None,
            seed=_LANGUAGE_SEEDS * (seed + 1) + list(LANGUAGES).index(code), test_seed=test_seed, labels=labels,
        )  # fmt: skip
        splits["train", code] = [item.said(code) for item in items["train"]]
    return TaskData(name, known_task(name).format, tuple(labels or known_task(name).labels), splits)


def _said(
    name: str, split: str, items: Mapping[str, list[Item]], languages: Sequence[str], labels: Sequence[str] | None
) -> TaskData:
    """One split of a task, with the meanings of its English examples, in all languages."""
    task = known_task(name)
    splits = {(split, code): [item.said(code) for item in items[split]] for code in languages}
    return TaskData(name, task.format, tuple(labels or task.labels), splits)


def _check(languages: Sequence[str]) -> None:
    unknown = [code for code in languages if code not in LANGUAGES]
    if unknown:
        raise DataError(f"world: no language {', '.join(unknown)}; languages: {', '.join(LANGUAGES)}", fix="use these")
