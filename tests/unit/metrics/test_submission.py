"""Submission folders: official points, strict reading, intervals, two submissions against each other."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from adapterxfer.cli.main import main
from adapterxfer.errors import DataError
from adapterxfer.metrics.benchmarks import BENCHMARKS
from adapterxfer.metrics.submission import count_task
from adapterxfer.report.submission import score_submission

NLI = ("entailment", "neutral", "contradiction")
XNLI = BENCHMARKS["xtreme-r"]["xnli"]


def write(folder: Path, task: str, language: str, text: str) -> Path:
    suffix = (BENCHMARKS["xtreme"] | BENCHMARKS["xtreme-r"])[task].suffix
    path = folder / task / f"test-{language}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Labels, a submission that is right in 80 % and one in 60 %, for one task of each reader, in all languages."""
    rng = np.random.default_rng(5)
    labels, good, weak = tmp_path / "labels", tmp_path / "good", tmp_path / "weak"
    table = BENCHMARKS["xtreme-r"]
    for code in table["xnli"].languages:
        gold = np.concatenate([rng.permutation(3) for _ in range(50)])  # a premise has a hypothesis of each label
        write(labels, "xnli", code, "\n".join(NLI[label] for label in gold) + "\n")
        for folder, share in ((good, 0.8), (weak, 0.6)):
            found = np.where(rng.random(150) < share, gold, (gold + 1) % 3)
            write(folder, "xnli", code, "\n".join(NLI[label] for label in found) + "\n")
    for code in table["xcopa"].languages:
        gold = rng.integers(0, 2, 60)
        for folder, share in ((labels, 1.0), (good, 0.8), (weak, 0.6)):
            found = np.where(rng.random(60) < share, gold, 1 - gold)
            write(folder, "xcopa", code, "".join(json.dumps({"label": int(label)}) + "\n" for label in found))
    for code in table["mlqa"].languages:
        data = [{"paragraphs": [{"context": "", "qas": [
            {"id": f"q{p}-{q}", "answers": [{"text": f"answer {q}", "answer_start": 0}]} for q in range(2)]}
            for p in range(25)]}]  # fmt: skip
        write(labels, "mlqa", code, json.dumps({"data": data}))
        for folder, share in ((good, 0.8), (weak, 0.6)):
            found = {f"q{p}-{q}": f"answer {q if rng.random() < share else 9}" for p in range(25) for q in range(2)}
            write(folder, "mlqa", code, json.dumps(found))
    for code in table["mewslix"].languages:
        write(labels, "mewslix", code, json.dumps({f"m{i}": [f"Q{i}"] for i in range(45)}))
        for folder, rank in ((good, 1), (weak, 3)):
            found = {f"m{i}": [*(["Qx"] * int(rng.integers(0, rank))), f"Q{i}"] for i in range(45)}
            write(folder, "mewslix", code, json.dumps(found))
    return labels, good, weak


def test_points_are_those_of_the_official_average(folders):
    labels, good, _ = folders
    found = score_submission("xtreme-r", labels, good, resamples=200)
    accuracy = {}
    for code in XNLI.languages:
        lines = [(folder / "xnli" / f"test-{code}.tsv").read_text().split() for folder in (labels, good)]
        accuracy[code] = 100 * np.mean([a == b for a, b in zip(*lines, strict=True)])
        assert found.tasks["xnli"].languages[code].scores["accuracy"].value == pytest.approx(accuracy[code], abs=1e-9)
        assert found.tasks["xnli"].languages[code].clusters == 50
    assert found.tasks["xnli"].average.value == pytest.approx(np.mean(list(accuracy.values())), abs=1e-9)
    qa = found.tasks["mlqa"]
    expected = (qa.averages["exact_match"].value + qa.averages["f1"].value) / 2
    assert qa.average.value == pytest.approx(expected, abs=1e-9)
    assert qa.averages["f1"].value > qa.averages["exact_match"].value
    assert qa.languages["zh"].clusters == 25
    assert found.tasks["mewslix"].average.value == pytest.approx(100.0)
    assert found.overall is None
    assert "panx" in found.absent
    for task in found.tasks.values():
        assert task.average.low <= task.average.value <= task.average.high


