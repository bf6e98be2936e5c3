"""Multiple choice: which ending, answer or cause is right."""

from __future__ import annotations

from adapterxfer.catalog.data_sets import CONVERTED, TRAIN, USUAL, Alternate, ClusterRule, DataSet, HubSource, Repair
from adapterxfer.catalog.flores import BELEBELE_CODES, FLORES
from adapterxfer.catalog.protocols import AS_RELEASED
from adapterxfer.catalog.task_specs import InBenchmark, TargetDev, TaskParts, TaskProtocol, TaskSpec, codes

REPAIR_FROM = "et"
"""XCOPA's questions are right in Estonian and broken in five other languages; items are parallel by ``idx``."""

_COPA = {"id": "idx", "context": "premise", "cause": "question", "choices": "choice1 choice2", "label": "label"}

HELLASWAG = DataSet(
    name="hellaswag",
    files={"train": (("hellaswag_train.jsonl",),), "dev": (("hellaswag_val.jsonl",),)},
    reader="adapterxfer.data.choices:read_hellaswag",
    clusters=ClusterRule(unit="context"),
    hub=HubSource(
        repository="Rowan/hellaswag",
        config="default",
        splits=TRAIN,
        columns={"id": "ind", "context": "ctx_a", "start": "ctx_b", "choices": "endings", "label": "label"},
    ),
    citation="Zellers et al. 2019, HellaSwag",
    metric="accuracy",
    sizes={"train": 39905, "dev": 10042},
)

COSMOSQA = DataSet(
    name="cosmosqa",
    files={
        "train": (("*cosmos*/train.csv", "*cosmos*/*/train.csv"),),
        "dev": (("*cosmos*/valid.csv", "*cosmos*/*/valid.csv"),),
    },
    reader="adapterxfer.data.choices:read_cosmosqa",
    clusters=ClusterRule(unit="context"),
    hub=HubSource(
        repository="allenai/cosmos_qa",
        revision=CONVERTED,
        folder="default",
        splits=TRAIN,
        columns={
            "id": "id",
            "context": "context",
            "question": "question",
            "choices": "answer0 answer1 answer2 answer3",
            "label": "label",
        },
        alternates=(Alternate(repository="Samsoup/cosmos_qa", config="default"),),
    ),
    citation="Huang et al. 2019, Cosmos QA",
    metric="accuracy",
    sizes={"train": 25262, "dev": 2985},
)

COMMONSENSEQA = DataSet(
    name="commonsenseqa",
    files={"train": (("train_rand_split.jsonl",),), "dev": (("dev_rand_split.jsonl",),)},
    reader="adapterxfer.data.choices:read_commonsenseqa",
    clusters=ClusterRule(unit="question"),
    hub=HubSource(
        repository="tau/commonsense_qa",
        config="default",
        splits=TRAIN,
        columns={"id": "id", "question": "question", "choices": "choices", "label": "answerKey"},
    ),
    citation="Talmor et al. 2019, CommonsenseQA",
    metric="accuracy",
    sizes={"train": 9741, "dev": 1221},
)

SIQA = DataSet(
    name="siqa",
    files={
        "train": (("socialIQa_v1.4_trn.jsonl", "social*/train.jsonl"), ("?social*/train-labels.lst",)),
        "dev": (("socialIQa_v1.4_dev.jsonl", "social*/dev.jsonl"), ("?social*/dev-labels.lst",)),
    },
    reader="adapterxfer.data.choices:read_siqa",
    clusters=ClusterRule(unit="context"),
    hub=HubSource(
        repository="lighteval/siqa",
        config="default",
        splits=TRAIN,
        columns={"context": "context", "question": "question", "choices": "answerA answerB answerC", "label": "label"},
        raw_labels={"1": "0", "2": "1", "3": "2"},
    ),
    citation="Sap et al. 2019, Social IQa",
    metric="accuracy",
    sizes={"train": 33410, "dev": 1954},
)

COPA = DataSet(
    name="copa",
    files={"train": (("COPA/train.jsonl",),), "dev": (("COPA/val.jsonl",),)},
    reader="adapterxfer.data.choices:read_copa",
    clusters=ClusterRule(unit="item"),
    hub=HubSource(repository="aps/super_glue", config="copa", splits=TRAIN, columns=_COPA),
    citation="Roemmele et al. 2011, COPA; Wang et al. 2019, SuperGLUE",
    metric="accuracy",
    sizes={"train": 400, "dev": 100},
)

