"""A training ends where its English development score no longer rises, also when it goes on from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.durable.checkpoints import Checkpoints
from adapterxfer.errors import StageError, StageStopped
from adapterxfer.training import loop
from adapterxfer.training.building import build_single
from adapterxfer.training.loop import TrainResult, train
from adapterxfer.training.selection import evaluation_steps, stops_early
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask, read_train_task
from adapterxfer.variants.model import TransferModel

SETTINGS = TrainSettings(
    learning_rate=4e-3, batch_size=8, steps=40, max_length=32, selection="dev",
    early_stopping={"patience": 2, "every": 5},
)  # fmt: skip
SCORES = [10.0, 30.0, 20.0, 30.0, 99.0, 99.0, 99.0, 99.0]
"""Best at the second evaluation; two more without a better one."""


@pytest.fixture
def pos(world: Path, backbone: LoadedBackbone) -> TrainTask:
    return read_train_task(world / "pos", "pos", "tagging", backbone, max_length=32, dev=True)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Replaces scores by those above; the call starts them again at the step that a run goes on from."""

    def begin(done: int = 0) -> None:
        rest = iter(SCORES[done:])
        monkeypatch.setattr(loop, "dev_score", lambda model, task: next(rest))

    return begin


def build(backbone: LoadedBackbone, task: TrainTask) -> TransferModel:
    adapter = {"method": "seq_bn", "bottleneck_size": 6}
    return build_single(
        backbone, [task], mode="adapter", composition="fresh", adapter=adapter, intermediate=None, seed=1
    )


def test_it_ends_after_as_many_scores_without_a_better_one(
    backbone: LoadedBackbone, pos: TrainTask, scored: Callable[[], None]
) -> None:
    scored()
    lines: list[Mapping[str, Any]] = []
    result = train(build(backbone, pos), [pos], SETTINGS, seed=3, log=lines.append)
    assert (result.steps, result.selected_step, result.dev_score) == (20, 10, 30.0)
    assert result.steps_by_task == {"pos": 20}
    assert lines[-1] == {"step": 20, "steps": 40, "stopped_early": True}
    (loss,) = [line["loss"] for line in lines if "loss" in line]  # ends before the first line that is due
    assert result.first_loss == result.last_loss == pytest.approx(loss, abs=1e-5)


def test_a_rising_score_lets_it_train_to_the_end(
    backbone: LoadedBackbone, pos: TrainTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising = iter(range(100))
    monkeypatch.setattr(loop, "dev_score", lambda model, task: float(next(rising)))
    result = train(build(backbone, pos), [pos], SETTINGS, seed=3, log=lambda _: None)
    assert (result.steps, result.selected_step) == (40, 40)


def test_a_resumed_training_ends_at_the_same_step_with_the_same_weights(
    backbone: LoadedBackbone, pos: TrainTask, tmp_path: Path, scored: Callable[..., None]
) -> None:
    def run(checkpoints: Checkpoints | None) -> tuple[TransferModel, TrainResult]:
        model = build(backbone, pos)
        return model, train(model, [pos], SETTINGS, seed=3, log=lambda _: None, checkpoints=checkpoints)

    scored()
    whole, expected = run(None)
    asked = iter([False] * 16 + [True])
    stop = Checkpoints(tmp_path / "r", stage="s", every_s=0, every_steps=0, stop=lambda: next(asked, False))
    scored()
    with pytest.raises(StageStopped):
        run(stop)
    scored(3)  # three evaluations are done, the fourth ends it
    resumed, result = run(Checkpoints(tmp_path / "r", stage="s", every_s=0, every_steps=0, stop=lambda: False))
    assert result.resumed_at == 17
    assert result.as_json() == expected.as_json()
    for name, parameter in whole.trainable().items():
        assert parameter.equal(resumed.trainable()[name])


def test_when_it_is_evaluated() -> None:
    assert sorted(evaluation_steps(12, 5)) == [5, 10, 12]
    assert sorted(evaluation_steps(10, 5)) == [5, 10]
    assert sorted(evaluation_steps(3, 5)) == [3]
    assert sorted(evaluation_steps(8)) == [2, 4, 6, 8]


def test_only_scores_after_the_best_count() -> None:
    lines = [{"step": 5, "dev": {}}, {"step": 7, "loss": 1.0}, {"step": 10, "dev": {}}, {"step": 15, "dev": {}}]
    assert stops_early(lines, 5, 2)
    assert not stops_early(lines, 5, 3)
    assert not stops_early(lines, 10, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selection": "last"}, "needs a dev score"),
        ({"seeds_together": True}, "cannot be combined"),
        ({"early_stopping": {"patience": 0, "every": 5}}, "above 0"),
        ({"early_stopping": {"patience": 2}}, "expected patience and every"),
        ({"learning_rate": {"choose": [1, 2]}}, "'learning_rate' is a grid that nothing has chosen from"),
    ],
)
def test_settings_that_contradict_it(changes: dict[str, Any], message: str) -> None:
    values = {"learning_rate": 1e-3, "batch_size": 8, "steps": 40, "selection": "dev",
              "early_stopping": {"patience": 2, "every": 5}, **changes}  # fmt: skip
    with pytest.raises(StageError, match=message):
        TrainSettings.of(values)