def test_joint_resampling_keeps_the_correlation_of_parallel_languages(tmp_path):
    """Fifteen copies of one language hold no more information than one."""
    rng = np.random.default_rng(1)
    gold = "\n".join(NLI[label] for _ in range(100) for label in rng.permutation(3))
    found = "\n".join(NLI[label] for label in rng.integers(0, 3, 300))
    for code in XNLI.languages:
        write(tmp_path / "labels", "xnli", code, gold)
        write(tmp_path / "found", "xnli", code, found)
    scores = score_submission("xtreme-r", tmp_path / "labels", tmp_path / "found", resamples=500).tasks["xnli"]
    one = scores.languages["de"].scores["accuracy"]
    assert scores.average.high - scores.average.low == pytest.approx(one.high - one.low, rel=1e-9)
    # A binomial of 100 clusters of three: about 2 * 1.96 * sqrt(p q / 300) points wide.
    assert one.high - one.low == pytest.approx(392 * np.sqrt(2 / 9 / 300), rel=0.35)


def test_against_another_submission(folders, capsys):
    labels, good, weak = folders
    found = score_submission("xtreme-r", labels, good, against=weak, resamples=500)
    task = found.tasks["xnli"].average
    assert task.low > 0
    assert task.p is not None
    assert task.p < 0.01
    assert task.p_holm is not None
    assert task.p_holm >= task.p
    single = [score_submission("xtreme-r", labels, side, resamples=50).tasks["xnli"].average.value
              for side in (good, weak)]  # fmt: skip
    assert task.value == pytest.approx(single[0] - single[1], abs=1e-9)
    same = score_submission("xtreme-r", labels, good, against=good, resamples=100, tasks=["xnli"])
    assert same.tasks["xnli"].average.p == 1.0
    arguments = ["score", "--benchmark", "xtreme-r", "--labels", str(labels), "--predictions", str(good)]
    assert main([*arguments, "--against", str(weak), "--resamples", "50", "--json", "--task", "xnli"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["xnli"]["average"]["value"] == pytest.approx(task.value)
    assert main([*arguments, "--resamples", "50", "--languages"]) == 0
    printed = capsys.readouterr().out
    assert "qa/mlqa-v1" in printed
    assert "not scored: panx" in printed


def damage(path: Path, how: str) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    if how == "missing file":
        path.unlink()
    elif how == "line lost":
        path.write_text("\n".join(lines[1:]), encoding="utf-8")
    elif how == "empty line":
        path.write_text("\n".join([*lines[:4], "", *lines[4:]]), encoding="utf-8")
    elif how == "other column":
        path.write_text("\n".join(f"text\t{line}" for line in lines), encoding="utf-8")
    elif how == "other spelling":
        path.write_text("\n".join(["contradictory", *lines[1:]]), encoding="utf-8")
    elif how == "wrong encoding":
        path.write_bytes(b"\xff\xfe" + "\n".join(lines).encode("utf-16-le"))
    elif how == "all equal":
        path.write_text("neutral\n" * len(lines), encoding="utf-8")


@pytest.mark.parametrize(
    "how",
    ["missing file", "line lost", "empty line", "other column", "other spelling", "wrong encoding", "all equal"],
)
def test_damaged_lines_are_refused_by_name(folders, how):
    labels, good, _ = folders
    path = (labels if how == "all equal" else good) / "xnli" / "test-sw.tsv"
    damage(path, how)
    with pytest.raises(DataError, match=r"test-sw\.tsv"):
        score_submission("xtreme-r", labels, good, resamples=2)


def test_line_ends_do_not_matter(folders):
    labels, good, _ = folders
    before = score_submission("xtreme-r", labels, good, resamples=2, tasks=["xnli"]).tasks["xnli"].average.value
    path = good / "xnli" / "test-sw.tsv"
    lines = path.read_text().split("\n")
    path.write_bytes(b"\xef\xbb\xbf" + ("\r\n".join(lines[:70]) + "\n" + "\r".join(lines[70:])).encode() + b"\n\n")
    after = score_submission("xtreme-r", labels, good, resamples=2, tasks=["xnli"]).tasks["xnli"].average.value
    assert after == before


def test_missing_ids_are_errors_unless_they_may_count_as_wrong(folders):
    labels, good, _ = folders
    path = good / "mlqa" / "test-hi.json"
    answers = json.loads(path.read_text())
    del answers["q0-0"]
    path.write_text(json.dumps(answers))
    with pytest.raises(DataError, match="1 of 50 ids have no prediction"):
        count_task(BENCHMARKS["xtreme-r"]["mlqa"], labels, good)
    counted = count_task(BENCHMARKS["xtreme-r"]["mlqa"], labels, good, allow_missing=True)["hi"]
    assert counted.missing == 1
    assert counted.counts[0].tolist() == [0, 0, 1]
    path.write_text(json.dumps({**answers, "q0-0": "x", "stranger": "y"}))
    with pytest.raises(DataError, match="stranger"):
        count_task(BENCHMARKS["xtreme-r"]["mlqa"], labels, good)


def test_gold_that_was_removed_is_refused(folders):
    labels, good, _ = folders
    path = labels / "mlqa" / "test-ar.json"
    content = path.read_text().replace("answer 0", "").replace("answer 1", "")
    path.write_text(content)
    with pytest.raises(DataError, match="labels were removed"):
        score_submission("xtreme-r", labels, good, resamples=2, tasks=["mlqa"])


def test_a_task_without_labels_is_named(folders, tmp_path):
    labels, good, _ = folders
    (good / "tatoeba").mkdir()
    with pytest.raises(DataError, match="tatoeba"):
        score_submission("xtreme-r", labels, good, resamples=2)


def test_tags_split_into_other_sentences_are_refused(tmp_path):
    task = BENCHMARKS["xtreme"]["panx"]
    for code in task.languages:
        write(tmp_path / "labels", "panx", code, "B-LOC\nO\n\nO\nB-PER\n")
        write(tmp_path / "found", "panx", code, "B-LOC\nO\n\nO\nB-PER\n\n\n")
    counts = count_task(task, tmp_path / "labels", tmp_path / "found")
    assert counts["de"].counts.tolist() == [[1, 1, 1, 2, 2], [1, 1, 1, 2, 2]]
    write(tmp_path / "found", "panx", "de", "B-LOC\nO\nO\n\nB-PER\n")
    with pytest.raises(DataError, match="sentence 1 has another number"):
        count_task(task, tmp_path / "labels", tmp_path / "found")


MOCK = os.environ.get("ADAPTERXFER_XTREME_MOCK", "")


@pytest.mark.skipif(not MOCK, reason="ADAPTERXFER_XTREME_MOCK is not set to the mock_test_data folder of XTREME")
def test_official_mock_folder():
    """Averages that the benchmark's own test expects."""
    folder = Path(MOCK)
    found = score_submission("xtreme", folder / "labels", folder / "predictions", resamples=2, allow_missing=True)
    expected = {
        "pawsx": 51.42857142857143, "xnli": 30.666666666666668, "panx": 57.50793650793652,
        "udpos": 70.21746048354693, "bucc2018": 55.0, "tatoeba": 53.6111111111111,
    }  # fmt: skip
    for task, value in expected.items():
        assert found.tasks[task].average.value == pytest.approx(value, abs=1e-4)
    for task, (exact, f1) in {
        "xquad": (77.272727272, 79.95867768595), "mlqa": (57.142857142, 81.76870748299),
        "tydiqa": (88.888888888, 97.222222222),
    }.items():  # fmt: skip
        assert found.tasks[task].averages["exact_match"].value == pytest.approx(exact, abs=1e-6)
        assert found.tasks[task].averages["f1"].value == pytest.approx(f1, abs=1e-6)
    revised = score_submission(
        "xtreme-r", folder / "labels", folder / "predictions", resamples=2, tasks=["mewslix"], allow_missing=True
    )
    assert revised.tasks["mewslix"].average.value == pytest.approx(14.39025156130419, abs=1e-9)
