"""Every data set of the catalogue in its official file layout: names of files and reader.

File names are those of the original releases; where a name says too little (``train.jsonl``), its folder is part of the
pattern. Several patterns are alternatives, the best first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterxfer.catalog import FLORES
from adapterxfer.data import choices, classification, mewsli, pools, questions, tagged
from adapterxfer.data.bitext import ISO3, read_tatoeba
from adapterxfer.data.examples import Example

Reader = Callable[[Sequence[Path], str, Counter[str]], list[Example]]
Group = tuple[str, ...]
"""Alternative patterns of one file; ``?`` before the first marks an optional file, ``+`` one or several files."""

TYDIQA = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Files and reader of one data set.

    Attributes:
        files: split -> groups; ``{lang}`` is the language, ``{iso3}`` its code in Tatoeba, ``{name}`` in TyDi QA.
        read: files of one split and language -> examples.
        read_pool: the same for splits that are pools of candidates.
        read_pairs: the same for training pairs, where they look otherwise than the test.
    """

    files: Mapping[str, tuple[Group, ...]]
    read: Reader
    read_pool: Reader | None = None
    read_pairs: Reader | None = None

    def reader(self, split: str) -> Reader:
        """The reader of a split."""
        if split.endswith("pool") and self.read_pool is not None:
            return self.read_pool
        return self.read_pairs if split in ("train", "dev") and self.read_pairs is not None else self.read

    def marked(self, split: str, expected: Sequence[str]) -> bool:
        """Whether the file with these patterns is optional in itself."""
        return any(group[0] == f"?{expected[0]}" for group in self.files[split])


def _tydiqa(paths: Sequence[Path], language: str, notes: Counter[str]) -> list[Example]:
    found: list[Example] = []
    for path in paths:
        several = path.name.startswith("tydiqa-goldp-v1.1")
        found += questions.read_questions([path], language, notes, prefix=f"{TYDIQA[language]}-" if several else "")
    return found


def _three(name: str, kinds: tuple[str, str, str], ends: tuple[str, ...]) -> dict[str, tuple[Group, ...]]:
    """Files of train, dev and test that differ in one word."""
    return {
        split: (tuple(f"{name.format(kind=kind)}{end}" for end in ends),)
        for split, kind in zip(("train", "dev", "test"), kinds, strict=True)
    }


