"""Which labelled examples of a language a training sees: drawn by hashes, so that a larger draw contains the smaller.

An example that says what a test item of its language says is never drawn: data sets repeat sentences between their
splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from adapterxfer.data.examples import Example
from adapterxfer.data.repeats import content_of
from adapterxfer.data.storage import StoredTask
from adapterxfer.errors import DataError

TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageDraw:
    """The labelled examples of one language that a training sees.

    Attributes:
        language: theirs.
        examples: in the order of the file.
        pool: how many they were drawn from.
        tested: how many were left out of that, since they say what a test item says.
    """

    language: str
    examples: tuple[Example, ...]
    pool: int
    tested: int

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the examples."""
        return tuple(example.example_id for example in self.examples)

    @property
    def fingerprint(self) -> str:
        """sha256 of the ids: two draws with the same one are the same draw."""
        return hashlib.sha256("\n".join(self.ids).encode()).hexdigest()


def draw(
    stored: StoredTask, split: str, language: str, *, test: StoredTask, examples: int | None, limit: int | None,
    lot: str,
) -> LanguageDraw:  # fmt: skip
    """Draw from one split of one language.

    Args:
        stored: where the examples are.
        test: where the test items are.
        examples: how many; None for all there are.
        limit: most of them where all are meant.
        lot: decides which; the same lot draws the same, and of more examples the same and others.

    Raises:
        DataError: there are fewer than asked for.
    """
    there = stored.split(split, language)
    tested = {content_of(item) for item in _tested(test, language)}
    pool = [example for example in there if content_of(example) not in tested]
    if not pool or (examples is not None and len(pool) < examples):
        rest = f", {len(there) - len(pool)} of which are test items too" if len(there) > len(pool) else ""
        raise DataError(
            f"{stored.folder}: {examples or 'some'} examples of '{stored.task}' in '{language}' are to be drawn; its "
            f"'{split}' split has {len(there)}{rest}",
            fix="ask for fewer, or leave the language out of the arm: supervision: {KIND: {languages: [...]}}",
        )
    count = min(len(pool), examples if examples is not None else limit or len(pool))
    first = sorted(pool, key=lambda example: hashlib.sha256(f"{lot}/{language}/{example.example_id}".encode()).digest())
    chosen = {example.example_id for example in first[:count]}
    kept = tuple(example for example in pool if example.example_id in chosen)
    return LanguageDraw(language=language, examples=kept, pool=len(pool), tested=len(there) - len(pool))


def lot_of(backbone: str, seed: int, number: int) -> str:
    """What decides a draw: a run has its own, which all that is compared within it shares."""
    return f"{backbone}/{seed}/{number}"


def _tested(test: StoredTask, language: str) -> Sequence[Example]:
    return test.split(TEST, language) if language in test.languages(TEST) else ()
