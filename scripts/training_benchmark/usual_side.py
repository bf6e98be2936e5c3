"""The grid as a careful script would do it with Trainer and AdapterTrainer: everything encoded once, nothing saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapterxfer.data.gold import gold_text
from adapterxfer.formats.encoded import Encoded
from adapterxfer.metrics import count_predictions, get_metric
from adapterxfer.training.settings import TrainSettings
from training_benchmark.cells import settings, trainings
from training_benchmark.inputs import BACKBONES, BOTTLENECKS, FORMATS, INTERMEDIATES, LANGUAGES, TARGETS, Inputs
from training_benchmark.masked_loss import add_allowed
from training_benchmark.peer_rows import outputs_of, train_rows
from training_benchmark.peers import Peer
from training_benchmark.side import Side


class UsualSide:
    """Runs the grid at hidden 64.

    Args:
        inputs: prepared tasks and backbones.
        batch: effective batch.
        steps: of a training that is no fusion.
        eval_batch: rows of a batch in prediction.
        group: with the library's ``group_by_length``.
        own_loss: with our loss of questions, to compare scores; see `masked_loss`.
    """

    def __init__(self, inputs: Inputs, *, batch: int, steps: int, eval_batch: int, group: bool, own_loss: bool) -> None:
        self.inputs, self.batch, self.steps, self.eval_batch, self.group = inputs, batch, steps, eval_batch, group
        self.own_loss = own_loss

    def run(self, side: Side, seeds: Sequence[int], targets: Sequence[str]) -> None:
        """Everything from intermediates to scores."""
        backbone = self.inputs.backbone(BACKBONES[64])
        with side.training():
            tasks = {name: self.inputs.task(name, backbone) for name in (*INTERMEDIATES, *TARGETS)}
            rows = {name: train_rows(FORMATS[name], task.features) for name, task in tasks.items()}
            for name, task in tasks.items():
                if self.own_loss and FORMATS[name] == "span_qa":
                    add_allowed(rows[name], task.features, task.format, task.pad_id)
        tests = {}
        for name in TARGETS:
            with side.predicting(FORMATS[name]):
                tests[name] = self.inputs.test(name, backbone)
        made: dict[str, Peer] = {}
        for training in trainings(seeds, targets):
            with side.training():
                before = [made[earlier] for earlier in training.before]
                peer = Peer.grown(
                    backbone, tasks[training.task], training.variant, BOTTLENECKS[64], before, seed=training.seed
                )
                wanted = TrainSettings.of(settings(training.phase, batch=self.batch, steps=self.steps))
                peer.train(
                    wanted, seed=training.seed, group=self.group, rows=rows[training.task], own_loss=self.own_loss
                )
            made[training.name] = peer
            side.progress(training.name)
        for training in trainings(seeds, targets):
            if training.cell:
                stored, fmt, encoded = tests[training.task]
                with side.predicting(fmt.name):
                    score = mean_score(made[training.name], stored, fmt, encoded, self.eval_batch)
                side.score(training.cell, score)
                side.progress(f"prediction of {training.name}")


def mean_score(peer: Peer, stored: Any, fmt: Any, encoded: Encoded, eval_batch: int) -> float:
    """Mean over languages of the task's metric, decoded as ours are."""
    codes = LANGUAGES[stored.task]
    numbers = [
        [i for i, feature in enumerate(encoded.features) if encoded.examples[feature.example].language == code]
        for code in codes
    ]
    logits = peer.predict([[encoded.features[i] for i in some] for some in numbers], batch=eval_batch)
    results: list[Any] = [None] * len(encoded.features)
    for some, values in zip(numbers, logits, strict=True):
        for number, value in zip(some, values, strict=True):
            batch = fmt.collate([encoded.features[number]], pad_id=encoded.pad_id)
            (results[number],) = fmt.results(outputs_of(fmt.name, value, batch), batch)
    predictions = fmt.decode(results, encoded.features, encoded.examples, stored.labels)
    metric = get_metric(None, format_name=stored.format, labels=stored.labels)
    languages = [example.language for example in encoded.examples]
    counts = count_predictions(metric, predictions, [gold_text(e) for e in encoded.examples], languages=languages)
    return float(np.mean([metric.score(counts[np.array(languages) == code].sum(axis=0)) for code in codes]))