DATASETS: Mapping[str, Dataset] = {
    "anli": Dataset(
        {
            split: tuple((f"{r}/{split}.jsonl", f"anli_{r.lower()}_{split}.jsonl") for r in ("R1", "R2", "R3"))
            for split in ("train", "dev", "test")
        },
        classification.read_anli,
    ),
    "mnli": Dataset(
        {
            "train": (("multinli_1.0_train.jsonl", "MNLI/train.tsv", "multinli.train.en.tsv"),),
            "dev": (("multinli_1.0_dev_matched.jsonl", "MNLI/dev_matched.tsv"),),
            "test": (("multinli_1.0_dev_mismatched.jsonl", "MNLI/dev_mismatched.tsv"),),
        },
        classification.read_nli,
    ),
    "snli": Dataset(_three("snli_1.0_{kind}", ("train", "dev", "test"), (".jsonl",)), classification.read_nli),
    "fever": Dataset({"train": (("train_fitems.jsonl",),), "dev": (("dev_fitems.jsonl",),)}, classification.read_fever),
    "qqp": Dataset({"train": (("QQP/train.tsv",),), "dev": (("QQP/dev.tsv",),)}, classification.read_qqp),
    "scitail": Dataset(_three("scitail_1.0_{kind}", ("train", "dev", "test"), (".tsv",)), classification.read_scitail),
    "boolq": Dataset(
        {"train": (("[Bb]ool[Qq]/train.jsonl",),), "dev": (("[Bb]ool[Qq]/dev.jsonl", "[Bb]ool[Qq]/val.jsonl"),)},
        classification.read_boolq,
    ),
    "squad-v1": Dataset(
        {"train": (("train-v1.1.json", "*train*-v1.1.json"),), "dev": (("dev-v1.1.json", "*dev*-v1.1.json"),)},
        questions.read_answerable,
    ),
    "squad-v2": Dataset({"train": (("train-v2.0.json",),), "dev": (("dev-v2.0.json",),)}, questions.read_squad_v2),
    "hellaswag": Dataset(
        {"train": (("hellaswag_train.jsonl",),), "dev": (("hellaswag_val.jsonl",),)}, choices.read_hellaswag
    ),
    "ccg": Dataset(
        {
            "train": (("ccg/train.tsv", "ccg/train.txt"),),
            "dev": (("ccg/val.tsv", "ccg/dev.txt"),),
            "test": (("ccg/test.tsv", "ccg/test.txt"),),
        },
        tagged.read_ccg,
    ),
    "cosmosqa": Dataset(
        {
            "train": (("*cosmos*/train.csv", "*cosmos*/*/train.csv"),),
            "dev": (("*cosmos*/valid.csv", "*cosmos*/*/valid.csv"),),
        },
        choices.read_cosmosqa,
    ),
    "commonsenseqa": Dataset(
        {"train": (("train_rand_split.jsonl",),), "dev": (("dev_rand_split.jsonl",),)}, choices.read_commonsenseqa
    ),
    "siqa": Dataset(
        {
            "train": (("socialIQa_v1.4_trn.jsonl", "social*/train.jsonl"), ("?social*/train-labels.lst",)),
            "dev": (("socialIQa_v1.4_dev.jsonl", "social*/dev.jsonl"), ("?social*/dev-labels.lst",)),
        },
        choices.read_siqa,
    ),
    "copa": Dataset({"train": (("COPA/train.jsonl",),), "dev": (("COPA/val.jsonl",),)}, choices.read_copa),
    "race": Dataset(
        {
            split: ((f"+RACE/{split}/high/*.txt",), (f"+RACE/{split}/middle/*.txt",))
            for split in ("train", "dev", "test")
        },
        choices.read_race,
    ),
    "winogrande": Dataset(
        {"train": (("train_xl.jsonl",),), "dev": (("winogrande*/dev.jsonl",),)}, choices.read_winogrande
    ),
    "xnli": Dataset(
        {"dev": (("xnli.dev.tsv", "xnli/dev-{lang}.tsv"),), "test": (("xnli.test.tsv", "xnli/test-{lang}.tsv"),)},
        classification.read_xnli,
    ),
    "pawsx": Dataset(
        {
            "train": (("{lang}/train.tsv", "pawsx/train-{lang}.tsv"),),
            "dev": (("{lang}/dev_2k.tsv", "pawsx/dev-{lang}.tsv"),),
            "test": (("{lang}/test_2k.tsv", "pawsx/test-{lang}.tsv"),),
        },
        classification.read_pawsx,
    ),
    "xcopa": Dataset(
        {
            "dev": (("val.{lang}.jsonl",), ("?val.et.jsonl",)),
            "test": (("test.{lang}.jsonl",), ("?test.et.jsonl",)),
        },
        choices.read_xcopa,
    ),
    "udpos": Dataset(
        {
            "train": (("en_ewt-ud-train.conllu", "udpos/train-en.tsv"),),
            "dev": (("en_ewt-ud-dev.conllu", "udpos/dev-en.tsv"),),
            "test": (("+{lang}_*-ud-test.conllu", "udpos/test-{lang}.tsv"),),
        },
        tagged.read_udpos,
    ),
    "panx": Dataset(
        {split: ((f"{{lang}}/{split}", f"panx/{split}-{{lang}}.tsv"),) for split in ("train", "dev", "test")},
        tagged.read_panx,
    ),
    "xquad": Dataset({"test": (("xquad.{lang}.json",),)}, questions.read_answerable),
    "mlqa": Dataset(
        {
            "dev": (("dev-context-{lang}-question-{lang}.json",),),
            "test": (("test-context-{lang}-question-{lang}.json",),),
        },
        questions.read_answerable,
    ),
    "tydiqa": Dataset(
        {
            "train": (("tydiqa.goldp.{lang}.train.json", "tydiqa-goldp-v1.1-train.json"),),
            "test": (("tydiqa.goldp.{lang}.dev.json", "tydiqa-goldp-dev-{name}.json", "tydiqa-goldp-v1.1-dev.json"),),
        },
        _tydiqa,
    ),
    "tatoeba": Dataset({"test": (("tatoeba.{iso3}-eng.{iso3}",), ("tatoeba.{iso3}-eng.eng",))}, read_tatoeba),
    "squad-retrieval": Dataset(
        {"train": (("train-v1.1.json", "*train*-v1.1.json"),), "dev": (("dev-v1.1.json", "*dev*-v1.1.json"),)},
        pools.read_question_sentences,
    ),
    "bucc2018": Dataset(
        {
            split + end: tuple((f"{{lang}}-en.{name}.{side}",) for side in sides)
            for split, name in (("test", "training"), ("sample", "sample"))
            for end, sides in (("", ("{lang}", "gold")), ("-pool", ("en",)))
        },
        pools.read_bucc_queries,
        read_pool=pools.read_bucc_pool,
    ),
    "lareqa": Dataset(
        dict.fromkeys(("test", "test-pool"), (("*xquad?r/{lang}.json",),)),
        pools.read_lareqa_queries,
        read_pool=pools.read_lareqa_pool,
    ),
    "mewslix": Dataset(
        {
            "train": (("wikipedia_pairs-train.jsonl",),),
            "dev": (("wikipedia_pairs-dev.jsonl",),),
            "test": (("wikinews_mentions-test.jsonl", "wikinews_mentions/test-{lang}.jsonl"),),
            "test-pool": (("candidate_set_entities.jsonl",),),
        },
        mewsli.read_mewsli_mentions,
        read_pool=mewsli.read_mewsli_pool,
        read_pairs=mewsli.read_mewsli_pairs,
    ),
    "masakhaner2": Dataset(
        {
            s: ((f"MasakhaNER2.0/data/{{lang}}/{s}.txt", f"masakhaner2*/{{lang}}/{s}.txt"),)
            for s in ("train", "dev", "test")
        },
        tagged.read_masakhaner,
    ),
    "masakhapos": Dataset(
        {
            s: ((f"masakhane-pos*/data/{{lang}}/{s}.txt", f"masakhapos*/{{lang}}/{s}.txt"),)
            for s in ("train", "dev", "test")
        },
        tagged.read_masakhapos,
    ),
    "americasnli": Dataset(
        {split: ((f"{split}/{{lang}}.tsv", f"[Aa]mericas[Nn][Ll][Ii]/{split}.tsv"),) for split in ("dev", "test")},
        classification.read_americasnli,
    ),
    "xstorycloze": Dataset(
        {
            split: ((f"spring2016.val.{{lang}}.tsv.split_20_80_{end}.tsv",),)
            for split, end in (("train", "train"), ("test", "eval"))
        },
        choices.read_xstorycloze,
    ),
    "belebele": Dataset({"test": (("[Bb]elebele/{code}.jsonl", "{code}.jsonl"),)}, choices.read_belebele),
    "sib200": Dataset(
        {split: ((f"annotated/{{code}}/{split}.tsv",),) for split in ("train", "dev", "test")},
        classification.read_sib200,
    ),
}
"""Data set -> files and reader."""


def patterns(group: Group, language: str) -> tuple[str, ...]:
    """The group's patterns with a language filled in, without their marks."""
    filled = (pattern.lstrip("?+") for pattern in group)
    return tuple(
        p.format(
            lang=language,
            code=FLORES.get(language, language),
            iso3=ISO3.get(language, language),
            name=TYDIQA.get(language, language),
        )
        for p in filled
    )
