"""Print a script that completes commands, options and names in a shell: bash, zsh or fish."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from adapterxfer.cli.console import say

INSTALL = {
    "bash": "adapterxfer completion bash > ~/.local/share/bash-completion/completions/adapterxfer",
    "zsh": "adapterxfer completion zsh > FOLDER/_adapterxfer   (a folder of fpath, before compinit runs)",
    "fish": "adapterxfer completion fish > ~/.config/fish/completions/adapterxfer.fish",
}
"""Shell -> how its script is put in place."""


class Option(NamedTuple):
    """An option of a command: its spellings, whether a value follows, the values where they are few, and its help."""

    names: tuple[str, ...]
    takes_value: bool
    choices: tuple[str, ...]
    text: str


class Command(NamedTuple):
    """A command as the parser knows it.

    Attributes:
        words: the command, and the subcommand where it has some; empty for the program itself.
        text: what it does.
        options: what may follow.
        values: words that may stand where no option does: subcommands, choices of an argument, names of recipes.
    """

    words: tuple[str, ...]
    text: str
    options: tuple[Option, ...]
    values: tuple[str, ...]

    @property
    def path(self) -> str:
        """The words in one text."""
        return " ".join(self.words)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `completion`."""
    parser.add_argument("shell", choices=tuple(INSTALL), help="whose script to print")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "to put it in place:\n" + "\n".join(f"  {text}" for text in INSTALL.values())


def execute(arguments: argparse.Namespace) -> int:
    """Print the script."""
    from adapterxfer.cli.main import build_parser

    commands = tuple(commands_of(build_parser()))
    say({"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell](commands))
    return 0


def commands_of(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[Command]:
    """A command and, after it, its subcommands, from the tree of parsers."""
    options: list[Option] = []
    values: list[str] = []
    below: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below += action.choices.items()
            values += action.choices
        elif action.option_strings:
            text = "" if action.help in (None, argparse.SUPPRESS) else " ".join(str(action.help).split())
            choices = tuple(map(str, action.choices or ()))
            options.append(Option(tuple(action.option_strings), action.nargs != 0, choices, text))
        elif action.choices:
            values += map(str, action.choices)
        elif action.dest == "recipe":
            values += _recipes()
    yield Command(words, (parser.description or "").strip().partition("\n")[0], tuple(options), tuple(values))
    for name, sub in below:
        yield from commands_of(sub, (*words, name))


def _recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    from adapterxfer.recipe.shipped import shipped_recipes

    return tuple(shipped_recipes())


def _cases(commands: tuple[Command, ...], indent: str) -> tuple[str, str]:
    """Cases of a shell's ``case``: path and option to its values, and path to options and values."""
    chosen, plain = [], []
    for command in commands:
        names = " ".join(name for option in command.options for name in option.names)
        values = shlex.quote(" ".join(command.values))
        plain.append(f"{indent}{shlex.quote(command.path)}) options={shlex.quote(names)}; values={values} ;;")
        for option in command.options:
            if option.choices:
                keys = "|".join(shlex.quote(f"{command.path} {name}".strip()) for name in option.names)
                chosen.append(f"{indent}{keys}) values={shlex.quote(' '.join(option.choices))}; only=1 ;;")
    return "\n".join(chosen), "\n".join(plain)


_WALK = """\
    for word in {before}; do
        case " $known " in
            *" ${{chain:+$chain/}}$word "*) chain=${{chain:+$chain/}}$word ;;
        esac
    done
    chain=${{chain//\\// }}
    case "${{chain:+$chain }}$previous" in
{chosen}
    esac
    if [[ -z $only ]]; then
        case "$chain" in
{plain}
        esac
        if [[ $current == -* ]]; then values=$options; fi
    fi
"""
"""What bash and zsh share: the command that the words before the cursor name, and what may follow it."""


def _walk(commands: tuple[Command, ...], before: str) -> str:
    chosen, plain = _cases(commands, " " * 8)
    return _WALK.format(before=before, chosen=chosen, plain=plain)


def _known(commands: tuple[Command, ...]) -> str:
    return " ".join("/".join(command.words) for command in commands if command.words)


def _bash(commands: tuple[Command, ...]) -> str:
    """A function that offers options after a hyphen, else names, and files where no name fits."""
    return f"""\
# bash completion for adapterxfer
#   {INSTALL["bash"]}
_adapterxfer() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local known="{_known(commands)}"
    local chain='' word options='' values='' only=''
{_walk(commands, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')}\
    COMPREPLY=($(compgen -W "$values" -- "$current"))
    if [[ ${{#COMPREPLY[@]}} -eq 0 && -n $chain && -z $only ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}}
complete -F _adapterxfer adapterxfer"""


def _zsh(commands: tuple[Command, ...]) -> str:
    """The same for zsh, which filters what is offered by itself."""
    return f"""\
#compdef adapterxfer
#   {INSTALL["zsh"]}
_adapterxfer() {{
    setopt localoptions ksharrays shwordsplit
    local current="${{words[CURRENT-1]}}" previous="${{words[CURRENT-2]}}"
    local known="{_known(commands)}"
    local chain='' word options='' values='' only=''
{_walk(commands, '"${words[@]:1:$((CURRENT-2))}"')}\
    compadd -- $values
    if [[ -n $chain && -z $only && $current != -* ]]; then _files; fi
}}
if [[ "${{funcstack[1]}}" == _adapterxfer ]]; then
    _adapterxfer "$@"
else
    compdef _adapterxfer adapterxfer
fi"""


def _fish(commands: tuple[Command, ...]) -> str:
    """One line for each command, option and value."""
    lines = ["# fish completion for adapterxfer", f"#   {INSTALL['fish']}"]
    texts = {command.words: command.text for command in commands}
    for command in commands:
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.words) or "__fish_use_subcommand"
        below = [value for value in command.values if (*command.words, value) in texts]
        free = f"{seen}; and not __fish_seen_subcommand_from {' '.join(below)}" if below and command.words else seen
        for value in command.values:
            text = texts.get((*command.words, value), "")
            lines.append(
                f"complete -c adapterxfer -n {shlex.quote(free)} {'-f ' if below else ''}-a {value}{_told(text)}"
            )
        for option in command.options:
            spelled = " ".join(
                f"-l {name.removeprefix('--')}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
            )
            values = f" -x -a {shlex.quote(' '.join(option.choices))}" if option.choices else " -r" * option.takes_value
            lines.append(f"complete -c adapterxfer -n {shlex.quote(free)} {spelled}{values}{_told(option.text)}")
    return "\n".join(lines)


def _told(text: str) -> str:
    return f" -d {shlex.quote(text)}" if text else ""
