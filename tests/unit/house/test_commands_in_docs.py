"""Every command in README, docs, cards and recipes is understood by the real parser, and the quick ones are run."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import io
import re
import shlex
from pathlib import Path

import pytest

import adapterxfer
from adapterxfer.cli.main import build_parser, main
from adapterxfer.recipe.yaml_core import parse_yaml

ROOT = Path(adapterxfer.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs").glob("*/**/README.md"))]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
SCRIPTS = ROOT / "scripts"

PLACEHOLDERS = {"N": "1", "LANG,LANG": "en,de", "AXIS=VALUE": "variant=stack", "KEY=VALUE": "a=1", "SECONDS": "60"}
"""Words in capitals that stand where the parser wants a number or a pair; all others are names or paths."""

PROSE = re.compile(r"adapterxfer [a-z]+ [a-z]+ [a-z]+ [a-z]")
"""A sentence that begins with the name of the package, not a command."""


def lines_of(path: Path) -> list[str]:
    """Indented lines, fenced blocks and comments of recipes, with continuations joined."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\\\n\s*#?\s*", " ", text)
    found = []
    for line in text.splitlines():
        match = re.match(r"^(?:    +|#   |\$ |)\$?\s*((?:adapterxfer|python scripts/|python -m) ?.*)$", line)
        if match and (line.startswith((" ", "#", "$")) or path.suffix == ".md"):
            found.append(match[1])
    return found


def spans_of(path: Path) -> list[str]:
    """Commands between backquotes."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`(adapterxfer [^`]+)`", text)]


def alternatives(command: str) -> list[str]:
    """``ls a|b`` is two commands, and what is in brackets may be there."""
    command = re.sub(r"\s#.*$", "", command).replace("\\|", "|")
    command = re.sub(r"[\[\]](?![^'\"]*['\"])", " ", command) if "[-" in command or "[RE" in command else command
    match = re.search(r"\b([a-z]+(?:\|[a-z]+)+)\b", command)
    if match is None:
        return [command]
    return [command.replace(match[1], choice) for choice in match[1].split("|")]


def words_of(command: str) -> list[str]:
    words = [PLACEHOLDERS.get(word, word.removesuffix("...")) for word in shlex.split(command)]
    return [word for word in words if word]


COMMANDS = sorted(
    {
        (page.relative_to(ROOT).as_posix(), choice)
        for page in [*PAGES, *RECIPES]
        for command in [*lines_of(page), *(spans_of(page) if page.suffix == ".md" else [])]
        if command.startswith("adapterxfer ") and re.match(r"adapterxfer [a-z]", command)
        for choice in alternatives(command)
        if re.match(r"adapterxfer [a-z-]+(\s|$)", choice) and not PROSE.match(choice)
    }
)


def test_commands_were_found() -> None:
    named = {command.split()[1] for _, command in COMMANDS}
    assert {"check", "plan", "run", "score", "export", "power", "report", "bundle", "data", "store"} <= named
    assert len(COMMANDS) > 60


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: str(value)[:90])
def test_the_parser_knows_every_command(page: str, command: str) -> None:
    words = words_of(command)
    bare = len(words) == 2 and "`" + command + "`" in (ROOT / page).read_text(encoding="utf-8").replace("\n", " ")
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            build_parser().parse_args(words[1:])
    except SystemExit:
        message = errors.getvalue()
        # A command that is only named, as `adapterxfer score`, may lack its arguments; it must exist.
        missing = "the following arguments are required" in message
        assert bare, f"{page}: {command}\n{message}"
        assert missing, f"{page}: {command}\n{message}"


SCRIPT_COMMANDS = sorted(
    {
        (page.relative_to(ROOT).as_posix(), command)
        for page in PAGES
        for command in lines_of(page)
        if "scripts/" in command
    }
)


@pytest.mark.parametrize(("page", "command"), SCRIPT_COMMANDS, ids=lambda value: str(value)[:90])
def test_scripts_in_it_exist_and_know_their_options(page: str, command: str) -> None:
    words = shlex.split(re.sub(r"\s#.*$", "", command))
    scripts = [word for word in words if word.startswith("scripts/")]
    text = (ROOT / scripts[0]).read_text(encoding="utf-8")
    for option in (word for word in words if word.startswith("--")):
        assert f'"{option}"' in text or "bash" in text.splitlines()[0], f"{page}: {option} is no option of {scripts[0]}"


QUICK = ("check", "plan", "show", "ls", "status")
RUN = sorted(
    {
        command
        for _, command in COMMANDS
        if ((words := command.split())[1] in QUICK and "RECIPE" not in command and (len(words) > 2 or words[1] == "ls"))
        or command.startswith("adapterxfer power --items")
    }
)


def page_says_it_warns(command: str) -> bool:
    text = (ROOT / "docs" / "hypotheses.md").read_text(encoding="utf-8")
    return re.search(rf"{re.escape(command.strip())} *# warns", text) is not None


@pytest.mark.parametrize("command", RUN)
def test_quick_commands_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    words = words_of(command)[1:]
    if words[0] in ("plan", "status"):
        words += ["--store", str(tmp_path)]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert shown
    if page_says_it_warns(command):
        assert "warning" in shown


BLOCKS = [
    (page.relative_to(ROOT).as_posix(), number, language, code)
    for page in PAGES
    for number, (language, code) in enumerate(
        re.findall(r"```(\w+)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
]


@pytest.mark.parametrize(
    ("page", "code"),
    [(page, code) for page, _, language, code in BLOCKS if language == "python"],
    ids=[f"{page}-{number}" for page, number, language, _ in BLOCKS if language == "python"],
)
def test_python_in_it_parses_and_imports_what_there_is(page: str, code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "adapterxfer":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                here = hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")
                assert here, f"{page}: {node.module} has no {alias.name}"


@pytest.mark.parametrize(
    "code",
    [code for _, _, language, code in BLOCKS if language == "yaml"],
    ids=[f"{page}-{number}" for page, number, language, _ in BLOCKS if language == "yaml"],
)
def test_yaml_in_it_is_yaml(code: str) -> None:
    document = parse_yaml(code.encode(), "page")
    assert document.problems == []
    assert document.value is not None
