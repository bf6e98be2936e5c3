"""Sources of retrieval: translations, entities and answers that a query has to find."""

from __future__ import annotations

from collections.abc import Mapping

from adapterxfer.catalog.source_records import Alternate, TaskSource

SOURCES: Mapping[str, TaskSource] = {
    "bucc2018": TaskSource(
        "mteb/BUCC",
        "414572247440f0ccacf7eb0bb70a31533a0e5443",
        "{lang}-en",
        {"test": ("test",), "test-pool": ("test",)},
        {"sources": "sentence1", "targets": "sentence2", "gold": "gold"},
        (),
        "source sentence",
        "bucc/ratio-margin-4/both-directions/threshold-from-dev: F1 of pairs",
        "Zweigenbaum et al. 2018, BUCC shared task",
        origin="https://comparable.limsi.fr/bucc2018/bucc2018-XX-en.{training,sample}-gold.tar.bz2 (address not tried)",
    ),
    "tatoeba": TaskSource(
        "mteb/tatoeba-bitext-mining",
        "69e8f12da6e31d59addadda9a9c8a2e601a0e282",
        "{iso3}-eng",
        {"test": ("test",)},
        {"text": "sentence1", "translation": "sentence2"},
        (),
        "sentence",
        "accuracy at 1; XTREME: zero-shot, XTREME-R: after SQuAD",
        "Artetxe and Schwenk 2019, LASER; tatoeba.org",
        alternates=(
            Alternate(
                "google/xtreme",
                config="tatoeba.{iso3}",
                splits={"test": ("validation",)},
                columns={"text": "source_sentence", "translation": "target_sentence"},
            ),
        ),
        sizes={"test": 1000},
    ),
    "mewslix": TaskSource(
        "izhx/mewsli-x",
        "315f267bc74ca5aa1541e825a7bc702bb08e5293",
        "",
        {},
        {},
        (),
        "mention",
        "mewslix/map@20",
        "Ruder et al. 2021, XTREME-R; Botha et al. 2020, Mewsli-9",
        lines={
            "train": "wikipedia_pairs/train.jsonl.tar.gz",
            "dev": "wikipedia_pairs/dev.jsonl.tar.gz",
            "test": "wikinews_mentions/{lang}/test.jsonl",
            "test-pool": "candidate_entities.jsonl.tar.gz",
        },
        origin="get-mewsli-x.sh of google-research/dense_representations_for_entity_retrieval/mel",
    ),
    "lareqa": TaskSource(
        "",
        "",
        "",
        {"test": ("validation",)},
        {},
        (),
        "question (the same in all languages)",
        "lareqa/map@20",
        "Roy et al. 2020, LAReQA",
        sizes={"test": 1190},
        origin="https://github.com/google-research-datasets/lareqa, folder xquad-r",
    ),
}
"""Data set -> where it comes from."""
