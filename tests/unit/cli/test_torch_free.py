"""Light commands import nothing heavy, whatever else this process has loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "transformers", "adapters", "peft", "datasets", "pyarrow", "scipy", "matplotlib", "numpy", "pandas")

COMMANDS = [
    ["--help"],
    ["check", "recipes/quickstart.yaml"],
    ["status", "recipes/quickstart.yaml"],
    ["plan", "recipes/world-full.yaml"],
    ["plan", "recipes/xtreme-r-scaling.yaml", "--only", "backbone=xlm-r-base", "--only", "seed=11"],
    ["ls", "tasks"],
    ["ls", "languages"],
    ["show", "recipes/quickstart.yaml"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_command_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    if arguments[0] in ("status", "plan"):
        arguments = [*arguments, "--store", str(tmp_path)]
    code = (
        "import contextlib, io, sys\n"
        "from adapterxfer.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    assert main({arguments!r}) == 0\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys, adapterxfer; print(sorted(n for n in sys.modules if n.startswith(('adapterxfer.', 'pydantic'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names() -> None:
    import adapterxfer

    for name in adapterxfer.__all__:
        assert getattr(adapterxfer, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = adapterxfer.nothing
    assert "run" in dir(adapterxfer)
