"""Sentiment: English tweets to train on, tweets in African languages, sentences in languages of Indonesia."""

from __future__ import annotations

from adapterxfer.catalog.data_sets import CONVERTED, USUAL, Alternate, ClusterRule, DataSet, HubSource, three
from adapterxfer.catalog.iso3 import iso3
from adapterxfer.catalog.task_specs import TargetDev, TaskParts, TaskSpec, codes

POLARITY = ("negative", "neutral", "positive")

_COLUMNS = {"text": "text", "label": "label"}
_NUSAX = codes("ace ban bbc bjn bug en id jv mad min nij sun")
_AFRISENTI = codes("amh arq ary hau ibo kin gaz pcm pt sw tir tso twi yo")

TWEETS = DataSet(
    name="tweet-sentiment",
    files=three("tweet_sentiment_multilingual/data/english/{kind}", ("train", "validation", "test"), (".jsonl",)),
    reader="adapterxfer.data.short_texts:read_tweets",
    labels=POLARITY,
    clusters=ClusterRule(unit="tweet"),
    hub=HubSource(
        repository="mteb/tweet_sentiment_multilingual",
        revision="d522bb117c32f5e0207344f69f7075fc9941168b",
        config="english",
        splits=USUAL,
        columns=_COLUMNS,
        raw_labels=dict(zip("012", POLARITY, strict=True)),
    ),
    citation="Barbieri et al. 2022, XLM-T; English tweets of SemEval-2017",
    metric="macro F1 in the paper",
    sizes={"train": 1839},
)

NUSAX = DataSet(
    name="nusax",
    files=three("datasets/sentiment/{{folder}}/{kind}", ("train", "valid", "test"), (".csv",)),
    reader="adapterxfer.data.short_texts:read_nusax",
    codes=iso3(_NUSAX),
    folders={
        "ace": "acehnese",
        "ban": "balinese",
        "bbc": "toba_batak",
        "bjn": "banjarese",
        "bug": "buginese",
        "en": "english",
        "id": "indonesian",
        "jv": "javanese",
        "mad": "madurese",
        "min": "minangkabau",
        "nij": "ngaju",
        "sun": "sundanese",
    },
    labels=POLARITY,
    clusters=ClusterRule(unit="sentence", parallel=True),
    hub=HubSource(
        repository="mteb/NusaX-senti",
        revision="7b2ff4facde8a6473f667a38edef1d03ce9ca0dc",
        config="{code}",
        splits=USUAL,
        columns=_COLUMNS,
        raw_labels=dict(zip("012", POLARITY, strict=True)),
        alternates=(Alternate(repository="indonlp/NusaX-senti", revision=CONVERTED, folder="{code}"),),
    ),
    citation="Winata et al. 2023, NusaX",
    metric="macro F1, as in the paper",
    sizes={"train": 500, "dev": 100, "test": 400},
)

AFRISENTI = DataSet(
    name="afrisenti",
    files=three("[Aa]fri[Ss]ent*/data/{{code}}/{kind}", ("train", "dev", "test"), (".tsv",)),
    reader="adapterxfer.data.short_texts:read_afrisenti",
    codes=iso3(_AFRISENTI),
    labels=POLARITY,
    clusters=ClusterRule(unit="tweet"),
    hub=HubSource(
        repository="mteb/AfriSentiClassification",
        revision="463850b9da81847227ff03f3f80a3310b93cba3c",
        config="{code}",
        splits=USUAL,
        columns={"text": "tweet", "label": "label"},
        raw_labels={"0": "positive", "1": "neutral", "2": "negative"},
        # The copy above lacks Oromo and Tigrinya, and is first because table readers join tweets that hold quotation
        # marks where they read the other one's files.
        alternates=(Alternate(repository="masakhane/afrisenti", config="{code}"),),
    ),
    citation="Muhammad et al. 2023, AfriSenti",
    metric="F1 weighted by class, as in the shared task (SemEval 2023, task 12)",
    sizes_in={
        "test": {
            "amh": 1999, "arq": 958, "ary": 2961, "gaz": 2096, "hau": 5303, "ibo": 3682, "kin": 1026, "pcm": 4154,
            "pt": 3662, "sw": 748, "tir": 2000, "tso": 254, "twi": 949, "yo": 4515,
        }
    },
)  # fmt: skip


TASKS = (
    TaskSpec(
        role="target",
        kin="sentiment",
        metric="macro_f1",
        protocol="macro-f1",
        known_as=("nusax-senti",),
        parts=TaskParts(
            name="nusax",
            format="sequence_classification",
            labels=POLARITY,
            train=(NUSAX.part("train"),),
            dev=(NUSAX.part("dev"),),
            test=NUSAX,
        ),
        licence="cc-by-sa-4.0",
        languages=_NUSAX,
        target_dev=TargetDev(),
    ),
    TaskSpec(
        role="target",
        kin="sentiment",
        metric="weighted_f1",
        protocol="weighted-f1",
        parts=TaskParts(
            name="afrisenti",
            format="sequence_classification",
            labels=POLARITY,
            train=(TWEETS.part("train"),),
            dev=(TWEETS.part("dev"),),
            test=AFRISENTI,
        ),
        licence="cc-by-4.0 by its repository, cc-by-nc-sa-2.0 on the Hub",
        languages=_AFRISENTI,
        target_dev=TargetDev(),
        note="it has no English: English tweets of XLM-T (Barbieri et al. 2022) train it; its Portuguese is Mozambican",
    ),
)
