"""Averages of mteb 2.26.24 and EuroEval 18.3.0 (recorded/): every interval names what was varied, and covers."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from adapterxfer.cli.main import main
from adapterxfer.errors import DataError
from adapterxfer.exchange.averages import Average, compare_averages
from adapterxfer.exchange.euroeval import read_euroeval
from adapterxfer.exchange.mteb import read_mteb
from adapterxfer.exchange.sources import kind_of, parse_source

RECORDED = Path(__file__).parent / "recorded"
EUROEVAL = RECORDED / "euroeval" / "euroeval_benchmark_results.jsonl"


def average(system: str, task: str, language: str, score: float, **values: Any) -> Average:
    return Average(
        system=system, task=task, subset="", language=language, metric="acc", score=score, version="1", **values
    )


def test_mteb_is_read_as_it_was_written() -> None:
    source = parse_source(str(RECORDED / "mteb"))
    assert kind_of([source]) == "mteb"
    rows = read_mteb([source])
    assert {row.system for row in rows} == {"org/enc-a", "org/enc-b"}
    assert {row.language for row in rows} == {"de", "sw", "th", "en"}
    for row in rows:
        assert row.metric == "accuracy"
        assert np.mean(row.repeats) == pytest.approx(row.score, abs=1e-3)
        assert not row.items_drawn


def test_euroeval_is_read_as_it_was_written() -> None:
    source = parse_source(str(EUROEVAL.parent))
    assert kind_of([source]) == "euroeval"
    rows = read_euroeval([source])
    assert [row.metric for row in rows] == ["mcc"] * 8
    assert {row.language for row in rows} == {"da", "sv", "no-nb"}
    for row in rows:
        assert np.mean(row.repeats) == pytest.approx(row.score)
        assert row.varied == "EuroEval's 10 bootstrap samples of the test set, each with its own training"
    other = read_euroeval([source], metric="macro_f1")
    assert {row.metric for row in other} == {"macro_f1"}


def test_the_mean_over_languages_is_a_paired_t_test() -> None:
    rows = [average(s, "x", code, score) for s, scores in (("a", [60.0, 55.0, 71.0]), ("b", [58.0, 54.0, 64.0]))
            for code, score in zip(("de", "sw", "th"), scores, strict=True)]  # fmt: skip
    for number, row in enumerate(rows):  # one subset per language
        rows[number] = Average(**{**{name: getattr(row, name) for name in row.__slots__}, "subset": row.language})
    first = compare_averages(rows, "a", "b")[0]
    expected = stats.ttest_1samp([2.0, 1.0, 7.0], 0.0)
    interval = expected.confidence_interval()
    assert (first.resampled, first.estimate) == ("3 languages", pytest.approx(10 / 3))
    assert first.p == pytest.approx(expected.pvalue)
    assert (first.low, first.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_a_language_counts_once_however_many_tasks_it_has() -> None:
    rows = []
    for system, shift in (("a", 1.0), ("b", 0.0)):
        rows += [average(system, task, "de", 50 + shift * (4 if task == "x" else 1)) for task in "xyz"]
        rows.append(average(system, "u", "sw", 50 + 10 * shift))
    languages, tasks, *single = compare_averages(rows, "a", "b")
    assert languages.estimate == pytest.approx((2 + 10) / 2)
    assert languages.remark == "a verdict over languages needs 3 or more"
    assert tasks.estimate == pytest.approx((4 + 1 + 1 + 10) / 4)
    assert all(test.p is None and test.remark == "an average alone cannot be tested" for test in single)


def test_bootstrap_repetitions_cover_the_true_difference() -> None:
    """Ten bootstrap samples of one test set of 300 items: the interval covers the true difference in 95 % of sets.

    Divided by the root of ten, as for independent tests, it would cover in less than half.
    """
    rng = np.random.default_rng(11)
    items, count, studies = 300, 10, 600
    quantile = stats.t.ppf(0.975, count - 1)
    covered = naive = 0
    for _ in range(studies):
        answers = {"a": rng.random(items) < 0.7, "b": rng.random(items) < 0.6}
        draws = rng.integers(0, items, size=(count, items))
        rows = []
        for system, correct in answers.items():
            repeats = tuple(100.0 * correct[draw].mean() for draw in draws)
            rows.append(
                average(system, "x", "de", float(np.mean(repeats)), repeats=repeats, varied="10", items_drawn=True)
            )
        test = compare_averages(rows, "a", "b")[-1]
        assert test.low is not None
        assert test.high is not None
        covered += test.low <= 10.0 <= test.high
        half = quantile * (test.high - test.estimate) / quantile / math.sqrt(1.0 + 1.0 / count) / math.sqrt(count)
        naive += abs(test.estimate - 10.0) <= half
    assert 0.93 <= covered / studies <= 0.975
    assert naive / studies < 0.6


def test_repetitions_that_only_train_again_say_so() -> None:
    repeats = {"a": (61.0, 62.0, 60.0, 63.0), "b": (60.0, 60.5, 59.0, 60.0)}
    rows = [average(s, "x", "de", float(np.mean(r)), repeats=r, varied="4 draws") for s, r in repeats.items()]
    test = compare_averages(rows, "a", "b", margin=10.0)[-1]
    expected = stats.ttest_rel(repeats["a"], repeats["b"])
    assert test.p == pytest.approx(expected.pvalue)
    assert "says nothing about other items" in test.remark
    assert test.outcome == "difference found"
    close = [average(s, "x", "de", float(np.mean(r)), repeats=r, varied="4 draws")
             for s, r in (("a", (60.0, 61.0, 60.5)), ("b", (60.5, 60.0, 60.8)))]  # fmt: skip
    assert compare_averages(close, "a", "b", margin=10.0)[-1].outcome == "equivalent"


def test_p_values_of_tasks_are_adjusted_by_holm() -> None:
    tests = compare_averages(read_euroeval([parse_source(str(EUROEVAL))]), "org/tuned", "org/base")
    single = [test for test in tests if test.subject != "mean"]
    smallest = min(single, key=lambda test: test.p or 1.0)
    assert smallest.p is not None
    assert smallest.p_adjusted == pytest.approx(4 * smallest.p)


def repeated(rng: np.random.Generator, truths: list[float], *, items_drawn: bool = False) -> list[Average]:
    """Two systems on data sets with these true differences, ten repetitions of each."""
    rows = []
    for number, truth in enumerate(truths):
        differences = rng.normal(truth, 1.0, 10)
        for system, repeats in (("a", 50.0 + differences), ("b", np.full(10, 50.0))):
            values = tuple(repeats.tolist())
            score = float(np.mean(values))
            more = {"repeats": values, "varied": "10", "items_drawn": items_drawn}
            rows.append(average(system, f"t{number}", "de", score, **more))
    return rows


def test_twenty_data_sets_at_the_margin_are_rarely_called_equivalent() -> None:
    """Some of twenty was called so in 63 % of studies while these p-values were not adjusted."""
    rng = np.random.default_rng(3)
    studies, wrong, seen = 300, 0, 0
    for _ in range(studies):
        tests = compare_averages(repeated(rng, [1.0] * 20), "a", "b", margin=1.0)
        wrong += any(test.outcome == "equivalent" for test in tests if test.subject != "mean")
        equal = compare_averages(repeated(rng, [0.0] * 20), "a", "b", margin=3.0)
        seen += all(test.outcome == "equivalent" for test in equal if test.subject != "mean")
    assert wrong / studies <= 0.08
    assert seen / studies > 0.3  # where it can be shown, it still is


def test_the_interval_beside_an_adjusted_verdict_agrees_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(4)
    contradicted = found = 0
    for drawn in (True, False) * 20:
        rows = repeated(rng, rng.normal(0.0, 1.5, 12).tolist(), items_drawn=drawn)
        for test in compare_averages(rows, "a", "b")[2:]:
            assert test.adjusted_low is not None
            assert test.adjusted_high is not None
            outside = test.adjusted_low > 0.0 or test.adjusted_high < 0.0
            found += outside
            contradicted += outside != (test.outcome == "difference found")
    assert contradicted == 0
    assert 50 < found < 430
    assert main(["significance", str(EUROEVAL), "--margin", "5"]) == 0
    shown = capsys.readouterr().out
    assert "adjusted over them (Holm)" in shown
    assert main(["significance", str(EUROEVAL), "--margin", "5", "--json"]) == 0
    tests = json.loads(capsys.readouterr().out)["averages"]
    single = next(test for test in tests if test["adjusted_low"] is not None)
    assert f"{single['adjusted_low']:+.2f} to {single['adjusted_high']:+.2f}" in shown
    assert single["p_equivalent_adjusted"] >= single["p_equivalent"]


def test_the_command_says_what_each_interval_goes_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["significance", str(EUROEVAL), "--json"]) == 0
    tests = json.loads(capsys.readouterr().out)["averages"]
    assert [test["resampled"] for test in tests[:2]] == ["3 languages", "4 tasks"]
    assert main(["significance", str(RECORDED / "mteb")]) == 0
    shown = capsys.readouterr().out
    assert "keeps averages and no scores of items" in shown
    assert "mteb's 10 draws of training examples" in shown


def edited(folder: Path, damage: Callable[[dict[str, Any]], Any]) -> list[str]:
    """Two named files of records, the second model's with a mistake."""
    records = [json.loads(line) for line in EUROEVAL.read_text(encoding="utf-8").splitlines()]
    base = [record for record in records if record["model_info"]["id"] == "org/base"]
    tuned = [record for record in records if record["model_info"]["id"] == "org/tuned"]
    for record in tuned:
        damage(record)
    for name, kept in (("base", base), ("tuned", tuned)):
        text = "".join(json.dumps(record) + "\n" for record in kept)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return [f"base={folder / 'base.jsonl'}", f"tuned={folder / 'tuned.jsonl'}"]


