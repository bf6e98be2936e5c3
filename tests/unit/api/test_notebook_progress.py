"""A run in a notebook: one output, drawn again while stages go on; a real notebook is run where one can be."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from adapterxfer import run
from adapterxfer.api.notebook import NotebookProgress, notebook_listener
from adapterxfer.engines.events import StageEvent
from adapterxfer.store.keys import Stage

ROOT = Path(__file__).parents[3]


class Output:
    """What a notebook would show: every picture of one output."""

    def __init__(self) -> None:
        self.pictures: list[str] = []

    def display(self, picture: dict[str, str], *, raw: bool, display_id: bool) -> SimpleNamespace:
        assert display_id
        self.take(picture, raw=raw)
        return SimpleNamespace(update=self.take)

    def take(self, picture: dict[str, str], *, raw: bool) -> None:
        assert raw
        assert picture["text/plain"].startswith("Run of study: ")
        self.pictures.append(picture["text/html"])


def stage(number: int) -> Stage:
    return Stage(
        kind="prepare", version=1, identity={"number": number}, inputs={}, labels={"task": f"<task {number}>"},
        key=f"prepare-{number}",
    )  # fmt: skip


def event(kind: Any, number: int, **detail: Any) -> StageEvent:
    return StageEvent(kind, stage(number), detail=detail)


@pytest.fixture
def output() -> Output:
    return Output()


@pytest.fixture
def progress(output: Output) -> NotebookProgress:
    return NotebookProgress("study", 5, 2, output.display)


def test_stages_in_work(progress: NotebookProgress, output: Output) -> None:
    assert '<progress value="2" max="5"' in output.pictures[0]
    progress(event("started", 1))
    assert "<th>prepare &lt;task 1&gt;</th><td>in work</td>" in output.pictures[-1]
    progress(event("progress", 1, step=3, steps=10, loss=0.5))
    progress(event("started", 2))
    assert "<td>step 3 of 10, loss 0.50</td>" in output.pictures[-1]
    progress(event("finished", 1))
    assert "3 of 5 stages" in output.pictures[-1]
    assert "task 1" not in output.pictures[-1]
    progress(event("failed", 2, what="out of memory"))
    assert "<th>failed</th><td>prepare &lt;task 2&gt;: out of memory</td>" in output.pictures[-1]


def test_many_stages_are_counted(progress: NotebookProgress, output: Output) -> None:
    for number in range(10):
        progress(event("started", number))
    assert output.pictures[-1].count("in work</td>") == 8
    assert "<th>also in work</th><td>2</td>" in output.pictures[-1]


def test_steps_are_not_drawn_one_by_one(
    progress: NotebookProgress, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("adapterxfer.api.notebook.time.monotonic", lambda: now[0])
    progress(event("started", 1))
    before = len(output.pictures)
    for step in range(50):
        now[0] += 0.01
        progress(event("progress", 1, step=step, steps=50))
    assert len(output.pictures) - before in (1, 2)


def test_only_a_notebook_is_drawn_in(monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert notebook_listener("study", ["a"], []) is None
    module = ModuleType("IPython")
    module.display = SimpleNamespace(display=output.display)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    module.get_ipython = lambda: None  # type: ignore[attr-defined]
    assert notebook_listener("study", ["a"], []) is None
    module.get_ipython = SimpleNamespace  # type: ignore[attr-defined]
    assert notebook_listener("study", ["a"], []) is None, "a terminal's IPython has no kernel"
    module.get_ipython = lambda: SimpleNamespace(kernel=1)  # type: ignore[attr-defined]
    assert notebook_listener("study", ["a", "b"], ["b", "c"]) is not None
    assert "1 of 2 stages" in output.pictures[0]


RECIPE = """
recipe: 1
name: notebook
backbones: [world-nano]
intermediate_tasks: [none]
target_tasks: [world-xnli]
variants: [full-ft]
seeds: [1]
controls: false
train: {default: {batch_size: 4, steps: 2, max_length: 32, learning_rate: 1e-3}}
tasks: {world-xnli: {train_examples: 16, dev_examples: 8, test_examples: 8}}
statistics: {resamples: 100}
"""

CELLS = ("import adapterxfer\nresult = adapterxfer.run('study.yaml', jobs=1)\nresult", "print(repr(result))")


@pytest.mark.slow
def test_a_real_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs nbclient and ipykernel, which this package does not."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    import nbclient
    import nbformat

    (tmp_path / "study.yaml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    if kept := os.environ.get("ADAPTERXFER_NOTEBOOK"):
        nbformat.write(notebook, kept)
    drawn, shown = (output["data"] for output in notebook.cells[0].outputs if "data" in output)
    assert '<progress value="' in drawn["text/html"]
    count = drawn["text/html"].split("<td>")[1].split(" ")
    assert count[0] == count[2], "the last picture has all stages"
    assert "<strong>Run of notebook</strong>" in shown["text/html"]
    assert len(notebook.cells[1].outputs[0]["text"]) < 300


def test_outside_a_notebook_a_run_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "study.yaml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with caplog.at_level("INFO", logger="adapterxfer"):
        run("study.yaml", jobs=1)
    assert any(message.startswith("finished: train_target world-nano full-ft") for message in caplog.messages)
