"""Pool the gains in bundles of several studies or labs, with random effects."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.cli.console import complain, count, say, say_json, say_table
from adapterxfer.cli.options import add_json
from adapterxfer.errors import AdapterxferError
from adapterxfer.recipe.axes import AXES

if TYPE_CHECKING:
    from adapterxfer.hub.meta import MetaEffect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `meta`."""
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="folder of a bundle, or ORG/NAME[@REVISION]")
    parser.add_argument("--of", choices=["gain", "score"], default="gain", help="pool gains (default) or scores")
    parser.add_argument("--target", action="append", default=[], metavar="TASK", help="only this target task")
    parser.add_argument(
        "--across", action="append", default=[], choices=[axis for axis in AXES if axis not in ("target", "seed")],
        help="pool studies that differ in this too; by default they agree on all of them",
    )  # fmt: skip
    parser.add_argument(
        "--each", choices=["language"], help="one result for each language instead of their zero-shot mean"
    )
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals (default: 0.95)")
    parser.add_argument("--figure", metavar="FILE", help="write a forest plot as SVG")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print every pooled effect with the studies behind it."""
    from adapterxfer.hub.meta import as_json, meta
    from adapterxfer.hub.pulling import local_folder

    if not 0.0 < arguments.level < 1.0:
        raise AdapterxferError(f"--level {arguments.level:g}: expected between 0 and 1", fix="0.95 is usual")
    # What is a path stays one, so that a wrong folder is said to be one and not looked for on the Hub.
    folders = [
        Path(name) if Path(name).exists() or name.startswith((".", "/")) else local_folder(name)
        for name in dict.fromkeys(arguments.bundles)
    ]
    effects, remarks = meta(
        folders,
        quantity=arguments.of,
        across=tuple(dict.fromkeys(arguments.across)),
        targets=arguments.target,
        each_language=arguments.each == "language",
        level=arguments.level,
    )
    if arguments.figure:
        _write_figure(Path(arguments.figure), effects)
    if arguments.json:
        say_json("meta", {"effects": [as_json(effect) for effect in effects], "remarks": remarks})
        return 0
    if any(effect.synthetic for effect in effects):
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    for effect in effects:
        _say(effect)
    for remark in remarks:
        complain(f"remark: {remark}")
    return 0


def _write_figure(path: Path, effects: list[MetaEffect]) -> None:
    from adapterxfer.hub.forest import draw_forest

    try:
        path.write_text(draw_forest(effects).svg, encoding="utf-8", newline="\n")
    except OSError as error:
        raise AdapterxferError(
            f"--figure {path}: {error.strerror}", fix="give a file in a folder that exists"
        ) from None


def _say(effect: MetaEffect) -> None:
    from adapterxfer.hub.meta_words import sentences, subject

    contrast = effect.contrast
    say()
    say(subject(effect))
    protocol = f", protocol {contrast.protocol}" if contrast.protocol else ""
    languages = "mean of " + count(len(effect.languages), "language") if len(effect.languages) > 1 else "one language"
    say(
        f"  {contrast.metric}{protocol}, {languages}, {effect.clusters:,} clusters of test items, "
        f"{count(effect.runs, 'training run')}"
    )
    header = ["  study", "seeds", effect.quantity, "interval", "over", "weight"]
    rows = [
        [
            f"  {study.label}",
            ",".join("-" if seed is None else str(seed) for seed in study.seeds),
            f"{study.estimate:+.2f}",
            f"{study.low:+.2f} to {study.high:+.2f}",
            study.scope,
            f"{study.weight:.0%}" if math.isfinite(study.weight) else "-",
        ]
        for study in effect.studies
    ]
    say_table(header, rows, right=(2, 5))
    for line in sentences(effect):
        say(f"  {line}")
    for note in effect.notes:
        say(f"  note: {note}")
