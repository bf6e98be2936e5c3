"""Intermediate and target tasks: every name of the study, with the facts a plan needs.

Sizes and licences are those stated by the sources; ``verified=False`` marks entries with remembered parts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from adapterxfer.catalog.flores import FLORES
from adapterxfer.catalog.languages import languages, world_languages
from adapterxfer.catalog.records import Task
from adapterxfer.world.task_list import TASKS as WORLD_TASKS

# name | format | kin | metric | Hub repository | licence | train examples | verified
_INTERMEDIATE = """
anli+ | sequence_classification | nli | accuracy | | cc-by-nc-4.0 (ANLI part) | 1104934 | no
anli | sequence_classification | nli | accuracy | facebook/anli | cc-by-nc-4.0 | 162865 | yes
mnli | sequence_classification | nli | accuracy | nyu-mll/glue | mixed (OANC, cc-by, cc-by-sa) | 392702 | yes
snli | sequence_classification | nli | accuracy | stanfordnlp/snli | cc-by-sa-4.0 | 549367 | no
qqp | sequence_classification | paraphrase | accuracy | nyu-mll/glue | Quora terms | 363846 | yes
squad-v1 | span_qa | qa | qa_f1 | rajpurkar/squad | cc-by-sa-4.0 | 87599 | no
squad-retrieval | retrieval | retrieval | retrieval_accuracy | rajpurkar/squad | cc-by-sa-4.0 | 87599 | no
squad-v2 | span_qa | qa | qa2_f1 | rajpurkar/squad_v2 | cc-by-sa-4.0 | 130319 | yes
hellaswag | multiple_choice | choice | accuracy | Rowan/hellaswag | mit | 39905 | yes
ccg | tagging | supertag | token_accuracy | | LDC2005T13, users must own it | 38015 | no
cosmosqa | multiple_choice | choice | accuracy | allenai/cosmos_qa | cc-by-4.0 | 25262 | no
commonsenseqa | multiple_choice | choice | accuracy | tau/commonsense_qa | mit | 9741 | yes
siqa | multiple_choice | choice | accuracy | lighteval/siqa | unstated | | yes
scitail | sequence_classification | nli | accuracy | allenai/scitail | unstated | | yes
boolq | sequence_classification | boolean | accuracy | google/boolq | cc-by-sa-3.0 | | yes
race | multiple_choice | choice | accuracy | ehovy/race | non-commercial research only | | yes
winogrande | multiple_choice | choice | accuracy | allenai/winogrande | cc-by | | no
"""

# name | format | kin | metric | Hub repository | licence | languages (empty: those that list the task) | verified
_TARGETS = """
xnli | sequence_classification | nli | accuracy | facebook/xnli | cc-by-nc-4.0 | | yes
pawsx | sequence_classification | paraphrase | accuracy | google-research-datasets/paws-x | freely usable | | yes
xcopa | multiple_choice | choice | accuracy | cambridgeltl/xcopa | cc-by-4.0 | | yes
panx | tagging | ner | span_f1 | unimelb-nlp/wikiann | unstated | | yes
xquad | span_qa | qa | qa_f1 | google/xquad | cc-by-sa-4.0 | | yes
mlqa | span_qa | qa | mlqa_f1 | google/xtreme | cc-by-sa-3.0 | | yes
tydiqa | span_qa | qa | qa_f1 | google-research-datasets/tydiqa | apache-2.0 | | yes
bucc2018 | retrieval | retrieval | mining_f1 | mteb/BUCC | unstated | | yes
tatoeba | retrieval | retrieval | retrieval_accuracy | mteb/tatoeba-bitext-mining | cc-by-2.0 | | yes
mewslix | retrieval | retrieval | map_at_20 | izhx/mewsli-x | apache-2.0 | | no
lareqa | retrieval | retrieval | map_at_20 | | cc-by-sa-4.0 | | yes
masakhaner2 | tagging | ner | span_f1 | masakhane/masakhaner2 | stated twice, differently | {african} | no
masakhapos | tagging | pos | token_accuracy | | stated twice, differently | {african} | no
americasnli | sequence_classification | nli | accuracy | nala-cub/americas_nli | cc-by-sa-4.0 | {american} | yes
xstorycloze | multiple_choice | choice | accuracy | juletxara/xstory_cloze | cc-by-sa-4.0 | {story} | no
belebele | multiple_choice | choice | accuracy | facebook/belebele | cc-by-sa-4.0 | {flores} | yes
sib200 | sequence_classification | topic | accuracy | Davlan/sib200 | cc-by-sa-4.0 | {flores} | yes
"""

GOLD_SENTENCE = (
    "the sentence that holds the answer is the context: easier than the official task, never compare the two"
)

_REAL_TEXT = (
    Task(
        "squad-gold-sentence", "intermediate", "span_qa", "qa_f1", ("en",), "files",
        hub="rajpurkar/squad", licence="cc-by-sa-4.0", protocol="qa/squad-normaliser/gold-sentence", kin="qa",
        available=True, note=GOLD_SENTENCE,
    ),
    Task(
        "udpos", "target", "tagging", "token_accuracy", (), "files",
        hub="izhx/xtreme-r-udpos", licence="per treebank (mostly cc-by-sa, some non-commercial)",
        protocol="pos/token-accuracy/first-piece", kin="pos", available=True, verified=False,
    ),
    Task(
        "tydiqa-gold-sentence", "target", "span_qa", "qa_f1",
        ("ar", "bn", "en", "fi", "id", "ko", "ru", "sw", "te"), "files",
        hub="google-research-datasets/tydiqa", licence="apache-2.0",
        protocol="qa/squad-normaliser/gold-sentence", kin="qa",
        available=True, note=GOLD_SENTENCE,
    ),
    Task(
        "tydiqa-xquad-gold-sentence", "target", "span_qa", "qa_f1",
        ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"), "files",
        hub="google/xquad", licence="apache-2.0 (training), cc-by-sa-4.0 (test)",
        protocol="qa/squad-normaliser/gold-sentence", kin="qa", available=True,
        note="trained on TyDi QA's English questions, tested on XQuAD's; " + GOLD_SENTENCE,
    ),
    Task(
        "xquad-gold-sentence", "target", "span_qa", "qa_f1",
        ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"), "files",
        hub="google/xquad", licence="cc-by-sa-4.0", protocol="qa/squad-normaliser/gold-sentence", kin="qa",
        available=True, note=GOLD_SENTENCE,
    ),
)  # fmt: skip

_PROTOCOLS = {
    "accuracy": "accuracy",
    "token_accuracy": "pos/token-accuracy/first-piece",
    "span_f1": "spans/lenient-bio",
    "qa_f1": "qa/squad-normaliser",
    "qa2_f1": "qa/squad-v2/null-threshold-0",
    "mlqa_f1": "qa/mlqa-normaliser",
    "retrieval_accuracy": "retrieval/to-english/mean-pool/middle-layer/centred",
}

_OWN_PROTOCOLS = {
    "squad-retrieval": "squad-retrieval/dual-encoder/top-layer/tokens-96-256",
    "bucc2018": "bucc/margin-4/both-directions/threshold-from-sample/mean-pool-special/middle-layer/uncentred",
    "lareqa": "lareqa/map-at-20/pool-of-all-languages/dual-encoder/top-layer/tokens-96-256",
    "mewslix": "mewslix/map-at-20/pool-of-all-entities/dual-encoder/top-layer/tokens-64-64",
}
"""Protocols of single tasks; ``tokens-Q-C`` limits queries and candidates, special tokens included."""

_UNTRAINED = ("tatoeba", "bucc2018")
"""Targets without English training data: XTREME evaluates them zero-shot."""

_WORLD_KIN = {
    "world-nli": "nli", "world-qa": "qa", "world-mc": "choice", "world-ccg": "supertag", "world-xnli": "nli",
    "world-pos": "pos", "world-ner": "ner", "world-xqa": "qa", "world-xmc": "choice", "world-retrieval": "retrieval",
}  # fmt: skip

_BEFORE = {"xcopa": ("siqa",)}
"""Target -> tasks trained first, with the same model and head: XTREME-R trains on Social IQa, then on COPA."""

_OVERLAPS = {
    "xquad": ("squad-v1", "squad-v2", "squad-gold-sentence", "squad-retrieval"),
    "xquad-gold-sentence": ("squad-v1", "squad-v2", "squad-gold-sentence", "squad-retrieval"),
    # no shared training question here, but SQuAD's annotators wrote the test questions too
    "tydiqa-xquad-gold-sentence": ("squad-v1", "squad-v2", "squad-gold-sentence", "squad-retrieval"),
    "lareqa": ("squad-v1", "squad-v2", "squad-gold-sentence", "squad-retrieval"),
    "mlqa": ("squad-v1", "squad-v2", "squad-gold-sentence", "squad-retrieval"),
    "xnli": ("mnli", "anli+"),
    "americasnli": ("mnli", "anli+"),
    "xcopa": ("siqa",),
    "belebele": ("race",),
}


_AFRICAN = "bam bbj ewe fon hau ibo kin lug luo mos nya pcm sna swa tsn twi wol xho yor zul"


_AMERICAN = "aym bzd cni gn hch nah oto quy shp tar"
_STORY = "ar en es eu hi id my ru sw te zh"


def _rows(table: str) -> list[list[str]]:
    text = table.strip().format(african=_AFRICAN, american=_AMERICAN, story=_STORY, flores=" ".join(FLORES))
    return [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]


def _world_protocol(metric: str) -> str:
    """Answers of the world are noun phrases of at most five pieces; longer spans are only mistakes."""
    return _PROTOCOLS[metric] + ("/max-answer-5" if metric == "qa_f1" else "")


@cache
def tasks() -> dict[str, Task]:
    """All tasks by name: intermediate first, the world last."""
    table: dict[str, Task] = {}
    for name, form, kin, metric, hub, licence, train, verified in _rows(_INTERMEDIATE):
        table[name] = Task(
            name, "intermediate", form, metric, ("en",), "hub" if hub else "local", hub or None, licence,
            protocol=_OWN_PROTOCOLS.get(name) or _PROTOCOLS[metric], kin=kin,
            train_examples=int(train) if train else None,
            available=True, verified=verified == "yes",
        )  # fmt: skip
    for name, form, kin, metric, hub, licence, codes, verified in _rows(_TARGETS):
        listed = tuple(code for code, entry in languages().items() if name in entry.tasks)
        spoken = tuple(codes.split()) if codes else listed
        table[name] = Task(
            name, "target", form, metric, spoken, "hub" if hub else "local", hub or None, licence,
            protocol=_OWN_PROTOCOLS.get(name) or _PROTOCOLS[metric], trained=name not in _UNTRAINED, kin=kin,
            available=True, verified=verified == "yes", before=_BEFORE.get(name, ()),
        )  # fmt: skip
    for task in _REAL_TEXT:
        spoken = task.languages or tuple(code for code, entry in languages().items() if task.name in entry.tasks)
        table[task.name] = task if task.languages else replace(task, languages=spoken)
    for name, world in WORLD_TASKS.items():
        table[name] = Task(
            name, world.role, world.format, world.metric,
            ("en",) if world.role == "intermediate" else tuple(world_languages()), "world",
            licence="apache-2.0", protocol=_world_protocol(world.metric), trained=world.format != "retrieval",
            kin=_WORLD_KIN[name], train_examples=world.train_examples, dev_examples=world.dev_examples,
            test_examples=world.test_examples, available=True, note=world.description,
        )  # fmt: skip
    return table


def task_names(role: str) -> tuple[str, ...]:
    """Names of all tasks in one role."""
    return tuple(name for name, task in tasks().items() if task.role == role)


def overlaps(intermediate: str, target: str) -> bool:
    """Whether the intermediate task shares text with the target's training or test data, so a gain is no transfer."""
    return intermediate in _OVERLAPS.get(target, ())
