"""Retrieval: translations, entities and answers that a query has to find."""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.catalog.data_sets import Alternate, ClusterRule, DataSet, HubSource
from adapterxfer.catalog.families.qa import SQUAD_V1
from adapterxfer.catalog.protocols import CROSS_FITTED
from adapterxfer.catalog.task_specs import InBenchmark, TargetDev, TaskParts, TaskProtocol, TaskSpec, codes

_ISO3 = {
    "af": "afr", "ar": "ara", "az": "aze", "bg": "bul", "bn": "ben", "de": "deu", "el": "ell", "es": "spa", "et": "est",
    "eu": "eus", "fa": "pes", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hu": "hun", "id": "ind", "it": "ita",
    "ja": "jpn", "jv": "jav", "ka": "kat", "kk": "kaz", "ko": "kor", "lt": "lit", "ml": "mal", "mr": "mar", "nl": "nld",
    "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sw": "swh", "ta": "tam", "te": "tel", "th": "tha", "tl": "tgl",
    "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie", "zh": "cmn",
}  # fmt: skip
"""Codes in the names of Tatoeba's files."""

# The repository of SQuAD serves it too: rows with answers become a question and the sentence of its answer.
SQUAD_RETRIEVAL = replace(
    SQUAD_V1,
    name="squad-retrieval",
    reader="adapterxfer.data.pools:read_question_sentences",
    citation="Rajpurkar et al. 2016, SQuAD; as retrieval: Ruder et al. 2021, XTREME-R",
    metric="accuracy at 1 among the answers of the development set",
)

BUCC2018 = DataSet(
    name="bucc2018",
    files={
        "test": (("{lang}-en.training.{lang}",), ("{lang}-en.training.gold",)),
        "test-pool": (("{lang}-en.training.en",),),
        "sample": (("{lang}-en.sample.{lang}",), ("{lang}-en.sample.gold",)),
        "sample-pool": (("{lang}-en.sample.en",),),
    },
    reader="adapterxfer.data.pools:read_bucc_queries",
    pool_reader="adapterxfer.data.pools:read_bucc_pool",
    clusters=ClusterRule(unit="source sentence"),
    hub=HubSource(
        repository="mteb/BUCC",
        revision="414572247440f0ccacf7eb0bb70a31533a0e5443",
        config="{lang}-en",
        splits={"test": ("test",), "test-pool": ("test",)},
        columns={"sources": "sentence1", "targets": "sentence2", "gold": "gold"},
        rows_reader="adapterxfer.data.hub_pools:bucc_examples",
    ),
    origin="https://comparable.limsi.fr/bucc2018/bucc2018-XX-en.{training,sample}-gold.tar.bz2 (address not tried)",
    citation="Zweigenbaum et al. 2018, BUCC shared task",
    metric="bucc/ratio-margin-4/both-directions/threshold-from-dev: F1 of pairs",
    refused={
        "google/xtreme": "gold pairs without the sentences to search",
        "mteb/bucc-bitext-mining": "gold pairs without the sentences to search",
    },
)

TATOEBA = DataSet(
    name="tatoeba",
    files={"test": (("tatoeba.{code}-eng.{code}",), ("tatoeba.{code}-eng.eng",))},
    reader="adapterxfer.data.bitext:read_tatoeba",
    codes=_ISO3,
    clusters=ClusterRule(unit="sentence"),
    hub=HubSource(
        repository="mteb/tatoeba-bitext-mining",
        revision="69e8f12da6e31d59addadda9a9c8a2e601a0e282",
        config="{code}-eng",
        splits={"test": ("test",)},
        columns={"text": "sentence1", "translation": "sentence2"},
        alternates=(
            Alternate(
                repository="google/xtreme",
                config="tatoeba.{code}",
                splits={"test": ("validation",)},
                columns={"text": "source_sentence", "translation": "target_sentence"},
            ),
        ),
    ),
    citation="Artetxe and Schwenk 2019, LASER; tatoeba.org",
    metric="accuracy at 1; XTREME: zero-shot, XTREME-R: after SQuAD",
    sizes={"test": 1000},
    sizes_in={"test": {"jv": 205, "te": 234, "ta": 307, "sw": 390, "th": 548, "kk": 575, "ml": 687, "ka": 746}},
    refused={"Helsinki-NLP/tatoeba": "other data"},
)

