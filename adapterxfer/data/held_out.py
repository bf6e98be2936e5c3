"""Which examples are kept and which are held out for development.

This is a matter of hashes, not of draws: an example is kept or left out for its id and the seed alone, so the languages
of a parallel test set keep the same examples, and more examples always include the fewer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from adapterxfer.data.examples import Example
from adapterxfer.errors import DataError

CARVED_DEV = 500
"""English development examples cut from the training file when the recipe names no number."""


CARVED_SHARE = 10
"""Of a task that a recipe declares, whose data may be few: at most one in so many of its training examples."""


def carved_size(count: int | None, trained: int, *, declared: bool) -> int:
    """How many development examples are cut from training data.

    Args:
        count: as the recipe says.
        trained: training examples before that.
        declared: whether the recipe declares the task.
    """
    if count is not None:
        return count
    return min(CARVED_DEV, max(1, trained // CARVED_SHARE)) if declared else CARVED_DEV


def rank(name: str, seed: int) -> bytes:
    """A number that orders names at random but the same way everywhere."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def keep(examples: list[Example], count: int | None, seed: int, *, last: bool = False) -> list[Example]:
    """The ``count`` first (or last) examples by the hash of their ids, in the order of the file."""
    if count is None or count >= len(examples):
        return examples
    ranked = sorted(examples, key=lambda example: rank(example.example_id, seed), reverse=last)
    chosen = {example.example_id for example in ranked[:count]}
    return [example for example in examples if example.example_id in chosen]


def keep_tests(
    tests: Mapping[str, list[Example]], count: int | None, seed: int, *, by: str = ""
) -> dict[str, list[Example]]:
    """``count`` test examples of each language, in the order of their files; of a parallel test set the same items.

    Args:
        tests: language -> its examples.
        by: what tells that examples are one item: ``ids``, of which those go first that the most languages have, or
            ``rows``, their places in files that agree row by row. Empty for each language by the hashes of its ids,
            which are the same items only where every language has every id.
    """
    if count is None or not by:
        return {code: keep(examples, count, seed) for code, examples in tests.items()}
    if by == "rows":
        sizes = {len(examples) for examples in tests.values()}
        rows = set(sorted(range(max(sizes)), key=lambda row: rank(str(row), seed))[:count])
        return {
            code: [example for row, example in enumerate(examples) if row in rows] for code, examples in tests.items()
        }
    languages = Counter(name for examples in tests.values() for name in {example.example_id for example in examples})
    kept = {}
    for code, examples in tests.items():
        names = [example.example_id for example in examples]
        chosen = set(sorted(names, key=lambda name: (-languages[name], rank(name, seed)))[:count])
        kept[code] = [example for example in examples if example.example_id in chosen]
    return kept


def carve(examples: list[Example], count: int, seed: int) -> tuple[list[Example], list[Example]]:
    """Cut about ``count`` examples off in whole clusters, so no paragraph is in both parts."""
    sizes = Counter(example.cluster_id for example in examples)
    chosen: set[str] = set()
    reached = 0
    for cluster in sorted(sizes, key=lambda name: rank(f"dev/{name}", seed)):
        if reached >= count:
            break
        chosen.add(cluster)
        reached += sizes[cluster]
    if len(chosen) == len(sizes):
        raise DataError(
            f"{len(examples)} training examples cannot give {count} development examples and leave any",
            fix="lower dev_examples",
        )
    rest = [example for example in examples if example.cluster_id not in chosen]
    return rest, keep([example for example in examples if example.cluster_id in chosen], count, seed)
