"""One of several processes that make one stage: ``python -m adapterxfer.engines.launched REQUEST`` (see `launch`)."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.engines.launch import ANSWER, PROGRESS, STOP
from adapterxfer.engines.remote import StopFile
from adapterxfer.engines.wire import error_as_json
from adapterxfer.engines.worker import use_one_thread
from adapterxfer.errors import StageStopped
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.registry import begin_worker, load_executor
from adapterxfer.store.keys import Stage
from adapterxfer.store.redaction import redacted_line


def main(path: str) -> int:
    """Execute the stage as the process that ``RANK`` says; returns the exit code."""
    folder, rank = Path(path).parent, int(os.environ.get("RANK", "0"))
    begin_worker()
    _end_with_the_launcher()
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="adapterxfer-") as thrown_away:
        progress = (folder / PROGRESS).open("a", encoding="utf-8") if rank == 0 else None

        def log(line: Mapping[str, Any]) -> None:
            if progress is not None:
                progress.write(redacted_line(line) + "\n")
                progress.flush()

        stage = Stage.from_json(request["stage"])
        context = StageContext(
            stage=stage,
            inputs={role: Path(folder_name) for role, folder_name in request["inputs"].items()},
            scratch=Path(request["scratch"] if rank == 0 else thrown_away),
            log=log,
            settings=request["settings"],
            resume=Path(request["resume"]) if request["resume"] else None,
            stop=StopFile(folder / STOP),
        )
        answer: dict[str, Any]
        try:
            execute = load_executor(stage.kind, request["registry"])
            use_one_thread()
            answer = {"event": "finished", "result": execute(context)}
        except StageStopped as stopped:
            answer = {"event": "stopped", "what": stopped.what}
        except Exception as error:  # told to the process that started this one
            answer = {"event": "failed", **error_as_json(error)}
        finally:
            if progress is not None:
                progress.close()
    answer_file = folder / f"{rank:04d}-{ANSWER}"
    beside = answer_file.with_suffix(".part")
    beside.write_text(json.dumps(answer), encoding="utf-8")
    beside.replace(answer_file)
    return 1 if answer["event"] == "failed" else 0


def _end_with_the_launcher() -> None:
    """Launchers put what they start into sessions of its own, where the end of a worker does not reach it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
