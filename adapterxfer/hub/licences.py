"""What the licence of training data means for the licence of a model trained on them. Torch-free.

Whether the licence of data extends to a model is disputed; a card takes the cautious side and names the most
restrictive licence of everything the model was trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

OTHER = "other"

_OPEN = {"apache-2.0": 0, "mit": 0}
_CREATIVE = re.compile(r"cc-by(-nc)?(-sa)?(-nd)?-[234]\.0")


class LicenceFacts(NamedTuple):
    """One licence as stated by a source.

    Attributes:
        identifier: the Hub's name of it; ``other`` where it has none.
        rank: more is more restrictive.
        flags: what a user must know before using the model.
    """

    identifier: str
    rank: int
    flags: tuple[str, ...]


def facts_of(stated: str) -> LicenceFacts:
    """Facts of a licence from the catalogue's words for it."""
    text = stated.lower()
    if "ldc" in text:
        return LicenceFacts(OTHER, 6, ("LDC: users of the data must own a licence",))
    match = _CREATIVE.search(text)
    if "non-commercial" in text or "-nc" in text:
        exact = match.group() if match and match.group() == text else OTHER
        return LicenceFacts(exact, 5, ("non-commercial",))
    if match and match.group() == text:
        return LicenceFacts(text, 2 if "-sa" in text else 1, ("share alike",) if "-sa" in text else ())
    if text in _OPEN:
        return LicenceFacts(text, _OPEN[text], ())
    return LicenceFacts(OTHER, 4, (f"licence: {stated}",))


def most_restrictive(stated: Iterable[str]) -> str:
    """The Hub's identifier of the most restrictive licence; ``apache-2.0``, the package's, where there is none."""
    facts = [facts_of(licence) for licence in stated]
    return max(facts, key=lambda facts: facts.rank).identifier if facts else "apache-2.0"
