"""Which tasks have labelled development data in the languages they are tested in, and where they are.

Zero-shot transfer has no such data. They serve one diagnostic, the oracle, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TargetDev:
    """Development data of one task in its target languages.

    Attributes:
        dataset: data set whose ``dev`` split holds them, in every language; empty where there are none.
        without: languages of the task that have none all the same.
        by_release: whether the release decides which languages have one: then files that are not there are languages
            without, not missing files.
        files_only: whether the repository of the catalogue lacks them, so that they have to be files.
        why_not: why there are none.
        nearest: tasks of the same kind that have some, the nearest first.
    """

    dataset: str = ""
    without: tuple[str, ...] = ()
    by_release: bool = False
    files_only: bool = False
    why_not: str = ""
    nearest: tuple[str, ...] = ()


_ALL_TESTED = "XQuAD's questions are all tested"
_DEV_TESTED = "the development questions of TyDi QA are those that are tested"
_SPANS = ("mlqa",)

TARGET_DEV: Mapping[str, TargetDev] = {
    "xnli": TargetDev("xnli"),
    "pawsx": TargetDev("pawsx"),
    "xcopa": TargetDev("xcopa"),
    "panx": TargetDev("panx"),
    # Treebanks with a test file only in UD 2.5, whose Kazakh has 31 training sentences beside it; the repository has
    # development sentences in English alone.
    "udpos": TargetDev("udpos", without=("kk", "th", "tl", "yo"), by_release=True, files_only=True),
    "mlqa": TargetDev("mlqa"),
    "masakhaner2": TargetDev("masakhaner2"),
    "masakhapos": TargetDev("masakhapos", files_only=True),
    "americasnli": TargetDev("americasnli"),
    "sib200": TargetDev("sib200"),
    "xquad": TargetDev(why_not=_ALL_TESTED, nearest=_SPANS),
    "xquad-gold-sentence": TargetDev(why_not=_ALL_TESTED, nearest=_SPANS),
    "tydiqa-xquad-gold-sentence": TargetDev(why_not=_ALL_TESTED, nearest=_SPANS),
    "tydiqa": TargetDev(why_not=_DEV_TESTED, nearest=_SPANS),
    "tydiqa-gold-sentence": TargetDev(why_not=_DEV_TESTED, nearest=_SPANS),
    "lareqa": TargetDev(why_not=_ALL_TESTED + ", as retrieval too"),
    "mewslix": TargetDev(why_not="its development mentions have to be found among all entities, not among pairs"),
    "xstorycloze": TargetDev(why_not="it has stories to train on and stories to test", nearest=("xcopa",)),
    "belebele": TargetDev(why_not="it is a test set alone", nearest=("xcopa",)),
    "tatoeba": TargetDev(why_not="nothing is trained on it, so nothing is selected"),
    "bucc2018": TargetDev(why_not="nothing is trained on it, so nothing is selected"),
}
"""Real target task -> its development data in the target languages."""