def fewer(record: dict[str, Any]) -> None:
    details = record["eval_library"]["additional_details"]
    raw = json.loads(details["raw_results"])[:4]
    details["raw_results"] = json.dumps(raw)
    score = 100 * sum(row["mcc"] for row in raw) / 4
    record["evaluation_results"][0]["score_details"]["score"] = score


def test_records_that_do_not_fit_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(damage: Callable[[dict[str, Any]], Any], *more: str) -> str:
        assert main(["significance", *edited(tmp_path, damage), *more]) == 2
        return capsys.readouterr().err

    library = "eval_library"
    assert "the version is EuroEval 17" in said(lambda record: record[library].update(version="17"))
    assert "generative true" in said(
        lambda record: record["model_info"]["additional_details"].update(generative="true")
    )
    assert "4 and 10 repetitions" in said(fewer)
    details = "additional_details"
    assert "has no score of task" in said(
        lambda record: record[library][details].update(dataset=record["evaluation_id"])
    )
    assert "two scores of task 'new'" in said(lambda record: record[library][details].update(dataset="new"))
    assert "is no record of EuroEval" in said(lambda record: record.pop("evaluation_results"))
    assert "no metric 'f2'" in said(lambda record: None, "--metric", "f2")
    assert "--each needs scores of items" in said(lambda record: None, "--each", "language")
    assert "no system 'c'" in said(lambda record: None, "--a", "c")


def test_files_of_mteb_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(RECORDED / "mteb" / "results", folder)
    shutil.copytree(folder / "org__enc-a" / "r1", folder / "org__enc-a" / "r2")
    with pytest.raises(DataError, match="name the folder of one model and revision"):
        read_mteb([parse_source(str(folder))])
    (folder / "org__enc-a" / "r2" / "LocalSentiment.json").write_text('{"task_name": "x", "scores": [1]}')
    with pytest.raises(DataError, match="no result of mteb"):
        read_mteb([parse_source(str(folder / "org__enc-a" / "r2"))])


def test_formats_are_not_mixed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["significance", str(EUROEVAL), str(RECORDED / "mteb")]) == 2
    assert "scores of several formats" in capsys.readouterr().err
