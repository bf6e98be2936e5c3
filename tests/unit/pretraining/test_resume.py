"""A pretraining that is stopped anywhere and goes on ends with the same bits as one that was left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import BackboneError, StageError, StageStopped
from adapterxfer.pretraining import resume
from adapterxfer.pretraining.corpus import Corpus
from adapterxfer.pretraining.mlm import LOG_EVERY, Pretrained, PretrainingSettings, pretrain

SETTINGS = PretrainingSettings(hidden=16, layers=1, heads=2, tokens=8_500, batch_sequences=8, learning_rate=5e-3)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class StopAfter:
    """Asks to stop from the n-th question on."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def silent(line: Mapping[str, Any]) -> None:
    """No log."""


def lines_of(log: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What follows from the settings alone."""
    kept = [line for line in log if "resumed" not in line]
    return [{name: value for name, value in line.items() if name != "tokens_per_second"} for line in kept]


def facts(done: Pretrained) -> dict[str, Any]:
    return {name: value for name, value in done.record.items() if name != "provenance"}


def differing(one: Pretrained, other: Pretrained) -> list[str]:
    theirs = dict(other.model.named_parameters())
    return [name for name, tensor in one.model.named_parameters() if not torch.equal(tensor, theirs[name])]


def stopped_at(error: StageStopped) -> int:
    return int(str(error).split("step ")[1].split()[0])


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_stopped_and_gone_on_is_the_same_bits(small_corpus: Corpus, tmp_path: Path, dtype: Any) -> None:
    settings = replace(SETTINGS, dtype=dtype)
    whole: list[Mapping[str, Any]] = []
    expected = pretrain(small_corpus, settings, whole.append)
    steps = expected.record["steps"]
    assert steps > LOG_EVERY, "a stop between two lines of the log, and between two points of the curve"
    rng = np.random.default_rng(2)
    places = []
    while True:
        checkpoints = Checkpoints(tmp_path, stage="k", stop=StopAfter(int(rng.integers(5, 45))))
        log: list[Mapping[str, Any]] = []
        try:
            done = pretrain(small_corpus, settings, log.append, checkpoints=checkpoints)
        except StageStopped as stopped:
            places.append(stopped_at(stopped))
            continue
        break
    assert len(places) >= 3
    assert places == sorted(set(places)), "every run gets further"
    assert done.resumed_at == places[-1] < steps
    assert {"resumed": places[-1]} in log
    assert differing(expected, done) == []
    assert facts(done) == facts(expected)
    assert lines_of(log) == lines_of(whole)
    assert expected.resumed_at == 0


def test_a_checkpoint_by_steps_survives_what_follows_it(small_corpus: Corpus, tmp_path: Path) -> None:
    """A kill loses what came after the last checkpoint and nothing else."""
    expected = pretrain(small_corpus, SETTINGS, silent)

    def dies(line: Mapping[str, Any]) -> None:
        if line.get("step") == LOG_EVERY:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(small_corpus, SETTINGS, dies, checkpoints=Checkpoints(tmp_path, stage="k", every_steps=30))
    done = pretrain(small_corpus, SETTINGS, silent, checkpoints=Checkpoints(tmp_path, stage="k", every_steps=30))
    assert done.resumed_at == 90
    assert differing(expected, done) == []
    other = pretrain(small_corpus, SETTINGS, silent, checkpoints=Checkpoints(tmp_path, stage="other"))
    assert other.resumed_at == 0


@pytest.mark.parametrize("broken", ["restore_optimiser", "from_facts"])
def test_the_comparison_sees_what_is_not_restored(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    expected = pretrain(small_corpus, SETTINGS, silent)
    with pytest.raises(StageStopped):
        pretrain(small_corpus, SETTINGS, silent, checkpoints=Checkpoints(tmp_path, stage="k", stop=StopAfter(33)))
    if broken == "restore_optimiser":
        monkeypatch.setattr(resume, "restore_optimiser", lambda *_: None)
    else:
        forget = classmethod(lambda cls, step, facts: cls(step=step, resumed_at=step))
        monkeypatch.setattr(resume.PretrainingProgress, "from_facts", forget)
    done = pretrain(small_corpus, SETTINGS, silent, checkpoints=Checkpoints(tmp_path, stage="k"))
    if broken == "restore_optimiser":
        assert differing(expected, done)
    else:
        assert facts(done) != facts(expected)


def test_a_checkpoint_of_other_batches_is_refused(small_corpus: Corpus, tmp_path: Path) -> None:
    """The stage key holds seed and corpus; what is left is another numpy."""
    with pytest.raises(StageStopped):
        pretrain(small_corpus, SETTINGS, silent, checkpoints=Checkpoints(tmp_path, stage="k", stop=StopAfter(9)))
    for changed in (replace(SETTINGS, seed=2), replace(SETTINGS, hidden=24)):
        with pytest.raises(StageError, match="other batches or another shape") as caught:
            pretrain(small_corpus, changed, silent, checkpoints=Checkpoints(tmp_path, stage="k"))
        assert "remove the folder .resume" in str(caught.value)


def test_a_disk_without_room_costs_the_checkpoint_only(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoints, "save", full)
    log: list[Mapping[str, Any]] = []
    done = pretrain(small_corpus, SETTINGS, log.append, checkpoints=Checkpoints(tmp_path, stage="k", every_steps=50))
    assert [line["step"] for line in log if "warning" in line and "step" in line] == list(
        range(50, done.record["steps"], 50)
    )
    with pytest.raises(OSError, match="No space"):
        pretrain(small_corpus, SETTINGS, silent, checkpoints=Checkpoints(tmp_path, stage="k", stop=StopAfter(5)))


def test_a_diverged_pretraining_leaves_no_checkpoint(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []

    def breaks(*_: object, **__: object) -> float:
        saved.append(len(list((tmp_path / "c").glob("step-*"))))
        return 1.0 if len(saved) < 15 else float("nan")

    monkeypatch.setattr("adapterxfer.pretraining.mlm.train_step", breaks)
    with pytest.raises(BackboneError, match="loss is nan at step 15"):
        pretrain(small_corpus, SETTINGS, silent, checkpoints=Checkpoints(tmp_path / "c", stage="k", every_steps=10))
    assert saved == [0] * 10 + [1] * 5
    assert not (tmp_path / "c").exists()


def test_seconds_add_up_over_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(resume.time, "perf_counter", lambda: now[0])
    state = resume.PretrainingProgress()
    state.resume_clock()
    now[0] += 5
    with state.pause():
        now[0] += 40
    again = resume.PretrainingProgress.from_facts(7, state.facts())
    now[0] += 1000
    again.resume_clock()
    now[0] += 2
    assert (state.facts()["seconds"], again.seconds) == (1007.0, 7.0)
