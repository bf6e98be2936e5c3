"""Which build of torch `scripts/environment.sh` asks for: never gigabytes of GPU libraries without a GPU."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]


def report(*names: str, url: str = "https://example.invalid/file") -> dict[str, Any]:
    return {"install": [{"metadata": {"name": name}, "download_info": {"url": url}} for name in names]}


@pytest.mark.parametrize(
    ("names", "gpu", "options", "said"),
    [
        (("torch", "sympy"), False, "", "the CPU build (no GPU found)"),
        (("torch", "nvidia-cublas", "triton"), False, "--index-url https://download.pytorch.org/whl/cpu", "CPU build"),
        (("torch", "cuda-bindings"), True, "", "the GPU build"),
        (("torch", "sympy"), True, "", "the CPU build"),
    ],
)
def test_the_build_follows_the_machine(
    names: tuple[str, ...], gpu: bool, options: str, said: str,
    script: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    module = script("torch_build")
    monkeypatch.setattr(module, "resolve", lambda requirement: report(*names))
    monkeypatch.setattr(module, "has_gpu", lambda: gpu)
    monkeypatch.setattr(module, "size_of", lambda url: 1_500_000)
    assert module.main(["2.13.0"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == options
    assert said in told.err
    assert (f"{len(names) * 1.5:,.0f} MB" in told.err) == (not options)


@pytest.fixture(autouse=True)
def _pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """As new as `scripts/environment.sh` makes it."""
    monkeypatch.setattr("importlib.metadata.version", {"pip": "26.3.1"}.__getitem__)


def test_an_old_pip_is_not_asked(
    script: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = script("torch_build")
    monkeypatch.setattr("importlib.metadata.version", {"pip": "23.2.1"}.__getitem__)
    monkeypatch.setattr(module, "resolve", lambda requirement: pytest.fail("it would fetch gigabytes"))
    assert module.main(["2.13.0"]) == 1
    told = capsys.readouterr()
    assert not told.out
    assert "pip 23.2 fetches every file" in told.err
    assert "pip install --upgrade 'pip>=26.3'" in told.err
    shell = (Path(module.__file__).parent / "environment.sh").read_text(encoding="utf-8")
    assert '"pip>=26.3"' in shell, "the environment's own pip is made new enough first"


def test_pip_looks_without_fetching(script: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    module = script("torch_build")
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, json.dumps(report("torch")), "")

    monkeypatch.setattr(module.subprocess, "run", run)
    assert module.resolve("torch==2.13.0") == report("torch")
    assert {"--dry-run", "--use-feature=fast-deps"} <= set(commands[0])


def test_pip_that_cannot_say_changes_nothing(
    script: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = script("torch_build")
    monkeypatch.setattr(module, "resolve", lambda requirement: None)
    assert module.main(["0.0.0"]) == 0
    assert not capsys.readouterr().out.strip()


def test_own_options_are_taken_as_they_are(
    script: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ADAPTERXFER_TORCH_OPTIONS", "--no-index")
    assert script("torch_build").main(["2.13.0"]) == 0
    assert capsys.readouterr().out == "--no-index\n"


def test_sizes_are_those_of_files(script: Load, tmp_path: Path) -> None:
    module = script("torch_build")
    file = tmp_path / "a b.whl"
    file.write_bytes(b"x" * 2000)
    url = file.as_uri()
    assert module.megabytes(report("torch", url=url)) == pytest.approx(0.002)
    assert module.megabytes(report("torch", url="git+https://example.invalid/x")) is None
