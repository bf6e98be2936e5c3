"""How much text of a language the backbones saw in pretraining, and the three definitions of low-resource.

Sizes belong to a corpus, not to a language: every series of backbones names its corpus, and a definition that needs
figures is refused for a series whose corpus has none here.

Sources: CC-100 from table 6 of Conneau et al. 2020 (see `adapterxfer.catalog.languages`); XLM-R XL and XXL were
pretrained on it too (Goyal et al. 2021), and mDeBERTa by its model card ("2.5T CC100 data as XLM-R"). mC4 from the
table of Xue et al. 2021, in tokens. XLM-V was pretrained on CC-100 by its model card ("same as XLM-R"). For the corpora
of all others no table by language was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapterxfer.catalog.languages import known_languages

LOW_RESOURCE = ("joshi", "gib", "unseen")
"""Definitions of low-resource: class 0 to 2 of Joshi et al. 2020; little text in pretraining; none at all."""

LITTLE_GIB = 5.0
"""Text in pretraining below which a language counts as low-resource by ``gib``, unless another limit is given."""


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """Pretraining text of a series of backbones.

    Attributes:
        name: what it is called.
        in_gib: whether the size of every language is known in GiB (`Language.cc100_gib`).
        tokens: language -> tokens in 10^9, where sizes are stated so; languages of the catalogue that are not named
            are not in the corpus. None where no table is known.
        because: why sizes in GiB are not known.
    """

    name: str
    in_gib: bool = False
    tokens: Mapping[str, float] | None = None
    because: str = ""


_CC100 = CorpusFacts("CC-100", in_gib=True)
_NO_TABLE = "no table of sizes by language was read for this corpus"

# 10^9 tokens of mC4 in the languages of the catalogue; Hebrew is "iw" there, Tagalog "fil".
_MC4 = """
en 2733, ru 713, es 433, de 347, fr 318, ja 164, it 162, pt 146, pl 130, vi 116, nl 73, tr 71, id 69, ar 57, fa 52,
ro 52, el 43, uk 41, zh 39, hu 39, ko 26, fi 25, hi 24, bg 22, he 17, mr 14, ms 13, th 11, lt 11, bn 7.3, et 6.9,
az 4.4, ta 3.4, kk 3.1, ml 2.7, ka 2.5, ur 2.4, tl 2.1, af 1.7, eu 1.4, te 1.3, sw 1, swa 1, my 0.9, gu 0.8, pa 0.6,
jv 0.3, zul 0.2, sna 0.2, ht 0.2, hau 0.2, nya 0.1, ibo 0.09, xho 0.06, yo 0.05, yor 0.05
"""


def _tokens(table: str) -> dict[str, float]:
    pairs = (row.split() for row in table.split(","))
    return {code: float(size) for code, size in pairs}


_OTHERS = ("mbert", "labse", "minilm", "me5", "eurobert", "gte", "glot500", "afroxlmr")
"""Series whose pretraining text has no table here."""

PRETRAINING: Mapping[str, CorpusFacts] = {
    "xlm-r": _CC100,
    "mdeberta": _CC100,
    "mt5": CorpusFacts(
        "mC4",
        tokens=_tokens(_MC4),
        because="sizes are stated in tokens, not in GiB",
    ),
    "mmbert": CorpusFacts("FineWeb2 and others, 1,833 languages", because=_NO_TABLE),
    "rembert": CorpusFacts("Wikipedia and CommonCrawl", because=_NO_TABLE),
    "xlm-v": _CC100,
    **dict.fromkeys(_OTHERS, CorpusFacts("its pretraining text", because=_NO_TABLE)),
}
"""Series of backbones -> the text they were pretrained on."""


def _corpus(series: str) -> CorpusFacts:
    if series not in PRETRAINING:
        raise ValueError(f"series '{series}'; expected one of: {', '.join(PRETRAINING)}")
    return PRETRAINING[series]


def pretraining_gib(code: str, series: str = "xlm-r") -> float | None:
    """GiB of a language in the pretraining text of a series of backbones.

    Returns:
        0.0 for a language that is not in it; None where the size is not known in GiB.

    Raises:
        ValueError: there is no such series or language.
    """
    corpus = _corpus(series)
    if code not in known_languages():
        raise ValueError(f"language '{code}' is not in the catalogue")
    return known_languages()[code].cc100_gib if corpus.in_gib else None


def is_pretrained(code: str, series: str = "xlm-r") -> bool | None:
    """Whether a language is in the pretraining text of a series of backbones; None where that is not known.

    Raises:
        ValueError: there is no such series or language.
    """
    size = pretraining_gib(code, series)
    tokens = _corpus(series).tokens
    if size is None and tokens is not None:
        size = tokens.get(code, 0.0)
    return None if size is None else size > 0


def undefined(definition: str, series: str) -> str:
    """Why a definition cannot be used for a series of backbones; empty if it can.

    Raises:
        ValueError: there is no such definition or series.
    """
    if definition not in LOW_RESOURCE:
        raise ValueError(f"definition '{definition}'; expected {', '.join(LOW_RESOURCE)}")
    corpus = _corpus(series)
    if definition == "joshi" or corpus.in_gib or (definition == "unseen" and corpus.tokens is not None):
        return ""
    return f"series '{series}' ({corpus.name}): {corpus.because}, so '{definition}' cannot be decided"


def low_resource(definition: str, *, gib: float = LITTLE_GIB, series: str = "xlm-r") -> tuple[str, ...]:
    """Codes of real languages that are low-resource by one definition; a claim should hold under several.

    Args:
        definition: one of `LOW_RESOURCE`: ``joshi`` (class 0 to 2 of Joshi et al. 2020), ``gib`` (less than ``gib`` GiB
            of pretraining text) or ``unseen`` (none).
        gib: limit of ``gib``.
        series: of the backbones whose pretraining text is meant; ``joshi`` does not depend on it.

    Raises:
        ValueError: there is no such definition or series, or its figures are not known for the series.

    Languages whose class is not known are left out of ``joshi``, not guessed.
    """
    if reason := undefined(definition, series):
        raise ValueError(reason)
    table = known_languages()
    if definition == "joshi":
        return tuple(
            code for code, language in table.items() if language.joshi_class is not None and language.joshi_class <= 2
        )
    if definition == "unseen":
        return tuple(code for code in table if not is_pretrained(code, series))
    return tuple(code for code in table if (pretraining_gib(code, series) or 0.0) < gib)


def low_by(code: str, series: str = "xlm-r") -> tuple[str, ...]:
    """The definitions by which a language is low-resource, with their usual limits; those that can be decided."""
    usable = [definition for definition in LOW_RESOURCE if not undefined(definition, series)]
    return tuple(definition for definition in usable if code in low_resource(definition, series=series))
