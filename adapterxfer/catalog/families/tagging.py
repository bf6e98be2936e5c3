"""Tags of words: parts of speech, names, supertags."""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.catalog.data_sets import CONVERTED, NONCOMMERCIAL, USUAL, Alternate, ClusterRule, DataSet, HubSource
from adapterxfer.catalog.labels import DATES, NER, UPOS
from adapterxfer.catalog.protocols import FUSED
from adapterxfer.catalog.task_specs import InBenchmark, TargetDev, TaskParts, TaskProtocol, TaskSpec, codes

AFRICAN = codes("bam bbj ewe fon hau ibo kin lug luo mos nya pcm sna swa tsn twi wol xho yor zul")
_UD = "https://universaldependencies.org, treebanks XX_*-ud-{train,dev,test}.conllu"

CCG = DataSet(
    name="ccg",
    files={
        "train": (("ccg/train.tsv", "ccg/train.txt"),),
        "dev": (("ccg/val.tsv", "ccg/dev.txt"),),
        "test": (("ccg/test.tsv", "ccg/test.txt"),),
    },
    reader="adapterxfer.data.tagged:read_ccg",
    clusters=ClusterRule(unit="sentence"),
    origin="the Linguistic Data Consortium, LDC2005T13; one sentence per line: words, a tab, supertags",
    citation="Hockenmaier and Steedman 2007, CCGbank",
    metric="token accuracy",
    restricted="LDC2005T13: users must own it",
    sizes={"train": 38015, "dev": 5484},
)

UDPOS = DataSet(
    name="udpos",
    files={
        "train": (("en_ewt-ud-train.conllu",),),
        "dev": (("en_ewt-ud-dev.conllu",),),
        "test": (("+{lang}_*-ud-test.conllu",),),
    },
    dev_files=(("+{lang}_*-ud-dev.conllu",),),
    train_files=(("+{lang}_*-ud-train.conllu",),),
    reader="adapterxfer.data.tagged:read_udpos",
    hides_words=True,
    labels=UPOS,
    clusters=ClusterRule(unit="sentence"),
    hub=HubSource(
        repository="izhx/xtreme-r-udpos", config="{lang}", splits=USUAL, columns={"words": "tokens", "tags": "pos_tags"}
    ),
    origin=_UD,
    citation="Zeman et al. 2019 and 2020, Universal Dependencies 2.5 and 2.7",
    metric="udpos/seqeval-0.0.12 and token accuracy",
    restricted="parts non-commercial",
    refused={"google/xtreme": "Greek, French, Russian, Chinese and German hold older or other languages too"},
)
UDPOS_FUSED = replace(
    UDPOS,
    name="udpos/fused",
    files={
        "train": (("+en_*-ud-train.conllu",),),
        "dev": (("+en_*-ud-dev.conllu",),),
        "test": (("+{lang}_*-ud-test.conllu",),),
    },
    reader="adapterxfer.data.fused:read_fused_treebanks",
    hides_words=False,  # they never were examples there
    hub=None,
)
# English to train on for tags of other languages: XTREME's processed columns serve where there is no treebank.
UDPOS_ENGLISH = replace(
    UDPOS,
    name="udpos-english",
    files={
        "train": (("en_ewt-ud-train.conllu", "udpos/train-en.tsv"),),
        "dev": (("en_ewt-ud-dev.conllu", "udpos/dev-en.tsv"),),
    },
    dev_files=(),
)

PANX = DataSet(
    name="panx",
    files={
        "train": (("{lang}/train", "panx/train-{lang}.tsv"),),
        "dev": (("{lang}/dev", "panx/dev-{lang}.tsv"),),
        "test": (("{lang}/test", "panx/test-{lang}.tsv"),),
    },
    reader="adapterxfer.data.tagged:read_panx",
    labels=NER,
    clusters=ClusterRule(unit="sentence"),
    hub=HubSource(
        repository="unimelb-nlp/wikiann",
        config="{lang}",
        splits=USUAL,
        columns={"words": "tokens", "tags": "ner_tags"},
        alternates=(Alternate(repository="google/xtreme", config="PAN-X.{lang}"),),
    ),
    citation="Pan et al. 2017, WikiANN; splits of Rahimi et al. 2019",
    metric="panx/seqeval-0.0.12 (lenient spans)",
)

MASAKHANER2 = DataSet(
    name="masakhaner2",
    files={
        "train": (("MasakhaNER2.0/data/{lang}/train.txt", "masakhaner2*/{lang}/train.txt"),),
        "dev": (("MasakhaNER2.0/data/{lang}/dev.txt", "masakhaner2*/{lang}/dev.txt"),),
        "test": (("MasakhaNER2.0/data/{lang}/test.txt", "masakhaner2*/{lang}/test.txt"),),
    },
    reader="adapterxfer.data.tagged:read_masakhaner",
    labels=(*NER, *DATES),
    clusters=ClusterRule(unit="sentence"),
    hub=HubSource(
        repository="masakhane/masakhaner2",
        revision=CONVERTED,
        folder="{lang}",
        splits=USUAL,
        columns={"id": "id", "words": "tokens", "tags": "ner_tags"},
    ),
    citation="Adelani et al. 2022, MasakhaNER 2.0",
    metric="spans/lenient-bio, dates read as O",
    restricted=NONCOMMERCIAL,
)

