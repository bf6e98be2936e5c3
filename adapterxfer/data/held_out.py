"""Which examples are kept and which are held out for development.

This is a matter of hashes, not of draws: an example is kept or left out for its id and the seed alone, so the languages
of a parallel test set keep the same examples, and more examples always include the fewer.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from adapterxfer.data.examples import Example
from adapterxfer.errors import DataError

CARVED_DEV = 500
"""English development examples cut from the training file when the recipe names no number."""


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
