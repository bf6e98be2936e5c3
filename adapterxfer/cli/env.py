"""Print what a report of a fault needs: versions, machine and settings, without paths or secrets."""

from __future__ import annotations

import argparse

from adapterxfer.api.environment import environment
from adapterxfer.cli.console import say, say_json
from adapterxfer.cli.options import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `env`."""
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one line per fact."""
    facts = environment()
    if arguments.json:
        say_json("env", facts)
        return 0
    libraries, variables = facts.pop("libraries"), facts.pop("variables")
    for name, value in facts.items():
        say(f"{name.replace('_', ' ')}: {'unknown' if value is None else value}")
    for name, value in libraries.items():
        say(f"{name}: {'not installed' if value is None else value}")
    for name, value in variables.items():
        say(f"{name}={value}")
    return 0
