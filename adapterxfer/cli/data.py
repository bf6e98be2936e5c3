"""Check original data files: load every task found in a folder, say what differs from the catalogue."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import add_json

if TYPE_CHECKING:
    from adapterxfer.data.check import TaskCheck


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
    from adapterxfer.data.layouts import parse_layouts
    from adapterxfer.recipe.yaml_core import parse_yaml

    layouts = None
    if arguments.layouts is not None:
        content = parse_yaml(arguments.layouts.read_bytes(), str(arguments.layouts)).value
        layouts = parse_layouts(content, str(arguments.layouts))
    checks = check_folder(arguments.data_root, arguments.task, layouts=layouts)
    if arguments.json:
        say_json([{**asdict(check), "runnable": check.runnable} for check in checks])
    else:
        _show(checks, absent=arguments.absent)
    return int(any(part.state == "refused" for check in checks for part in check.parts))


def _show(checks: list[TaskCheck], *, absent: bool) -> None:
    rows = []
    for check in checks:
        for role in dict.fromkeys(["train", "dev", "test", *(part.role for part in check.parts)]):
            parts = [part for part in check.parts if part.role == role]
            if not parts:
                continue
            found = [part for part in parts if part.state == "found"]
            rows.append(
                [
                    check.task,
                    role,
                    len(parts),
                    len(found),
                    sum(part.state == "absent" for part in parts),
                    sum(part.state == "refused" for part in parts),
                    sum(part.examples for part in found),
                    " ".join(f"{part.language} {part.examples}" for part in found)[:100],
                ]
            )
    header = ["task", "split", "expected", "found", "absent", "refused", "examples", "by language"]
    say_table(header, rows, right=(2, 3, 4, 5, 6))
    for check in checks:
        for note, count in check.notes.items():
            say(f"{check.task}: {note}: {count}")
        for part in check.parts:
            place = f"{check.task}: {part.dataset} {part.split} {part.language}"
            if part.state == "refused":
                say(f"{place}: refused: {part.message}")
            elif part.differs:
                say(f"{place}: {part.examples} examples; the catalogue has {part.expected}")
            elif part.state == "absent" and absent:
                say(f"{place}: absent: {part.message}")
            if part.repeated:
                say(f"{place}: {_share(part.repeated, part.examples)} repeat another one")
            if part.in_training:
                say(f"{place}: {_share(part.in_training, part.examples)} are in the training data")
        if check.parallel_by:
            say(f"{check.task}: test languages are parallel by {check.parallel_by}: they are resampled together")
    ready = [check.task for check in checks if check.runnable]
    say(f"ready to run (training data and a test language): {', '.join(ready) or 'none'}")


def _share(count: int, examples: int) -> str:
    return f"{count:,} of {examples:,} examples ({100 * count / examples:.1f} %)"
