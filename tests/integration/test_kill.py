"""A whole study is killed -9, worker and driver, run again, and ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapterxfer.store.store import Store

sys.path.append(str(Path(__file__).parent))

import tiny_study


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A recipe and two small texts."""
    tiny_study.write_study(tmp_path, tiny=tiny_study.recipe("killed"))
    return tmp_path


Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(study: Path) -> Iterator[Start]:
    """Starts runs of the recipe on a store; whatever still runs at the end of the test is killed."""
    with ExitStack() as stack:

        def run(store: str) -> subprocess.Popen[str]:
            driver = stack.enter_context(
                subprocess.Popen(
                    tiny_study.command("tiny", store, "--jobs", "2"),
                    cwd=study,
                    env=tiny_study.environment(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            stack.callback(driver.kill)
            return driver

        yield run


def read_until(driver: subprocess.Popen[str], *words: str) -> None:
    """Read the driver's lines until one holds all words."""
    assert driver.stdout is not None
    seen = []
    for line in driver.stdout:
        seen.append(line)
        if all(word in line for word in words):
            return
    pytest.fail(f"no line with {words}:\n{''.join(seen)}")


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds worker processes in /proc")
def test_a_killed_study_ends_as_an_undisturbed_one(study: Path, start: Start) -> None:
    undisturbed = start("undisturbed")

    driver = start("killed")
    read_until(driver, "prepare", "world-xnli")
    for worker in children(driver.pid):
        os.kill(worker, signal.SIGKILL)
    read_until(driver, "train_intermediate")
    driver.kill()
    driver.communicate()
    kept = Store(study / "killed").completed()
    assert 3 <= len(kept) < 25

    driver = start("killed")
    read_until(driver, f"{len(kept)} done")
    read_until(driver, "] predict small")
    driver.kill()
    driver.communicate()

    for run in (start("killed"), undisturbed):
        output, _ = run.communicate(timeout=300)
        assert run.returncode == 0, output
        assert "0 failed" in output

    expected, found = tiny_study.contents(study / "undisturbed"), tiny_study.contents(study / "killed")
    assert sum(name.endswith("predictions.parquet") for name in expected) == 12
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert list((study / "killed" / ".scratch").iterdir()) == []
    assert not (study / "killed" / "damaged").exists()
    assert not list((study / "killed").glob("failed/*"))

    again = start("killed")
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert "done: 25 stages already in the store" in output
