"""Check a bundle in a fresh process: completeness, checksums, backbone, and logits on its stored probes."""

from __future__ import annotations

import argparse
from pathlib import Path

from adapterxfer.cli.bundle import size_text
from adapterxfer.cli.console import say, say_json
from adapterxfer.cli.options import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `verify`."""
    parser.add_argument("bundle", help="folder of a bundle, or ORG/NAME[@REVISION] on the Hub")
    parser.add_argument("--backbone", metavar="DIR", help="folder of the backbone, where the bundle does not hold it")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Say that it is what it claims to be, or why not."""
    from adapterxfer.hub.checking import verify, verify_fresh
    from adapterxfer.hub.pulling import local_folder

    folder = local_folder(arguments.bundle)
    backbone = Path(arguments.backbone) if arguments.backbone else None
    answer = verify(folder, backbone=backbone) if arguments.debug else verify_fresh(folder, backbone=backbone)
    if arguments.json:
        say_json("verify", {"folder": str(folder), **answer})
        return 0
    say(f"{answer['name']}: ok, {answer['variant']} on {answer['backbone']}, {size_text(answer['bytes'])}")
    say(f"  backbone {answer['fingerprint'][:16]}, bundle {answer['digest'][:16]}")
    say(f"  stored probes: largest difference {answer['difference']:.1g}")
    return 0
