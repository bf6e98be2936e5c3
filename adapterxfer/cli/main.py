"""`adapterxfer COMMAND`: builds the parser, runs one command, and turns errors into one message and an exit code."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence

import adapterxfer
from adapterxfer.cli.console import complain
from adapterxfer.errors import AdapterxferError

COMMANDS = (
    "recipes",
    "check",
    "plan",
    "run",
    "status",
    "explain",
    "store",
    "ls",
    "pin",
    "show",
    "report",
    "compare",
    "power",
    "law",
    "advise",
    "significance",
    "score",
    "export",
    "data",
    "bundle",
    "verify",
    "push",
    "pull",
    "meta",
    "env",
    "docs",
    "completion",
)
"""Names of the modules beside this one; only the one that is asked for is imported: all take longer than most runs."""

_EPILOG = """examples:
  adapterxfer run quickstart                      a whole study on invented languages, in minutes
  adapterxfer recipes copy quickstart mine        a recipe of your own
  adapterxfer check mine.yaml                     every mistake at once, with line and column
  adapterxfer plan mine.yaml                      what it would train, and what that costs
  adapterxfer compare mine.yaml --target TASK --a VARIANT --b VARIANT
  adapterxfer ls tasks                            what a recipe can name
  adapterxfer docs recipes                        a page of the documentation
  adapterxfer COMMAND --help                      more about a command

exit codes:
  0 ok; 1 some stages failed, or --check: an expectation does not hold; 2 the input is wrong;
  3 the store is in use or damaged; 75 stopped after saving, run again; 130 interrupted"""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands.

    Args:
        command: the one that is asked for; of the others only the names are known then.
    """
    parser = argparse.ArgumentParser(
        prog="adapterxfer",
        description="Does English intermediate training help zero-shot cross-lingual transfer, at which model size, "
        "and do adapters keep the gain?",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"adapterxfer {adapterxfer.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        if command in COMMANDS and name != command:
            commands.add_parser(name)
            continue
        module = importlib.import_module(f"adapterxfer.cli.{name}")
        summary = (module.__doc__ or "").strip().splitlines()[0]
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.add_argument("--debug", action="store_true", help="show tracebacks")
        module.add_arguments(sub)
        sub.set_defaults(execute=module.execute)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if not words:
        build_parser().print_help()
        return 0
    command = next((word for word in words if not word.startswith("-")), None)
    arguments = build_parser(command).parse_args(words)
    try:
        code: int = arguments.execute(arguments)
    except AdapterxferError as error:
        if arguments.debug:
            raise
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted: finished stages are kept; run the same command again to continue")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as in `adapterxfer ls tasks | head`: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return code


def entry() -> None:
    """The console script."""
    try:
        code = main()
    finally:
        # The interpreter would look for cycles among all objects before it ends: a seventh of the time of `plan`.
        gc.freeze()
    sys.exit(code)
