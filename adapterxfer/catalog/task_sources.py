"""Where every task of the study comes from: repository, configuration, splits, columns, labels, citation, clusters.

Facts as data, read by the reader of the Hub, `data check` and contract tests. Repositories with loading scripts
load no more; those named here hold plain files, or a converted branch that is addressed by folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

CONVERTED = "refs/convert/parquet"
"""Branch of converted files; without a folder it would silently join all configurations of a repository."""


@dataclass(frozen=True, slots=True)
class Alternate:
    """Another repository with the same examples, tried where the first cannot be loaded.

    Attributes:
        repository, revision, config, folder: as in `TaskSource`.
        splits, columns: None where they are those of the first.
        language_column: tells the languages of a joint configuration apart.
        raw_labels: as in `TaskSource`.
    """

    repository: str
    revision: str = ""
    config: str = ""
    folder: str = ""
    splits: Mapping[str, tuple[str, ...]] | None = None
    columns: Mapping[str, str] | None = None
    language_column: str = ""
    raw_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSource:
    """One data set.

    Attributes:
        repository: on the Hub; empty where only original files exist.
        revision: branch or commit; empty for the main branch.
        config: configuration with ``{lang}`` (code of the study) or ``{code}`` (code of the repository).
        folder: folder to load instead of a configuration, for converted branches.
        splits: role -> split names.
        columns: canonical field -> column.
        labels: names in official order; empty where the format has none.
        raw_labels: raw value -> label name, where the column holds neither names nor ids in official order.
        language_column, language_prefix: how to tell languages of a joint configuration apart.
        swapped: the repository has premise and hypothesis exchanged.
        alternates: other repositories with the same examples, in the order in which they are tried.
        clusters: what is resampled together.
        metric: official metric and protocol.
        citation: who made it.
        restricted: why it may not be used freely; empty where it may.
        sizes: examples by split, where the source states them (multilingual sets: per language where all agree).
    """

    repository: str
    revision: str
    config: str
    splits: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]
    labels: tuple[str, ...]
    clusters: str
    metric: str
    citation: str
    folder: str = ""
    raw_labels: Mapping[str, str] = field(default_factory=dict)
    language_column: str = ""
    language_prefix: bool = False
    swapped: bool = False
    alternates: tuple[Alternate, ...] = ()
    restricted: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def pinned(self) -> str | None:
        """The commit that is read; None where no commit is known to be right, and whatever the branch holds is read."""
        return self.revision if len(self.revision) == COMMIT_LENGTH else None

    def places(self) -> tuple[TaskSource, ...]:
        """The source itself and its alternates as sources, in the order in which they are tried."""
        return (
            self,
            *(
                replace(
                    self,
                    repository=other.repository,
                    revision=other.revision,
                    config=other.config,
                    folder=other.folder,
                    splits=self.splits if other.splits is None else other.splits,
                    columns=self.columns if other.columns is None else other.columns,
                    language_column=other.language_column,
                    raw_labels=other.raw_labels or self.raw_labels,
                    alternates=(),
                )
                for other in self.alternates
            ),
        )


COMMIT_LENGTH = 40
"""Hexadecimal digits of a commit."""

REFUSED: Mapping[str, Mapping[str, str]] = {
    "pawsx": {"google/xtreme": "rows lost to CSV quoting; labels are texts"},
    "udpos": {"google/xtreme": "Greek, French, Russian, Chinese and German hold older or other languages too"},
    "mlqa": {"facebook/mlqa": "has a loading script"},
    "tydiqa": {
        "juletxara/tydiqa_xtreme": "has a loading script; its Korean is not GoldP",
        "khalidalt/tydiqa-goldp": "has a loading script",
    },
    "bucc2018": {
        "google/xtreme": "gold pairs without the sentences to search",
        "mteb/bucc-bitext-mining": "gold pairs without the sentences to search",
    },
    "tatoeba": {"Helsinki-NLP/tatoeba": "other data"},
    "lareqa": {"google-research-datasets/xquad_r": "no sentence breaks, contexts stripped"},
    "race": {"EleutherAI/race": "the test of one school level only"},
    "sib200": {"mteb/sib200.v2": "other data", "Davlan/sib200_14classes": "14 topics"},
}
"""Task -> repositories of the same name that must not be used, and why."""

_NLI = ("entailment", "neutral", "contradiction")
_NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
_UPOS = ("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
         "SYM",
         "VERB", "X")  # fmt: skip
_TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")
_QA = {"id": "id", "context": "context", "question": "question", "answers": "answers"}
_NLI_COLUMNS = {"text": "premise", "text_pair": "hypothesis", "label": "label"}
_USUAL = {"train": ("train",), "dev": ("validation",), "test": ("test",)}
_TRAIN = {"train": ("train",), "dev": ("validation",)}
_SQUAD_METRIC = "qa/squad-v1.1/english-normaliser: mean of exact match and F1"
_NONCOMMERCIAL = "non-commercial"

SOURCES: Mapping[str, TaskSource] = {
    "anli+": TaskSource(
        "",
        "",
        "",
        {},
        {},
        _NLI,
        "premise",
        "accuracy",
        "Phang et al. 2020: ANLI, MNLI and SNLI joined",
        restricted=_NONCOMMERCIAL,
        sizes={"train": 1104934, "dev": 22857},
    ),
    "anli": TaskSource(
        "facebook/anli",
        "",
        "plain_text",
        {
            "train": ("train_r1", "train_r2", "train_r3"),
            "dev": ("dev_r1", "dev_r2", "dev_r3"),
            "test": ("test_r1", "test_r2", "test_r3"),
        },
        {"id": "uid", **_NLI_COLUMNS},
        _NLI,
        "premise",
        "accuracy",
        "Nie et al. 2020, Adversarial NLI",
        restricted=_NONCOMMERCIAL,
        sizes={"train": 162865, "dev": 3200, "test": 3200},
    ),
    "mnli": TaskSource(
        "nyu-mll/glue",
        "",
        "mnli",
        {"train": ("train",), "dev": ("validation_matched",), "test": ("validation_mismatched",)},
        {"id": "idx", **_NLI_COLUMNS},
        _NLI,
        "premise",
        "accuracy",
        "Williams et al. 2018, MultiNLI; Wang et al. 2019, GLUE",
        alternates=(Alternate("nyu-mll/multi_nli", config="default", columns=_NLI_COLUMNS),),
        sizes={"train": 392702, "dev": 9815, "test": 9832},
    ),
    "snli": TaskSource(
        "stanfordnlp/snli",
        "",
        "plain_text",
        _USUAL,
        _NLI_COLUMNS,
        _NLI,
        "premise",
        "accuracy",
        "Bowman et al. 2015, SNLI",
        sizes={"train": 549367, "dev": 9842, "test": 9824},
    ),
    "fever": TaskSource(
        "pietrolesci/nli_fever",
        "",
        "default",
        {"train": ("train",), "dev": ("dev",)},
        {"id": "fid", **_NLI_COLUMNS},
        _NLI,
        "evidence",
        "accuracy",
        "Thorne et al. 2018, FEVER; Nie et al. 2019",
        swapped=True,
        sizes={"train": 208346, "dev": 19998},
    ),
    "qqp": TaskSource(
        "nyu-mll/glue",
        "",
        "qqp",
        _TRAIN,
        {"id": "idx", "text": "question1", "text_pair": "question2", "label": "label"},
        ("not_duplicate", "duplicate"),
        "first question",
        "accuracy and F1 of duplicates",
        "Iyer et al. 2017, Quora Question Pairs; Wang et al. 2019, GLUE",
        restricted="Quora terms",
        sizes={"train": 363846, "dev": 40430},
    ),
    "scitail": TaskSource(
        "allenai/scitail",
        "",
        "tsv_format",
        _USUAL,
        _NLI_COLUMNS,
        ("entails", "neutral"),
        "premise",
        "accuracy",
        "Khot et al. 2018, SciTail",
        sizes={"train": 23097, "dev": 1304, "test": 2126},
    ),
    "boolq": TaskSource(
        "google/boolq",
        "",
        "default",
        _TRAIN,
        {"text": "passage", "text_pair": "question", "label": "answer"},
        ("False", "True"),
        "passage",
        "accuracy",
        "Clark et al. 2019, BoolQ",
        alternates=(
            Alternate(
                "aps/super_glue",
                config="boolq",
                columns={"text": "passage", "text_pair": "question", "label": "label"},
            ),
        ),
        sizes={"train": 9427, "dev": 3270},
    ),
    "squad-v1": TaskSource(
        "rajpurkar/squad",
        "",
        "plain_text",
        _TRAIN,
        _QA,
        (),
        "paragraph",
        _SQUAD_METRIC,
        "Rajpurkar et al. 2016, SQuAD",
        alternates=(Alternate("google/xtreme", config="SQuAD"),),
        sizes={"train": 87599, "dev": 10570},
    ),
    "squad-retrieval": TaskSource(
        "rajpurkar/squad",
        "",
        "plain_text",
        _TRAIN,
        _QA,
        (),
        "paragraph",
        "accuracy at 1 among the answers of the development set",
        "Rajpurkar et al. 2016, SQuAD; as retrieval: Ruder et al. 2021, XTREME-R",
        alternates=(Alternate("google/xtreme", config="SQuAD"),),
        sizes={"train": 87599, "dev": 10570},
    ),
    "squad-v2": TaskSource(
        "rajpurkar/squad_v2",
        "",
        "squad_v2",
        _TRAIN,
        _QA,
        (),
        "paragraph",
        "qa/squad-v2.0: exact match and F1",
        "Rajpurkar et al. 2018, Know What You Don't Know",
        sizes={"train": 130319, "dev": 11873},
    ),
    "hellaswag": TaskSource(
        "Rowan/hellaswag",
        "",
        "default",
        _TRAIN,
        {"id": "ind", "context": "ctx_a", "start": "ctx_b", "choices": "endings", "label": "label"},
        (),
        "context",
        "accuracy",
        "Zellers et al. 2019, HellaSwag",
        sizes={"train": 39905, "dev": 10042},
    ),
    "ccg": TaskSource(
        "",
        "",
        "",
        {},
        {},
        (),
        "sentence",
        "token accuracy",
        "Hockenmaier and Steedman 2007, CCGbank",
        restricted="LDC2005T13: users must own it",
        sizes={"train": 38015, "dev": 5484},
    ),
    "cosmosqa": TaskSource(
        "allenai/cosmos_qa",
        CONVERTED,
        "",
        _TRAIN,
        {
            "id": "id",
            "context": "context",
            "question": "question",
            "choices": "answer0 answer1 answer2 answer3",
            "label": "label",
        },
        (),
        "context",
        "accuracy",
        "Huang et al. 2019, Cosmos QA",
        folder="default",
        alternates=(Alternate("Samsoup/cosmos_qa", config="default"),),
        sizes={"train": 25262, "dev": 2985},
    ),
    "commonsenseqa": TaskSource(
        "tau/commonsense_qa",
        "",
        "default",
        _TRAIN,
        {"id": "id", "question": "question", "choices": "choices", "label": "answerKey"},
        (),
        "question",
        "accuracy",
        "Talmor et al. 2019, CommonsenseQA",
        sizes={"train": 9741, "dev": 1221},
    ),
    "siqa": TaskSource(
        "lighteval/siqa",
        "",
        "default",
        _TRAIN,
        {"context": "context", "question": "question", "choices": "answerA answerB answerC", "label": "label"},
        (),
        "context",
        "accuracy",
        "Sap et al. 2019, Social IQa",
        raw_labels={"1": "0", "2": "1", "3": "2"},
        sizes={"train": 33410, "dev": 1954},
    ),
    "copa": TaskSource(
        "aps/super_glue",
        "",
        "copa",
        _TRAIN,
        {"id": "idx", "context": "premise", "cause": "question", "choices": "choice1 choice2", "label": "label"},
        (),
        "item",
        "accuracy",
        "Roemmele et al. 2011, COPA; Wang et al. 2019, SuperGLUE",
        sizes={"train": 400, "dev": 100},
    ),
    "race": TaskSource(
        "ehovy/race",
        "",
        "all",
        _USUAL,
        {
            "cluster": "example_id",
            "context": "article",
            "question": "question",
            "choices": "options",
            "label": "answer",
        },
        (),
        "article",
        "accuracy",
        "Lai et al. 2017, RACE",
        raw_labels={"A": "0", "B": "1", "C": "2", "D": "3"},
        restricted="non-commercial research only",
        sizes={"train": 87866, "dev": 4887, "test": 4934},
    ),
    "winogrande": TaskSource(
        "allenai/winogrande",
        "",
        "winogrande_xl",
        _TRAIN,
        {"blank": "sentence", "choices": "option1 option2", "label": "answer"},
        (),
        "sentence",
        "accuracy",
        "Sakaguchi et al. 2020, WinoGrande",
        raw_labels={"1": "0", "2": "1"},
        sizes={"train": 40398, "dev": 1267},
    ),
    "xnli": TaskSource(
        "facebook/xnli",
        "",
        "{lang}",
        {"dev": ("validation",), "test": ("test",)},
        _NLI_COLUMNS,
        _NLI,
        "premise (three hypotheses, the same in all languages)",
        "accuracy",
        "Conneau et al. 2018, XNLI",
        alternates=(
            Alternate(
                "google/xtreme",
                config="XNLI",
                columns={"text": "sentence1", "text_pair": "sentence2", "label": "gold_label"},
                language_column="language",
            ),
        ),
        restricted=_NONCOMMERCIAL,
        sizes={"dev": 2490, "test": 5010},
    ),
    "pawsx": TaskSource(
        "google-research-datasets/paws-x",
        "",
        "{lang}",
        _USUAL,
        {"id": "id", "text": "sentence1", "text_pair": "sentence2", "label": "label"},
        ("0", "1"),
        "pair (the same in all languages)",
        "accuracy",
        "Yang et al. 2019, PAWS-X",
        sizes={"train": 49401, "dev": 2000, "test": 2000},
    ),
    "xcopa": TaskSource(
        "cambridgeltl/xcopa",
        "",
        "{lang}",
        {"dev": ("validation",), "test": ("test",)},
        {"id": "idx", "context": "premise", "cause": "question", "choices": "choice1 choice2", "label": "label"},
        (),
        "item (the same in all languages)",
        "accuracy",
        "Ponti et al. 2020, XCOPA",
        sizes={"dev": 100, "test": 500},
    ),
    "udpos": TaskSource(
        "izhx/xtreme-r-udpos",
        "",
        "{lang}",
        _USUAL,
        {"words": "tokens", "tags": "pos_tags"},
        _UPOS,
        "sentence",
        "udpos/seqeval-0.0.12 and token accuracy",
        "Zeman et al. 2019 and 2020, Universal Dependencies 2.5 and 2.7",
        restricted="parts non-commercial",
    ),
    "panx": TaskSource(
        "unimelb-nlp/wikiann",
        "",
        "{lang}",
        _USUAL,
        {"words": "tokens", "tags": "ner_tags"},
        _NER,
        "sentence",
        "panx/seqeval-0.0.12 (lenient spans)",
        "Pan et al. 2017, WikiANN; splits of Rahimi et al. 2019",
        alternates=(Alternate("google/xtreme", config="PAN-X.{lang}"),),
    ),
    "xquad": TaskSource(
        "google/xquad",
        "51adfef1c1287aab1d2d91b5bead9bcfb9c68583",
        "xquad.{lang}",
        {"test": ("validation",)},
        _QA,
        (),
        "paragraph (the same in all languages)",
        _SQUAD_METRIC,
        "Artetxe et al. 2020, XQuAD",
        alternates=(Alternate("google/xtreme", config="XQuAD.{lang}"),),
        sizes={"test": 1190},
    ),
    "mlqa": TaskSource(
        "google/xtreme",
        "",
        "MLQA.{lang}.{lang}",
        {"dev": ("validation",), "test": ("test",)},
        _QA,
        (),
        "paragraph; questions are shared by some languages",
        "qa/mlqa-v1/normaliser-of-the-language: mean of exact match and F1",
        "Lewis et al. 2020, MLQA",
    ),
    "tydiqa": TaskSource(
        "google-research-datasets/tydiqa",
        "",
        "secondary_task",
        {"train": ("train",), "test": ("validation",)},
        _QA,
        (),
        "paragraph",
        _SQUAD_METRIC,
        "Clark et al. 2020, TyDi QA",
        language_prefix=True,
        alternates=(Alternate("google/xtreme", config="tydiqa"),),
    ),
    "bucc2018": TaskSource(
        "mteb/BUCC",
        "414572247440f0ccacf7eb0bb70a31533a0e5443",
        "{lang}-en",
        {"test": ("test",)},
        {"sources": "sentence1", "targets": "sentence2", "gold": "gold"},
        (),
        "source sentence",
        "bucc/ratio-margin-4/both-directions/threshold-from-dev: F1 of pairs",
        "Zweigenbaum et al. 2018, BUCC shared task",
    ),
    "tatoeba": TaskSource(
        "mteb/tatoeba-bitext-mining",
        "69e8f12da6e31d59addadda9a9c8a2e601a0e282",
        "{iso3}-eng",
        {"test": ("test",)},
        {"text": "sentence1", "translation": "sentence2"},
        (),
        "sentence",
        "accuracy at 1; XTREME: zero-shot, XTREME-R: after SQuAD",
        "Artetxe and Schwenk 2019, LASER; tatoeba.org",
        alternates=(
            Alternate(
                "google/xtreme",
                config="tatoeba.{iso3}",
                splits={"test": ("validation",)},
                columns={"text": "source_sentence", "translation": "target_sentence"},
            ),
        ),
        sizes={"test": 1000},
    ),
    "mewslix": TaskSource(
        "izhx/mewsli-x",
        "",
        "{lang}",
        {"dev": ("validation",), "test": ("test",)},
        {"id": "example_id", "gold": "entity_id"},
        (),
        "mention",
        "mewslix/map@20",
        "Ruder et al. 2021, XTREME-R; Botha et al. 2020, Mewsli-9",
    ),
    "lareqa": TaskSource(
        "",
        "",
        "",
        {"test": ("validation",)},
        {},
        (),
        "question (the same in all languages)",
        "lareqa/map@20",
        "Roy et al. 2020, LAReQA",
        sizes={"test": 1190},
    ),
    "masakhaner2": TaskSource(
        "masakhane/masakhaner2",
        CONVERTED,
        "",
        _USUAL,
        {"id": "id", "words": "tokens", "tags": "ner_tags"},
        (*_NER, "B-DATE", "I-DATE"),
        "sentence",
        "spans/lenient-bio, dates read as O",
        "Adelani et al. 2022, MasakhaNER 2.0",
        folder="{lang}",
        restricted=_NONCOMMERCIAL,
    ),
    "masakhapos": TaskSource(
        "",
        "",
        "",
        {},
        {},
        _UPOS,
        "sentence",
        "token accuracy",
        "Dione et al. 2023, MasakhaPOS",
        restricted=_NONCOMMERCIAL,
    ),
    "americasnli": TaskSource(
        "nala-cub/americas_nli",
        "",
        "{lang}",
        {"dev": ("validation",), "test": ("test",)},
        _NLI_COLUMNS,
        _NLI,
        "premise",
        "accuracy",
        "Ebrahimi et al. 2022, AmericasNLI",
    ),
    "xstorycloze": TaskSource(
        "juletxara/xstory_cloze",
        CONVERTED,
        "",
        {"train": ("train",), "test": ("eval",)},
        {
            "id": "story_id",
            "label": "answer_right_ending",
            "choices": "sentence_quiz1 sentence_quiz2",
            "story": "input_sentence_1 input_sentence_2 input_sentence_3 input_sentence_4",
        },
        (),
        "story (the same in all languages)",
        "accuracy",
        "Lin et al. 2022, XStoryCloze",
        folder="{lang}",
        raw_labels={"1": "0", "2": "1"},
        sizes={"train": 360, "test": 1511},
    ),
    "belebele": TaskSource(
        "facebook/belebele",
        "",
        "{code}",
        {"test": ("test",)},
        {
            "cluster": "link",
            "id": "question_number",
            "context": "flores_passage",
            "question": "question",
            "choices": "mc_answer1 mc_answer2 mc_answer3 mc_answer4",
            "label": "correct_answer_num",
        },
        (),
        "passage (the same in all languages)",
        "accuracy",
        "Bandarkar et al. 2024, Belebele",
        raw_labels={"1": "0", "2": "1", "3": "2", "4": "3"},
        sizes={"test": 900},
    ),
    "sib200": TaskSource(
        "Davlan/sib200",
        "38977a667f6fc264d5c26ec57a01e16db040b358",
        "{code}",
        _USUAL,
        {"id": "index_id", "text": "text", "label": "category"},
        _TOPICS,
        "sentence (the same in all languages)",
        "accuracy",
        "Adelani et al. 2024, SIB-200",
        alternates=(Alternate("mteb/sib200", "a74d7350ea12af010cfb1c21e34f1f81fd2e615b", "{code}"),),
        sizes={"train": 701, "dev": 99, "test": 204},
    ),
}
"""Task or part of one -> where it comes from."""

FLORES = {
    "af": "afr_Latn",
    "ar": "arb_Arab",
    "az": "azj_Latn",
    "bg": "bul_Cyrl",
    "bn": "ben_Beng",
    "de": "deu_Latn",
    "el": "ell_Grek",
    "en": "eng_Latn",
    "es": "spa_Latn",
    "et": "est_Latn",
    "eu": "eus_Latn",
    "fa": "pes_Arab",
    "fi": "fin_Latn",
    "fr": "fra_Latn",
    "gu": "guj_Gujr",
    "he": "heb_Hebr",
    "hi": "hin_Deva",
    "ht": "hat_Latn",
    "hu": "hun_Latn",
    "id": "ind_Latn",
    "it": "ita_Latn",
    "ja": "jpn_Jpan",
    "jv": "jav_Latn",
    "ka": "kat_Geor",
    "kk": "kaz_Cyrl",
    "ko": "kor_Hang",
    "lt": "lit_Latn",
    "ml": "mal_Mlym",
    "mr": "mar_Deva",
    "ms": "zsm_Latn",
    "my": "mya_Mymr",
    "nl": "nld_Latn",
    "pa": "pan_Guru",
    "pl": "pol_Latn",
    "pt": "por_Latn",
    "ro": "ron_Latn",
    "ru": "rus_Cyrl",
    "sw": "swh_Latn",
    "ta": "tam_Taml",
    "te": "tel_Telu",
    "th": "tha_Thai",
    "tl": "tgl_Latn",
    "tr": "tur_Latn",
    "uk": "ukr_Cyrl",
    "ur": "urd_Arab",
    "vi": "vie_Latn",
    "wo": "wol_Latn",
    "yo": "yor_Latn",
    "zh": "zho_Hans",
    "bam": "bam_Latn",
    "hau": "hau_Latn",
    "ibo": "ibo_Latn",
    "kin": "kin_Latn",
    "lug": "lug_Latn",
    "luo": "luo_Latn",
    "nya": "nya_Latn",
    "sna": "sna_Latn",
    "tsn": "tsn_Latn",
    "xho": "xho_Latn",
    "zul": "zul_Latn",
    "gn": "grn_Latn",
}
"""Codes of the study to those of FLORES-200, which Belebele and SIB-200 use; both have all of these languages.

Quechua and Aymara of the study are other varieties than those there, so they are left out.
"""
