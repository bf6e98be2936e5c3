"""A recipe of real tasks on the world, from the first stage to the report, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterxfer.engines.worker import run_stage
from adapterxfer.plan import build_plan
from adapterxfer.recipe import parse_recipe
from adapterxfer.store.store import Store

RECIPE = """\
recipe: 1
name: study
title: A study of real tasks
backbones: [xlm-r-base]
intermediate_tasks: [none, qqp, multi+mlm, squad-v1+translated]
target_tasks: [pawsx, xcopa, bucc2018, mewslix]
variants: [full-ft, stack]
adapters: [{method: seq_bn, reduction_factor: 16}]
seeds: [1]
controls: [majority]
mlm_mix: {share: 0.4, texts: wikipedia, languages: [de, fr], lines: 30}
translated: {folder: translations}
multi: {tasks: [anli+, mnli, qqp, hellaswag, siqa]}
train:
  default: {learning_rate: 1e-3, steps: 5, batch_size: 4, max_length: 64}
tasks: # languages of the real tests say nothing about their stand-ins
  pawsx: {train_examples: 20, dev_examples: 4, test_examples: 6, languages: [de, fr]}
  xcopa: {train_examples: 20, dev_examples: 4, test_examples: 6}
  siqa: {train_examples: 20, dev_examples: 4}
  qqp: {train_examples: 20, dev_examples: 4}
  mnli: {train_examples: 20, dev_examples: 4}
  anli+: {train_examples: 20, dev_examples: 4}
  hellaswag: {train_examples: 20, dev_examples: 4}
  squad-v1: {train_examples: 20, dev_examples: 4}
  bucc2018: {test_examples: 6}
  mewslix: {test_examples: 6}
statistics: {resamples: 100}
"""


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_stand_ins_run_from_end_to_end(tmp_path: Path) -> None:
    recipe = parse_recipe(RECIPE, "r", ["world=true", "backbones=[world-nano]"])
    plan = build_plan(recipe)
    plan.require_runnable()
    store = Store(tmp_path)
    for stage in plan.stages.values():
        assert run_stage(stage, store=store, settings={}).status == "finished"
    done = store.completed()
    by_kind = {
        (stage.kind, stage.labels.get("intermediate"), stage.labels.get("variant"), stage.labels.get("target")): (
            done[stage.short_key]
        )
        for stage in plan.stages.values()
    }
    model = json.loads((by_kind["train_intermediate", "multi+mlm", "adapter", ""] / "model.json").read_text())
    heads = [(head["task"], head.get("also")) for head in model["composition"]["heads"]]
    assert heads == [("anli+", ["mnli"]), ("qqp", None), ("hellaswag", ["siqa"])]
    assert set(model["training"]["sampling"]["tasks"]) == {"anli+", "mnli", "qqp", "hellaswag", "siqa", "mlm"}
    translated = json.loads(
        (by_kind["train_intermediate", "squad-v1+translated", "full-ft", ""] / "model.json").read_text()
    )
    assert len(translated["training"]["sampling"]["languages"]["squad-v1"]) == 13
    copa = json.loads((by_kind["train_target", "none", "adapter", "xcopa"] / "model.json").read_text())
    assert copa["training"]["before"]["siqa"]["steps"] == 5
    assert plan.report is not None
    page = (done[plan.report.short_key] / "report.html").read_text(encoding="utf-8")
    text = (done[plan.report.short_key] / "report.md").read_text(encoding="utf-8")
    for content in (page, text):
        assert "stand-ins from the synthetic world" in content
        assert "ynthetic" in content.replace("stand-ins from the synthetic world", "")
        assert "bucc2018" in content
        assert "multi+mlm" in content
