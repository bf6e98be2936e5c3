"""How much text of a language the backbones saw in pretraining, and the four definitions of low-resource.

Sizes belong to a corpus, not to a language: every series of backbones names its corpus, and a definition that needs
figures is refused for a series whose corpus has none here.

Sources: CC-100 from table 6 of Conneau et al. 2020 (see `adapterxfer.catalog.languages`); XLM-R XL and XXL were
pretrained on it too (Goyal et al. 2021), and mDeBERTa by its model card ("2.5T CC100 data as XLM-R"). mC4 from the
table of Xue et al. 2021, and mmBERT's text from the table its authors publish, both in tokens (``corpus_tokens.csv``
says which columns). XLM-V was pretrained on CC-100 by its model card ("same as XLM-R"). For the corpora of all others
no table by language was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from adapterxfer.catalog.languages import known_languages, table_rows

LOW_RESOURCE = ("joshi", "gib", "unseen", "tokens")
"""Definitions of low-resource: class 0 to 2 of Joshi et al. 2020; little text in pretraining, in GiB; none at all; few
tokens in pretraining."""

LITTLE_GIB = 5.0
"""Text in pretraining below which a language counts as low-resource by ``gib``, unless another limit is given."""

FEW_TOKENS = 1e9
"""Tokens in pretraining below which a language counts as low-resource by ``tokens``, unless another limit is given."""


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """Pretraining text of a series of backbones.

    Attributes:
        name: what it is called.
        in_gib: whether the size of every language is known in GiB (`Language.cc100_gib`).
        column: of ``corpus_tokens.csv``, where sizes are known in tokens; empty where no table is known.
        unit: tokens that 1 in this column means.
        source: where its figures are from.
        because: why sizes in GiB are not known.
    """

    name: str
    in_gib: bool = False
    column: str = ""
    unit: float = 1.0
    source: str = ""
    because: str = ""


_CC100 = CorpusFacts("CC-100", in_gib=True, source="table 6 of Conneau et al. 2020")
_NO_TABLE = "no table of sizes by language was read for this corpus"
_IN_TOKENS = "sizes are stated in tokens, not in GiB"

_OTHERS = ("mbert", "labse", "minilm", "me5", "eurobert", "gte", "glot500", "afroxlmr")
"""Series whose pretraining text has no table here."""

PRETRAINING: Mapping[str, CorpusFacts] = {
    "xlm-r": _CC100,
    "mdeberta": _CC100,
    "mt5": CorpusFacts(
        "mC4",
        column="mc4_billions",
        unit=1e9,
        source="the table by language of Xue et al. 2021",
        because=_IN_TOKENS,
    ),
    "mmbert": CorpusFacts(
        "FineWeb2 and others, 1,833 languages",
        column="mmbert",
        source="statistics/language_counts.csv of Marone et al. 2025, tokens of all phases, the last in all languages",
        because=_IN_TOKENS,
    ),
    "rembert": CorpusFacts("Wikipedia and CommonCrawl", because=_NO_TABLE),
    "xlm-v": _CC100,
    **dict.fromkeys(_OTHERS, CorpusFacts("its pretraining text", because=_NO_TABLE)),
}
"""Series of backbones -> the text they were pretrained on."""


@cache
def _tokens(column: str) -> Mapping[str, float | None]:
    """Cells of ``corpus_tokens.csv`` by language; None where the table does not tell a variety from others."""
    return {row["code"]: float(row[column]) if row[column] else None for row in table_rows("corpus_tokens.csv")}


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


def pretraining_tokens(code: str, series: str) -> float | None:
    """Tokens of a language in the pretraining text of a series of backbones.

    Returns:
        0.0 for a language that is not in it; None where the number is not known.

    Raises:
        ValueError: there is no such series or language.
    """
    corpus = _corpus(series)
    if code not in known_languages():
        raise ValueError(f"language '{code}' is not in the catalogue")
    count = _tokens(corpus.column).get(code) if corpus.column else None
    return None if count is None else count * corpus.unit


def is_pretrained(code: str, series: str = "xlm-r") -> bool | None:
    """Whether a language is in the pretraining text of a series of backbones; None where that is not known.

    Raises:
        ValueError: there is no such series or language.
    """
    size = pretraining_gib(code, series)
    if size is None:
        size = pretraining_tokens(code, series)
    return None if size is None else size > 0


def undefined(definition: str, series: str) -> str:
    """Why a definition cannot be used for a series of backbones; empty if it can.

    Raises:
        ValueError: there is no such definition or series.
    """
    if definition not in LOW_RESOURCE:
        raise ValueError(f"definition '{definition}'; expected {', '.join(LOW_RESOURCE)}")
    corpus = _corpus(series)
    known = {"joshi": True, "gib": corpus.in_gib, "tokens": bool(corpus.column)}
    if known.get(definition, corpus.in_gib or bool(corpus.column)):
        return ""
    because = corpus.because or "sizes are stated in GiB, not in tokens"
    return f"series '{series}' ({corpus.name}): {because}, so '{definition}' cannot be decided"


def low_resource(
    definition: str, *, gib: float = LITTLE_GIB, tokens: float = FEW_TOKENS, series: str = "xlm-r"
) -> tuple[str, ...]:
    """Codes of real languages that are low-resource by one definition; a claim should hold under several.

    Args:
        definition: one of `LOW_RESOURCE`: ``joshi`` (class 0 to 2 of Joshi et al. 2020), ``gib`` (less than ``gib`` GiB
            of pretraining text), ``tokens`` (less than ``tokens`` tokens of it) or ``unseen`` (none).
        gib: limit of ``gib``.
        tokens: limit of ``tokens``.
        series: of the backbones whose pretraining text is meant; ``joshi`` does not depend on it.

    Raises:
        ValueError: there is no such definition or series, or its figures are not known for the series.

    Languages of which nothing is known by the definition are left out, not guessed.
    """
    sizes = _sizes(definition, series)
    limit = {"joshi": 3.0, "gib": gib, "tokens": tokens, "unseen": 1.0}[definition]
    return tuple(code for code, size in sizes.items() if size is not None and size < limit)


def undecided(definition: str, series: str = "xlm-r") -> tuple[str, ...]:
    """Codes of real languages of which nothing is known by a definition.

    Raises:
        ValueError: as `low_resource`.
    """
    return tuple(code for code, size in _sizes(definition, series).items() if size is None)


def _sizes(definition: str, series: str) -> dict[str, float | None]:
    """What a definition compares with its limit, by language; None where it is not known."""
    if reason := undefined(definition, series):
        raise ValueError(reason)
    sizes: dict[str, float | None] = {}
    for code, language in known_languages().items():
        match definition:
            case "joshi":
                size = None if language.joshi_class is None else float(language.joshi_class)
            case "gib":
                size = pretraining_gib(code, series)
            case "tokens":
                size = pretraining_tokens(code, series)
            case _:
                seen = is_pretrained(code, series)
                size = None if seen is None else float(seen)
        sizes[code] = size
    return sizes


def low_by(code: str, series: str = "xlm-r") -> tuple[str, ...]:
    """The definitions by which a language is low-resource, with their usual limits; those that can be decided."""
    return tuple(definition for definition, codes in _low(series).items() if code in codes)


@cache
def _low(series: str) -> dict[str, frozenset[str]]:
    usable = [definition for definition in LOW_RESOURCE if not undefined(definition, series)]
    return {definition: frozenset(low_resource(definition, series=series)) for definition in usable}
