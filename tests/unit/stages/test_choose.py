"""The choice: best English development score, ties, runs that diverged, ends of a grid."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.errors import StageError
from adapterxfer.stages.choose import choose, compared, edges, execute
from adapterxfer.stages.chosen import chosen_values, resolved, settled
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage


def context(
    folder: Path, rates: Sequence[float], scores: Sequence[float | None], *, seeds: Sequence[int] = (0,),
    languages: Sequence[str] = ("en",),
) -> StageContext:  # fmt: skip
    candidates = [{"learning_rate": rate, "seed": seed} for rate in rates for seed in seeds]
    inputs: dict[str, Path] = {}
    for number, score in enumerate(scores):
        place = folder / f"candidate{number}"
        place.mkdir(parents=True)
        record = {"languages": list(languages), "dev_score": score, "diverged": "" if score is not None else "loss nan"}
        (place / "score.json").write_text(json.dumps(record))
        inputs[f"candidate.{number:02d}"] = place
    identity = {"by": "dev", "grid": {"learning_rate": list(rates)}, "candidates": candidates}
    stage = Stage(kind="choose", version=1, identity=identity, inputs=dict.fromkeys(inputs, "0" * 64), slug="nano-nli")
    scratch = folder / "scratch"
    scratch.mkdir()
    lines: list[Mapping[str, Any]] = []
    return StageContext(stage=stage, inputs=inputs, scratch=scratch, log=lines.append, settings={})


def test_the_best_mean_over_seeds_is_chosen(tmp_path: Path) -> None:
    asked = context(tmp_path, [1e-4, 1e-3, 1e-2], [50, 52, 70, 40, 60, 61], seeds=[0, 1])
    result = execute(asked)
    assert result == {"chosen": {"learning_rate": 1e-2}, "edge": {"learning_rate": 0.1}, "dev_score": 60.5}
    record = json.loads((asked.scratch / "choice.json").read_text())
    assert record["candidates"][1] == {
        "values": {"learning_rate": 1e-3}, "by_seed": {"0": 70, "1": 40}, "dev_score": 55.0,
    }  # fmt: skip
    assert (record["by"], record["languages"]) == ("dev", ["en"])


def test_of_equal_scores_the_smaller_rate_wins_then_fewer_steps() -> None:
    def row(rate: float, steps: int, score: float | None) -> dict[str, Any]:
        return {"values": {"learning_rate": rate, "steps": steps}, "dev_score": score}

    rows = [row(1e-2, 5, 60), row(1e-3, 9, 60), row(1e-3, 5, 60), row(1e-4, 5, 59)]
    assert choose(rows) == 2
    assert choose([row(1e-2, 5, None), row(1e-3, 5, 1.0)]) == 1
    assert choose([row(1e-2, 5, None)]) is None


def test_a_value_that_diverged_with_one_seed_loses(tmp_path: Path) -> None:
    result = execute(context(tmp_path, [1e-3, 1e-2], [40, 41, 99, None], seeds=[0, 1]))
    assert result["chosen"] == {"learning_rate": 1e-3}
    rows = compared([{"a": 1, "seed": 0}], [{"dev_score": None}], names=["a"])
    assert rows[0]["dev_score"] is None


def test_all_diverged_is_an_error_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"choice nano-nli: all of learning_rate 0.1; learning_rate 0.5 diverged") as e:
        execute(context(tmp_path, [0.1, 0.5], [None, None]))
    assert "loss nan" in str(e.value)
    assert "smaller learning rates" in str(e.value)


def test_only_english_may_choose(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="scored on development data in de, en; only English may choose"):
        execute(context(tmp_path, [0.1, 0.5], [1, 2], languages=["de", "en"]))


@pytest.mark.parametrize(
    ("grid", "chosen", "beyond"),
    [
        ({"learning_rate": [1e-4, 3e-4, 1e-3]}, {"learning_rate": 3e-4}, {}),
        ({"learning_rate": [3e-4, 1e-3, 3e-3]}, {"learning_rate": 3e-4}, {"learning_rate": 9e-5}),
        ({"learning_rate": [3e-4, 1e-3, 3e-3]}, {"learning_rate": 3e-3}, {"learning_rate": 9e-3}),
        ({"steps": [100, 200]}, {"steps": 200}, {"steps": 400}),
        ({"steps": [1, 10]}, {"steps": 1}, {"steps": 1}),
    ],
)
def test_the_end_of_a_grid_names_what_to_try_next(
    grid: dict[str, list[float]], chosen: dict[str, float], beyond: dict[str, float]
) -> None:
    assert edges(grid, chosen) == pytest.approx(beyond)


def test_a_training_reads_its_choice_and_refuses_to_start_without(tmp_path: Path) -> None:
    grid = {"learning_rate": {"choose": [1e-3, 1e-2]}, "steps": 5}
    before = [{"task": "first", "settings": {"learning_rate": {"choose": [1e-3, 1e-2]}}}]
    stage = Stage(kind="train_target", version=1, identity={"settings": grid, "before": before}, inputs={})
    asked = StageContext(stage=stage, inputs={}, scratch=tmp_path, log=lambda _: None, settings={})
    with pytest.raises(StageError, match="nothing has chosen learning_rate"):
        resolved(asked)
    (tmp_path / "choice.json").write_text(json.dumps({"chosen": {"learning_rate": 1e-2}}))
    ready = StageContext(stage=stage, inputs={"choice": tmp_path}, scratch=tmp_path, log=lambda _: None, settings={})
    now = resolved(ready)
    assert now.stage.identity["settings"] == {"learning_rate": 1e-2, "steps": 5}
    assert now.stage.identity["before"][0]["settings"] == {"learning_rate": 1e-2}
    assert now.stage.key == stage.key
    assert chosen_values(ready) == {"chosen": {"learning_rate": 1e-2}}
    plain = {"settings": {"learning_rate": 1e-3}}
    assert settled(plain, {"learning_rate": 1}) == plain
