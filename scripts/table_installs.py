"""What an installation pulls: Python x way x extra, resolved for each version and run for those that are there.

    python scripts/table_installs.py                      # resolves only: packages and megabytes, nothing installed
    python scripts/table_installs.py --run --study        # also installs into empty environments, and runs a recipe
    python scripts/table_installs.py --json

Interpreters that are not on this machine are resolved by pip for Linux on x86-64, and say so. An installation is run
with pip in an empty environment, outside of the checkout, and `adapterxfer` is asked for its recipes; with --study a
copied recipe runs to its report. With --uv the same is done by uv; torch is left to --find-links where that is given.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch_build import Report, megabytes

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("", "ray", "slurm", "parity", "oracle", "dev")
STUDY = ("--only", "backbone=world-nano", "--only", "seed=1", "--only", "variant=stack", "--only", "target=world-xnli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One installation.

    Attributes:
        how: ``resolved`` (nothing was installed) or ``run``.
        packages: how many it brings.
        megabytes: to fetch where it was resolved, on disk where it was run; None where a server does not say.
        seconds: of the installation.
        study: stages of the copied recipe that ended well, or None where it was not run.
        problem: the last line of what went wrong.
    """

    python: str
    way: str
    extra: str
    how: str
    packages: int | None = None
    megabytes: float | None = None
    seconds: float | None = None
    study: str | None = None
    problem: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, metavar="X.Y")
    parser.add_argument("--extras", nargs="+", default=EXTRAS, help='"" is the plain package')
    parser.add_argument("--run", action="store_true", help="install where the interpreter is there")
    parser.add_argument("--study", action="store_true", help="and run a copied recipe there")
    parser.add_argument("--uv", metavar="PROGRAM", help="also install by this uv")
    parser.add_argument("--find-links", metavar="DIR", help="where uv finds torch")
    parser.add_argument("--constraints", default=str(ROOT / "constraints.txt"), help="versions; '' for none")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        for row in installations(arguments, wheel, Path(folder)):
            rows.append(row)
            print(line_of(row), file=sys.stderr if arguments.json else sys.stdout, flush=True)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    return 1 if any(row.problem for row in rows) else 0


def build_wheel(folder: Path) -> Path:
    """The package as a user gets it."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installations(arguments: argparse.Namespace, wheel: Path, folder: Path) -> Iterator[Row]:
    """One row for each Python, extra and way."""
    constraints = ["-c", arguments.constraints] if arguments.constraints else []
    for python in arguments.pythons:
        for extra in arguments.extras:
            yield resolved(python, extra, wheel, constraints)
            program = shutil.which(f"python{python}")
            if program is None or not arguments.run:
                continue
            site = folder / f"{python}-{extra}"
            pip = [str(site / "bin" / "python"), "-m", "pip", "install", "--quiet", *constraints]
            yield installed(python, "pip", extra, program, site, [*pip, target_of(wheel, extra)], study=arguments.study)
            if arguments.uv:
                uv = [arguments.uv, "pip", "install", "--quiet", "--python", str(site / "bin" / "python"), *constraints]
                uv += ["--find-links", arguments.find_links] if arguments.find_links else []
                command = [*uv, target_of(wheel, extra)]
                yield installed(python, "uv", extra, program, site, command, study=arguments.study)


def target_of(wheel: Path, extra: str) -> str:
    return f"{wheel}[{extra}]" if extra else str(wheel)


def resolved(python: str, extra: str, wheel: Path, constraints: Sequence[str]) -> Row:
    """What pip would fetch for an interpreter, whether it is here or not."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    command += ["--target", "unused", "--python-version", python, "--only-binary=:all:", *constraints]
    done = subprocess.run([*command, target_of(wheel, extra)], capture_output=True, text=True, check=False)
    if done.returncode:
        return Row(python=python, way="pip", extra=extra, how="resolved", problem=last_line(done.stderr))
    report: Report = json.loads(done.stdout)
    packages = len(report["install"])
    return Row(python=python, way="pip", extra=extra, how="resolved", packages=packages, megabytes=megabytes(report))


def installed(
    python: str, way: str, extra: str, program: str, site: Path, command: Sequence[str], *, study: bool
) -> Row:
    """Install into an empty environment and use it; the environment is removed again."""
    subprocess.run([program, "-m", "venv", str(site)], check=True)
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        shutil.rmtree(site)
        return Row(python=python, way=way, extra=extra, how="run", seconds=seconds, problem=last_line(done.stderr))
    libraries = site / "lib" / f"python{python}" / "site-packages"
    size = sum(path.stat().st_size for path in libraries.rglob("*") if path.is_file()) / 1e6
    packages = len(list(libraries.glob("*.dist-info"))) - 1  # without pip itself
    ended, problem = used(site / "bin" / "adapterxfer", site / "elsewhere", study=study)
    shutil.rmtree(site)
    return Row(
        python=python, way=way, extra=extra, how="run", packages=packages, megabytes=size, seconds=seconds,
        study=ended, problem=problem,
    )  # fmt: skip


def used(program: Path, folder: Path, *, study: bool) -> tuple[str | None, str]:
    """The last word of a study in a folder of its own, and what went wrong."""
    folder.mkdir()
    commands: list[list[str]] = [["recipes", "copy", "quickstart"], ["check", "quickstart.yaml"]]
    commands += [["run", "quickstart.yaml", *STUDY]] if study else []
    said = ""
    for command in commands:
        done = subprocess.run([str(program), *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, f"{' '.join(command)}: {last_line(done.stderr)}"
        said = next((line for line in done.stdout.splitlines() if line.startswith("done: ")), "")
    return said.removeprefix("done: ") or None, ""


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def line_of(row: Row) -> str:
    """One row of a Markdown table."""
    numbers = [
        "" if row.packages is None else str(row.packages),
        "" if row.megabytes is None else f"{row.megabytes:,.0f}",
        "" if row.seconds is None else f"{row.seconds:.0f}",
    ]
    how = "resolved, not run" if row.how == "resolved" else "run"
    return "| " + " | ".join([row.python, row.way, row.extra or "-", how, *numbers, row.study or row.problem]) + " |"


if __name__ == "__main__":
    sys.exit(main())
