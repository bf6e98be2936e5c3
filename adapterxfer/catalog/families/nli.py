"""Natural language inference: one text entails another, contradicts it, or neither."""

from __future__ import annotations

from adapterxfer.catalog.data_sets import NONCOMMERCIAL, USUAL, Alternate, ClusterRule, DataSet, HubSource
from adapterxfer.catalog.labels import NLI
from adapterxfer.catalog.task_specs import InBenchmark, TargetDev, TaskParts, TaskSpec, codes

_COLUMNS = {"text": "premise", "text_pair": "hypothesis", "label": "label"}

ANLI = DataSet(
    name="anli",
    files={
        "train": (
            ("R1/train.jsonl", "anli_r1_train.jsonl"),
            ("R2/train.jsonl", "anli_r2_train.jsonl"),
            ("R3/train.jsonl", "anli_r3_train.jsonl"),
        ),
        "dev": (
            ("R1/dev.jsonl", "anli_r1_dev.jsonl"),
            ("R2/dev.jsonl", "anli_r2_dev.jsonl"),
            ("R3/dev.jsonl", "anli_r3_dev.jsonl"),
        ),
        "test": (
            ("R1/test.jsonl", "anli_r1_test.jsonl"),
            ("R2/test.jsonl", "anli_r2_test.jsonl"),
            ("R3/test.jsonl", "anli_r3_test.jsonl"),
        ),
    },
    reader="adapterxfer.data.classification:read_anli",
    labels=NLI,
    clusters=ClusterRule(unit="premise"),
    hub=HubSource(
        repository="facebook/anli",
        config="plain_text",
        splits={
            "train": ("train_r1", "train_r2", "train_r3"),
            "dev": ("dev_r1", "dev_r2", "dev_r3"),
            "test": ("test_r1", "test_r2", "test_r3"),
        },
        columns={"id": "uid", **_COLUMNS},
    ),
    citation="Nie et al. 2020, Adversarial NLI",
    metric="accuracy",
    restricted=NONCOMMERCIAL,
    sizes={"train": 162865, "dev": 3200, "test": 3200},
)

MNLI = DataSet(
    name="mnli",
    files={
        "train": (("multinli_1.0_train.jsonl", "MNLI/train.tsv", "multinli.train.en.tsv"),),
        "dev": (("multinli_1.0_dev_matched.jsonl", "MNLI/dev_matched.tsv"),),
        "test": (("multinli_1.0_dev_mismatched.jsonl", "MNLI/dev_mismatched.tsv"),),
    },
    reader="adapterxfer.data.classification:read_nli",
    labels=NLI,
    clusters=ClusterRule(unit="premise"),
    hub=HubSource(
        repository="nyu-mll/glue",
        config="mnli",
        splits={"train": ("train",), "dev": ("validation_matched",), "test": ("validation_mismatched",)},
        columns={"id": "idx", **_COLUMNS},
        alternates=(Alternate(repository="nyu-mll/multi_nli", config="default", columns=_COLUMNS),),
    ),
    citation="Williams et al. 2018, MultiNLI; Wang et al. 2019, GLUE",
    metric="accuracy",
    sizes={"train": 392702, "dev": 9815, "test": 9832},
)

SNLI = DataSet(
    name="snli",
    files={
        "train": (("snli_1.0_train.jsonl",),),
        "dev": (("snli_1.0_dev.jsonl",),),
        "test": (("snli_1.0_test.jsonl",),),
    },
    reader="adapterxfer.data.classification:read_nli",
    labels=NLI,
    clusters=ClusterRule(unit="premise"),
    hub=HubSource(repository="stanfordnlp/snli", config="plain_text", splits=USUAL, columns=_COLUMNS),
    citation="Bowman et al. 2015, SNLI",
    metric="accuracy",
    sizes={"train": 549367, "dev": 9842, "test": 9824},
)

SCITAIL = DataSet(
    name="scitail",
    files={
        "train": (("scitail_1.0_train.tsv",),),
        "dev": (("scitail_1.0_dev.tsv",),),
        "test": (("scitail_1.0_test.tsv",),),
    },
    reader="adapterxfer.data.classification:read_scitail",
    labels=("entails", "neutral"),
    clusters=ClusterRule(unit="premise"),
    hub=HubSource(repository="allenai/scitail", config="tsv_format", splits=USUAL, columns=_COLUMNS),
    citation="Khot et al. 2018, SciTail",
    metric="accuracy",
    sizes={"train": 23097, "dev": 1304, "test": 2126},
)

