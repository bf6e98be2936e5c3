"""What each task is made of: XNLI trains on MNLI, XCOPA on COPA (after Social IQa, a task of its own)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapterxfer.data import classification, pools, tagged
from adapterxfer.data.conllu import UPOS
from adapterxfer.data.examples import FormatName

Parts = tuple[tuple[str, str, str], ...]
"""Data set, split, language."""


@dataclass(frozen=True, slots=True)
class Composition:
    """What a task is made of.

    Attributes:
        labels: in official order; empty where the format has none or the training data decide (supertags).
        train, dev: English parts, joined; an empty ``dev`` is cut from the training data in whole clusters.
        test: data set whose test split is read in each language; empty for intermediate tasks.
        pools: further splits of that data set: pools of candidates, and a sample to tune a threshold on.
        pool_of_all: whether one pool serves all languages.
        joint: whether equal questions of all languages share their right candidates.
    """

    format: FormatName
    labels: tuple[str, ...] = ()
    train: Parts = ()
    dev: Parts = ()
    test: str = ""
    pools: tuple[str, ...] = ()
    pool_of_all: bool = False
    joint: bool = False

    def pool_languages(self, languages: Sequence[str]) -> Sequence[str]:
        """Languages of the pools."""
        return (pools.POOL_OF_ALL,) if self.pool_of_all else languages


def _own(name: str, form: FormatName, labels: tuple[str, ...] = (), *, code: str = "en", test: str = "") -> Composition:
    return Composition(form, labels, ((name, "train", code),), ((name, "dev", code),), test)


_ANLI_PLUS = ("anli", "mnli", "snli")

COMPOSITIONS: Mapping[str, Composition] = {
    "anli+": Composition(
        "sequence_classification",
        classification.NLI,
        tuple((name, "train", "en") for name in _ANLI_PLUS),
        tuple((name, "dev", "en") for name in _ANLI_PLUS),
    ),
    "anli": _own("anli", "sequence_classification", classification.NLI),
    "mnli": _own("mnli", "sequence_classification", classification.NLI),
    "snli": _own("snli", "sequence_classification", classification.NLI),
    "qqp": _own("qqp", "sequence_classification", classification.QQP),
    "scitail": _own("scitail", "sequence_classification", classification.SCITAIL),
    "boolq": _own("boolq", "sequence_classification", classification.BOOLQ),
    "squad-v1": _own("squad-v1", "span_qa"),
    "squad-v2": _own("squad-v2", "span_qa"),
    "hellaswag": _own("hellaswag", "multiple_choice"),
    "ccg": _own("ccg", "tagging"),
    "cosmosqa": _own("cosmosqa", "multiple_choice"),
    "commonsenseqa": _own("commonsenseqa", "multiple_choice"),
    "siqa": _own("siqa", "multiple_choice"),
    "race": _own("race", "multiple_choice"),
    "winogrande": _own("winogrande", "multiple_choice"),
    "xnli": Composition(
        "sequence_classification", classification.NLI, (("mnli", "train", "en"),), (("xnli", "dev", "en"),), "xnli"
    ),
    "pawsx": _own("pawsx", "sequence_classification", classification.PAWSX, test="pawsx"),
    "xcopa": Composition("multiple_choice", (), (("copa", "train", "en"),), (("copa", "dev", "en"),), "xcopa"),
    "panx": _own("panx", "tagging", tagged.NER, test="panx"),
    "xquad": Composition("span_qa", (), (("squad-v1", "train", "en"),), (("squad-v1", "dev", "en"),), "xquad"),
    "mlqa": Composition("span_qa", (), (("squad-v1", "train", "en"),), (("squad-v1", "dev", "en"),), "mlqa"),
    "tydiqa": Composition("span_qa", (), (("tydiqa", "train", "en"),), (), "tydiqa"),
    "squad-retrieval": _own("squad-retrieval", "retrieval"),
    "tatoeba": Composition("retrieval", (), (), (), "tatoeba"),
    "bucc2018": Composition("retrieval", (), (), (), "bucc2018", pools=("test-pool", "sample", "sample-pool")),
    "lareqa": Composition(
        "retrieval",
        (),
        (("squad-retrieval", "train", "en"),),
        (("squad-retrieval", "dev", "en"),),
        "lareqa",
        pools=("test-pool",),
        joint=True,
    ),
    "mewslix": Composition(
        "retrieval",
        (),
        (("mewslix", "train", "en"),),
        (("mewslix", "dev", "en"),),
        "mewslix",
        pools=("test-pool",),
        pool_of_all=True,
    ),
    "masakhaner2": Composition(
        "tagging", tagged.NER, (("panx", "train", "en"),), (("panx", "dev", "en"),), "masakhaner2"
    ),
    "masakhapos": Composition("tagging", UPOS, (("udpos", "train", "en"),), (("udpos", "dev", "en"),), "masakhapos"),
    "americasnli": Composition(
        "sequence_classification",
        classification.NLI,
        (("mnli", "train", "en"),),
        (("mnli", "dev", "en"),),
        "americasnli",
    ),
    "xstorycloze": Composition("multiple_choice", (), (("xstorycloze", "train", "en"),), (), "xstorycloze"),
    "belebele": Composition("multiple_choice", (), (("race", "train", "en"),), (("race", "dev", "en"),), "belebele"),
    "sib200": _own("sib200", "sequence_classification", classification.SIB200, test="sib200"),
}
"""Task -> the data sets it is made of."""

UDPOS = _own("udpos", "tagging", UPOS, test="udpos")
"""Udpos from the Hub; its files are looked up in `adapterxfer.data.sources`."""
