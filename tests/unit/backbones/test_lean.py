"""What a worker imports: a process of its own, since it is about the first import."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

CODE = """
import json, sys
from adapterxfer.stages.registry import begin_worker
if {lean}:
    begin_worker()
from adapterxfer.backbones.reading import library_class
library_class("XLMRobertaModel")
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


TRAINING = """
import sys
from adapterxfer.stages.registry import begin_worker, load_executor
begin_worker()
load_executor("train_target")
import gc, json, torch
from adapterxfer.backbones.loading import load_backbone
from adapterxfer.training.optimiser import apply, new_optimiser
from adapterxfer.training.settings import TrainSettings
from adapterxfer.formats.base import Initial
from adapterxfer.variants.encoder import encode

assert gc.isenabled() and gc.get_freeze_count(), "collections go on, over what comes now"
backbone = load_backbone({"name": "world-nano", "kind": "embedded"}, own_weights=True)
head = Initial(torch.Generator(), 0.02).linear(backbone.hidden_size, 3)
weights = [*backbone.model.requires_grad_(True).parameters(), *head.parameters()]
settings = TrainSettings.of({"learning_rate": 1e-3, "batch_size": 4, "steps": 1, "max_length": 16})
optimiser = new_optimiser(weights, settings)
before = head.weight.clone()
head(encode(backbone.model, torch.tensor([[5, 6, 7]]), None)).square().sum().backward()
apply(optimiser, weights, rate=1e-3, count=1, clip=1.0)
assert not torch.equal(before, head.weight) and head.weight.grad is None
print(json.dumps(sorted(sys.modules)))
"""
COMPILER = {"torch._dynamo", "torch._inductor", "torch.distributed.tensor", "sympy", "sklearn", "pandas"}


def imports_generation() -> bool:
    """Whether this transformers imports what generates text, and the compiler with it, as soon as the configuration of
    an encoder is imported: 5.17 does so for a docstring, 4.57 and 5.24 do not.
    """
    if int(version("transformers").split(".")[0]) < 5:
        return False
    library = find_spec("transformers")
    assert library is not None
    assert library.origin is not None
    factory = (Path(library.origin).parent / "models" / "auto" / "auto_factory.py").read_text(encoding="utf-8")
    return re.search(r"^ {0,4}from \S+ import GenerationMixin", factory, re.MULTILINE) is not None


@pytest.mark.slow
@pytest.mark.skipif(imports_generation(), reason="this version of transformers imports the compiler by itself")
def test_a_worker_trains_without_a_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert not COMPILER & imported
    assert "transformers.modeling_utils" not in imported


@pytest.mark.slow
def test_a_worker_leaves_out_what_encoders_do_not_need() -> None:
    pytest.importorskip("sklearn")
    imported = []
    for lean in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", CODE.format(lean=lean)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        imported.append(set(json.loads(done.stdout.splitlines()[-1])))
    assert not {"sklearn", "pandas"} & imported[0]
    if int(version("transformers").split(".")[0]) < 5:  # the next one asks for it later, where it is needed
        assert "sklearn" in imported[1], "nothing to leave out: remove `backbones.lean`"
    assert "transformers" in imported[0]
