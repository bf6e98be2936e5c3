"""What an installation would fetch, for any version of Python, from metadata alone: nothing is fetched but that.

Asked of uv: pip before version 25 fetches every file to look at it, gigabytes where torch is the build for GPUs.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch_build import GPU_LIBRARIES

PLATFORM = "x86_64-manylinux_2_28"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What would be installed.

    Attributes:
        versions: name -> version of every package, without the one that is installed.
        bytes: of the files to fetch; None where an index does not say the size of one.
        gpu_bytes: of those that only a GPU needs, torch's own file left out.
    """

    versions: dict[str, str]
    bytes: int | None
    gpu_bytes: int


class CannotResolve(Exception):
    """No set of versions fits; the message is the last line of uv."""


def uv_program(folder: Path) -> str:
    """A uv in an environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    return str(folder / "bin" / "uv")


def resolve(uv: str, python: str, requirement: str, constraints: Sequence[str], folder: Path) -> Resolved:
    """What a version of Python on Linux on x86-64 would fetch from the index.

    Raises:
        CannotResolve: nothing fits.
    """
    lock = folder / "pylock.toml"
    command = [uv, "pip", "compile", "--quiet", "--python-version", python, "--python-platform", PLATFORM]
    command += ["--format", "pylock.toml", "--output-file", str(lock), *constraints, "-"]
    done = subprocess.run(command, input=requirement, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotResolve(last_line(done.stderr))
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    lock.unlink()
    fetched = {package["name"]: size_of(package) for package in packages if "archive" not in package}
    known = [size for size in fetched.values() if size is not None]
    for_gpu = sum(size or 0 for name, size in fetched.items() if name.startswith(GPU_LIBRARIES))
    versions = {package["name"]: package["version"] for package in packages if "archive" not in package}
    return Resolved(versions, sum(known) if len(known) == len(fetched) else None, for_gpu)


def size_of(package: dict[str, Any]) -> int | None:
    """Bytes of the file of a package; the smallest where several fit, for these are builds for other systems."""
    files = package.get("wheels") or [package.get("sdist", {})]
    sizes = [file["size"] for file in files if "size" in file]
    return min(sizes) if len(sizes) == len(files) else None


def would_install(uv: str, python: str, requirement: str, options: Sequence[str]) -> dict[str, str]:
    """Name -> version of what uv would put into an environment; local builds are seen where an option names them.

    Raises:
        CannotResolve: nothing fits.
    """
    command = [uv, "pip", "install", "--dry-run", "--python", python, *options, requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotResolve(last_line(done.stderr))
    lines = (line.split()[1] for line in done.stderr.splitlines() if line.startswith(" + ") and "==" in line)
    return dict(line.split("==", 1) for line in lines if not requirement.startswith(line.split("==")[0] + " @"))


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "no message"
