"""Check original data files: load every task found in a folder, say what differs from the catalogue."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.cli.console import complain, say, say_json, say_table
from adapterxfer.cli.options import add_json
from adapterxfer.errors import DataError, RecipeError

if TYPE_CHECKING:
    from adapterxfer.data.check import TaskCheck


SHOWN = 4
"""Missing files of a task that are named; a benchmark's task may lack forty languages."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("action", choices=["check"], help="load every task found and report")
    parser.add_argument("--data-root", required=True, type=Path, metavar="PATH", help="folder of the original files")
    parser.add_argument("--task", action="append", default=[], metavar="TASK", help="only this task")
    parser.add_argument("--layouts", type=Path, metavar="FILE", help="YAML that describes files in other layouts")
    parser.add_argument("--absent", action="store_true", help="list every absent file as well")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print what was found; exit code 1 if a file that was found does not load."""
    from adapterxfer.data.check import check_folder
    from adapterxfer.data.files import closed_links
    from adapterxfer.data.layouts import parse_layouts
    from adapterxfer.recipe.yaml_core import parse_yaml

    layouts = None
    if arguments.layouts is not None:
        try:
            document = parse_yaml(arguments.layouts.read_bytes(), str(arguments.layouts))
        except OSError as error:
            raise DataError(
                f"layouts '{arguments.layouts}' cannot be read: {error.strerror}", fix="give the path of a YAML file"
            ) from None
        if document.problems:
            raise RecipeError(str(arguments.layouts), document.problems)
        layouts = parse_layouts(document.value, str(arguments.layouts))
    checks = check_folder(arguments.data_root, arguments.task, layouts=layouts)
    closed = closed_links(arguments.data_root)
    # A run refuses a task that is there in part. Tasks share files: MNLI is no part of XNLI unless one asks for XNLI.
    used = {path for check in checks if check.runnable for path in check.files}
    partial = [check for check in checks if check.partial and (arguments.task or not check.files <= used)]
    if arguments.json:
        say_json("data", {"tasks": [{**asdict(check), "runnable": check.runnable} for check in checks]})
    else:
        _show(checks, absent=arguments.absent)
        for check in partial:
            missing = list(check.partial)
            more = f"; and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            say(f"{check.task}: only some files are there, so a run refuses it: {'; '.join(missing[:SHOWN])}{more}")
    for link in closed:
        complain(f"{arguments.data_root}: link {link} is not followed: it leads nowhere or to a folder around")
    refused = any(checked.state == "refused" for check in checks for checked in check.parts)
    return int(refused or bool(closed))


def _show(checks: list[TaskCheck], *, absent: bool) -> None:
    rows = []
    for check in checks:
        for role in dict.fromkeys(["train", "dev", "test", *(checked.role for checked in check.parts)]):
            parts = [checked for checked in check.parts if checked.role == role]
            if not parts:
                continue
            readable = [checked for checked in parts if checked.state == "found"]
            rows.append(
                [
                    check.task,
                    role,
                    len(parts),
                    len(readable),
                    sum(checked.state == "absent" for checked in parts),
                    sum(checked.state == "refused" for checked in parts),
                    sum(checked.examples for checked in readable),
                    " ".join(f"{checked.language} {checked.examples}" for checked in readable)[:100],
                ]
            )
    header = ["task", "split", "expected", "found", "absent", "refused", "examples", "by language"]
    say_table(header, rows, right=(2, 3, 4, 5, 6))
    for check in checks:
        for note, count in check.notes.items():
            say(f"{check.task}: {note}: {count}")
        for checked in check.parts:
            label = f"{check.task}: {checked.dataset} {checked.split} {checked.language}"
            if checked.state == "refused":
                say(f"{label}: refused: {checked.message}")
            elif checked.differs:
                say(f"{label}: {checked.examples} examples; the catalogue has {checked.expected}")
            elif checked.state == "absent" and absent:
                say(f"{label}: absent: {checked.message}")
            if checked.repeated:
                say(f"{label}: {_share(checked.repeated, checked.examples)} repeat another one")
            if checked.in_training:
                say(f"{label}: {_share(checked.in_training, checked.examples)} are in the training data")
            if checked.uncomposed:
                named = "; ".join(f"{change} ({count:,})" for change, count in checked.composing)
                say(
                    f"{label}: {checked.uncomposed:,} of {checked.texts:,} texts "
                    f"({100 * checked.uncomposed / checked.texts:.1f} %) are not in Unicode NFC; they are composed "
                    f"before they are tokenized, most often {named}"
                )
        if check.parallel_by:
            say(f"{check.task}: test languages are parallel by {check.parallel_by}: they are resampled together")
    ready = [check.task for check in checks if check.runnable]
    say(f"ready to run (training data and a test language): {', '.join(ready) or 'none'}")


def _share(count: int, examples: int) -> str:
    return f"{count:,} of {examples:,} examples ({100 * count / examples:.1f} %)"