RACE = DataSet(
    name="race",
    files={
        "train": (("+RACE/train/high/*.txt",), ("+RACE/train/middle/*.txt",)),
        "dev": (("+RACE/dev/high/*.txt",), ("+RACE/dev/middle/*.txt",)),
        "test": (("+RACE/test/high/*.txt",), ("+RACE/test/middle/*.txt",)),
    },
    reader="adapterxfer.data.choices:read_race",
    clusters=ClusterRule(unit="article"),
    hub=HubSource(
        repository="ehovy/race",
        config="all",
        splits=USUAL,
        columns={
            "cluster": "example_id",
            "context": "article",
            "question": "question",
            "choices": "options",
            "label": "answer",
        },
        raw_labels={"A": "0", "B": "1", "C": "2", "D": "3"},
    ),
    citation="Lai et al. 2017, RACE",
    metric="accuracy",
    restricted="non-commercial research only",
    sizes={"train": 87866, "dev": 4887, "test": 4934},
    refused={"EleutherAI/race": "the test of one school level only"},
)

WINOGRANDE = DataSet(
    name="winogrande",
    files={"train": (("train_xl.jsonl",),), "dev": (("winogrande*/dev.jsonl",),)},
    reader="adapterxfer.data.choices:read_winogrande",
    clusters=ClusterRule(unit="sentence"),
    hub=HubSource(
        repository="allenai/winogrande",
        config="winogrande_xl",
        splits=TRAIN,
        columns={"blank": "sentence", "choices": "option1 option2", "label": "answer"},
        raw_labels={"1": "0", "2": "1"},
    ),
    citation="Sakaguchi et al. 2020, WinoGrande",
    metric="accuracy",
    sizes={"train": 40398, "dev": 1267},
)

XCOPA = DataSet(
    name="xcopa",
    files={"dev": (("val.{lang}.jsonl",), ("?val.et.jsonl",)), "test": (("test.{lang}.jsonl",), ("?test.et.jsonl",))},
    reader="adapterxfer.data.choices:read_xcopa",
    clusters=ClusterRule(unit="item", parallel=True),
    repair=Repair(language=REPAIR_FROM, unless=AS_RELEASED),
    hub=HubSource(
        repository="cambridgeltl/xcopa",
        config="{lang}",
        splits={"dev": ("validation",), "test": ("test",)},
        columns=_COPA,
    ),
    citation="Ponti et al. 2020, XCOPA",
    metric="accuracy",
    sizes={"dev": 100, "test": 500},
)

_STORIES = {"train": ("train",), "test": ("test",)}
"""The loader of tables calls the files of a folder ``eval`` test; as a configuration the split is called ``eval``."""

XSTORYCLOZE = DataSet(
    name="xstorycloze",
    files={
        "train": (("spring2016.val.{lang}.tsv.split_20_80_train.tsv",),),
        "test": (("spring2016.val.{lang}.tsv.split_20_80_eval.tsv",),),
    },
    reader="adapterxfer.data.choices:read_xstorycloze",
    clusters=ClusterRule(unit="story", parallel=True),
    hub=HubSource(
        repository="juletxara/xstory_cloze",
        revision=CONVERTED,
        folder="{lang}",
        splits=_STORIES,
        columns={
            "id": "story_id",
            "label": "answer_right_ending",
            "choices": "sentence_quiz1 sentence_quiz2",
            "story": "input_sentence_1 input_sentence_2 input_sentence_3 input_sentence_4",
        },
        raw_labels={"1": "0", "2": "1"},
        alternates=(
            Alternate(
                repository="juletxara/xstory_cloze",
                config="{lang}",
                splits={"train": ("train",), "test": ("eval",)},
            ),
        ),
    ),
    citation="Lin et al. 2022, XStoryCloze",
    metric="accuracy",
    sizes={"train": 360, "test": 1511},
)

