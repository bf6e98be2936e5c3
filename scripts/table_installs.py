"""What an installation pulls: Python x way x extra, resolved for each version and run for those that are there.

    python scripts/table_installs.py                             # resolves only: packages and megabytes
    python scripts/table_installs.py --run --study               # also installs into empty environments, runs a recipe
    python scripts/table_installs.py --run --study --rows rows.json --write      # keeps rows, writes docs/installs.md
    python scripts/table_installs.py --from rows.json --write                    # writes the page again

Resolved rows are asked of uv for Linux on x86-64 and fetch nothing but metadata. Installations are run with pip and
with uv, in empty environments, outside of the checkout, and use `adapterxfer` there. Where the only torch to be had is
the build for GPUs, of gigabytes, torch is left out and what needs none is run; --find-links names a folder with a CPU
build.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from resolve_installs import CannotResolve, last_line, resolve, uv_program, would_install
from torch_build import GPU_LIBRARIES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "installs.md"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLAIN = "-"
WAYS = ("resolve", "pip", "uv")
CONSTRAINTS = {"adapters": "constraints-adapters.txt", "parity": "constraints-adapters.txt", "trackio": None}
"""Extra -> file of versions, where that is not constraints.txt: the library `adapters` holds transformers below 5, and
`trackio` does not go with the pinned versions."""

STUDY = ("--only", "backbone=world-nano", "--only", "seed=1", "--only", "variant=stack", "--only", "target=world-xnli")

RESOLVED, RUN, WITHOUT_TORCH = "resolved, not run", "run", "run without torch"

COPIED = ("mine", "mine/quickstart.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One installation.

    Attributes:
        how: ``resolved, not run``, ``run`` or ``run without torch``.
        packages: how many it brings, beside the package itself.
        megabytes: to fetch where it was resolved, on disk where it was run; None where an index does not say.
        gpu: megabytes of it that only a GPU needs; None where it was run.
        seconds: of the installation.
        used: what was done with a copied recipe, and how that ended.
        problem: the last line of what went wrong.
    """

    python: str
    way: str
    extra: str
    how: str
    packages: int | None = None
    megabytes: float | None = None
    gpu: float | None = None
    seconds: float | None = None
    used: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all rows share."""

    wheel: Path
    folder: Path
    uv: str
    study: bool
    find_links: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, metavar="X.Y")
    parser.add_argument("--extras", nargs="+", default=extras(), help=f"{PLAIN} is the plain package")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS, help="kinds of rows")
    parser.add_argument("--run", action="store_true", help="install where the interpreter is there")
    parser.add_argument("--study", action="store_true", help="and run a copied recipe with the plain package")
    parser.add_argument("--uv", metavar="PROGRAM", help="default: one is installed for this")
    parser.add_argument("--find-links", metavar="DIR", default=os.environ.get("PIP_FIND_LINKS"))
    parser.add_argument(
        "--rows", type=Path, metavar="FILE", help="keep the rows as JSON; those of a kept file are renewed"
    )
    parser.add_argument("--from", type=Path, metavar="FILE", dest="kept", help="no new rows: those that were kept")
    parser.add_argument("--write", action="store_true", help="write docs/installs.md")
    arguments = parser.parse_args(argv)
    if arguments.kept:
        rows = read_rows(arguments.kept)
    else:
        rows = read_rows(arguments.rows) if arguments.rows and arguments.rows.exists() else []
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root)
            local = ("--find-links", arguments.find_links) if arguments.find_links else ()
            setting = Setting(
                wheel=build_wheel(folder), folder=folder, uv=arguments.uv or uv_program(folder / "uv"),
                study=arguments.study, find_links=local,
            )  # fmt: skip
            ways = arguments.ways if arguments.run else WAYS[:1]
            for row in installations(arguments.pythons, arguments.extras, ways, setting):
                print(line_of(row), flush=True)
                rows = [*(old for old in rows if label(old) != label(row)), row]
                if arguments.rows:
                    arguments.rows.write_text(
                        json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8"
                    )
    if arguments.write:
        PAGE.write_text(page(rows), encoding="utf-8")
    return 1 if any(row.problem for row in rows) else 0


def extras() -> list[str]:
    """Names of all extras of the package, the plain one first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [PLAIN, *project["optional-dependencies"]]


