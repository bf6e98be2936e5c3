"""Make folders ready to share of trained models: weights, heads, tokenizer, card; each is verified at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adapterxfer.cli.console import count, say, say_json
from adapterxfer.cli.options import add_json, add_recipe, add_store, read_plan
from adapterxfer.plan import Plan, build_plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `bundle`."""
    add_recipe(parser)
    add_store(parser)
    parser.add_argument("--out", default="bundles", metavar="DIR", help="folder for the bundles (default: bundles)")
    parser.add_argument(
        "--phase", choices=("target", "intermediate"), default="target",
        help="bundle the models that were evaluated, or the intermediate models behind them",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=None, help="which training run (default: the recipe's first)")
    parser.add_argument(
        "--full-weights", action="store_true",
        help="put the encoder into the bundle: needed for full-ft; with adapters it adds the backbone",
    )  # fmt: skip
    add_counts(parser)
    add_json(parser)


def add_counts(parser: argparse.ArgumentParser) -> None:
    """Whether bundles hold per-item counts."""
    parser.add_argument(
        "--no-counts", action="store_true",
        help="leave out the per-item counts (ids and numbers, no texts) that `adapterxfer meta` pools",
    )  # fmt: skip


def execute(arguments: argparse.Namespace) -> int:
    """Write, verify and name the bundles."""
    bundles, _, _ = make_and_verify(arguments)
    if arguments.json:
        say_json("bundle", {"bundles": bundles})
    else:
        say(f"{count(len(bundles), 'bundle')}; publish with: adapterxfer push {bundles[0]['folder']} --to ORG/NAME")
    return 0


def make_and_verify(
    arguments: argparse.Namespace, *, skip_full: bool = False
) -> tuple[list[dict[str, Any]], list[str], Plan]:
    """Make all bundles that a command asks for, each verified in a fresh process.

    Args:
        skip_full: leave fully fine-tuned models out instead of refusing them.

    Returns:
        What is known of each bundle with its ``folder``, the names of those left out, and the plan.
    """
    from adapterxfer.hub.checking import verify_fresh
    from adapterxfer.hub.choosing import choose
    from adapterxfer.hub.making import backbone_place, make_bundle
    from adapterxfer.store.store import Store

    narrowed = read_plan(arguments)
    plan, store = build_plan(narrowed.recipe), Store(arguments.store)
    bundles: list[dict[str, Any]] = []
    left_out = []
    for choice in choose(narrowed, phase=arguments.phase, seed=arguments.seed):
        stage = plan.stages[choice.key]
        if skip_full and stage.identity.get("mode") == "full":
            left_out.append(choice.name)
            continue
        folder, manifest = make_bundle(
            plan, store, choice, Path(arguments.out),
            full_weights=arguments.full_weights, counts=not arguments.no_counts,
        )  # fmt: skip
        outside = None if manifest.backbone.included else backbone_place(plan, store, stage)
        checked = verify_fresh(folder, backbone=outside)
        bundles.append({"folder": str(folder), **checked})
        if not arguments.json:
            say(f"{folder}  {size_text(checked['bytes'])}  verified, logits differ by {checked['difference']:.1g}")
            if outside is not None:
                whose = "trained" if manifest.backbone.kind == "stage" else "given as a folder"
                say(f"  its backbone was {whose} by the recipe and is not in it; --full-weights adds it")
    return bundles, left_out, plan


def size_text(size_bytes: int) -> str:
    """``412 kB``, ``1.5 MB`` or ``2.24 GB``."""
    if size_bytes < 1e6:
        return f"{size_bytes / 1e3:.0f} kB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.2f} GB"
