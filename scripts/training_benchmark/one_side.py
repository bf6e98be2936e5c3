"""One side of the grid in a process of its own, so that its memory is its own: settings and result are JSON files."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any


def main() -> int:
    """Run the side that the file named on the command line describes."""
    began = time.perf_counter()
    asked: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    import torch

    from training_benchmark.inputs import Inputs
    from training_benchmark.side import Side

    torch.set_num_threads(asked["threads"])
    inputs = Inputs.read(Path(asked["work"]))
    size = {"batch": asked["batch"], "steps": asked["steps"]}
    with tempfile.TemporaryDirectory(dir=asked["work"]) as place:
        runner: Any
        if asked["side"].startswith("ours"):
            from adapterxfer.stages import predict, train
            from training_benchmark.our_side import OurSide

            imported = [train.__name__, predict.__name__]
            if not asked["jobs"]:  # loaded with the first backbone, and by the other side's imports at once
                from transformers import XLMRobertaModel

                imported.append(XLMRobertaModel.__name__)
            runner = OurSide(inputs, Path(place), **size, jobs=asked["jobs"], dtype=asked["dtype"])
        else:
            from training_benchmark.usual_side import UsualSide

            imported = []
            options = {"group": asked["side"] == "usual-grouped", "own_loss": asked["side"] == "usual-own-loss"}
            runner = UsualSide(inputs, **size, eval_batch=asked["eval_batch"], **options)
        side = Side(asked["side"])
        facts = {"import_s": time.perf_counter() - began, "imported": imported}
        runner.run(side, asked["seeds"], asked["targets"])
        Path(sys.argv[2]).write_text(json.dumps({**side.as_json(), **facts}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