def read_rows(path: Path) -> list[Row]:
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def label(row: Row) -> tuple[str, str, str, bool]:
    return row.python, row.way, row.extra, row.how == RESOLVED


def build_wheel(folder: Path) -> Path:
    """The package as a user gets it."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installations(pythons: Sequence[str], names: Sequence[str], ways: Sequence[str], setting: Setting) -> Iterator[Row]:
    """One row for each Python, extra and way."""
    for python in pythons:
        program = interpreter(python)
        for extra in names:
            versions = CONSTRAINTS.get(extra, "constraints.txt")
            constraints = ("-c", str(ROOT / versions)) if versions else ()
            for way in ways:
                if way == "resolve":
                    yield resolved_row(python, extra, setting, constraints)
                elif program is not None:
                    pinned = constraints or ("-c", str(torch_alone(setting.folder)))
                    yield installed_row(python, way, extra, program, setting, pinned)


def torch_alone(folder: Path) -> Path:
    """A file of versions with torch only: the newest torch is the build for GPUs, also where a CPU build is at hand."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    path = folder / "torch.txt"
    path.write_text("".join(f"{line}\n" for line in lines if line.startswith("torch==")), encoding="utf-8")
    return path


def interpreter(python: str) -> str | None:
    """The program of a version of Python, where there is one that starts."""
    program = shutil.which(f"python{python}")
    if program is None or subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode:
        return None
    return program


def requirement_of(wheel: Path, extra: str) -> str:
    return f"adapterxfer{'' if extra == PLAIN else f'[{extra}]'} @ {wheel.as_uri()}"


def resolved_row(python: str, extra: str, setting: Setting, constraints: Sequence[str]) -> Row:
    """What would be fetched, whether the interpreter is here or not."""
    try:
        result = resolve(setting.uv, python, requirement_of(setting.wheel, extra), constraints, setting.folder)
    except CannotResolve as error:
        return Row(python=python, way="uv", extra=extra, how=RESOLVED, problem=str(error))
    size = None if result.bytes is None else result.bytes / 1e6
    return Row(
        python=python, way="uv", extra=extra, how=RESOLVED,
        packages=len(result.versions), megabytes=size, gpu=result.gpu_bytes / 1e6,
    )  # fmt: skip


