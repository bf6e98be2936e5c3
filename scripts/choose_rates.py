"""Choose learning rates on English development data: train a recipe's models at several rates and print those scores.

    python scripts/choose_rates.py recipes/real-quality.yaml --mode fuse --rates 1e-3 2e-3 4e-3 --set data_root=PATH

Nothing is predicted, so no score of another language or of test data exists to be looked at. The seed should be one
that the recipe does not use. Scores are those of the best checkpoint on English development data (`selection: dev`);
what the models are built from (intermediate models, a fusion's target adapter) keeps the settings of the recipe, with
that seed. Stages are kept in the store and not trained again. A recipe can choose by itself, for each backbone, with
``learning_rate: {choose: [...], by: dev}`` (docs/learning-rates.md); this script prints before a recipe is written.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

os.environ.setdefault("OMP_NUM_THREADS", "1")

from adapterxfer.engines.worker import run_stage
from adapterxfer.plan import Plan, build_plan
from adapterxfer.plan.backbones import backbone_folders
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.store.keys import Stage
from adapterxfer.store.store import Store

KINDS = {"fuse": "train_fusion", "head-only": "train_target", "full-ft": "train_target", "adapters": "train_target"}
"""Mode -> kind of the trainings whose rate is chosen."""

MODES = {"full-ft": "full", "adapters": "adapter", "head-only": "head"}


def main(argv: Sequence[str] | None = None) -> int:
    """Train and print one line per rate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--mode", choices=sorted(KINDS), required=True)
    parser.add_argument("--rates", nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--only", action="append", default=[], metavar="AXIS=VALUE")
    parser.add_argument("--set", action="append", default=[], dest="set_", metavar="KEY=VALUE")
    parser.add_argument("--store", type=Path, default=Path("store"))
    arguments = parser.parse_args(argv)
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rate in arguments.rates:
        changes = [
            *arguments.set_, f"seeds=[{arguments.seed}]", f"train.{arguments.mode}.learning_rate={rate}",
            f"train.{arguments.mode}.selection=dev",
        ]  # fmt: skip
        plan = build_plan(resolve_recipe(load_recipe(arguments.recipe, changes), arguments.store), only=arguments.only)
        plan.require_runnable()
        for stage in plan.stages.values():
            if stage.kind.startswith(("predict", "report")) or not needed(plan, stage, arguments.mode):
                continue
            result = make(plan, stage, arguments.store)
            if chosen(stage, arguments.mode):
                name = " ".join(str(stage.labels.get(axis, "")) for axis in ("backbone", "intermediate", "target"))
                scores[rate][name].append(float(str(result["dev_score"])))
                print(f"{rate} {name}: {result['dev_score']:.1f} (step {result['selected_step']})", flush=True)
    for rate, found in scores.items():
        print(f"{rate}: mean {fmean(fmean(values) for values in found.values()):.2f} of {len(found)}")
    return 0


def chosen(stage: Stage, mode: str) -> bool:
    """Whether the rate of this training is asked for."""
    return stage.kind == KINDS[mode] and (mode == "fuse" or stage.identity["mode"] == MODES[mode])


def needed(plan: Plan, stage: Stage, mode: str) -> bool:
    """Whether it is asked for, or an input of one that is."""
    wanted = {key for key, other in plan.stages.items() if chosen(other, mode)}
    todo = list(wanted)
    while todo:
        inputs = set(plan.stages[todo.pop()].inputs.values()) - wanted
        wanted |= inputs
        todo += inputs
    return stage.key in wanted


def make(plan: Plan, stage: Stage, place: Path) -> dict[str, object]:
    """Run the stage unless the store has it; returns its result."""
    store = Store(place)
    store.open()
    settings = {"data_root": plan.recipe.data_root, "backbone_folders": backbone_folders(plan.recipe)}
    return dict(store.read(run_stage(stage, store=store, settings=settings).folder).result)


if __name__ == "__main__":
    sys.exit(main())
