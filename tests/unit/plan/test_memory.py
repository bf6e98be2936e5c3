"""The estimate of memory meets the processes that docs/memory.md measured, and is in the plan of every training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from adapterxfer.plan import build_plan
from adapterxfer.plan.memory import PROCESS, MemoryModel
from adapterxfer.recipe import load_recipe

ROOT = Path(__file__).parents[3]
SHAPES = {"xlm-r-base": (768, 12), "xlm-r-large": (1024, 24), "xlm-r-xl": (2560, 36)}
TOTAL = {"xlm-r-base": 277.45e6, "xlm-r-large": 558.84e6, "xlm-r-xl": 3473.68e6}
ROW = re.compile(r"\| (xlm-r-\w+) \| ([^|]+) \| (\d) x 128 \| [\d.]+ GiB \| ([\d.]+) GiB \|")


def size(name: str) -> tuple[int, int]:
    hidden, layers = SHAPES[name]
    return int(TOTAL[name]), layers * (12 * hidden * hidden + 13 * hidden)


def arguments(variant: str) -> dict[str, Any]:
    seq_bn = {"method": "seq_bn", "reduction_factor": 16}
    if variant in ("full-ft", "head-only"):
        return {"training": variant.partition("-")[0]}
    if variant.startswith("fuse of "):
        return {"training": "adapter", "adapter": seq_bn, "fused": int(variant[8:])}
    return {"training": "adapter", "adapter": {"method": "lora", "rank": 8} if "lora" in variant else seq_bn}


def measured() -> list[tuple[str, str, int, float]]:
    text = (ROOT / "docs" / "memory.md").read_text(encoding="utf-8").partition("## Measured")[2]
    return [(name, variant, int(rows), float(gib)) for name, variant, rows, gib in ROW.findall(text)]


def test_there_are_measured_rows() -> None:
    assert len(measured()) >= 18


@pytest.mark.parametrize(("name", "variant", "rows", "gib"), measured(), ids=str)
def test_within_15_percent_of_what_was_measured(name: str, variant: str, rows: int, gib: float) -> None:
    settings = {"batch_size": rows, "max_length": 128, "weight_decay": 0.01, "dtype": "fp32"}
    estimate = MemoryModel(size, SHAPES).training(name, settings, **arguments(variant)) - PROCESS
    assert 0.85 < estimate / gib < 1.15


def test_less_is_kept_with_fewer_tokens_bf16_recomputing_and_tables_that_do_not_decay() -> None:
    model = MemoryModel(size, SHAPES)
    plain = {"batch_size": 32, "max_length": 128, "weight_decay": 0.01, "dtype": "fp32"}
    whole = model.training("xlm-r-base", plain, training="full")
    for change in ({"batch_size": 8}, {"dtype": "bf16"}, {"gradient_checkpointing": True}, {"weight_decay": 0.0}):
        assert model.training("xlm-r-base", plain | change, training="full") < whole
    assert model.training("xlm-r-base", plain | {"batch_size": 4096}, training="full") == pytest.approx(
        model.training("xlm-r-base", plain | {"batch_size": 128}, training="full")
    )


def test_nothing_is_said_of_unknown_backbones() -> None:
    model = MemoryModel(lambda _: (0, 0), {})
    settings = {"batch_size": 32, "max_length": 128, "weight_decay": 0.0, "dtype": "fp32"}
    assert model.training("other", settings, training="full") == 0.0
    assert model.prediction("other") == model.prediction("") == 0.0


def test_every_training_and_prediction_of_a_plan_has_an_estimate() -> None:
    plan = build_plan(load_recipe(ROOT / "recipes" / "quickstart.yaml"))
    for stage in plan.stages.values():
        if stage.kind.startswith("train") or (stage.kind == "predict" and stage.labels["backbone"]):
            assert stage.resources["estimated_memory_gb"] > PROCESS
