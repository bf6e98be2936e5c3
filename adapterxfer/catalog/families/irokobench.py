"""Inference and knowledge questions in human translations: IrokoBench, whose mathematics has to be generated and is not
here, and Global-MMLU-Lite.
"""

from __future__ import annotations

from adapterxfer.catalog.data_sets import Alternate, ClusterRule, DataSet, HubSource
from adapterxfer.catalog.families.choices import RACE
from adapterxfer.catalog.families.nli import MNLI
from adapterxfer.catalog.iso3 import iso3
from adapterxfer.catalog.labels import NLI
from adapterxfer.catalog.task_specs import TargetDev, TaskParts, TaskSpec, codes

_LANGUAGES = codes("en fr amh ewe hau ibo kin lin lug gaz sna sot sw twi wo xho yo zul")
_SPLITS = {"dev": ("validation",), "test": ("test",)}

AFRIXNLI = DataSet(
    name="afrixnli",
    files={
        "dev": (("afrixnli/data/{code}/dev.tsv", "afrixnli/data/{code}/val.tsv"),),
        "test": (("afrixnli/data/{code}/test.tsv",),),
    },
    reader="adapterxfer.data.short_texts:read_afrixnli",
    codes=iso3(_LANGUAGES),
    labels=NLI,
    clusters=ClusterRule(unit="item", parallel=True),
    hub=HubSource(
        repository="masakhane/afrixnli",
        revision="e3ca06b30f3e7af2a86f6c8609ea76fee326bc56",
        config="{code}",
        splits=_SPLITS,
        columns={"text": "premise", "text_pair": "hypothesis", "label": "label"},
        raw_labels=dict(zip("012", NLI, strict=True)),
        alternates=(
            Alternate(repository="mteb/AfriXNLI", revision="92cff70b5f9bd7991176a47ba4203344fa710cfd", config="{code}"),
        ),
    ),
    citation="Adelani et al. 2024, IrokoBench",
    metric="accuracy",
    sizes={"test": 600},
)

AFRIMMLU = DataSet(
    name="afrimmlu",
    files={
        "dev": (("afrimmlu/data/{code}/val.tsv",),),
        "test": (("afrimmlu/data/{code}/test.tsv",),),
    },
    reader="adapterxfer.data.knowledge:read_afrimmlu",
    codes=iso3(_LANGUAGES),
    clusters=ClusterRule(unit="question", parallel=True),
    hub=HubSource(
        repository="masakhane/afrimmlu",
        revision="96f247619673906ae4c321a3232afc67b98ea57e",
        config="{code}",
        splits=_SPLITS,
        columns={"question": "question", "choices": "choices", "label": "answer"},
        raw_labels=dict(zip("ABCD", "0123", strict=True)),
    ),
    citation="Adelani et al. 2024, IrokoBench",
    metric="accuracy",
    sizes={"dev": 83, "test": 500},
)

GLOBAL_MMLU_LITE = DataSet(
    name="global-mmlu-lite",
    files={"test": (("[Gg]lobal-[Mm][Mm][Ll][Uu]-[Ll]ite/{lang}/test-00000-of-00001.parquet",),)},
    reader="adapterxfer.data.knowledge:read_global_mmlu",
    clusters=ClusterRule(unit="question", parallel=True),
    hub=HubSource(
        repository="CohereLabs/Global-MMLU-Lite",
        config="{lang}",
        splits={"test": ("test",)},
        columns={"question": "question", "choices": "option_a option_b option_c option_d", "label": "answer"},
        raw_labels=dict(zip("ABCD", "0123", strict=True)),
    ),
    citation="Singh et al. 2024, Global MMLU",
    metric="accuracy",
)

TASKS = (
    TaskSpec(
        role="target",
        kin="nli",
        metric="accuracy",
        parts=TaskParts(
            name="afrixnli",
            format="sequence_classification",
            labels=NLI,
            train=(MNLI.part("train"),),
            dev=(MNLI.part("dev"),),
            test=AFRIXNLI,
        ),
        licence="apache-2.0",
        languages=_LANGUAGES,
        target_dev=TargetDev(),
        texts=("multinli",),
    ),
    TaskSpec(
        role="target",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(
            name="afrimmlu",
            format="multiple_choice",
            train=(RACE.part("train"),),
            dev=(RACE.part("dev"),),
            test=AFRIMMLU,
        ),
        licence="apache-2.0",
        languages=_LANGUAGES,
        target_dev=TargetDev(),
        texts=(RACE.name,),
    ),
    TaskSpec(
        role="target",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(
            name="global-mmlu-lite",
            format="multiple_choice",
            train=(RACE.part("train"),),
            dev=(RACE.part("dev"),),
            test=GLOBAL_MMLU_LITE,
        ),
        licence="apache-2.0",
        languages=codes("ar bn de en es fr hi id it ja ko pt sw yo zh"),
        target_dev=TargetDev(why_not="its dev split is a handful of examples for prompts"),
        texts=(RACE.name,),
        verified=False,
        note="that rows are the same questions in every language was not checked; its branch is not pinned",
    ),
)