MEWSLIX = DataSet(
    name="mewslix",
    files={
        "train": (("wikipedia_pairs-train.jsonl",),),
        "dev": (("wikipedia_pairs-dev.jsonl",),),
        "test": (("wikinews_mentions-test.jsonl", "wikinews_mentions/test-{lang}.jsonl"),),
        "test-pool": (("candidate_set_entities.jsonl",),),
    },
    reader="adapterxfer.data.mewsli:read_mewsli_mentions",
    pool_reader="adapterxfer.data.mewsli:read_mewsli_pool",
    pair_reader="adapterxfer.data.mewsli:read_mewsli_pairs",
    clusters=ClusterRule(unit="mention"),
    hub=HubSource(
        repository="izhx/mewsli-x",
        revision="315f267bc74ca5aa1541e825a7bc702bb08e5293",
        lines={
            "train": "wikipedia_pairs/train.jsonl.tar.gz",
            "dev": "wikipedia_pairs/dev.jsonl.tar.gz",
            "test": "wikinews_mentions/{lang}/test.jsonl",
            "test-pool": "candidate_entities.jsonl.tar.gz",
        },
        lines_reader="adapterxfer.data.hub_pools:read_lines",
    ),
    origin="get-mewsli-x.sh of google-research/dense_representations_for_entity_retrieval/mel",
    citation="Ruder et al. 2021, XTREME-R; Botha et al. 2020, Mewsli-9",
    metric="mewslix/map@20",
)

LAREQA = DataSet(
    name="lareqa",
    files={"test": (("*xquad?r/{lang}.json",),), "test-pool": (("*xquad?r/{lang}.json",),)},
    reader="adapterxfer.data.pools:read_lareqa_queries",
    pool_reader="adapterxfer.data.pools:read_lareqa_pool",
    clusters=ClusterRule(unit="question", parallel=True),
    origin="https://github.com/google-research-datasets/lareqa, folder xquad-r",
    citation="Roy et al. 2020, LAReQA",
    metric="lareqa/map@20",
    sizes={"test": 1190},
    refused={"google-research-datasets/xquad_r": "no sentence breaks, contexts stripped"},
)

_TATOEBA_XTREME = codes(
    "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
)

