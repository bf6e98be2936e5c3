"""Topics of news in African languages."""

from __future__ import annotations

from adapterxfer.catalog.data_sets import (
    CONVERTED,
    NONCOMMERCIAL,
    USUAL,
    Alternate,
    ClusterRule,
    DataSet,
    HubSource,
    three,
)
from adapterxfer.catalog.iso3 import iso3
from adapterxfer.catalog.task_specs import TargetDev, TaskParts, TaskSpec, codes

_LANGUAGES = codes("amh en fr hau ibo lin lug gaz pcm run sna som sw tir xho yo")

# Rows of the release: train, dev, test. Its README counts 1,015, 145 and 292 rows of Oromo, its files have these.
_SIZES = """
amh 1311 188 376, en 3309 472 948, fr 1476 211 422, hau 2219 317 637, ibo 1356 194 390, lin 608 87 175, lug 771 110 223,
gaz 1128 162 325, pcm 1060 152 305, run 1117 159 322, sna 1288 185 369, som 1021 148 294, sw 1658 237 476,
tir 947 137 272, xho 1032 147 297, yo 1433 206 411
"""


def _sizes() -> dict[str, dict[str, int]]:
    rows = [row.split() for row in _SIZES.split(",")]
    return {split: {row[0]: int(row[at]) for row in rows} for at, split in enumerate(("train", "dev", "test"), start=1)}


MASAKHANEWS = DataSet(
    name="masakhanews",
    files=three("[Mm]asakha*[Nn][Ee][Ww][Ss]*/data/{{code}}/{kind}", ("train", "dev", "test"), (".tsv",)),
    reader="adapterxfer.data.short_texts:read_masakhanews",
    codes=iso3(_LANGUAGES),
    labels=("business", "entertainment", "health", "politics", "religion", "sports", "technology"),
    clusters=ClusterRule(unit="article"),
    hub=HubSource(
        repository="masakhane/masakhanews",
        config="{code}",
        splits=USUAL,
        columns={"text": "headline text", "label": "category"},
        alternates=(
            Alternate(
                repository="mteb/masakhanews", revision="18193f187b92da67168c655c9973a165ed9593dd", config="{code}"
            ),
            Alternate(
                repository="masakhane/masakhanews",
                revision=CONVERTED,
                folder="{code}",
                columns={"text": "headline text", "label": "label"},
            ),
        ),
    ),
    citation="Adelani et al. 2023, MasakhaNEWS",
    metric="F1 weighted by class, as in the paper",
    restricted=NONCOMMERCIAL,
    sizes_in=_sizes(),
)

TASKS = (
    TaskSpec(
        role="target",
        kin="topic",
        metric="weighted_f1",
        protocol="weighted-f1",
        parts=TaskParts(
            name="masakhanews",
            format="sequence_classification",
            labels=MASAKHANEWS.labels,
            train=(MASAKHANEWS.part("train"),),
            dev=(MASAKHANEWS.part("dev"),),
            test=MASAKHANEWS,
        ),
        licence="afl-3.0 on the Hub, cc-by-nc-4.0 by mteb",
        languages=_LANGUAGES,
        target_dev=TargetDev(),
        note="headline and text are one text; not every language has all seven topics",
    ),
)
