"""What a notebook shows of a run: short representations, and records of logging instead of print."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from adapterxfer import Results, RunResult, build_plan, load_recipe, run
from adapterxfer.store.store import Store

ONE_CELL = [
    "backbones=[world-nano]",
    "seeds=[1]",
    "variants=[full-ft]",
    "intermediate_tasks=[none]",
    "target_tasks=[world-xnli]",
    "controls=false",
    "train.default.steps=2",
    "train.default.learning_rate=1e-3",
    "tasks.world-xnli.train_examples=32",
    "statistics={resamples: 100}",
]
SHORT = 400
"""Characters of a representation that a reader takes in at a glance."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path, list[logging.LogRecord]]:
    store = tmp_path_factory.mktemp("study") / "a <store>"
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger = logging.getLogger("adapterxfer")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        return run(load_recipe("quickstart", ONE_CELL), store=store, jobs=1), store, records
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def test_a_run_is_shown_in_one_line(study: tuple[RunResult, Path, list[logging.LogRecord]]) -> None:
    result, _, _ = study
    assert result.outcome.exit_code == 0
    assert len(repr(result)) < SHORT
    assert f"{len(result.outcome.finished)} stages made" in repr(result)
    assert "report.html" in repr(result)
    shown = result._repr_html_()
    assert "a &lt;store&gt;" in shown
    assert "<store>" not in shown


def test_plan_and_results_are_short_too(study: tuple[RunResult, Path, list[logging.LogRecord]]) -> None:
    result, store, _ = study
    assert repr(result.plan) == f"Plan(quickstart: {len(result.plan.stages)} stages, {len(result.plan.cells)} cells)"
    assert len(repr(build_plan(load_recipe("world-full")))) < SHORT
    results = Results.from_plan(result.plan, Store(store))
    assert len(repr(results)) < SHORT
    assert "variants: full-ft" in repr(results)
    assert "<td>world-xnli</td>" in results._repr_html_()


def test_a_run_tells_its_logger(study: tuple[RunResult, Path, list[logging.LogRecord]]) -> None:
    result, _, records = study
    told = [record.getMessage() for record in records]
    finished = [line for line in told if line.startswith("finished: ")]
    assert len(finished) == len(result.outcome.finished)
    assert any("world-nano full-ft world-xnli seed 1" in line for line in finished)