TASKS = (
    TaskSpec(
        role="intermediate",
        kin="retrieval",
        metric="retrieval_accuracy",
        parts=TaskParts(
            name="squad-retrieval",
            format="retrieval",
            train=(SQUAD_RETRIEVAL.part("train"),),
            dev=(SQUAD_RETRIEVAL.part("dev"),),
        ),
        licence="cc-by-sa-4.0",
        protocol="squad-retrieval/dual-encoder/top-layer/tokens-96-256",
        texts=("squad",),
        verified=False,
        train_examples=87599,
    ),
    TaskSpec(
        role="target",
        kin="retrieval",
        metric="mining_f1",
        parts=TaskParts(
            name="bucc2018",
            format="retrieval",
            test=BUCC2018,
            pools=("test-pool", "sample", "sample-pool"),
            spare_pools={CROSS_FITTED: ("sample", "sample-pool")},
            spare_hint="'tasks: {bucc2018: {protocol: cross-fitted}}' needs no sample, so the Hub serves it",
        ),
        licence="unstated",
        languages=codes("de fr ru zh"),
        protocol="bucc/margin-4/both-directions/threshold-from-sample/mean-pool-special/middle-layer/uncentred",
        target_dev=TargetDev(why_not="nothing is trained on it, so nothing is selected"),
        trained=False,
        protocols={
            "cross-fitted": TaskProtocol(
                text=f"bucc/margin-4/both-directions/{CROSS_FITTED}/mean-pool-special/middle-layer/uncentred",
                metric="mining_f1",
                note="ours, for the copy on the Hub, which lacks the sample: pairs are mined as XTREME does, and the "
                "threshold for each half of the source sentences is the best one of the other half",
            )
        },
        benchmark=InBenchmark(
            column=6,
            suffix="tsv",
            reader="pairs",
            metric="mining_f1",
            protocol="bucc/f1-of-pairs",
            parallel=False,
            cluster="query",
            xtreme=codes("de fr ru zh"),
            xtreme_groups=("retrieval",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="retrieval",
        metric="retrieval_accuracy",
        parts=TaskParts(name="tatoeba", format="retrieval", test=TATOEBA),
        licence="cc-by-2.0",
        languages=codes(
            "af ar az bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko lt ml mr nl pl pt "
            "ro ru sw ta te th tl tr uk ur vi zh"
        ),
        target_dev=TargetDev(why_not="nothing is trained on it, so nothing is selected"),
        trained=False,
        protocols={
            "xtreme": TaskProtocol(
                text="tatoeba/from-english/mean-pool-special/middle-layer/uncentred",
                metric="retrieval_accuracy",
                note="XTREME's: English sentences search the foreign ones, special tokens count in the mean; its layer "
                "is named with `layer` (14 of 24 for XLM-R large)",
            ),
            "xtreme-r": TaskProtocol(
                text="tatoeba/from-english/trained-pooling-else-mean-pool-special/top-layer/uncentred",
                metric="retrieval_accuracy",
                note="XTREME-R's: after an intermediate task on SQuAD; the pooling of `squad-retrieval` is used where "
                "the model was trained on it, else the mean over the top layer",
            ),
        },
        benchmark=InBenchmark(
            column=7,
            suffix="tsv",
            reader="labels",
            metric="accuracy",
            protocol="tatoeba/accuracy-at-1",
            parallel=False,
            cluster="line",
            xtreme=_TATOEBA_XTREME,
            revised=(*_TATOEBA_XTREME, *codes("az lt pl uk ro")),
            indices="from-english",
            xtreme_groups=("retrieval",),
            revised_groups=("retrieval",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="retrieval",
        metric="map_at_20",
        parts=TaskParts(
            name="mewslix",
            format="retrieval",
            train=(MEWSLIX.part("train"),),
            dev=(MEWSLIX.part("dev"),),
            test=MEWSLIX,
            pools=("test-pool",),
            pool_of_all=True,
        ),
        licence="apache-2.0",
        languages=codes("ar de en es fa ja pl ro ta tr uk"),
        protocol="mewslix/map-at-20/pool-of-all-entities/dual-encoder/top-layer/tokens-64-64",
        target_dev=TargetDev(why_not="its development mentions have to be found among all entities, not among pairs"),
        verified=False,
        benchmark=InBenchmark(
            column=11,
            suffix="json",
            reader="ranked",
            metric="map_at_20",
            protocol="mewslix/map@20",
            parallel=False,
            cluster="query",
            revised=codes("ar de en es fa ja pl ro ta tr uk"),
            revised_groups=("retrieval",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="retrieval",
        metric="map_at_20",
        parts=TaskParts(
            name="lareqa",
            format="retrieval",
            train=(SQUAD_RETRIEVAL.part("train"),),
            dev=(SQUAD_RETRIEVAL.part("dev"),),
            test=LAREQA,
            pools=("test-pool",),
            joint=True,
        ),
        licence="cc-by-sa-4.0",
        languages=codes("ar de el en es hi ru th tr vi zh"),
        protocol="lareqa/map-at-20/pool-of-all-languages/dual-encoder/top-layer/tokens-96-256",
        target_dev=TargetDev(why_not="XQuAD's questions are all tested, as retrieval too"),
        texts=("squad",),
        source="local",
        benchmark=InBenchmark(
            column=12,
            suffix="json",
            reader="ranked",
            metric="map_at_20",
            protocol="lareqa/map@20",
            parallel=True,
            cluster="query",
            revised=codes("ar de el en es hi ru th tr vi zh"),
        ),
    ),
)