XNLI = DataSet(
    name="xnli",
    files={"dev": (("xnli.dev.tsv", "xnli/dev-{lang}.tsv"),), "test": (("xnli.test.tsv", "xnli/test-{lang}.tsv"),)},
    reader="adapterxfer.data.classification:read_xnli",
    labels=NLI,
    clusters=ClusterRule(unit="premise (three hypotheses)", parallel=True, consecutive=3),
    hub=HubSource(
        repository="facebook/xnli",
        config="{lang}",
        splits={"dev": ("validation",), "test": ("test",)},
        columns=_COLUMNS,
        alternates=(
            Alternate(
                repository="google/xtreme",
                config="XNLI",
                columns={"text": "sentence1", "text_pair": "sentence2", "label": "gold_label"},
                language_column="language",
            ),
        ),
    ),
    citation="Conneau et al. 2018, XNLI",
    metric="accuracy",
    restricted=NONCOMMERCIAL,
    sizes={"dev": 2490, "test": 5010},
)

AMERICASNLI = DataSet(
    name="americasnli",
    files={
        "dev": (("dev/{lang}.tsv", "[Aa]mericas[Nn][Ll][Ii]/dev.tsv"),),
        "test": (("test/{lang}.tsv", "[Aa]mericas[Nn][Ll][Ii]/test.tsv"),),
    },
    reader="adapterxfer.data.classification:read_americasnli",
    labels=NLI,
    clusters=ClusterRule(unit="premise", same_items="rows"),
    hub=HubSource(
        repository="nala-cub/americas_nli",
        config="{lang}",
        splits={"dev": ("validation",), "test": ("test",)},
        columns=_COLUMNS,
    ),
    citation="Ebrahimi et al. 2022, AmericasNLI",
    metric="accuracy",
)

_XNLI_XTREME = codes("ar bg de el en es fr hi ru sw th tr ur vi zh")

TASKS = (
    TaskSpec(
        role="intermediate",
        kin="nli",
        metric="accuracy",
        parts=TaskParts(
            name="anli+",
            format="sequence_classification",
            labels=NLI,
            train=(ANLI.part("train"), MNLI.part("train"), SNLI.part("train")),
            dev=(ANLI.part("dev"), MNLI.part("dev"), SNLI.part("dev")),
        ),
        licence="cc-by-nc-4.0 (ANLI part)",
        citation="Phang et al. 2020: ANLI, MNLI and SNLI joined",
        texts=("anli", "multinli", "snli"),
        source="local",
        verified=False,
        train_examples=1104934,
    ),
    TaskSpec(
        role="intermediate",
        kin="nli",
        metric="accuracy",
        parts=TaskParts(
            name="anli",
            format="sequence_classification",
            labels=NLI,
            train=(ANLI.part("train"),),
            dev=(ANLI.part("dev"),),
        ),
        licence="cc-by-nc-4.0",
        texts=("anli",),
        train_examples=162865,
    ),
    TaskSpec(
        role="intermediate",
        kin="nli",
        metric="accuracy",
        known_as=("nli", "multinli"),
        parts=TaskParts(
            name="mnli",
            format="sequence_classification",
            labels=NLI,
            train=(MNLI.part("train"),),
            dev=(MNLI.part("dev"),),
        ),
        licence="mixed (OANC, cc-by, cc-by-sa)",
        texts=("multinli",),
        train_examples=392702,
    ),
    TaskSpec(
        role="intermediate",
        kin="nli",
        metric="accuracy",
        parts=TaskParts(
            name="snli",
            format="sequence_classification",
            labels=NLI,
            train=(SNLI.part("train"),),
            dev=(SNLI.part("dev"),),
        ),
        licence="cc-by-sa-4.0",
        texts=("snli",),
        verified=False,
        train_examples=549367,
    ),
    TaskSpec(
        role="intermediate",
        kin="nli",
        metric="accuracy",
        parts=TaskParts(
            name="scitail",
            format="sequence_classification",
            labels=SCITAIL.labels,
            train=(SCITAIL.part("train"),),
            dev=(SCITAIL.part("dev"),),
        ),
        licence="unstated",
    ),
    TaskSpec(
        role="target",
        kin="nli",
        metric="accuracy",
        known_as=("nli",),
        parts=TaskParts(
            name="xnli",
            format="sequence_classification",
            labels=NLI,
            train=(MNLI.part("train"),),
            dev=(XNLI.part("dev"),),
            test=XNLI,
        ),
        licence="cc-by-nc-4.0",
        languages=codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
        target_dev=TargetDev(),
        texts=("multinli",),
        benchmark=InBenchmark(
            column=2,
            suffix="tsv",
            reader="labels",
            metric="accuracy",
            protocol="accuracy",
            parallel=True,
            cluster="premise",
            xtreme=_XNLI_XTREME,
            revised=_XNLI_XTREME,
            values=NLI,
            xtreme_groups=("classification",),
            revised_groups=("classification",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="nli",
        metric="accuracy",
        parts=TaskParts(
            name="americasnli",
            format="sequence_classification",
            labels=NLI,
            train=(MNLI.part("train"),),
            dev=(MNLI.part("dev"),),
            test=AMERICASNLI,
        ),
        licence="cc-by-sa-4.0",
        languages=codes("aym bzd cni gn hch nah oto quy shp tar"),
        target_dev=TargetDev(),
        texts=("multinli",),
    ),
)
