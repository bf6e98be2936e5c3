"""What a worker imports: a process of its own, since it is about the first import."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

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
