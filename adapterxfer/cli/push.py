"""Publish a bundle on the Hugging Face Hub; pushing the same content again changes nothing."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from adapterxfer.cli.bundle import size_text
from adapterxfer.cli.console import count, say, say_json
from adapterxfer.cli.options import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `push`."""
    parser.add_argument("bundle", help="folder of a bundle")
    parser.add_argument("--to", required=True, metavar="ORG/NAME", help="repository; made if it does not exist")
    parser.add_argument("--private", action="store_true", help="make it private when it is made")
    parser.add_argument("--revision", metavar="BRANCH", help="branch; made if it does not exist (default: main)")
    parser.add_argument("--dry-run", action="store_true", help="check everything and send nothing")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Send it, or say what would be sent."""
    from adapterxfer.hub.pushing import push

    pushed = push(
        Path(arguments.bundle),
        arguments.to,
        private=arguments.private,
        revision=arguments.revision,
        dry_run=arguments.dry_run,
    )
    if arguments.json:
        say_json(asdict(pushed))
        return 0
    what = f"{count(len(pushed.files) + 1, 'file')}, {size_text(sum(pushed.files.values()))}"
    if arguments.dry_run:
        say(f"would push {what} to {pushed.repository} ({pushed.revision}):")
        for name, size in pushed.files.items():
            say(f"  {name}  {size:,}")
        return 0
    did = "pushed" if pushed.changed else "unchanged, no commit:"
    say(f"{did} {what} to {pushed.repository}@{pushed.commit}")
    say(f'  load it with: adapterxfer.load_bundle("{pushed.repository}@{pushed.commit}")')
    return 0
