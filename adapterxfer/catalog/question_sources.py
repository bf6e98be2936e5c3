"""Sources of questions answered by spans, and of the retrieval made of them."""

from __future__ import annotations

from collections.abc import Mapping

from adapterxfer.catalog.source_records import TRAIN, Alternate, TaskSource

_QA = {"id": "id", "context": "context", "question": "question", "answers": "answers"}
_SQUAD_METRIC = "qa/squad-v1.1/english-normaliser: mean of exact match and F1"

SOURCES: Mapping[str, TaskSource] = {
    "squad-v1": TaskSource(
        "rajpurkar/squad",
        "",
        "plain_text",
        TRAIN,
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
        TRAIN,
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
        TRAIN,
        _QA,
        (),
        "paragraph",
        "qa/squad-v2.0: exact match and F1",
        "Rajpurkar et al. 2018, Know What You Don't Know",
        sizes={"train": 130319, "dev": 11873},
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
}
"""Data set -> where it comes from."""
