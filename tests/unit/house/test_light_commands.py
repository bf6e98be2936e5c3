"""Commands that only look, on a recipe or at a store, import no heavy library: they answer at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RECIPE = str(ROOT / "recipes" / "quickstart.yaml")
HEAVY = ("torch", "transformers", "datasets", "numpy", "scipy", "pyarrow", "matplotlib", "huggingface_hub")

COMMANDS = [
    ["--help"],
    ["env"],
    ["recipes", "list"],
    ["docs"],
    ["docs", "hub"],
    ["check", "quickstart"],
    ["check", RECIPE],
    ["plan", RECIPE, "--store", "empty"],
    ["status", RECIPE, "--store", "empty"],
    *(["ls", what] for what in ("backbones", "tasks", "variants", "methods", "languages", "families", "controls")),
    *(["completion", shell] for shell in ("bash", "zsh", "fish")),
    ["--help"],
]

CODE = """
import sys
from adapterxfer.cli.main import main

try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(code or 0, *(name for name in HEAVY if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]).replace(f"{ROOT}/", ""))
def test_it_answers_without_heavy_libraries(command: list[str], tmp_path: Path) -> None:
    code = CODE.replace("HEAVY", repr(HEAVY))
    result = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stderr.splitlines()[-1] == "0"
    assert result.stdout
