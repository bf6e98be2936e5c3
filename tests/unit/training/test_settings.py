"""Reading settings, and the schedule."""

from __future__ import annotations

from typing import Any

import pytest

from adapterxfer.errors import StageError
from adapterxfer.training.settings import TrainSettings

BASE: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 32, "steps": 10}


def test_reads_what_a_recipe_gives() -> None:
    settings = TrainSettings.of({**BASE, "dtype": "bfloat16", "schedule": "cosine", "selection": "dev"})
    assert (settings.dtype, settings.schedule, settings.selection, settings.total_steps(7)) == (
        "bf16",
        "cosine",
        "dev",
        10,
    )
    epochs = TrainSettings.of({"learning_rate": 1e-3, "batch_size": 32, "epochs": 3})
    assert [epochs.total_steps(count) for count in (32, 33, 320, 1)] == [3, 4, 30, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rat": 1}, "unknown setting 'learning_rat'"),
        ({"epochs": 1}, "give one of 'steps' and 'epochs'"),
        ({"learning_rate": float("nan")}, "'learning_rate' is nan"),
        ({"batch_size": 0}, "'batch_size' is 0"),
        ({"warmup_fraction": 1.0}, "'warmup_fraction' is 1.0"),
        ({"clip": -1.0}, "'clip' is -1.0"),
        ({"schedule": "step"}, "'schedule' is 'step'; expected one of linear, cosine, constant"),
        ({"dtype": "fp16"}, "'dtype' is 'fp16'"),
    ],
)
def test_refuses_what_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError) as caught:
        TrainSettings.of({**BASE, **change})
    assert message in str(caught.value)


def test_names_every_problem_at_once() -> None:
    with pytest.raises(StageError) as caught:
        TrainSettings.of({"steps": 0, "what": 1})
    assert all(
        word in str(caught.value) for word in ("'what'", "'learning_rate' is missing", "'batch_size' is missing")
    )


def test_schedules() -> None:
    def rates(**change: Any) -> list[float]:
        settings = TrainSettings.of({**BASE, "learning_rate": 1.0, "warmup_fraction": 0.2, **change})
        return [round(settings.rate(step, 10), 4) for step in range(10)]

    assert rates() == [0.3333, 0.6667, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
    assert rates(schedule="constant")[2:] == [1.0] * 8
    cosine = rates(schedule="cosine")
    assert cosine[2] == 1.0
    assert cosine == sorted(cosine[:2]) + sorted(cosine[2:], reverse=True)
    assert 0 < cosine[-1] < 0.05
    assert rates(warmup_fraction=0.0)[0] == 1.0
