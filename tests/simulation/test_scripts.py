"""The scripts of the statistics run, in their smallest size, and say what they did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_large_simulations_count_what_they_did(tmp_path: Path) -> None:
    target, page = tmp_path / "found.json", tmp_path / "page.md"
    printed = run(
        "simulate_coverage.py", "--data-sets", "10", "--batch", "10", "--json", str(target), "--page", str(page)
    )
    found = json.loads(target.read_text(encoding="utf-8"))
    assert found["two accuracies, 500 items, 20 % discordant"]["symmetric interval covers"][1] == 10
    assert found["99 comparisons with one baseline, over items"]["any of 99, step-down max-T, errs"][1] == 1
    assert page.read_text(encoding="utf-8").count("\n| ") == sum(len(asked) for asked in found.values()) + 1
    assert "| 8 tied systems | all intervals hold together |" in printed
    assert "items only covers (dagger)" in printed


def test_whole_studies_and_moderated_variances_are_simulated(tmp_path: Path) -> None:
    target, page, ranges = tmp_path / "rates.json", tmp_path / "page.md", tmp_path / "ranges.md"
    only = ["--studies", "2", "--only", "best of 6 equal", "--json", str(target), "--page", str(page)]
    printed = run("simulate_verdicts.py", *only)
    rates = json.loads(target.read_text(encoding="utf-8"))
    assert {name.split(":")[0] for name in rates} == {
        "2 seeds, best of 6 equal tasks",
        "3 seeds, best of 6 equal tasks",
        "5 seeds, best of 6 equal tasks",
    }
    assert all(rate["studies"] == 2 for rate in rates.values())
    assert page.read_text(encoding="utf-8").count("\n") == len(rates) + 2
    assert printed.count("best of 6") == len(rates)
    rules = run("simulate_mean_rules.py", "--studies", "20")
    assert rules.count("\n| ") == 2 * 7
    assert "| always its own | 3 |" in rules
    shown = run("simulate_run_variance.py", "--studies", "20", "--page", str(ranges))
    assert shown.count("any of 24, moderated") == 24 * 11
    assert ranges.read_text(encoding="utf-8").count("\n| 2 |") == 11


def test_the_benchmark_compares_itself_with_its_limit_and_with_peers() -> None:
    made = json.loads(run("benchmark_statistics.py", "--pairs", "4", "--examples", "300", "--resamples", "1000",
                          "--repeats", "1", "--json"))  # fmt: skip
    assert made["ratios"]["scipy joint / ours, numpy"] > 0
    assert made["ratios"]["ours, numpy, multinomial: all / limit"] > 1
    assert made["computed_share"]["scipy.stats.bootstrap, all pairs in one call"] == 0.02
    assert made["computed_share"]["ours, numpy, multinomial: and intervals, p-values"] == 1.0
