"""Questions answered by spans of a context."""

from __future__ import annotations

from adapterxfer.catalog.data_sets import TRAIN, Alternate, ClusterRule, DataSet, HubSource
from adapterxfer.catalog.task_specs import InBenchmark, TargetDev, TaskParts, TaskSpec, codes

_COLUMNS = {"id": "id", "context": "context", "question": "question", "answers": "answers"}
_METRIC = "qa/squad-v1.1/english-normaliser: mean of exact match and F1"

_NAMES = {
    "ar": "arabic", "bn": "bengali", "en": "english", "fi": "finnish", "id": "indonesian",
    "ko": "korean", "ru": "russian", "sw": "swahili", "te": "telugu",
}  # fmt: skip
"""Names of languages in TyDi QA's files, which also begin the ids of its questions."""

SQUAD_V1 = DataSet(
    name="squad-v1",
    files={"train": (("train-v1.1.json", "*train*-v1.1.json"),), "dev": (("dev-v1.1.json", "*dev*-v1.1.json"),)},
    reader="adapterxfer.data.questions:read_answerable",
    clusters=ClusterRule(unit="paragraph"),
    hub=HubSource(
        repository="rajpurkar/squad",
        config="plain_text",
        splits=TRAIN,
        columns=_COLUMNS,
        alternates=(Alternate(repository="google/xtreme", config="SQuAD"),),
    ),
    citation="Rajpurkar et al. 2016, SQuAD",
    metric=_METRIC,
    sizes={"train": 87599, "dev": 10570},
)

SQUAD_V2 = DataSet(
    name="squad-v2",
    files={"train": (("train-v2.0.json",),), "dev": (("dev-v2.0.json",),)},
    reader="adapterxfer.data.questions:read_squad_v2",
    clusters=ClusterRule(unit="paragraph"),
    unanswerable=True,
    hub=HubSource(repository="rajpurkar/squad_v2", config="squad_v2", splits=TRAIN, columns=_COLUMNS),
    citation="Rajpurkar et al. 2018, Know What You Don't Know",
    metric="qa/squad-v2.0: exact match and F1",
    sizes={"train": 130319, "dev": 11873},
)

XQUAD = DataSet(
    name="xquad",
    files={"test": (("xquad.{lang}.json",),)},
    reader="adapterxfer.data.questions:read_answerable",
    clusters=ClusterRule(unit="paragraph", parallel=True),
    hub=HubSource(
        repository="google/xquad",
        revision="51adfef1c1287aab1d2d91b5bead9bcfb9c68583",
        config="xquad.{lang}",
        splits={"test": ("validation",)},
        columns=_COLUMNS,
        alternates=(Alternate(repository="google/xtreme", config="XQuAD.{lang}"),),
    ),
    citation="Artetxe et al. 2020, XQuAD",
    metric=_METRIC,
    sizes={"test": 1190},
)

MLQA = DataSet(
    name="mlqa",
    files={
        "dev": (("dev-context-{lang}-question-{lang}.json",),),
        "test": (("test-context-{lang}-question-{lang}.json",),),
    },
    reader="adapterxfer.data.questions:read_answerable",
    clusters=ClusterRule(unit="paragraph; questions are shared by some languages", same_items="ids"),
    hub=HubSource(
        repository="google/xtreme",
        config="MLQA.{lang}.{lang}",
        splits={"dev": ("validation",), "test": ("test",)},
        columns=_COLUMNS,
    ),
    citation="Lewis et al. 2020, MLQA",
    metric="qa/mlqa-v1/normaliser-of-the-language: mean of exact match and F1",
    refused={"facebook/mlqa": "has a loading script"},
)

TYDIQA = DataSet(
    name="tydiqa",
    files={
        "train": (("tydiqa.goldp.{lang}.train.json", "tydiqa-goldp-v1.1-train.json"),),
        "test": (("tydiqa.goldp.{lang}.dev.json", "tydiqa-goldp-dev-{code}.json", "tydiqa-goldp-v1.1-dev.json"),),
    },
    reader="adapterxfer.data.questions:read_tydiqa",
    codes=_NAMES,
    clusters=ClusterRule(unit="paragraph"),
    hub=HubSource(
        repository="google-research-datasets/tydiqa",
        config="secondary_task",
        splits={"train": ("train",), "test": ("validation",)},
        columns=_COLUMNS,
        language_prefix=True,
        alternates=(Alternate(repository="google/xtreme", config="tydiqa"),),
    ),
    citation="Clark et al. 2020, TyDi QA",
    metric=_METRIC,
    refused={
        "juletxara/tydiqa_xtreme": "has a loading script; its Korean is not GoldP",
        "khalidalt/tydiqa-goldp": "has a loading script",
    },
)

