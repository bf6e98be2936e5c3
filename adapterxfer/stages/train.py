"""Executor of the four training kinds: build a model, prove it, train it, prove it again, store it.

Artefacts: ``model.json``, ``model.safetensors`` and ``train.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterxfer.backbones.loaded import LoadedBackbone
from adapterxfer.backbones.loading import give_back_weights, load_backbone
from adapterxfer.errors import StageError
from adapterxfer.formats.masked_lm import NAME as MLM
from adapterxfer.stages.checkpointing import checkpoints_of
from adapterxfer.stages.chosen import chosen_values, resolved
from adapterxfer.stages.context import StageContext, is_kept
from adapterxfer.stages.spent import IN_ALL, gflop_in_all
from adapterxfer.stages.taking import TOGETHER, take
from adapterxfer.stages.training import (
    START,
    before_of,
    build_of,
    supervision_facts,
    tasks_of,
    with_needed_words,
)
from adapterxfer.training.device import give_back_memory, use_one_thread
from adapterxfer.training.loop import TrainResult, token_budget_of, train
from adapterxfer.training.settings import TrainSettings
from adapterxfer.training.tasks import TrainTask
from adapterxfer.variants.assertions import as_json, check
from adapterxfer.variants.measures import AssertionInput, snapshot
from adapterxfer.variants.model import TransferModel
from adapterxfer.variants.rules import AssertionResult
from adapterxfer.variants.storage import read_weights, write_description, write_weights
from adapterxfer.variants.word_rows import as_carried

PROBE_FEATURES = 4
"""Inputs on which the assertions are measured."""


def execute(context: StageContext) -> dict[str, Any]:
    """Run one training stage.

    Raises:
        AdapterxferError: inputs that do not fit together, an assertion that does not hold, or a failed training.
    """
    if TOGETHER in context.inputs:
        return take(context)
    use_one_thread()
    context = resolved(context)
    identity = context.stage.identity
    settings = TrainSettings.of(identity["settings"])
    if settings.seeds_together:
        raise StageError(
            f"stage {context.stage.kind} {context.stage.short_key}: trained together with other seeds, but without the "
            "group that does so among its inputs",
            fix="the plan was made by another version of adapterxfer: plan the recipe again with this one",
        )
    backbone = load_backbone(identity["backbone"], context.backbone_folder, words=False)
    with TrainLog(context.scratch / "train.jsonl", context.log) as log:
        proved, result, earlier = run_all(context, backbone, tasks_of(context, backbone, settings), log)
    stored = proved.store(result, earlier, {**chosen_values(context), **supervision_facts(context)})
    gflop = float(context.stage.resources.get("cost") or 0.0)
    return {**stored, IN_ALL: round(gflop + gflop_in_all(context.inputs.values()), 6)}


def run_all(
    context: StageContext, backbone: LoadedBackbone, tasks: list[TrainTask], log: TrainLog
) -> tuple[Proved, TrainResult, list[TrainResult]]:
    """Build and prove the model of a training stage, train it on what comes before and on its tasks.

    Args:
        backbone: loaded with ``words=False``: which rows of words are needed is found here.

    Returns:
        the model with its proofs, what happened, and what happened before.

    Raises:
        DivergedError: a training broke down.
        VariantError: the model cannot be put together, or an assertion does not hold.
    """
    identity = context.stage.identity
    settings = TrainSettings.of(identity["settings"])
    before = list(before_of(context, backbone, tasks[0]))
    backbone = with_needed_words(context, backbone, tasks, settings, before)
    proved = prove(context, backbone, tasks)
    if proved.model.composition.trains_backbone:
        give_back_weights(backbone)
    give_back_memory()  # what loading, encoding and proving needed
    device = str(context.settings.get("device") or "cpu")
    options: dict[str, Any] = {
        "device": device,
        "token_budget": int(context.settings.get("train_batch_tokens") or token_budget_of(proved.model, device)),
        "sharding": str(context.stage.resources.get("sharding") or ""),
        "states": context.states,
    }
    seed = int(identity["seed"])
    earlier = [
        train(
            proved.model,
            [first],
            first_settings,
            seed=seed,
            log=marked(log, name),
            checkpoints=checkpoints_of(context, before=name),
            **options,
        )
        for name, first, first_settings in before
    ]
    result = train(
        proved.model,
        tasks,
        settings,
        seed=seed,
        log=log,
        sampling=identity.get("sampling"),
        checkpoints=checkpoints_of(context),
        **options,
    )
    return proved, result, earlier


@dataclass(slots=True)
class Proved:
    """A model that was built as its composition says, to be trained, proved again and stored.

    Attributes:
        context: of the stage.
        tasks: it trains on.
        model: as it starts.
        evidence: of how it started.
        verdicts: on the model as built.
    """

    context: StageContext
    tasks: Sequence[TrainTask]
    model: TransferModel
    evidence: AssertionInput
    verdicts: list[AssertionResult]

    def store(
        self, result: TrainResult, earlier: Sequence[TrainResult], training: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Prove the trained model and write it; returns what the stage says of itself.

        Args:
            result: of the training.
            earlier: of what was trained before, in the order of the identity.
            training: further facts that follow from the stage.

        Raises:
            VariantError: an assertion does not hold.
        """
        context, identity = self.context, self.context.stage.identity
        self.model.to("cpu")
        give_back_memory()
        if any(task.name == MLM for task in self.tasks):
            self.model.drop_head(MLM)
        write_weights(context.scratch, self.model)
        verdicts = self.verdicts + check("trained", self.evidence)
        # Wall time and interruptions stay out of the artefacts: the same stage gives the same bytes.
        outcome = {**result.as_json(), **(training or {})}
        if earlier:
            named = zip(identity["before"], earlier, strict=True)
            outcome["before"] = {described["task"]: done.as_json() for described, done in named}
        content = write_description(
            context.scratch,
            self.model,
            training={"stage": context.stage.key, "settings": dict(identity["settings"]), **outcome},
            assertions=as_json(verdicts),
        )
        return {
            "variant": self.model.composition.variant,
            "trainable_parameters": content["trainable_parameters"],
            "seconds": round(result.seconds + sum(done.seconds for done in earlier), 3),
            **_this_run(result),
            **outcome,
        }


