"""Fetch a bundle from the Hugging Face Hub at one commit, and verify it in a fresh process."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from adapterxfer.cli.console import complain, say, say_json
from adapterxfer.cli.options import add_json
from adapterxfer.errors import BundleError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `pull`."""
    parser.add_argument("bundle", metavar="ORG/NAME[@REVISION]", help="repository, at a branch, tag or commit")
    parser.add_argument("--out", metavar="DIR", help="also copy it to this folder, which must not exist")
    parser.add_argument("--backbone", metavar="DIR", help="folder of the backbone, where the bundle does not hold it")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Fetch, verify, and say where it is."""
    from adapterxfer.hub.addresses import parse_address
    from adapterxfer.hub.checking import verify_fresh
    from adapterxfer.hub.pulling import pull

    out = Path(arguments.out) if arguments.out else None
    if out is not None and out.exists():
        raise BundleError(f"{out}: exists", fix="choose another --out, or remove it")
    pulled = pull(parse_address(arguments.bundle))
    if pulled.offline:
        complain(f"the Hub cannot be reached: {pulled.repository} is taken as it was last seen")
    backbone = Path(arguments.backbone) if arguments.backbone else None
    answer = verify_fresh(pulled.folder, backbone=backbone)
    folder = pulled.folder
    if out is not None:
        shutil.copytree(pulled.folder, out)
        folder = out
    if arguments.json:
        say_json("pull", {"folder": str(folder), "repository": pulled.repository, "commit": pulled.commit, **answer})
        return 0
    say(f"{pulled.repository}@{pulled.commit}: verified, logits differ by {answer['difference']:.1g}")
    say(f"  {folder}")
    return 0
