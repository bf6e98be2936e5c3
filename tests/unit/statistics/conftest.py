"""A small made-up study: two backbones' systems, two targets, seeds, parallel and separate languages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from adapterxfer import statistics as st

METRICS = {
    "xnli": st.ratio_metric("accuracy", (1, 0), (0, 1), gold_columns=(1,)),
    "panx": st.ratio_metric("span_f1", (2, 0, 0), (0, 1, 1), gold_columns=(2,)),
}


def _stream(*words: object) -> np.random.Generator:
    return np.random.default_rng(np.frombuffer("|".join(map(str, words)).encode(), dtype=np.uint8))


def _cell(name: str, seed: int, target: str, language: str, items: int, lift: float) -> st.CellCounts:
    rng, gold_rng = _stream(name, seed, target, language), _stream("gold", target, language)
    ids = [f"{index:04d}" for index in range(items)]
    easy = _stream("items", target).normal(0, 0.3, items)
    if target == "xnli":
        correct = (rng.random(items) < 0.6 + lift + easy).astype(int)
        counts, domain = np.stack([correct, np.ones(items, dtype=int)], axis=1), "xnli"
    else:
        gold = gold_rng.integers(0, 4, items)
        tp = rng.binomial(gold, 0.6 + lift)
        counts, domain = np.stack([tp, tp + rng.integers(0, 2, items), gold], axis=1), f"panx/{language}"
    return st.CellCounts(
        system={"name": name},
        seed=seed,
        target=target,
        language=language,
        domain=domain,
        cluster_ids=ids,
        counts=counts,
    )


@pytest.fixture(scope="session")
def make_cells() -> Callable[..., list[st.CellCounts]]:
    def make(
        names: Iterable[str] = ("none", "nli"),
        *,
        seeds: Iterable[int] = (1, 2, 3),
        targets: Iterable[str] = ("xnli", "panx"),
        languages: Iterable[str] = ("de", "en", "sw"),
        items: int = 150,
        lift: float = 0.05,
    ) -> list[st.CellCounts]:
        return [
            _cell(name, seed, target, language, items, lift if name != "none" else 0.0)
            for name in names
            for seed in seeds
            for target in targets
            for language in languages
        ]

    return make


@pytest.fixture(scope="session")
def make_table(make_cells: Callable[..., list[st.CellCounts]]) -> Callable[..., st.ScoreTable]:
    def make(*args: object, **settings: object) -> st.ScoreTable:
        return st.build_table(make_cells(*args, **settings), METRICS)

    return make


@pytest.fixture(scope="session")
def make_gain() -> Callable[..., st.Contrast]:
    def make(table: st.ScoreTable, target: str, *languages: str, treated: str = "nli") -> st.Contrast:
        return st.gain(
            table.find(name=treated)[0], table.find(name="none")[0], target, languages or table.languages(target)
        )

    return make
