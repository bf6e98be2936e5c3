"""Completion scripts in the shells themselves: bash always, zsh and fish where they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adapterxfer.cli.completion import INSTALL, commands_of
from adapterxfer.cli.main import COMMANDS, build_parser, main

BASH = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _adapterxfer; printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """\
compdef() { : }
compadd() { shift; print -rl -- "$@" }
_files() { print -r -- FILES }
source "$1"; shift
words=("$@"); CURRENT=$#; _adapterxfer
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Shell -> its script, as the command prints it."""
    folder = tmp_path_factory.mktemp("scripts")
    table = {}
    for shell in INSTALL:
        printed = subprocess.run(
            [sys.executable, "-m", "adapterxfer", "completion", shell], capture_output=True, text=True, check=True
        )
        assert not printed.stderr
        table[shell] = folder / f"script.{shell}"
        table[shell].write_text(printed.stdout, encoding="utf-8")
    return table


def offered(shell: str, script: Path, *words: str, cwd: Path | None = None) -> list[str]:
    """What a shell offers for the last word, those of zsh filtered as zsh does."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    if shell == "fish":
        command = ["fish", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(script), " ".join(words)]
    else:
        command = [shell, "-c", BASH if shell == "bash" else ZSH, shell, str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)
    assert not done.stderr
    return [line.split("\t")[0] for line in done.stdout.splitlines() if line.startswith(words[-1]) or line == "FILES"]


@pytest.mark.parametrize("shell", INSTALL)
def test_commands_options_and_values(shell: str, scripts: dict[str, Path]) -> None:
    script = scripts[shell]
    assert offered(shell, script, "adapterxfer", "r") == ["recipes", "run", "report"] or shell == "fish"
    assert set(offered(shell, script, "adapterxfer", "r")) == {"recipes", "run", "report"}
    assert set(offered(shell, script, "adapterxfer", "store", "")) >= {"verify", "gc", "export", "import"}
    assert set(offered(shell, script, "adapterxfer", "run", "--eng")) == {"--engine", "--engine-set"}
    assert set(offered(shell, script, "adapterxfer", "run", "--engine", "")) == {"inline", "ray", "slurm"}
    assert offered(shell, script, "adapterxfer", "store", "gc", "--del") == ["--delete"]
    assert "quickstart" in offered(shell, script, "adapterxfer", "check", "quick")
    assert "languages" in offered(shell, script, "adapterxfer", "ls", "lang")
    assert not {"--engine", "inline"} & set(offered(shell, script, "adapterxfer", "ls", ""))


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_files_where_no_name_fits(shell: str, scripts: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    found_files = offered(shell, scripts[shell], "adapterxfer", "check", "mine", cwd=tmp_path)
    assert found_files == (["mine.yaml"] if shell == "bash" else ["FILES"])


def test_every_command_and_option_is_in_the_scripts(scripts: dict[str, Path]) -> None:
    commands = list(commands_of(build_parser()))
    assert {command.words[0] for command in commands if len(command.words) == 1} == set(COMMANDS)
    for shell, script in scripts.items():
        text = script.read_text(encoding="utf-8")
        words = set(re.findall(r"[\w-]+", text))
        for command in commands:
            assert set(command.words) <= words, (shell, command.words)
            for option in command.options:
                names = {name if shell != "fish" else name.lstrip("-") for name in option.names}
                assert names <= words, (shell, command.words, option.names)


def test_the_bare_command_helps_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "examples:" in out
    assert "adapterxfer run quickstart" in out
    for line in re.findall(r"^  adapterxfer (\w+)", out, re.MULTILINE):
        assert line in COMMANDS or line == "COMMAND"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert re.fullmatch(r"adapterxfer \d+\.\d+\S*\n", capsys.readouterr().out)
