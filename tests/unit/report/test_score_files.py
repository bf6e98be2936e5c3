"""Scores of other tools: what is read, what is refused, and the exit codes of the script for pipelines."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapterxfer.errors import DataError
from adapterxfer.metrics import METRICS
from adapterxfer.recipe.hypotheses import read_hypotheses
from adapterxfer.report.findings import find, verdicts
from adapterxfer.report.results import Results
from adapterxfer.report.score_files import read_scores
from adapterxfer.report.settings import ReportSettings

SCRIPT = Path(__file__).parents[3] / "scripts" / "significance_report.py"
Row = dict[str, Any]
EMPTY = float(METRICS["span_f1"].score(np.zeros(3)))
"""What the official metric says where there is nothing to find and nothing was found."""


def rows_of(*, rates: dict[str, float], seeds: int = 3, examples: int = 120, languages: str = "en sw yo") -> list[Row]:
    """Systems with shared example difficulty; `rates` is system -> share of correct answers."""
    rng = np.random.default_rng(5)
    difficulty = rng.standard_normal((len(languages.split()), examples))
    found = []
    for system, rate in rates.items():
        for seed in range(seeds):
            latent = 0.8 * difficulty + 0.6 * rng.standard_normal(difficulty.shape)
            correct = latent < np.quantile(difficulty, rate)
            for code, answers in zip(languages.split(), correct, strict=True):
                found += [
                    {
                        "target": "t", "language": code, "example": f"e{number}", "system": system, "seed": seed,
                        "score": int(value), "gold": f"g{number}",
                    }
                    for number, value in enumerate(answers)
                ]  # fmt: skip
    return found


def write(path: Path, rows: list[Row]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


BETTER = rows_of(rates={"a": 0.8, "b": 0.5})


def test_tables_of_different_targets_are_one_study(tmp_path: Path) -> None:
    spans = [
        {"target": "s", "language": row["language"], "example": row["example"], "system": row["system"],
         "seed": row["seed"], "tp": row["score"], "predicted": 1, "gold_spans": 1}
        for row in BETTER
    ]  # fmt: skip
    paths = [write(tmp_path / "t.csv", BETTER), write(tmp_path / "s.parquet", spans)]
    both = read_scores([(path, "", None) for path in paths])
    assert both.targets == ("t", "s")
    assert [both.target(name).metric.name for name in both.targets] == ["mean score", "span_f1"]
    alone = [read_scores(path) for path in paths]
    assert both.cells == tuple(cell for results in alone for cell in results.cells)
    for name, results in zip(both.targets, alone, strict=True):
        assert both.target(name) is not results.target(name)
        assert both.target(name).counts.keys() == results.target(name).counts.keys()
    settings = ReportSettings(resamples=100)
    assert {score.target for score in find(both, settings).scores} == {"t", "s"}


def test_tables_of_one_target_stay_tables_of_systems(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{name}.csv", rows_of(rates={name: 0.6})) for name in "ab"]
    both = read_scores([(path, "", None) for path in paths])
    assert both.targets == ("t",)
    assert {cell.variant for cell in both.cells} == {"a", "b"}


def test_sizes_of_tables_of_different_targets_must_agree(tmp_path: Path) -> None:
    sized = [[{**row, "target": name, "parameters": size} for row in BETTER] for name, size in (("t", 5), ("s", 6))]
    paths = [write(tmp_path / f"{number}.csv", rows) for number, rows in enumerate(sized)]
    with pytest.raises(DataError, match="model has several sizes"):
        read_scores([(path, "", None) for path in paths])


def test_csv_and_parquet_give_the_same_verdict(tmp_path: Path) -> None:
    claim = read_hypotheses([{"id": "H", "contrast": "difference", "of": "score", "a": "a", "b": "b",
                              "over": {"intermediate": "none"}}])  # fmt: skip
    settings = ReportSettings(resamples=200, hypotheses=claim)
    found = [verdicts(read_scores(write(tmp_path / name, BETTER)), settings) for name in ("s.csv", "s.parquet")]
    assert found[0] == found[1]
    assert found[0][0].outcome == "difference found"
    # the mean over the two zero-shot languages, by hand
    means = [np.mean([row["score"] for row in BETTER if row["system"] == s and row["language"] != "en"]) for s in "ab"]
    assert found[0][0].estimate == pytest.approx(100 * (means[0] - means[1]))


def test_counts_of_a_metric_are_scored_as_that_metric(tmp_path: Path) -> None:
    rows = [
        {
            "target": "ner",
            "language": "sw",
            "example": n,
            "variant": "x",
            "tp": n,
            "predicted": 2 * n + 1,
            "gold_spans": 3,
        }
        for n in range(4)
    ]  # fmt: skip
    results = read_scores(write(tmp_path / "s.csv", rows))
    assert results.target("ner").metric.name == "span_f1"
    assert results.score_rows()[0].score == pytest.approx(200 * 6 / (16 + 12))
    assert results.score_rows()[0].family == "Niger-Congo"


def without(column: str) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [{name: value for name, value in row.items() if name != column} for row in rows]


def changed(number: int, **values: Any) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [{**row, **values} if place == number else row for place, row in enumerate(rows)]


LAST = len(BETTER) - 1


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (without("language"), "no column language"),
        (without("score"), "no scores"),
        (changed(3, score=float("nan")), "row 4: score = nan"),
        (changed(3, score=-0.5), "row 4: score = -0.5"),
        (changed(3, score=55), "expected 0 to 1"),
        (changed(3, score="good"), "no number"),
        (changed(3, target=""), "row 4: no value for 'target'"),
        (changed(LAST, gold="other"), "the gold of example 'e119' in yo is 'other' for model b seed 2"),
        (changed(LAST, example="e0"), "given twice for model b seed 2"),
        (changed(LAST, example="new"), "different examples"),
        (lambda rows: rows[:-1], "different examples"),
        (lambda rows: [r for r in rows if (r["system"], r["language"]) != ("b", "sw")], "b seed 0 has no rows in sw"),
        (lambda rows: [{**r, "metric": "bleu"} for r in rows], "unknown metric 'bleu'"),
        (lambda rows: [{**r, "metric": "span_f1"} for r in rows], "needs a column 'tp'"),
        (lambda rows: [{**r, "seed": 0.5} for r in rows], "no whole number"),
        (lambda rows: [{**r, "family": r["system"]} for r in rows], "has the family 'a' and 'b'"),
        (
            lambda rows: [{**r, "backbone": r["system"], "parameters": 5 * (r["system"] == "a")} for r in rows],
            "no size of b",
        ),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_with_place_and_fix(
    damage: Callable[[list[Row]], list[Row]], part: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        read_scores(write(tmp_path / "s.csv", damage(BETTER)))
    assert part in str(caught.value)
    assert str(tmp_path) in caught.value.what
    assert caught.value.fix


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not found"):
        read_scores(tmp_path / "none.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="cannot be read"):
        read_scores(tmp_path / "bad.parquet")
    (tmp_path / "empty.csv").write_text("target,language,example,score\n", encoding="utf-8")
    with pytest.raises(DataError, match="no rows"):
        read_scores(tmp_path / "empty.csv")


def test_missing_language_is_left_out_for_all_where_that_is_asked_for(tmp_path: Path) -> None:
    kept = [row for row in BETTER if (row["system"], row["language"]) != ("b", "sw")]
    results = read_scores(write(tmp_path / "s.csv", kept), common_languages=True)
    assert results.target("t").frame.languages == ("en", "yo")


def study(rows: list[Row], tmp_path: Path) -> Results:
    return read_scores(write(tmp_path / "s.parquet", rows))


def judge(results: Results, **claim: Any):  # type: ignore[no-untyped-def]
    base = {"id": "H", "contrast": "difference", "of": "score", "a": "a", "b": "b", "over": {"intermediate": "none"}}
    settings = ReportSettings(resamples=200, hypotheses=read_hypotheses([{**base, **claim}]))
    return verdicts(results, settings)[0]


def test_one_seed_and_one_language_of_a_family(tmp_path: Path) -> None:
    one = judge(study(rows_of(rates={"a": 0.8, "b": 0.5}, seeds=1), tmp_path))
    assert one.outcome == "inconclusive"
    assert "says nothing about retraining" in one.remark
    single = judge(study(rows_of(rates={"a": 0.8, "b": 0.5}, languages="en sw"), tmp_path), scope="languages")
    assert single.outcome == "inconclusive"
    assert "a single language" in single.remark


def test_all_correct_systems_have_no_error_and_no_verdict_beyond_it(tmp_path: Path) -> None:
    rows = [{**row, "score": 1} for row in BETTER]
    same = judge(study(rows, tmp_path), contrast="equivalent", margin=1.0)
    assert (same.estimate, same.low, same.high) == (0.0, 0.0, 0.0)
    assert same.p == 1.0
    assert "no variation between clusters: the standard error is zero" in same.flags
    report = find(study(rows, tmp_path), ReportSettings(resamples=100))
    assert all(score.score == 100.0 for score in report.scores)


def test_a_tagging_language_without_any_span_is_defined_or_named(tmp_path: Path) -> None:
    empty = {"tp": 0, "predicted": 0, "gold_spans": 0}
    rows = [
        {"target": "ner", "language": code, "example": n, "variant": v, "seed": s,
         **({"tp": 1, "predicted": 1 + (v == "b"), "gold_spans": 2} if code == "sw" else empty)}
        for code in ("sw", "yo") for v in "ab" for s in (1, 2) for n in range(50)
    ]  # fmt: skip
    results = study(rows, tmp_path)
    assert {row.language: row.score for row in results.score_rows() if row.variant == "a"} == {
        "sw": 200 / 3,
        "yo": EMPTY,
    }
    found = judge(results)
    # sw: 2 / 3 against 2 / 4; yo is the same for both, whatever its score is
    assert found.estimate == pytest.approx((200 / 3 - 50) / 2)
    assert found.low <= found.estimate <= found.high


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("significance_report", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_script_exits_0_1_2(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write(tmp_path / "s.csv", BETTER)
    claims = tmp_path / "claims.yaml"
    head = "hypotheses_file: 1\nhypotheses:\n  - {id: H, contrast: difference, of: score, over: {intermediate: none}, "
    claims.write_text(head + "a: a, b: b, expect: positive}\n", encoding="utf-8")
    common = [str(table), "--resamples", "200", "--hypotheses", str(claims)]
    assert script.main([*common, "--check"]) == 0
    assert "H: difference found: +" in capsys.readouterr().out
    claims.write_text(head + "a: b, b: a, expect: positive}\n", encoding="utf-8")
    assert script.main(common) == 0
    assert script.main([*common, "--check"]) == 1
    assert "expected positive, but: difference found: -" in capsys.readouterr().err
    write(table, changed(3, score=float("nan"))(BETTER))
    assert script.main([*common, "--check"]) == 2
    assert "row 4: score = nan" in capsys.readouterr().err
    claims.write_text(head + "a: a}\n", encoding="utf-8")
    assert script.main(common) == 2
    assert script.main([str(tmp_path)]) == 2
    assert "a store needs --recipe" in capsys.readouterr().err


def test_script_says_equivalent_within_a_given_margin_only(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {"a": 0.8, "b": 0.8}
    arms = [{**row, "intermediate": name} for name in ("none", "nli") for row in rows_of(rates=rates, examples=300)]
    table = write(tmp_path / "s.csv", arms)
    for given, missing in (([], True), (["--margin", "20"], False)):
        out = tmp_path / f"report{len(given)}"
        assert script.main([str(table), "--resamples", "200", "--out", str(out), *given]) == 0
        content = json.loads((out / "report.json").read_text(encoding="utf-8"))
        assert any("declares no margin" in line for line in content["method"]) == missing
        gains = [effect for effect in content["effects"] if effect["kind"] == "gain"]
        assert {effect["p_equivalent"] is None for effect in gains} == {missing}
    assert script.main([str(table), "--margin", "-1"]) == 2
    assert "give points above 0" in capsys.readouterr().err


def test_script_writes_the_whole_report(script: Any, tmp_path: Path) -> None:
    table = write(tmp_path / "s.csv", rows_of(rates={"a": 0.8, "b": 0.5}, examples=40))
    assert script.main([str(table), "--resamples", "100", "--out", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Transfer variants at each size" in text or "Scores and controls" in text
    assert (tmp_path / "report" / "tables" / "scores.tex").is_file()