def prove(context: StageContext, backbone: LoadedBackbone, tasks: list[TrainTask]) -> Proved:
    """Build the model of a training stage and assert that it is what its composition says.

    Raises:
        VariantError: its parts cannot be put together, or an assertion does not hold.
    """
    model = build_of(context, backbone, tasks)
    evidence = AssertionInput(
        model=model,
        batch=tasks[0].format.collate(tasks[0].features[:PROBE_FEATURES], pad_id=tasks[0].pad_id),
        task=tasks[0].name,
        start=snapshot(model),
        # For a frozen one loading has just checked it; what trains is in the snapshot.
        start_backbone="" if model.composition.trains_backbone else model.loaded.carried,
        stored=lambda: as_carried(read_weights(context.scratch), backbone),
        pristine=backbone.model,
        trained_before=START in context.inputs,
    )
    return Proved(context, tasks, model, evidence, check("built", evidence))


def _this_run(result: TrainResult) -> dict[str, Any]:
    """What is true of this run and not of the stage: speed, and what went on in it."""
    facts: dict[str, Any] = {}
    if result.resumed_at:
        facts["resumed_at"] = result.resumed_at
    elif result.seconds:
        facts["tokens_per_second"] = round(result.tokens / result.seconds)
    if result.processes > 1:
        facts["processes"] = result.processes
    if result.sharding:
        facts["sharding"] = result.sharding
    if result.halvings:
        facts["memory_ran_out"] = list(result.halvings)
    return facts


def marked(log: Callable[[Mapping[str, Any]], None], name: str) -> Callable[[Mapping[str, Any]], None]:
    """A log that says which of several trainings a line is about."""
    return lambda line: log({**line, "before": name})


class TrainLog:
    """Sends every line to the stage's log, and those that follow from the stage alone to ``train.jsonl``."""

    def __init__(self, path: Path, log: Callable[[Mapping[str, Any]], None]) -> None:
        self._path, self._log = path, log

    def __enter__(self) -> TrainLog:
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Take one line."""
        if "steps" in line and is_kept(line):
            self._file.write(json.dumps(dict(line), sort_keys=True) + "\n")
        self._log(line)

    def __exit__(self, *error: object) -> None:
        self._file.close()
