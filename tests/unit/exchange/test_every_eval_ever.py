"""Files in the Every Eval Ever format; with the package every-eval-ever beside, its own validator reads them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapterxfer.cli.main import main
from adapterxfer.errors import DataError
from adapterxfer.exchange.every_eval_ever import Publisher, write_every_eval_ever
from adapterxfer.report.results import Results
from adapterxfer.report.score_files import results_of
from adapterxfer.report.score_tables import read_tables

PYTHON = os.environ.get("ADAPTERXFER_EVERY_EVAL_EVER", "")
"""A Python that has the package every-eval-ever 0.3.0, which needs Python 3.12."""

WRITER = Publisher(organization="lab", relationship="first_party", version="0.1.0", written_at=1_800_000_000)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    rng = np.random.default_rng(3)
    lines = ["target,language,example,system,seed,score,cluster"]
    for system, rate in (("stack", 0.7), ("full ft/x", 0.5)):
        for code, items in (("sw", 200), ("yo", 6)):
            answers = rng.random(items) < rate
            lines += [f"t,{code},{n},{system},1,{int(right)},{n // 2}" for n, right in enumerate(answers)]
    table = tmp_path / "s.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return results_of(*read_tables([(table, "", None)]))


def written(results: Results, folder: Path) -> list[dict[str, Any]]:
    paths = write_every_eval_ever(results, folder, study="my study", synthetic=False, publisher=WRITER)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def test_scores_and_their_errors(results: Results, tmp_path: Path) -> None:
    records = written(results, tmp_path / "out")
    scores = {(row.variant, row.language): row.score for row in results.score_rows()}
    for record, variant in zip(records, ("stack", "full ft/x"), strict=True):
        by_language = {row["evaluation_name"]: row["score_details"] for row in record["evaluation_results"]}
        assert by_language["t/sw"]["score"] == pytest.approx(scores[variant, "sw"])
        rate = by_language["t/sw"]["score"] / 100
        error = by_language["t/sw"]["uncertainty"]["standard_error"]["value"]
        assert error == pytest.approx(100 * (rate * (1 - rate) / 200) ** 0.5, rel=0.2)
        interval = by_language["t/sw"]["uncertainty"]["confidence_interval"]
        assert interval["lower"] < by_language["t/sw"]["score"] < interval["upper"]
        assert by_language["t/sw"]["details"] == {"test_items": "200", "clusters": "100"}
        assert "uncertainty" not in by_language["t/yo"], "three clusters are too few"
        assert record["model_info"]["id"].startswith("lab/")
        assert all(isinstance(value, str) for value in record["model_info"]["additional_details"].values())
    assert len({record["model_info"]["id"] for record in records}) == 2


def test_files_lie_where_the_data_store_has_them_and_keep_their_names(results: Results, tmp_path: Path) -> None:
    for _ in range(2):
        written(results, tmp_path / "out")
    files = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.json"))
    assert len(files) == 2
    assert all(file.parts[:3] == ("data", "my-study", "lab") and len(file.parts) == 5 for file in files)


def test_names_that_are_no_path_are_refused(results: Results, tmp_path: Path) -> None:
    for organization in ("a/b", "..", "my lab"):
        bad = Publisher(organization=organization, relationship="other", version="1", written_at=1)
        with pytest.raises(DataError, match="organization"):
            write_every_eval_ever(results, tmp_path, study="s", synthetic=False, publisher=bad)


def test_the_command_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["export", "quickstart", "--store", str(tmp_path)]
    assert main(common) == 2
    assert "--submission DIR, or --format" in capsys.readouterr().err
    assert main([*common, "--format", "every-eval-ever", "--out", str(tmp_path / "out")]) == 2
    assert "needs --organization" in capsys.readouterr().err
    assert main([*common, "--format", "every-eval-ever", "--out", str(tmp_path / "o"), "--organization", "lab"]) == 2
    assert "no cell is finished" in capsys.readouterr().err


@pytest.mark.skipif(not PYTHON, reason="ADAPTERXFER_EVERY_EVAL_EVER names no Python with every-eval-ever")
def test_its_own_validator_accepts_the_files(results: Results, tmp_path: Path) -> None:
    paths = write_every_eval_ever(results, tmp_path, study="my study", synthetic=True, publisher=WRITER)
    done = subprocess.run(
        [PYTHON, "-m", "every_eval_ever", "validate", *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paths[0].write_text("{}", encoding="utf-8")
    done = subprocess.run(
        [PYTHON, "-m", "every_eval_ever", "validate", str(paths[0])], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