_XQUAD_XTREME = codes("en es de el ru tr ar vi th zh hi")

_MLQA_XTREME = codes("en es de ar hi vi zh")

_TYDIQA_XTREME = codes("en ar bn fi id ko ru sw te")

TASKS = (
    TaskSpec(
        role="intermediate",
        kin="qa",
        metric="qa_f1",
        known_as=("squad", "squad1", "squad1.1"),
        parts=TaskParts(
            name="squad-v1", format="span_qa", train=(SQUAD_V1.part("train"),), dev=(SQUAD_V1.part("dev"),)
        ),
        licence="cc-by-sa-4.0",
        texts=("squad",),
        verified=False,
        train_examples=87599,
    ),
    TaskSpec(
        role="intermediate",
        kin="qa",
        metric="qa2_f1",
        known_as=("squad2", "squad2.0"),
        parts=TaskParts(
            name="squad-v2", format="span_qa", train=(SQUAD_V2.part("train"),), dev=(SQUAD_V2.part("dev"),)
        ),
        licence="cc-by-sa-4.0",
        texts=("squad",),
        train_examples=130319,
    ),
    TaskSpec(
        role="target",
        kin="qa",
        metric="qa_f1",
        parts=TaskParts(
            name="xquad", format="span_qa", train=(SQUAD_V1.part("train"),), dev=(SQUAD_V1.part("dev"),), test=XQUAD
        ),
        licence="cc-by-sa-4.0",
        languages=codes("ar de el en es hi ro ru th tr vi zh"),
        target_dev=TargetDev(why_not="XQuAD's questions are all tested"),
        texts=("squad",),
        benchmark=InBenchmark(
            column=8,
            suffix="json",
            reader="answers",
            metric="qa_f1",
            protocol="qa/squad-v1.1/english-normaliser",
            parallel=True,
            cluster="context",
            xtreme=_XQUAD_XTREME,
            revised=(*_XQUAD_XTREME, *codes("ro")),
            xtreme_groups=("qa",),
            revised_groups=("qa",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="qa",
        metric="mlqa_f1",
        parts=TaskParts(
            name="mlqa", format="span_qa", train=(SQUAD_V1.part("train"),), dev=(SQUAD_V1.part("dev"),), test=MLQA
        ),
        licence="cc-by-sa-3.0",
        languages=codes("ar de en es hi vi zh"),
        target_dev=TargetDev(),
        texts=("squad",),
        benchmark=InBenchmark(
            column=9,
            suffix="json",
            reader="answers",
            metric="mlqa_f1",
            protocol="qa/mlqa-v1/normaliser-of-the-language",
            parallel=True,
            cluster="context",
            xtreme=_MLQA_XTREME,
            revised=_MLQA_XTREME,
            by_id=True,
            xtreme_groups=("qa",),
            revised_groups=("qa",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="qa",
        metric="qa_f1",
        known_as=("tydi", "tydiqa-goldp", "tydi-qa"),
        parts=TaskParts(name="tydiqa", format="span_qa", train=(TYDIQA.part("train"),), test=TYDIQA),
        licence="apache-2.0",
        languages=codes("ar bn en fi id ko ru sw te"),
        target_dev=TargetDev(why_not="the development questions of TyDi QA are those that are tested"),
        benchmark=InBenchmark(
            column=10,
            suffix="json",
            reader="answers",
            metric="qa_f1",
            protocol="qa/squad-v1.1/english-normaliser",
            parallel=False,
            cluster="context",
            xtreme=_TYDIQA_XTREME,
            revised=_TYDIQA_XTREME,
            xtreme_groups=("qa",),
            revised_groups=("qa",),
        ),
    ),
)
