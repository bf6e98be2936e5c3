"""Damaged and meagre stores through the public functions: a defined, explained result, or one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapterxfer import api
from adapterxfer.cli.main import main
from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS
from adapterxfer.plan import build_plan
from adapterxfer.predict.table import FILE_NAME, METADATA_KEY, SCHEMA_VERSION, gold_fingerprint
from adapterxfer.recipe import load_recipe
from adapterxfer.report.content import MODELS_ONLY
from adapterxfer.store.store import Store

RECIPE = """\
recipe: 1
name: small
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [{target}]
variants: [full-ft]
seeds: {seeds}
controls: false
train: {{default: {{learning_rate: 1e-3, steps: 1}}}}
statistics:
  resamples: 200
  hypotheses:
    - {{id: gain, contrast: gain}}
    - {{id: family, family: families, contrast: gain, each: family}}
    - {{id: languages, family: languages, contrast: gain, scope: languages}}
    - {{id: same, family: same, contrast: equivalent, margin: 1.0}}
"""
LANGUAGES = ("en", "a1", "a2", "c1")
"""Two families: A beside English with two languages, C with one."""

ITEMS = 80
Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Small:
    """One backbone and target with and without an intermediate task; `change` damages the last prediction file."""

    recipe: Path
    store: Path

    def verdicts(self) -> dict[str, Any]:
        return {test.name: test for test in api.verdicts(self.recipe, store=self.store)}


def _small(
    root: Path,
    count: Callable[[np.random.Generator, bool, str], Counts],
    *,
    metric: str = "accuracy",
    seeds: tuple[int, ...] = (1, 2, 3),
    change: Callable[[dict[str, list[Any]]], None] | None = None,
) -> Small:
    """Fill a store; `count` gives counts of shape (ITEMS, columns) from a generator, whether with the task, a code."""
    target = "world-ner" if metric == "span_f1" else "world-xnli"
    recipe = root / "small.yaml"
    recipe.write_text(RECIPE.format(target=target, seeds=list(seeds)), encoding="utf-8")
    plan = build_plan(load_recipe(recipe))
    store = Store(root / "store")
    store.open()
    names = METRICS[metric].columns
    rng = np.random.default_rng(7)
    keys = list(dict.fromkeys(cell.predict for cell in plan.cells))
    helped = {cell.predict: cell.intermediate != "none" for cell in plan.cells}
    for key in keys:
        columns: dict[str, list[Any]] = {
            name: [] for name in ("language", "example_id", "cluster_id", "prediction", "gold", *names)
        }
        for code in sorted(LANGUAGES):
            ids = [f"e{number}" for number in range(ITEMS)]
            columns["language"] += [code] * ITEMS
            columns["example_id"] += ids
            columns["cluster_id"] += ids
            columns["prediction"] += ["yes"] * ITEMS
            columns["gold"] += ["yes"] * ITEMS
            values = count(rng, helped[key], code)
            for number, name in enumerate(names):
                columns[name] += values[:, number].tolist()
        if change is not None and key == keys[-1]:
            change(columns)
        _commit(store, plan.stages[key], columns, metric)
    return Small(recipe, root / "store")


def _commit(store: Store, stage: Any, columns: Mapping[str, list[Any]], metric: str) -> None:
    gold = zip(columns["language"], columns["example_id"], columns["gold"], strict=True)
    metadata = {
        "schema": SCHEMA_VERSION, "stage_key": stage.key, "task": "made up", "format": "made up", "metric": metric,
        "protocol": "made up", "gold_fingerprint": gold_fingerprint(gold),
    }  # fmt: skip
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.set_column(0, "language", table.column("language").dictionary_encode())
    with store.scratch(stage) as scratch:
        pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)}), scratch / FILE_NAME)
        store.commit(stage, scratch, result={}, provenance={"seconds": 0.0})


def _answers(rng: np.random.Generator, helped: bool, code: str) -> Counts:
    right = rng.random(ITEMS) < (0.8 if helped else 0.4)
    return np.stack([right.astype(np.float64), np.ones(ITEMS)], axis=1)


def _drop_language(columns: dict[str, list[Any]]) -> None:
    kept = [row for row, code in enumerate(columns["language"]) if code != "c1"]
    for name, values in columns.items():
        columns[name] = [values[row] for row in kept]


def _change_gold(columns: dict[str, list[Any]]) -> None:
    columns["gold"][3] = "no"


def _drop_example(columns: dict[str, list[Any]]) -> None:
    for values in columns.values():
        del values[0]


def _nan(columns: dict[str, list[Any]]) -> None:
    columns["correct"][5] = float("nan")


def _null(columns: dict[str, list[Any]]) -> None:
    columns["correct"][5] = None


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (_drop_language, f"{FILE_NAME} has no rows in c1"),
        (_change_gold, "1 of 320 gold answers differ, the first is that of example 'e3' in a1: 'yes' and 'no'"),
        (_drop_example, "lacks 1 examples, the first is 'e0' in a1"),
        (_nan, "correct of example 'e5' in a1 is nan; counts are finite"),
        (_null, "correct of example 'e5' in a1 is nan; counts are finite"),
    ],
)
def test_what_cannot_be_compared_is_one_error_with_place_cause_and_fix(
    damage: Callable[[dict[str, list[Any]]], None], cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = _small(tmp_path, _answers, change=damage)
    for ask in (small.verdicts, lambda: api.report(small.recipe, tmp_path / "out", store=small.store)):
        with pytest.raises(DataError) as caught:
            ask()
        assert cause in caught.value.what
        assert str(small.store) in caught.value.what
        assert caught.value.fix
    assert main(["report", str(small.recipe), "--store", str(small.store), "--out", str(tmp_path / "out")]) == 2
    assert cause in capsys.readouterr().err


def test_one_seed_says_nothing_about_retraining(tmp_path: Path) -> None:
    small = _small(tmp_path, _answers, seeds=(1,))
    gain = small.verdicts()["gain"]
    assert gain.outcome == "inconclusive"
    assert gain.estimate == pytest.approx(40.0, abs=10.0)
    assert "says nothing about retraining" in gain.remark
    findings = api.report(small.recipe, tmp_path / "out", store=small.store)
    assert {effect.verdict for effect in findings.effects} == {"inconclusive"}
    assert MODELS_ONLY in {effect.remark for effect in findings.effects}
    for name in ("report.md", "report.html", "tables/all-effects.csv"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert MODELS_ONLY in text, name
        assert "found for these models" not in text, name


def test_one_language_in_a_family_is_about_that_language(tmp_path: Path) -> None:
    small = _small(tmp_path, _answers)
    found = small.verdicts()
    lonely = next(test for name, test in found.items() if name.startswith("family ") and test.clusters == ITEMS)
    assert lonely.outcome == "difference found"
    findings = api.report(small.recipe, tmp_path / "out", store=small.store)
    alone = next(caution for caution in findings.cautions if caution.check == "one language in a family")
    assert "(c1)" in alone.text


def test_tagging_language_without_spans_has_the_score_of_the_official_metric(tmp_path: Path) -> None:
    def spans(rng: np.random.Generator, helped: bool, code: str) -> Counts:
        if code == "c1":
            return np.zeros((ITEMS, 3))
        right = (rng.random(ITEMS) < (0.8 if helped else 0.4)).astype(np.float64)
        return np.stack([right, np.ones(ITEMS), np.ones(ITEMS)], axis=1)

    small = _small(tmp_path, spans, metric="span_f1")
    findings = api.report(small.recipe, tmp_path / "out", store=small.store)
    empty = float(METRICS["span_f1"].score(np.zeros(3)))
    scores = [score for score in findings.scores if (score.group_kind, score.group) == ("language", "c1")]
    assert scores
    assert all(score.score == empty for score in scores)
    effect = next(e for e in findings.effects if e.kind == "gain" and (e.group_kind, e.group) == ("language", "c1"))
    assert (effect.estimate, effect.low, effect.high, effect.verdict) == (0.0, -100.0, 100.0, "inconclusive")
    # c1 is the same with and without the task, so the mean over three languages has two thirds of the gain.
    assert small.verdicts()["gain"].estimate == pytest.approx(40.0 * 2 / 3, abs=6.0)


def test_all_correct_systems_are_equal_and_no_difference_is_claimed(tmp_path: Path) -> None:
    small = _small(tmp_path, lambda *_: np.ones((ITEMS, 2)))
    found = small.verdicts()
    assert found["same"].outcome == "equivalent"
    assert {test.outcome for name, test in found.items() if name != "same"} == {"inconclusive"}
    assert (found["gain"].estimate, found["gain"].low, found["gain"].high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert found["gain"].p == 1.0
    assert "no variation between clusters: the standard error is zero" in found["gain"].flags
    findings = api.report(small.recipe, tmp_path / "out", store=small.store)
    assert all(score.score == 100.0 for score in findings.scores)
    assert {effect.verdict for effect in findings.effects} == {"inconclusive"}
    assert any(caution.check == "ceiling" for caution in findings.cautions)
