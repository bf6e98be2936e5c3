"""Two runs of overlapping plans at the same time, again and again: every stage is made exactly once.

``ADAPTERXFER_CONCURRENT=20`` sets the number of rounds of each test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from adapterxfer.store.audit import audit
from adapterxfer.store.store import Store

ROUNDS = int(os.environ.get("ADAPTERXFER_CONCURRENT", "2"))
WHOLE_ROUNDS = int(os.environ.get("ADAPTERXFER_CONCURRENT", "1"))
FAKES = Path(__file__).parents[1] / "unit" / "engines"
sys.path.append(str(Path(__file__).parent))

import tiny_study  # noqa: E402

DRIVER = """
import sys
sys.path.append(sys.argv[1])
from engine_fakes import REGISTRY, FakePlan, stage
from adapterxfer.engines.inline import run_plan
from adapterxfer.store.store import Store

store, runs, first, last = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
shared = [stage("work", f"shared{number}", sleep_s=0.03) for number in range(4)]
own = [stage("work", f"own{number}", shared[number % 4], sleep_s=0.03) for number in range(first, last)]
outcome = run_plan(FakePlan([*shared, *own]), Store(store), jobs=2, settings={"runs": runs}, registry=REGISTRY)
assert len(outcome.folders) == len(shared) + len(own), outcome
sys.exit(outcome.exit_code)
"""


@pytest.mark.parametrize("number", range(ROUNDS))
def test_overlapping_runs_share_their_work(tmp_path: Path, number: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    store, runs = tmp_path / "store", tmp_path / "runs"
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(FAKES), str(store), str(runs), *span],
            env=environment,
            stderr=subprocess.PIPE,
        )
        for span in (("0", "6"), ("3", "9"))
    ]
    errors = [driver.communicate(timeout=300)[1].decode() for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], errors
    made = Counter(runs.read_text().split())
    assert len(made) == 13
    assert set(made.values()) == {1}
    found = audit(Store(store))
    assert (found.stages, found.damaged, found.left_behind) == (13, (), 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(WHOLE_ROUNDS))
def test_overlapping_recipes_train_each_stage_once(tmp_path: Path, number: int) -> None:
    """Whole recipes through the command line; what each run says it made is counted."""
    targets = ("world-xnli",)
    tiny_study.write_study(
        tmp_path,
        first=tiny_study.recipe("first", targets=targets, variants=("full-ft", "stack")),
        second=tiny_study.recipe("second", targets=targets, variants=("stack", "fuse")),
    )
    drivers = [
        subprocess.Popen(
            tiny_study.command(name, "store", "--jobs", "1", "--json"),
            cwd=tmp_path,
            env=tiny_study.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in ("first", "second")
    ]
    said = [driver.communicate(timeout=900) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    first, second = (json.loads(output) for output, _ in said)
    found = audit(Store(tmp_path / "store"))
    assert first["stages"] + second["stages"] > found.stages, "the recipes do not overlap"
    assert first["finished"] + second["finished"] == found.stages
    assert (found.damaged, found.left_behind) == ((), 0)
    assert not (tmp_path / "store" / "damaged").exists()
