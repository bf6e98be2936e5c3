"""Publish a bundle, or all of a study, on the Hugging Face Hub; pushing the same content again changes nothing."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapterxfer.cli.bundle import size_text
from adapterxfer.cli.console import count, say, say_json
from adapterxfer.cli.options import add_json
from adapterxfer.errors import AdapterxferError

_STUDY: dict[str, Any] = {"only": [], "set_": [], "store": "store", "out": "bundles", "phase": "target", "seed": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `push`."""
    parser.add_argument("bundle", help="folder of a bundle; with --all, a recipe")
    parser.add_argument("--to", required=True, metavar="ORG/NAME", help="repository, made if needed; with --all, ORG")
    parser.add_argument("--private", action="store_true", help="make it private; refused where it exists and is public")
    parser.add_argument("--revision", metavar="BRANCH", help="branch; made if it does not exist (default: main)")
    parser.add_argument("--dry-run", action="store_true", help="check everything and send nothing")
    add_json(parser)
    study = parser.add_argument_group("a whole study (--all)")
    study.add_argument("--all", action="store_true", help="bundle, verify and push every model, with an index card")
    study.add_argument("--store", metavar="DIR", help="folder of results (default: store)")
    study.add_argument("--out", metavar="DIR", help="folder for the bundles (default: bundles)")
    study.add_argument("--set", action="append", metavar="KEY=VALUE", dest="set_", help="change the recipe")
    study.add_argument("--only", action="append", metavar="AXIS=VALUE", help="narrow the grid")
    study.add_argument("--phase", choices=("target", "intermediate"), help="which models (default: target)")
    study.add_argument("--seed", type=int, help="which training run (default: the recipe's first)")
    study.add_argument("--full-weights", action="store_true", help="push fully fine-tuned encoders too")
    study.add_argument("--no-counts", action="store_true", help="leave out the per-item counts that `meta` pools")


def execute(arguments: argparse.Namespace) -> int:
    """Send it, or say what would be sent."""
    options = [name for name in _STUDY if getattr(arguments, name) is not None]
    if arguments.all:
        if arguments.revision:
            raise AdapterxferError("--all with --revision: a study goes to the main branches", fix="leave one out")
        for name, default in _STUDY.items():
            if name not in options:
                setattr(arguments, name, default)
        arguments.recipe = arguments.bundle
        return _push_all(arguments)
    flags = [flag for flag, on in (("full-weights", arguments.full_weights), ("no-counts", arguments.no_counts)) if on]
    if options or flags:
        wrong = f"--{(options + flags)[0].rstrip('_')}"
        raise AdapterxferError(f"{wrong} belongs to --all", fix="add --all to push a whole study, or leave it out")
    return _push_one(arguments)


def _push_one(arguments: argparse.Namespace) -> int:
    from adapterxfer.hub.pushing import push

    pushed = push(
        Path(arguments.bundle),
        arguments.to,
        private=arguments.private,
        revision=arguments.revision,
        dry_run=arguments.dry_run,
    )
    if arguments.json:
        say_json("push", asdict(pushed))
        return 0
    summary = f"{count(len(pushed.files) + 1, 'file')}, {size_text(sum(pushed.files.values()))}"
    if arguments.dry_run:
        say(f"would push {summary} to {pushed.repository} ({pushed.revision}):")
        for name, size in pushed.files.items():
            say(f"  {name}  {size:,}")
        return 0
    did = "pushed" if pushed.changed else "unchanged, no commit:"
    say(f"{did} {summary} to {pushed.repository}@{pushed.commit}")
    say(f'  load it with: adapterxfer.load_bundle("{pushed.repository}@{pushed.commit}")')
    return 0


def _push_all(arguments: argparse.Namespace) -> int:
    """Bundle and verify every model of the study first, so that nothing is sent where one is broken."""
    from adapterxfer.cli.bundle import make_and_verify
    from adapterxfer.hub.collection import push_study
    from adapterxfer.hub.pushing import Pushed

    bundles, left_out, plan = make_and_verify(arguments, skip_full=not arguments.full_weights)
    talk = not arguments.json

    def told(pushed: Pushed) -> None:
        if talk:
            did = "would push" if pushed.changed is None else "pushed" if pushed.changed else "unchanged"
            say(f"{did} {pushed.repository}{'@' + pushed.commit if pushed.commit else ''}")

    pushed = push_study(
        [Path(bundle["folder"]) for bundle in bundles],
        arguments.to,
        study=plan.recipe.name,
        title=plan.recipe.title or plan.recipe.name,
        left_out=left_out,
        private=arguments.private,
        dry_run=arguments.dry_run,
        told=told,
    )
    if arguments.json:
        say_json("push", {**asdict(pushed), "left_out": left_out})
        return 0
    told(pushed.index)
    if left_out:
        say(f"left out {count(len(left_out), 'model')} of full fine-tuning; --full-weights adds them")
    if not arguments.dry_run:
        say(f"collection: https://huggingface.co/collections/{pushed.collection}")
        if not pushed.changed:
            say("nothing changed: everything was there already")
    return 0
