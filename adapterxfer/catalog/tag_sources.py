"""Sources of tagged sentences: parts of speech, names, supertags."""

from __future__ import annotations

from collections.abc import Mapping

from adapterxfer.catalog.source_records import CONVERTED, NONCOMMERCIAL, USUAL, Alternate, TaskSource

_NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
_UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
)  # fmt: skip

SOURCES: Mapping[str, TaskSource] = {
    "ccg": TaskSource(
        "",
        "",
        "",
        {},
        {},
        (),
        "sentence",
        "token accuracy",
        "Hockenmaier and Steedman 2007, CCGbank",
        restricted="LDC2005T13: users must own it",
        origin="the Linguistic Data Consortium, LDC2005T13; one sentence per line: words, a tab, supertags",
        sizes={"train": 38015, "dev": 5484},
    ),
    "udpos": TaskSource(
        "izhx/xtreme-r-udpos",
        "",
        "{lang}",
        USUAL,
        {"words": "tokens", "tags": "pos_tags"},
        _UPOS,
        "sentence",
        "udpos/seqeval-0.0.12 and token accuracy",
        "Zeman et al. 2019 and 2020, Universal Dependencies 2.5 and 2.7",
        restricted="parts non-commercial",
    ),
    "panx": TaskSource(
        "unimelb-nlp/wikiann",
        "",
        "{lang}",
        USUAL,
        {"words": "tokens", "tags": "ner_tags"},
        _NER,
        "sentence",
        "panx/seqeval-0.0.12 (lenient spans)",
        "Pan et al. 2017, WikiANN; splits of Rahimi et al. 2019",
        alternates=(Alternate("google/xtreme", config="PAN-X.{lang}"),),
    ),
    "masakhaner2": TaskSource(
        "masakhane/masakhaner2",
        CONVERTED,
        "",
        USUAL,
        {"id": "id", "words": "tokens", "tags": "ner_tags"},
        (*_NER, "B-DATE", "I-DATE"),
        "sentence",
        "spans/lenient-bio, dates read as O",
        "Adelani et al. 2022, MasakhaNER 2.0",
        folder="{lang}",
        restricted=NONCOMMERCIAL,
    ),
    "masakhapos": TaskSource(
        "",
        "",
        "",
        {},
        {},
        _UPOS,
        "sentence",
        "token accuracy",
        "Dione et al. 2023, MasakhaPOS",
        restricted=NONCOMMERCIAL,
        origin="https://github.com/masakhane-io/masakhane-pos, folder data",
    ),
}
"""Data set -> where it comes from."""
