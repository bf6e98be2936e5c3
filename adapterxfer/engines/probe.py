"""How fast does this machine pretrain? Measured in worker processes, all busy at once as they will be in the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from queue import SimpleQueue
from typing import Any

from adapterxfer.engines.pool import Inbox, Worker
from adapterxfer.engines.wire import error_from_json
from adapterxfer.errors import StageError


def measure_tokens_per_second(
    shapes: Mapping[str, Mapping[str, int]],
    *,
    jobs: int,
    vocabulary: int,
    sequence_length: int,
    batch_sequences: int,
    mask: float = 0.2,
    dtype: str = "auto",
    seconds: float = 3.0,
    device: str = "cpu",
) -> dict[str, Any]:
    """Pretraining speed of every shape while ``jobs`` processes train it at the same time. Imports no torch.

    Args:
        shapes: size name -> ``{hidden, layers, heads}``.
        jobs: number of processes, as in the run that follows.
        vocabulary: token ids of the tokenizer.
        sequence_length: tokens of a sequence.
        batch_sequences: sequences of an optimiser step.
        mask: share of masked tokens.
        dtype: ``fp32``, ``bf16``, or ``auto``: bf16 where the processor has it in hardware or on an accelerator.
        seconds: how long each shape is measured.
        device: where the run will train.

    Returns:
        ``tokens_per_second`` (size -> mean of one process), ``dtype``, ``fast_bf16``, ``processes``, ``seconds``,
        ``device``: JSON values for the resolved recipe.

    Raises:
        StageError: a process died.
        AdapterxferError: what a process raised.
    """
    inbox: Inbox = SimpleQueue()
    workers = [Worker(number, inbox) for number in range(jobs)]
    try:
        facts = _ask_all(workers, inbox, {"call": "adapterxfer.stages.probe:facts", "arguments": {"device": device}})[0]
        if dtype == "auto":
            dtype = "bf16" if facts["fast_bf16"] or facts["device"] != "cpu" else "fp32"
        common = {
            "vocabulary": vocabulary,
            "sequence_length": sequence_length,
            "batch_sequences": batch_sequences,
            "mask": mask,
            "dtype": dtype,
            "seconds": seconds,
            "device": facts["device"],
        }
        speeds: dict[str, float] = {}
        for name, shape in shapes.items():
            arguments = {"shape": dict(shape), **common}
            answers = _ask_all(workers, inbox, {"call": "adapterxfer.stages.probe:speed", "arguments": arguments})
            speeds[name] = round(sum(answers) / len(answers), 1)
    finally:
        for worker in workers:
            worker.stop()
    return {
        "tokens_per_second": speeds,
        "dtype": dtype,
        "fast_bf16": facts["fast_bf16"],
        "processes": jobs,
        "seconds": seconds,
        "device": device,
    }


def measure_work(
    widths: Iterable[int], *, jobs: int, layers: int, length: int, seconds: float = 1.0, device: str = "cpu"
) -> dict[int, dict[str, float]]:
    """Tokens per second through layers of each width while ``jobs`` processes work at once; see `stages.probe`.

    Args:
        widths: of the backbones.
        jobs: number of processes, as in a run.
        layers: that are built.
        length: tokens of a text.
        seconds: how long each way of working is measured.
        device: where a run will work.

    Returns:
        Width -> ``full``, ``frozen``, ``predict`` -> mean of one process.

    Raises:
        StageError: a process died.
        AdapterxferError: what a process raised.
    """
    inbox: Inbox = SimpleQueue()
    workers = [Worker(number, inbox) for number in range(jobs)]
    try:
        speeds = {}
        for hidden in widths:
            arguments = {"hidden": hidden, "layers": layers, "length": length, "seconds": seconds, "device": device}
            answers = _ask_all(workers, inbox, {"call": "adapterxfer.stages.probe:work_speed", "arguments": arguments})
            speeds[hidden] = {way: sum(answer[way] for answer in answers) / len(answers) for way in answers[0]}
    finally:
        for worker in workers:
            worker.stop()
    return speeds


def _ask_all(workers: list[Worker], inbox: Inbox, message: Mapping[str, Any]) -> list[Any]:
    """Send the same call to all workers at once and wait for all answers."""
    for worker in workers:
        worker.send(message)
    values: list[Any] = []
    while len(values) < len(workers):
        worker_or_none, answer = inbox.get()
        if answer is None:
            cause = worker_or_none.cause_of_death() if worker_or_none is not None else "unknown"
            raise StageError(f"speed probe: a process died ({cause})", fix="give pretrain.tokens as a number")
        if answer["event"] == "failed":
            raise error_from_json(answer)
        values.append(answer["value"])
    return values
