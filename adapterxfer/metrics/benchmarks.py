"""What a submission to XTREME or XTREME-R holds: tasks, languages, file endings, metrics and clusters.

Source: google-research/xtreme evaluate.py at commit 838c13b. Its list of LAReQA languages is empty; here LAReQA is
scored in the languages of its data and averaged like all others, but it is in none of the groups, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Reader = Literal["labels", "tags", "answers", "ranked", "choices", "pairs"]
Cluster = Literal["line", "premise", "context", "query"]

NLI = ("entailment", "neutral", "contradiction")
UPOS = ("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
        "SYM", "VERB", "X")  # fmt: skip
NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")

PREMISE_LINES = 3
"""Hypotheses of one premise, which stand in consecutive lines of XNLI."""


@dataclass(frozen=True, slots=True)
class BenchmarkTask:
    """One task of a benchmark.

    Attributes:
        suffix: ending of its files, ``test-LANGUAGE.suffix``.
        reader: how label and prediction files look.
        metric: name in `adapterxfer.metrics.METRICS`.
        protocol: what exactly is computed.
        languages: all must be present.
        parallel: whether line or id means the same example in every language, so languages are resampled together.
        cluster: what is resampled.
        values: allowed labels; empty where any text is.
    """

    name: str
    suffix: str
    reader: Reader
    metric: str
    protocol: str
    languages: tuple[str, ...]
    parallel: bool
    cluster: Cluster
    values: tuple[str, ...] = ()


_PANX = "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr et fi hu"  # noqa: E501
_UDPOS = "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
_TATOEBA = "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
_XNLI = "ar bg de el en es fr hi ru sw th tr ur vi zh"
_XQUAD = "en es de el ru tr ar vi th zh hi"

# task | suffix | reader | metric | protocol | parallel | cluster | languages in XTREME | more in XTREME-R (- = absent)
_TABLE = f"""
pawsx | tsv | labels | accuracy | accuracy | yes | line | de en es fr ja ko zh | -
xnli | tsv | labels | accuracy | accuracy | yes | premise | {_XNLI} |
xcopa | jsonl | choices | accuracy | accuracy | yes | line | - | et ht id it qu sw ta th tr vi zh
panx | tsv | tags | chunk_f1 | panx/seqeval-0.0.12 | no | line | {_PANX} | qu pl uk az lt pa gu ro
udpos | tsv | tags | chunk_f1 | udpos/seqeval-0.0.12 | no | line | {_UDPOS} | lt pl uk wo ro
bucc2018 | tsv | pairs | mining_f1 | bucc/f1-of-pairs | no | query | de fr ru zh | -
tatoeba | tsv | labels | accuracy | tatoeba/accuracy-at-1 | no | line | {_TATOEBA} | az lt pl uk ro
xquad | json | answers | qa_f1 | qa/squad-v1.1/english-normaliser | yes | context | {_XQUAD} | ro
mlqa | json | answers | mlqa_f1 | qa/mlqa-v1/normaliser-of-the-language | yes | context | en es de ar hi vi zh |
tydiqa | json | answers | qa_f1 | qa/squad-v1.1/english-normaliser | no | context | en ar bn fi id ko ru sw te |
mewslix | json | ranked | map_at_20 | mewslix/map@20 | no | query | - | ar de en es fa ja pl ro ta tr uk
lareqa | json | ranked | map_at_20 | lareqa/map@20 | yes | query | - | ar de el en es hi ru th tr vi zh
"""

_VALUES = {"pawsx": ("0", "1"), "xnli": NLI, "xcopa": ("0", "1"), "panx": NER, "udpos": UPOS}


def _tasks(revised: bool) -> dict[str, BenchmarkTask]:
    table = {}
    for line in _TABLE.strip().splitlines():
        name, suffix, reader, metric, protocol, parallel, cluster, first, more = (c.strip() for c in line.split("|"))
        if (more if revised else first) == "-":
            continue
        languages = first.replace("-", "").split() + (more.split() if revised else [])
        table[name] = BenchmarkTask(
            name, suffix, reader, metric, protocol, tuple(languages), parallel == "yes", cluster,  # type: ignore[arg-type]
            _VALUES.get(name, ()),
        )  # fmt: skip
    return table


BENCHMARKS: Mapping[str, Mapping[str, BenchmarkTask]] = {"xtreme": _tasks(False), "xtreme-r": _tasks(True)}
"""Benchmark -> task -> what its files hold."""

GROUPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "xtreme": {
        "classification": ("pawsx", "xnli"),
        "tagging": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("bucc2018", "tatoeba"),
    },
    "xtreme-r": {
        "classification": ("xnli", "xcopa"),
        "tagging": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("tatoeba", "mewslix"),
        "multi_choice": ("xcopa",),
    },
}
"""Benchmark -> group -> its tasks; a group's score is the plain mean of its tasks and exists where all are complete."""
