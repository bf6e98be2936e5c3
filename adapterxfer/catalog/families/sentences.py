"""Other labels of a sentence or a pair of sentences: paraphrase, yes or no, topic."""

from __future__ import annotations

from adapterxfer.catalog.data_sets import TRAIN, USUAL, Alternate, ClusterRule, DataSet, HubSource
from adapterxfer.catalog.flores import FLORES, SIB200_CODES
from adapterxfer.catalog.task_specs import InBenchmark, TargetDev, TaskParts, TaskSpec, codes

QQP = DataSet(
    name="qqp",
    files={"train": (("QQP/train.tsv",),), "dev": (("QQP/dev.tsv",),)},
    reader="adapterxfer.data.classification:read_qqp",
    labels=("not_duplicate", "duplicate"),
    clusters=ClusterRule(unit="first question"),
    hub=HubSource(
        repository="nyu-mll/glue",
        config="qqp",
        splits=TRAIN,
        columns={"id": "idx", "text": "question1", "text_pair": "question2", "label": "label"},
    ),
    citation="Iyer et al. 2017, Quora Question Pairs; Wang et al. 2019, GLUE",
    metric="accuracy and F1 of duplicates",
    restricted="Quora terms",
    sizes={"train": 363846, "dev": 40430},
)

BOOLQ = DataSet(
    name="boolq",
    files={"train": (("[Bb]ool[Qq]/train.jsonl",),), "dev": (("[Bb]ool[Qq]/dev.jsonl", "[Bb]ool[Qq]/val.jsonl"),)},
    reader="adapterxfer.data.classification:read_boolq",
    labels=("False", "True"),
    clusters=ClusterRule(unit="passage"),
    hub=HubSource(
        repository="google/boolq",
        config="default",
        splits=TRAIN,
        columns={"text": "passage", "text_pair": "question", "label": "answer"},
        alternates=(
            Alternate(
                repository="aps/super_glue",
                config="boolq",
                columns={"text": "passage", "text_pair": "question", "label": "label"},
            ),
        ),
    ),
    citation="Clark et al. 2019, BoolQ",
    metric="accuracy",
    sizes={"train": 9427, "dev": 3270},
)

PAWSX = DataSet(
    name="pawsx",
    files={
        "train": (("{lang}/train.tsv", "pawsx/train-{lang}.tsv"),),
        "dev": (("{lang}/dev_2k.tsv", "pawsx/dev-{lang}.tsv"),),
        "test": (("{lang}/test_2k.tsv", "pawsx/test-{lang}.tsv"),),
    },
    reader="adapterxfer.data.classification:read_pawsx",
    labels=("0", "1"),
    clusters=ClusterRule(unit="pair", parallel=True),
    hub=HubSource(
        repository="google-research-datasets/paws-x",
        config="{lang}",
        splits=USUAL,
        columns={"id": "id", "text": "sentence1", "text_pair": "sentence2", "label": "label"},
    ),
    citation="Yang et al. 2019, PAWS-X",
    metric="accuracy",
    sizes={"train": 49401, "dev": 2000, "test": 2000},
    refused={"google/xtreme": "rows lost to CSV quoting; labels are texts"},
)

SIB200 = DataSet(
    name="sib200",
    files={
        "train": (("annotated/{code}/train.tsv",),),
        "dev": (("annotated/{code}/dev.tsv",),),
        "test": (("annotated/{code}/test.tsv",),),
    },
    reader="adapterxfer.data.classification:read_sib200",
    codes=SIB200_CODES,
    labels=("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography"),
    clusters=ClusterRule(unit="sentence", parallel=True),
    hub=HubSource(
        repository="Davlan/sib200",
        revision="38977a667f6fc264d5c26ec57a01e16db040b358",
        config="{code}",
        splits=USUAL,
        columns={"id": "index_id", "text": "text", "label": "category"},
        alternates=(
            Alternate(repository="mteb/sib200", revision="a74d7350ea12af010cfb1c21e34f1f81fd2e615b", config="{code}"),
        ),
    ),
    citation="Adelani et al. 2024, SIB-200",
    metric="accuracy",
    sizes={"train": 701, "dev": 99, "test": 204},
    refused={"mteb/sib200.v2": "other data", "Davlan/sib200_14classes": "14 topics"},
)


TASKS = (
    TaskSpec(
        role="intermediate",
        kin="paraphrase",
        metric="accuracy",
        parts=TaskParts(
            name="qqp",
            format="sequence_classification",
            labels=QQP.labels,
            train=(QQP.part("train"),),
            dev=(QQP.part("dev"),),
        ),
        licence="Quora terms",
        train_examples=363846,
    ),
    TaskSpec(
        role="intermediate",
        kin="boolean",
        metric="accuracy",
        parts=TaskParts(
            name="boolq",
            format="sequence_classification",
            labels=BOOLQ.labels,
            train=(BOOLQ.part("train"),),
            dev=(BOOLQ.part("dev"),),
        ),
        licence="cc-by-sa-3.0",
    ),
    TaskSpec(
        role="target",
        kin="paraphrase",
        metric="accuracy",
        parts=TaskParts(
            name="pawsx",
            format="sequence_classification",
            labels=PAWSX.labels,
            train=(PAWSX.part("train"),),
            dev=(PAWSX.part("dev"),),
            test=PAWSX,
        ),
        licence="freely usable",
        languages=codes("de en es fr ja ko zh"),
        target_dev=TargetDev(),
        benchmark=InBenchmark(
            column=1,
            suffix="tsv",
            reader="labels",
            metric="accuracy",
            protocol="accuracy",
            parallel=True,
            cluster="line",
            xtreme=codes("de en es fr ja ko zh"),
            values=("0", "1"),
            xtreme_groups=("classification",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="topic",
        metric="accuracy",
        known_as=("sib-200", "sib"),
        parts=TaskParts(
            name="sib200",
            format="sequence_classification",
            labels=SIB200.labels,
            train=(SIB200.part("train"),),
            dev=(SIB200.part("dev"),),
            test=SIB200,
        ),
        licence="cc-by-sa-4.0",
        languages=tuple(FLORES),
        more=tuple(code for code in SIB200_CODES if code not in FLORES),
        target_dev=TargetDev(),
    ),
)
