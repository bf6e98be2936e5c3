"""`compile: true` on CPU: the same training through torch.compile. Needs a C++ compiler and about a minute."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

CODE = """
import json, sys, torch
from pathlib import Path

sys.path.insert(0, {fixtures!r})
import conftest
import numpy as np
from adapterxfer.data.examples import TaskData
from adapterxfer.data.storage import write_task
from adapterxfer.stages.context import StageContext
from adapterxfer.stages.train import execute
from adapterxfer.store.keys import Stage
from safetensors.torch import load_file

torch.set_num_threads(1)
place = Path({place!r})
backbone = conftest.write_backbone(place / "backbone")
examples = {{("train", "en"): conftest.pairs(np.random.default_rng(0), 50)}}
write_task(place / "nli", TaskData("nli", "sequence_classification", ("yes", "no"), examples))
found = []
for number, option in enumerate(({{}}, {{"compile": True}})):
    identity = {{
        "backbone": conftest.identity("backbone"), "adapter": conftest.ADAPTER, "seed": 11, "mode": "adapter",
        "composition": "fresh", "task": "nli", "format": "sequence_classification",
        "settings": {{**conftest.SETTINGS, **option}},
    }}
    inputs = {{"data": place / "nli", "backbone": backbone}}
    stage = Stage(kind="train_target", version=1, identity=identity, inputs=dict.fromkeys(inputs, "0" * 64))
    scratch = place / str(number)
    scratch.mkdir()
    result = execute(StageContext(stage=stage, inputs=inputs, scratch=scratch, log=lambda line: None, settings={{}}))
    weights = load_file(scratch / "model.safetensors")
    settings = json.loads((scratch / "model.json").read_text())["training"]["settings"]
    found.append((result["last_loss"], weights, settings, stage.key))
(plain, a, _, key), (compiled, b, settings, other) = found
import torch._dynamo.utils

print(json.dumps({{
    "losses": abs(plain - compiled),
    "weights": max(float((a[name] - b[name]).abs().max()) for name in a.keys() | b.keys()),
    "recorded": settings.get("compile"),
    "keys_differ": key != other,
    "graph_breaks": sum(torch._dynamo.utils.counters["graph_break"].values()),
    "graphs": torch._dynamo.utils.counters["stats"]["unique_graphs"],
}}))
"""


def test_compiled_training_is_the_same_training(tmp_path: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler")
    code = CODE.format(fixtures=str(TESTS / "unit" / "training"), place=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["graphs"] > 0  # something was compiled, and nothing was left out of it
    assert found["graph_breaks"] == 0
    assert found["losses"] < 1e-4
    assert found["weights"] < 1e-3
    assert found["recorded"] is True
    assert found["keys_differ"]
