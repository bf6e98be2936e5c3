"""Make docs/json.md from the table of what `--json` prints.

python scripts/table_json.py --page docs/json.md

`--schemas FOLDER` writes the JSON Schema of every command too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from adapterxfer.cli.output_schemas import schema_of
from adapterxfer.cli.outputs import ITEMS, OUTPUTS

HEAD = """# What `--json` prints

Every command with `--json` prints one JSON object (`status --watch` one after the other) with the keys `command` and
`output_version`. The version rises when a key goes or changes its meaning; new keys may come within one.
`adapterxfer.cli.output_schemas.schema_of(COMMAND)` gives the JSON Schema (2020-12); every output that a test makes is
checked against it. This page is made by `python scripts/table_json.py --page docs/json.md`.

Types: `text?` may be null, `[text]` is a list, `{number}` an object whose values are numbers. A key with `?` may be
absent. `verdict`, `effect` and `average` are records with the fields of the classes named below. Where "more" stands,
further keys are those of a file that has a schema of its own (`report.json`, `stage.json`) or of the action that was
asked for.

Errors are no JSON: they go to the error stream, with the exit codes of `adapterxfer --help`; `check` alone prints its
problems.

"""


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip(), "", "| record | class |", "|---|---|"]
    lines += [f"| `{name}` | `{path.replace(':', '.')}` |" for name, path in ITEMS.items()]
    for command, output in OUTPUTS.items():
        lines += ["", f"## {command} (version {output.version})", "", output.about, "", "| key | type |", "|---|---|"]
        lines += [
            "| more | |" if key == "*" else f"| `{key}` | `{kind.replace('@', '')}` |"
            for key, kind in output.keys.items()
        ]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="write the page there (default: print it)")
    parser.add_argument("--schemas", type=Path, metavar="FOLDER", help="write COMMAND.schema.json for every command")
    arguments = parser.parse_args(argv)
    if arguments.schemas is not None:
        arguments.schemas.mkdir(parents=True, exist_ok=True)
        for command in OUTPUTS:
            text = json.dumps(schema_of(command), indent=2) + "\n"
            (arguments.schemas / f"{command}.schema.json").write_text(text, encoding="utf-8")
    if arguments.page is None:
        print(page(), end="")
    else:
        arguments.page.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