def installed_row(python: str, way: str, extra: str, program: str, setting: Setting, constraints: Sequence[str]) -> Row:
    """Install into an empty environment and use it; the environment is removed again."""
    site = setting.folder / "site"
    subprocess.run([program, "-m", "venv", str(site)], check=True)
    here = str(site / "bin" / "python")
    options = [*constraints, *setting.find_links]
    tool = [here, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    tool = tool if way == "pip" else [setting.uv, "pip", "install", "--quiet", "--python", here]
    how, what = RUN, [requirement_of(setting.wheel, extra)]
    try:
        versions = would_install(setting.uv, here, what[0], options)
        if any(name.startswith(GPU_LIBRARIES) for name in versions):
            how, what = (
                WITHOUT_TORCH,
                [f"{name}=={version}" for name, version in versions.items() if needs_no_gpu(name)],
            )
            what = ["--no-deps", *what, str(setting.wheel)]
        started = time.monotonic()
        done = subprocess.run([*tool, *options, *what], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        if done.returncode:
            raise CannotResolve(last_line(done.stderr))
        libraries = site / "lib" / f"python{python}" / "site-packages"
        size = sum(path.stat().st_size for path in libraries.rglob("*") if path.is_file()) / 1e6
        packages = len({path.name for path in libraries.glob("*.dist-info")}) - 2  # without pip and the package itself
        study = setting.study and how == RUN and extra == PLAIN
        used, problem = use(site / "bin" / "adapterxfer", site / "elsewhere", study=study)
    except CannotResolve as error:
        return Row(python=python, way=way, extra=extra, how=how, problem=str(error))
    finally:
        shutil.rmtree(site)
    return Row(
        python=python, way=way, extra=extra, how=how, packages=packages, megabytes=size, seconds=seconds,
        used=used, problem=problem,
    )  # fmt: skip


def needs_no_gpu(name: str) -> bool:
    return name != "torch" and not name.startswith(GPU_LIBRARIES)


def use(program: Path, folder: Path, *, study: bool) -> tuple[str, str]:
    """What was done with a copied recipe in a folder of its own, and what went wrong."""
    folder.mkdir()
    place, recipe = COPIED
    commands = [["recipes", "copy", "quickstart", place], ["check", recipe], ["plan", recipe]]
    commands += [["run", recipe, *STUDY]] if study else []
    said = ""
    for command in commands:
        done = subprocess.run([str(program), *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return "", f"{' '.join(command)}: {last_line(done.stderr)}"
        said = next((line for line in done.stdout.splitlines() if line.startswith("done: ")), "")
    return said.removeprefix("done: ") or "copied, checked, planned", ""


def line_of(row: Row) -> str:
    """One row of a Markdown table."""
    numbers = [
        "" if row.packages is None else str(row.packages),
        "" if row.megabytes is None else f"{row.megabytes:,.0f}",
        "" if row.gpu is None else f"{row.gpu:,.0f}",
        "" if row.seconds is None else f"{row.seconds:.0f}",
    ]
    return "| " + " | ".join([row.python, row.way, row.extra, row.how, *numbers, row.problem or row.used]) + " |"


def page(rows: Sequence[Row]) -> str:
    """The whole page."""
    order = sorted(rows, key=lambda row: (tuple(map(int, row.python.split("."))), extras().index(row.extra)))
    resolved = "\n".join(line_of(row) for row in order if row.how == RESOLVED)
    ran = "\n".join(line_of(row) for row in order if row.how != RESOLVED)
    head = "| Python | way | extra | how | packages | MB | MB for GPUs | seconds | a copied recipe |"
    rule = "|---|---|---|---|---:|---:|---:|---:|---|"
    return TEXT.format(resolved=f"{head}\n{rule}\n{resolved}", ran=f"{head}\n{rule}\n{ran}")


TEXT = """# What an installation brings

Made by `python scripts/table_installs.py --run --study --write`. Each row is the built wheel with the versions of
`constraints.txt` (the extras `adapters` and `parity`: those of `constraints-adapters.txt`; `trackio`, which does not go
with either: the newest that fit, with the torch of `constraints.txt` where it was run), for Linux on x86-64. Packages
are counted without adapterxfer itself.

From PyPI alone torch is the build for GPUs. Where no GPU is found, `scripts/quickstart` takes the CPU build and says
how much it will fetch; by hand:

    pip install torch --index-url https://download.pytorch.org/whl/cpu
    pip install -c constraints.txt adapterxfer

## Resolved

What PyPI alone would send, from metadata; nothing was fetched, and no interpreter is needed. MB are those of the files
to fetch; "for GPUs" are the libraries beside torch that only a GPU needs.

{resolved}

## Run

Installed into an empty environment with pip and with uv, with the CPU build of torch, and used in a folder outside of
any checkout: a recipe is copied, checked and planned there, and with the plain package a part of it run to its report.
MB are those on the disk, with pip also what it compiles; seconds those of the installation with files that the tool had
fetched before, but for pip with extras, which fetched them; all on two cores busy with other work, so they are upper
bounds. "Run without torch": the only torch for that version of Python was the build for GPUs, which was left out; what
needs no torch was run.

{ran}
"""


if __name__ == "__main__":
    sys.exit(main())
