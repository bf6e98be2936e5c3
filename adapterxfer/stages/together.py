"""Executor of `train_together`: several seeds of one training in one batched pass.

Artefacts: a folder ``seed-N`` for each seed, with the files of a training stage; ``failed.json`` in place of them where
the seed diverged. The stages of the single seeds take theirs (`taking`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from adapterxfer.backbones.loading import load_backbone
from adapterxfer.errors import StageError
from adapterxfer.stages.checkpointing import checkpoints_of
from adapterxfer.stages.chosen import chosen_values, resolved
from adapterxfer.stages.context import Log, StageContext
from adapterxfer.stages.taking import FAILED, TOGETHER, folder_of
from adapterxfer.stages.train import TrainLog, marked, prove
from adapterxfer.stages.training import before_of, tasks_of, with_needed_words
from adapterxfer.store.keys import Stage
from adapterxfer.training.device import use_one_thread
from adapterxfer.training.loop import TrainResult
from adapterxfer.training.meter import DivergedError
from adapterxfer.training.seeds_together import train_together
from adapterxfer.training.settings import TrainSettings

INTERMEDIATE = "intermediate."
"""Beginning of the roles of what the seeds were trained on before; the seed follows."""


def execute(context: StageContext) -> dict[str, Any]:
    """Train all seeds of a group.

    Raises:
        AdapterxferError: inputs that do not fit together, an assertion that does not hold, or a training that failed
            for all seeds.
    """
    use_one_thread()
    context = resolved(context)
    identity = context.stage.identity
    settings = TrainSettings.of(identity["settings"])
    backbone = load_backbone(identity["backbone"], context.backbone_folder, words=False)
    members = dict(_members(context))
    first = next(iter(members.values()))
    tasks = tasks_of(first, backbone, settings)
    if len(tasks) > 1:
        raise StageError(
            f"{len(tasks)} tasks: several seeds are trained together on one",
            fix="plan the recipe again with this version of adapterxfer",
        )
    before = list(before_of(first, backbone, tasks[0]))
    backbone = with_needed_words(first, backbone, tasks, settings, before)
    proved = {seed: prove(member, backbone, tasks) for seed, member in members.items()}
    options: dict[str, Any] = {
        "device": str(context.settings.get("device") or "cpu"),
        "token_budget": int(context.settings.get("train_batch_tokens") or 0) or None,
    }
    models = {seed: trained.model for seed, trained in proved.items()}
    failed: dict[int, DivergedError] = {}

    def note(results: Mapping[int, TrainResult | DivergedError]) -> dict[int, TrainResult]:
        for seed, result in results.items():
            if isinstance(result, DivergedError):
                failed.setdefault(seed, result)
        return {seed: result for seed, result in results.items() if isinstance(result, TrainResult)}

    with ExitStack() as stack:
        logs = {
            seed: stack.enter_context(TrainLog(member.scratch / "train.jsonl", _no_log))
            for seed, member in members.items()
        }
        log = _spread(logs, context.log)
        earlier = [
            note(
                train_together(
                    models,
                    task,
                    earlier_settings,
                    log=marked(log, name),
                    checkpoints=checkpoints_of(context, before=name),
                    **options,
                )
            )
            for name, task, earlier_settings in before
        ]
        results = note(
            train_together(models, tasks[0], settings, log=log, checkpoints=checkpoints_of(context), **options)
        )
    if len(failed) == len(members):
        raise failed[next(iter(members))]
    told: dict[str, Any] = {}
    seconds = 0.0
    for seed, trained in proved.items():
        if seed in failed:
            _give_up(trained.context, failed[seed])
            told[str(seed)] = {"failed": failed[seed].what}
            continue
        outcome = trained.store(
            results[seed],
            [done[seed] for done in earlier],
            {TOGETHER: {"seeds": list(members), "seed": seed}, **chosen_values(context)},
        )
        seconds += outcome.pop("seconds")
        told[str(seed)] = outcome
    return {"phase": identity["phase"]["kind"], "seconds": round(seconds, 3), "seeds": told}


def _members(context: StageContext) -> Iterator[tuple[int, StageContext]]:
    """The context that each seed would have alone, in a folder of its own."""
    stage = context.stage
    shared = {name: value for name, value in stage.identity.items() if name not in ("phase", "seeds")}
    for seed in stage.identity["seeds"]:
        inputs = {role: folder for role, folder in context.inputs.items() if not role.startswith(INTERMEDIATE)}
        if (intermediate := context.inputs.get(f"{INTERMEDIATE}{seed}")) is not None:
            inputs["intermediate"] = intermediate
        alone = Stage(**stage.identity["phase"], identity={**shared, "seed": seed}, inputs={}, key=stage.key)
        scratch = context.scratch / folder_of(seed)
        scratch.mkdir(parents=True)
        yield seed, replace(context, stage=alone, inputs=inputs, scratch=scratch)


def _no_log(line: Mapping[str, Any]) -> None:
    """The group has one log; see `_spread`."""


def _spread(logs: Mapping[int, TrainLog], log: Log) -> Log:
    """A log that gives every seed its lines, and says there whom it was trained with."""
    seeds = list(logs)

    def run(line: Mapping[str, Any]) -> None:
        log(line)
        if "seed" in line:
            logs[line["seed"]]({**line, TOGETHER: seeds})

    return run


def _give_up(context: StageContext, error: DivergedError) -> None:
    """Leave the reason in place of the model; what there is of its log stays in the log of the group."""
    (context.scratch / "train.jsonl").unlink()
    record = json.dumps({"what": error.what, "fix": error.fix}, sort_keys=True)
    (context.scratch / FAILED).write_text(record + "\n", encoding="utf-8")
