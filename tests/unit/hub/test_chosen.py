"""What a bundle says of settings that development data chose for its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapterxfer.hub.bundle_results import chosen_settings, lineage
from adapterxfer.plan import Plan, Sources, build_plan
from adapterxfer.recipe import parse_recipe

TEXT = """\
recipe: 1
name: chosen
backbones: [world-nano]
intermediate_tasks: [none, world-nli]
target_tasks: [world-xnli]
variants: [stack]
adapters: [{method: seq_bn, reduction_factor: 2}]
seeds: [1]
controls: false
train:
  default: {learning_rate: {choose: [1e-3, 3e-3], by: dev}, steps: 10}
"""


@dataclass
class Finished:
    """A store that knows its finished folders alone."""

    folders: Mapping[str, Path]

    def completed(self) -> Mapping[str, Path]:
        return self.folders


def plan() -> Plan:
    recipe = parse_recipe(TEXT, "r")
    sources = Sources(
        recipe, files=lambda asked, root: {name: {"kind": "files", "files": {}} for name, _ in asked}, world=lambda: "w"
    )
    return build_plan(recipe, sources=sources)


def test_values_with_their_grids_nearest_first_and_nothing_of_what_lost(tmp_path: Path) -> None:
    made = plan()
    (stack,) = [stage for stage in made.stages.values() if stage.labels.get("variant") == "stack"
                and stage.kind == "train_target"]  # fmt: skip
    (tmp_path / "choice.json").write_text(json.dumps({"chosen": {"learning_rate": 1e-3}}))
    choices = [stage for stage in made.stages.values() if stage.kind == "choose"]
    store = Finished({stage.short_key: tmp_path for stage in choices})
    rows = chosen_settings(made, store, stack.key)  # type: ignore[arg-type]
    assert rows == [
        {"phase": phase, "setting": "learning_rate", "value": 1e-3, "grid": [1e-3, 3e-3]}
        for phase in ("target", "intermediate")
    ]
    kinds = [entry["kind"] for entry in lineage(made, stack.key)]
    assert kinds.count("choose") == 2
    assert "train_candidate" not in kinds
    assert chosen_settings(made, Finished({}), stack.key) == []  # type: ignore[arg-type]
