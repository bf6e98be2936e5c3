"""The script that compares rules for training runs on a store: figures by hand, and a table for every family."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from planted_study import plant
from scipy import stats
from shelf import Shelf

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_compare_rules_on_a_store(tmp_path: Path) -> None:
    planted = plant(
        tmp_path / "planted", lambda *_: 12.0, examples=40, targets=("xnli",), intermediates=("none", "nli", "qa")
    )
    shelf = Shelf(tmp_path / "store")
    inputs = {}
    for role, folder in planted.folders.items():
        key = shelf.add("predict", {}, 1.0, name=role.replace("/", "-"))
        shutil.copyfile(folder / "predictions.parquet", shelf.folders[key] / "predictions.parquet")
        inputs[f"predict.{role}"] = key
    cells = [{**labels, "predict": f"predict.{labels['predict']}"} for labels in planted.labels]
    shelf.add("report", inputs, 2.0, name="study", cells=cells, languages=planted.languages, source_language="en")
    command = [sys.executable, str(SCRIPTS / "compare_rules.py"), "--store", str(shelf.root), "--resamples", "50"]
    out = tmp_path / "figures.json"
    done = subprocess.run([*command, "--json", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert {"mean gain", "trend of the gain with size", "gain of each cell"} <= set(figures)
    assert done.stdout.count("\n| ") == len(figures), "one row for each family below the head"
    cells_family = figures["gain of each cell"]
    assert set(cells_family) == {"earlier", "clusters", "now"}
    assert all(figure["half width"] > 0 and 0 <= figure["power"] <= 1 for figure in cells_family.values())
    assert cells_family["clusters"] != cells_family["now"], "moderation changes what cells may borrow"


@pytest.mark.parametrize(("df", "shift"), [(2.0, 3.0), (8.0, 2.5), (math.inf, 2.8), (1.0, 60.0)])
def test_power_is_that_of_the_noncentral_t(monkeypatch: pytest.MonkeyPatch, df: float, shift: float) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import compare_rules

    power = compare_rules.power_of(2.0 * shift, 2.0, df)
    if math.isinf(df):
        expected = stats.norm.sf(1.959964 - shift)
    elif df == 1.0:  # scipy's noncentral t is NaN here
        expected = 1.0
    else:
        critical = stats.t.ppf(0.975, df)
        expected = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
    assert power == pytest.approx(expected, abs=0.002)
