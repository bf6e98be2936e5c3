"""Folders that lm_eval 0.4.13 wrote (recorded/lm_eval: its dummy model, a local task): one command, one verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.cli.main import main
from adapterxfer.errors import DataError
from adapterxfer.exchange.lm_eval import read_runs
from adapterxfer.exchange.lm_eval_results import results_of_runs
from adapterxfer.exchange.sources import kind_of, parse_source
from adapterxfer.exchange.task_languages import split_task

RECORDED = Path(__file__).parent / "recorded" / "lm_eval"
Sample = dict[str, Any]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    shutil.copytree(RECORDED, tmp_path / "out")
    return tmp_path / "out"


def printed(folder: Path, metric: str) -> dict[str, float]:
    """What the harness itself says of every task."""
    (file,) = folder.glob("results_*.json")
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    return {task: results[task][metric] for task in ("mynli_de", "mynli_sw")}


def change(folder: Path, task: str, damage: Callable[[int, Sample], Sample | None]) -> None:
    (path,) = folder.glob(f"samples_{task}_*.jsonl")
    samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [row for number, sample in enumerate(samples) if (row := damage(number, sample)) is not None]
    path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")


def change_results(folder: Path, damage: Callable[[dict[str, Any]], None]) -> None:
    (path,) = folder.glob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    damage(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("metric", ["acc", "acc_norm,none"])
def test_scores_are_those_the_harness_printed(metric: str) -> None:
    results = results_of_runs(read_runs([parse_source(str(RECORDED))]), metric=metric)
    for row in results.score_rows():
        folder = RECORDED / row.variant.replace("/", "__")
        expected = 100 * printed(folder, f"{metric.split(',')[0]},none")[f"mynli_{row.language}"]
        assert row.score == pytest.approx(expected, abs=1e-9)
    assert results.targets == ("mynli",)
    assert {(row.language, row.family) for row in results.score_rows()} == {
        ("de", "Indo-European"),
        ("sw", "Niger-Congo"),
    }


def test_two_folders_give_a_verdict(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = folders / "org__model-one", folders / "org__model-two"
    assert main(["significance", f"base={one}", f"tuned={two}", "--json"]) == 0
    (test,) = json.loads(capsys.readouterr().out)["verdicts"]
    scores = [printed(folder, "acc,none") for folder in (one, two)]
    expected = 100 * sum(scores[1][task] - scores[0][task] for task in scores[0]) / 2
    assert test["estimate"] == pytest.approx(expected, abs=1e-6)
    assert (test["text"], test["scope"]) == ("tuned minus base", "items")
    assert "12 test items" in test["resampled"] or "12 clusters" in test["resampled"]
    assert main(["significance", str(folders), "--each", "language"]) == 0
    shown = capsys.readouterr().out
    assert "org/model-two minus org/model-one, de:" in shown
    assert "org/model-two minus org/model-one, sw:" in shown


def test_the_order_of_documents_does_not_matter(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["significance", str(folders), "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    two = folders / "org__model-two"
    (path,) = two.glob("samples_mynli_de_*.jsonl")
    path.write_text("\n".join(reversed(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    change(two, "mynli_de", lambda number, row: {**row, "doc_id": number})
    assert main(["significance", str(folders), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == before


def test_runs_with_seeds_are_judged_over_runs(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = folders / "org__model-one", folders / "org__model-two"
    runs = [f"a:1={one}", f"a:2={two}", f"b:1={two}", f"b:2={one}"]
    assert main(["significance", *runs, "--json"]) == 0
    (test,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert (test["scope"], test["runs"], test["estimate"]) == ("items+runs", 2, 0.0)
    assert main(["significance", *runs[:3]]) == 2
    assert "system 'b' has no run with seed 2" in capsys.readouterr().err


def other_document(number: int, row: Sample) -> Sample:
    return {**row, "doc_hash": f"changed {number}"} if number == 3 else row


MISTAKES: list[tuple[Callable[[int, Sample], Sample | None], str]] = [
    (other_document, "same numbers and other contents (12 and 12, 11 in both by doc_hash)"),
    (lambda number, row: {**row, "doc_id": number + 50, "doc_hash": f"{number}"}, "other documents (12 and 12, 0 in"),
    (lambda number, row: {**row, "prompt_hash": "few-shot"}, "other prompts for 12 of 12 documents"),
    (lambda number, row: {**row, "target_hash": "x"} if number == 4 else row, "other right answers for 1 of 12"),
    (lambda number, row: {**row, "acc": 1 - row["acc"]} if number == 0 else row, "the harness printed"),
    (lambda number, row: None if number == 11 else {**row, "acc": row["acc"]}, "harness printed"),
    (lambda number, row: {**row, "acc": [0, 1]}, "line 1: acc = [0, 1]; expected one number"),
    (lambda number, row: {"doc_id": number}, "line 1 is no sample with doc_id, doc and doc_hash"),
]


@pytest.mark.parametrize(("damage", "message"), MISTAKES)
def test_what_cannot_be_paired_is_refused(
    damage: Callable[[int, Sample], Sample | None],
    message: str,
    folders: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(folders / "org__model-two", "mynli_de", damage)
    assert main(["significance", str(folders)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "fix:" in said
    assert "Traceback" not in said


def test_other_prompts_can_be_accepted_and_their_cause_is_named(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = folders / "org__model-two"
    change(two, "mynli_sw", lambda number, row: {**row, "prompt_hash": "few-shot"})
    change_results(two, lambda content: content["n-shot"].update(mynli_sw=5))
    assert main(["significance", str(folders)]) == 2
    assert "(examples in the prompt: 5 and 0)" in capsys.readouterr().err
    assert main(["significance", str(folders), "--other-prompts"]) == 0


def test_folders_that_do_not_fit_are_refused(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        assert main(["significance", *arguments]) == 2
        return capsys.readouterr().err

    one, two = folders / "org__model-one", folders / "org__model-two"
    assert "2 models, and one name 'x'" in said(f"x={folders}")
    assert "is given twice" in said(f"x={one}", f"x={two}")
    assert "no metric 'f1'; it has: acc,none" in said(str(folders), "--metric", "f1")
    assert "expected one number from 0 to 1" in said(str(folders), "--metric", "mcc")
    assert "no such task" in said(str(folders), "--language", "mynli_xx=de")
    assert "no system 'three'" in said(str(folders), "--a", "three")
    assert "not found" in said(str(folders / "none"))
    change_results(two, lambda content: content["higher_is_better"]["mynli_de"].update(acc=False))
    assert "less of 'acc' is better" in said(f"b={two}", f"a={one}")
    (file,) = one.glob("samples_mynli_sw_*")
    file.rename(one / "moved")
    assert "has no samples of task 'mynli_sw'" in said(str(folders))
    assert main(["significance", str(folders), "--common-languages"]) == 0
    capsys.readouterr()
    for file in one.glob("samples_*"):
        file.unlink()
    assert "only averages" in said(str(folders))
    for file in one.glob("results_*"):
        file.rename(one / "x.json")
    shutil.copy(next(two.glob("samples_*")), one)
    assert "samples without results_DATE.json" in said(str(one))


def test_a_task_that_was_run_twice_is_refused(folders: Path) -> None:
    two = folders / "org__model-two"
    for path in list(two.iterdir()):
        shutil.copy(path, two / path.name.replace("2026-11-29T22", "2026-11-30T22"))
    with pytest.raises(DataError, match="was run twice"):
        read_runs([parse_source(str(two))])
    file = next(two.glob("results_2026-11-30*"))
    (run,) = read_runs([parse_source(f"b={file}")])
    assert sorted(run.samples) == ["mynli_de", "mynli_sw"]
    assert kind_of([parse_source(str(file))]) == "lm-eval"


@pytest.mark.parametrize(
    ("task", "configuration", "expected"),
    [
        ("xnli_de", "", ("xnli", "de")),
        ("belebele_deu_Latn", "deu_Latn", ("belebele", "de")),
        ("belebele_lin_Latn", "", ("belebele", "lin_Latn")),
        ("arc_easy", "ARC-Easy", ("arc_easy", "und")),
        ("mmlu_anatomy", "anatomy", ("mmlu_anatomy", "und")),
        ("direct_sw_prompt_1", "sw", ("direct_prompt_1", "sw")),
    ],
)
def test_the_language_is_in_the_name_or_the_configuration(
    task: str, configuration: str, expected: tuple[str, str]
) -> None:
    assert split_task(task, configuration=configuration) == expected


def test_the_user_says_the_language_of_a_task() -> None:
    assert split_task("mgsm_custom", told={"mgsm_custom": "sw"}) == ("mgsm_custom", "sw")


def test_documents_with_one_text_are_one_cluster() -> None:
    runs = read_runs([parse_source(str(RECORDED))])
    results = results_of_runs(runs, text_field="label")  # no text: nothing is joined
    apart = len(set(results.target("mynli").frame.cluster))
    assert apart == 12