BELEBELE = DataSet(
    name="belebele",
    files={"test": (("[Bb]elebele/{code}.jsonl", "{code}.jsonl"),)},
    reader="adapterxfer.data.choices:read_belebele",
    codes=BELEBELE_CODES,
    clusters=ClusterRule(unit="passage", parallel=True),
    hub=HubSource(
        repository="facebook/belebele",
        config="{code}",
        splits={"test": ("test",)},
        columns={
            "cluster": "link",
            "id": "link question_number",
            "context": "flores_passage",
            "question": "question",
            "choices": "mc_answer1 mc_answer2 mc_answer3 mc_answer4",
            "label": "correct_answer_num",
        },
        raw_labels={"1": "0", "2": "1", "3": "2", "4": "3"},
    ),
    citation="Bandarkar et al. 2024, Belebele",
    metric="accuracy",
    sizes={"test": 900},
)


TASKS = (
    TaskSpec(
        role="intermediate",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(
            name="hellaswag", format="multiple_choice", train=(HELLASWAG.part("train"),), dev=(HELLASWAG.part("dev"),)
        ),
        licence="mit",
        train_examples=39905,
    ),
    TaskSpec(
        role="intermediate",
        kin="choice",
        metric="accuracy",
        known_as=("cosmos",),
        parts=TaskParts(
            name="cosmosqa", format="multiple_choice", train=(COSMOSQA.part("train"),), dev=(COSMOSQA.part("dev"),)
        ),
        licence="cc-by-4.0",
        verified=False,
        train_examples=25262,
    ),
    TaskSpec(
        role="intermediate",
        kin="choice",
        metric="accuracy",
        known_as=("csqa",),
        parts=TaskParts(
            name="commonsenseqa",
            format="multiple_choice",
            train=(COMMONSENSEQA.part("train"),),
            dev=(COMMONSENSEQA.part("dev"),),
        ),
        licence="mit",
        train_examples=9741,
    ),
    TaskSpec(
        role="intermediate",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(name="siqa", format="multiple_choice", train=(SIQA.part("train"),), dev=(SIQA.part("dev"),)),
        licence="unstated",
        texts=("social iqa",),
    ),
    TaskSpec(
        role="intermediate",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(name="race", format="multiple_choice", train=(RACE.part("train"),), dev=(RACE.part("dev"),)),
        licence="non-commercial research only",
        texts=("race",),
    ),
    TaskSpec(
        role="intermediate",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(
            name="winogrande",
            format="multiple_choice",
            train=(WINOGRANDE.part("train"),),
            dev=(WINOGRANDE.part("dev"),),
        ),
        licence="cc-by",
        verified=False,
    ),
    TaskSpec(
        role="target",
        kin="choice",
        metric="accuracy",
        known_as=("copa",),
        parts=TaskParts(
            name="xcopa", format="multiple_choice", train=(COPA.part("train"),), dev=(COPA.part("dev"),), test=XCOPA
        ),
        licence="cc-by-4.0",
        languages=codes("et ht id it qu sw ta th tr vi zh"),
        target_dev=TargetDev(),
        texts=("copa", "social iqa"),
        before=("siqa",),
        protocols={
            "as-released": TaskProtocol(
                text=f"accuracy/{AS_RELEASED}",
                metric="accuracy",
                note="the questions of each language as they were published, many of them wrong in Thai, Turkish and "
                "Swahili: published numbers used them",
            )
        },
        benchmark=InBenchmark(
            column=3,
            suffix="jsonl",
            reader="choices",
            metric="accuracy",
            protocol="accuracy",
            parallel=True,
            cluster="line",
            revised=codes("et ht id it qu sw ta th tr vi zh"),
            values=("0", "1"),
            revised_groups=("classification", "multi_choice"),
        ),
    ),
    TaskSpec(
        role="target",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(
            name="xstorycloze", format="multiple_choice", train=(XSTORYCLOZE.part("train"),), test=XSTORYCLOZE
        ),
        licence="cc-by-sa-4.0",
        languages=codes("ar en es eu hi id my ru sw te zh"),
        target_dev=TargetDev(why_not="it has stories to train on and stories to test"),
        verified=False,
    ),
    TaskSpec(
        role="target",
        kin="choice",
        metric="accuracy",
        parts=TaskParts(
            name="belebele",
            format="multiple_choice",
            train=(RACE.part("train"),),
            dev=(RACE.part("dev"),),
            test=BELEBELE,
        ),
        licence="cc-by-sa-4.0",
        languages=tuple(FLORES),
        more=tuple(code for code in BELEBELE_CODES if code not in FLORES),
        target_dev=TargetDev(why_not="it is a test set alone"),
        texts=("race",),
    ),
)
