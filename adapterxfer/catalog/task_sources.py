"""Where every task of the study comes from: repository, configuration, splits, columns, labels, citation, clusters.

Facts as data, read by the reader of the Hub, `data check` and contract tests. Repositories with loading scripts
load no more; those named here hold plain files, or a converted branch that is addressed by folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapterxfer.catalog import choice_sources, question_sources, retrieval_sources, sentence_sources, tag_sources
from adapterxfer.catalog.source_records import TaskSource

REFUSED: Mapping[str, Mapping[str, str]] = {
    "pawsx": {"google/xtreme": "rows lost to CSV quoting; labels are texts"},
    "udpos": {"google/xtreme": "Greek, French, Russian, Chinese and German hold older or other languages too"},
    "mlqa": {"facebook/mlqa": "has a loading script"},
    "tydiqa": {
        "juletxara/tydiqa_xtreme": "has a loading script; its Korean is not GoldP",
        "khalidalt/tydiqa-goldp": "has a loading script",
    },
    "bucc2018": {
        "google/xtreme": "gold pairs without the sentences to search",
        "mteb/bucc-bitext-mining": "gold pairs without the sentences to search",
    },
    "tatoeba": {"Helsinki-NLP/tatoeba": "other data"},
    "lareqa": {"google-research-datasets/xquad_r": "no sentence breaks, contexts stripped"},
    "race": {"EleutherAI/race": "the test of one school level only"},
    "sib200": {"mteb/sib200.v2": "other data", "Davlan/sib200_14classes": "14 topics"},
}
"""Task -> repositories of the same name that must not be used, and why."""

SOURCES: Mapping[str, TaskSource] = {
    **sentence_sources.SOURCES,
    **question_sources.SOURCES,
    **choice_sources.SOURCES,
    **tag_sources.SOURCES,
    **retrieval_sources.SOURCES,
}
"""Task or part of one -> where it comes from."""