MASAKHAPOS = DataSet(
    name="masakhapos",
    files={
        "train": (("masakhane-pos*/data/{lang}/train.txt", "masakhapos*/{lang}/train.txt"),),
        "dev": (("masakhane-pos*/data/{lang}/dev.txt", "masakhapos*/{lang}/dev.txt"),),
        "test": (("masakhane-pos*/data/{lang}/test.txt", "masakhapos*/{lang}/test.txt"),),
    },
    reader="adapterxfer.data.tagged:read_masakhapos",
    labels=UPOS,
    clusters=ClusterRule(unit="sentence"),
    origin="https://github.com/masakhane-io/masakhane-pos, folder data",
    citation="Dione et al. 2023, MasakhaPOS",
    metric="token accuracy",
    restricted=NONCOMMERCIAL,
)

_PANX_XTREME = codes(
    "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka "
    "ko th sw yo my zh kk tr et fi hu"
)

_UDPOS_XTREME = codes(
    "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
)

TASKS = (
    TaskSpec(
        role="intermediate",
        kin="supertag",
        metric="token_accuracy",
        parts=TaskParts(name="ccg", format="tagging", train=(CCG.part("train"),), dev=(CCG.part("dev"),)),
        licence="LDC2005T13, users must own it",
        source="local",
        verified=False,
        train_examples=38015,
    ),
    TaskSpec(
        role="target",
        kin="ner",
        metric="span_f1",
        known_as=("ner", "wikiann", "pan-x"),
        parts=TaskParts(
            name="panx", format="tagging", labels=NER, train=(PANX.part("train"),), dev=(PANX.part("dev"),), test=PANX
        ),
        licence="unstated",
        languages=codes(
            "af ar az bg bn de el en es et eu fa fi fr gu he hi hu id it ja jv ka kk ko lt ml mr ms "
            "my nl pa pl pt qu ro ru sw ta te th tl tr uk ur vi yo zh"
        ),
        target_dev=TargetDev(),
        benchmark=InBenchmark(
            column=4,
            suffix="tsv",
            reader="tags",
            metric="chunk_f1",
            protocol="panx/seqeval-0.0.12",
            parallel=False,
            cluster="line",
            xtreme=_PANX_XTREME,
            revised=(*_PANX_XTREME, *codes("qu pl uk az lt pa gu ro")),
            values=NER,
            xtreme_groups=("tagging",),
            revised_groups=("tagging",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="pos",
        metric="token_accuracy",
        known_as=("pos", "upos", "ud"),
        parts=TaskParts(
            name="udpos",
            format="tagging",
            labels=UPOS,
            train=(UDPOS.part("train"),),
            dev=(UDPOS.part("dev"),),
            test=UDPOS,
            needs_dev=True,
        ),
        read_as={
            FUSED: TaskParts(
                name="udpos/fused",
                format="tagging",
                labels=UPOS,
                train=(UDPOS_FUSED.part("train"),),
                dev=(UDPOS_FUSED.part("dev"),),
                test=UDPOS_FUSED,
                needs_dev=True,
                files_only="the words of the Hub's copy are not known to be XTREME's",
            )
        },
        licence="per treebank (mostly cc-by-sa, some non-commercial)",
        languages=codes(
            "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko lt mr nl pl pt ro ru ta te "
            "th tl tr uk ur vi wo yo zh"
        ),
        # Treebanks with a test file only in UD 2.5, whose Kazakh has 31 training sentences beside it; the
        # repository has development sentences in English alone.
        target_dev=TargetDev(without=("kk", "th", "tl", "yo"), by_release=True, files_only=True),
        source="files",
        verified=False,
        protocols={
            "xtreme": TaskProtocol(
                text=f"udpos/seqeval-0.0.12/{FUSED}/first-piece",
                metric="chunk_f1",
                note="XTREME's: multiword tokens are one word, all English training treebanks, chunk F1 with token "
                "accuracy beside it",
            )
        },
        benchmark=InBenchmark(
            column=5,
            suffix="tsv",
            reader="tags",
            metric="chunk_f1",
            protocol="udpos/seqeval-0.0.12",
            parallel=False,
            cluster="line",
            xtreme=_UDPOS_XTREME,
            revised=(*_UDPOS_XTREME, *codes("lt pl uk wo ro")),
            values=UPOS,
            token_accuracy=True,
            xtreme_groups=("tagging",),
            revised_groups=("tagging",),
        ),
    ),
    TaskSpec(
        role="target",
        kin="ner",
        metric="span_f1",
        parts=TaskParts(
            name="masakhaner2",
            format="tagging",
            labels=NER,
            train=(PANX.part("train"),),
            dev=(PANX.part("dev"),),
            test=MASAKHANER2,
        ),
        licence="stated twice, differently",
        languages=AFRICAN,
        target_dev=TargetDev(),
        verified=False,
    ),
    TaskSpec(
        role="target",
        kin="pos",
        metric="token_accuracy",
        parts=TaskParts(
            name="masakhapos",
            format="tagging",
            labels=UPOS,
            train=(UDPOS_ENGLISH.part("train"),),
            dev=(UDPOS_ENGLISH.part("dev"),),
            test=MASAKHAPOS,
        ),
        licence="stated twice, differently",
        languages=AFRICAN,
        target_dev=TargetDev(files_only=True),
        source="local",
        verified=False,
    ),
)
