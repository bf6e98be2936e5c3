"""One training on several devices of one machine: a process for each, started by `accelerate launch`.

The process that holds the stage's lock starts them, hands on their progress, and commits what the first one wrote.
The others compute their share of every batch (`training/parallel.py`) and write into folders that are thrown away.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.engines.wire import error_from_json
from adapterxfer.errors import StageError, StageStopped
from adapterxfer.stages.context import StageContext
from adapterxfer.store.keys import Stage
from adapterxfer.store.redaction import redact

LOOK_S = 0.5
"""How often progress is handed on and a request to stop is looked for."""

REQUEST, STOP, PROGRESS, ANSWER = "request.json", "stop", "progress.jsonl", "answer.json"
"""Files between the starting process and those it starts."""

LAST_LINES = 20


def processes_for(stage: Stage, settings: Mapping[str, Any]) -> int:
    """How many processes make a stage: one for each GPU its plan asks for, where GPUs are used at all.

    ``settings["processes"]`` asks for as many on processors instead.
    """
    if not stage.kind.startswith("train_"):
        return 1
    if settings.get("processes"):
        return int(settings["processes"])
    # `cuda:3` names one device; `cuda` and `auto` leave the choice to the launcher.
    several = str(settings.get("device") or "cpu") in ("auto", "cuda")
    return max(1, int(stage.resources.get("gpus") or 1)) if several else 1


def command_for(processes: int, device: str, request: Path) -> list[str]:
    """What starts that many processes with their ranks in the environment.

    `accelerate launch` starts several processes on GPUs only, through the launcher of torch; on processors that one is
    called directly.
    """
    ours = ["-m", "adapterxfer.engines.launched", str(request)]
    if device == "cpu":
        words = ["--standalone", "--nproc-per-node", str(processes)]
        return [sys.executable, "-m", "torch.distributed.run", *words, *ours]
    words = ["--multi_gpu", "--num_machines", "1", "--num_processes", str(processes), "--main_process_port", "0"]
    words += ["--mixed_precision", "no", "--dynamo_backend", "no"]  # training settings decide, process by process
    return [sys.executable, "-m", "accelerate.commands.launch", *words, *ours]


def launch(context: StageContext, registry: Mapping[str, str], processes: int) -> dict[str, Any]:
    """Execute a stage in several processes; the counterpart of calling its executor.

    Raises:
        StageStopped: they were asked to stop and saved.
        StageError: a process died.
        AdapterxferError: what the executor raised in one of them.
    """
    device = str(context.settings.get("device") or "cpu")
    with tempfile.TemporaryDirectory(prefix="adapterxfer-") as name:
        folder = Path(name)
        request = {
            "stage": context.stage.as_json(),
            "inputs": {role: str(path) for role, path in context.inputs.items()},
            "scratch": str(context.scratch),
            "settings": dict(context.settings),
            "resume": str(context.resume) if context.resume is not None else None,
            "registry": dict(registry),
        }
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        with (folder / "words").open("wb") as words:
            launcher = subprocess.Popen(
                command_for(processes, device, folder / REQUEST), stdin=subprocess.DEVNULL, stdout=words, stderr=words
            )
        try:
            _follow(launcher, context, folder)
        finally:
            if launcher.poll() is None:
                launcher.kill()  # the processes it started notice within a second
                launcher.wait()
        return _answer(folder, processes, int(launcher.returncode))


def _follow(launcher: subprocess.Popen[bytes], context: StageContext, folder: Path) -> None:
    """Hand on progress until the launcher ends."""
    seen = 0
    while True:
        ended = launcher.poll() is not None
        if context.stop():
            (folder / STOP).touch()
        if (folder / PROGRESS).exists():
            with (folder / PROGRESS).open("rb") as file:
                file.seek(seen)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            seen += len(whole)
            for line in whole.splitlines():
                context.log(json.loads(line))
        if ended:
            return
        time.sleep(LOOK_S)


def _answer(folder: Path, processes: int, code: int) -> dict[str, Any]:
    answers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"*-{ANSWER}"))]
    for answer in answers:
        if answer["event"] == "failed":
            raise error_from_json(answer)
    for answer in answers:
        if answer["event"] == "stopped":
            raise StageStopped(str(answer["what"]))
    if code or not answers or answers[0]["event"] != "finished":
        lines = redact((folder / "words").read_text(encoding="utf-8", errors="replace")).splitlines()[-LAST_LINES:]
        raise StageError(
            f"one of {processes} processes ended with exit code {code}: " + " | ".join(lines),
            fix="try the stage on one device, or with a smaller settings.train_batch_tokens",
        )
    result: dict[str, Any] = answers[0]["result"]
    return result
