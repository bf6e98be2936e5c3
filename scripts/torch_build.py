"""Which build of torch an environment should get: prints options for pip to stdout, and the reason to stderr.

    python -m pip install $(python scripts/torch_build.py 2.13.0) torch==2.13.0

On PyPI the wheels of torch for Linux are the GPU build, with gigabytes of libraries beside it. Where no GPU is found,
PyTorch's own index of CPU builds is named instead, unless pip is set up to find a CPU build already. Uses the standard
library and pip only: it runs in an empty environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Named by PyTorch's installation page for machines without a GPU."""

GPU_LIBRARIES = ("nvidia-", "cuda-", "triton")
"""How the names of packages begin that only the GPU build needs."""

LOOKS = (26, 3)
"""First version of pip that was seen to say what it would install without fetching it: 23.2 fetched the GPU build of
torch, 527 MB and 2.2 GB beside it, only to look. 26.3 fetched 38 MB."""

Report = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    (version,) = sys.argv[1:] if argv is None else argv
    if os.environ.get("ADAPTERXFER_TORCH_OPTIONS") is not None:
        print(os.environ["ADAPTERXFER_TORCH_OPTIONS"])
        return 0
    if (old := pip_version()) < LOOKS:
        wants = ".".join(map(str, LOOKS))
        print(
            f"torch: pip {'.'.join(map(str, old))} fetches every file to say what it would install, gigabytes here; "
            f"fix: {sys.executable} -m pip install --upgrade 'pip>={wants}'",
            file=sys.stderr,
        )
        return 1
    report = resolve(f"torch=={version}")
    gpu_build = report is not None and brings_gpu_libraries(report)
    wanted = [] if not gpu_build or has_gpu() else ["--index-url", CPU_INDEX]
    said = report if not wanted else None
    print(reason(gpu_build=gpu_build, gpu=has_gpu(), size=None if said is None else megabytes(said)), file=sys.stderr)
    print(" ".join(wanted))
    return 0


def has_gpu() -> bool:
    """Whether the tool of NVIDIA's driver is there and lists a GPU."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and bool(listed.stdout.strip())


def pip_version() -> tuple[int, ...]:
    """Major and minor version of this environment's pip."""
    return tuple(int(part) for part in metadata.version("pip").split(".")[:2])


def resolve(requirement: str) -> Report | None:
    """What pip would install for a requirement, nothing of it installed; None where pip cannot say."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--dry-run"]
    # Without this feature pip fetches whole files from indexes that do not list their metadata.
    command += ["--use-feature=fast-deps", "--ignore-installed", "--report", "-", requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report: Report = json.loads(done.stdout)
    except ValueError:
        return None
    return report


def brings_gpu_libraries(report: Report) -> bool:
    """Whether anything in it is a library for GPUs."""
    return any(item["metadata"]["name"].lower().startswith(GPU_LIBRARIES) for item in report["install"])


def megabytes(report: Report) -> float | None:
    """Size of the files it would fetch; None where a server does not say the size of one."""
    sizes = [size_of(item["download_info"]["url"]) for item in report["install"]]
    known = [size for size in sizes if size is not None]
    return sum(known) / 1e6 if known and len(known) == len(sizes) else None


def size_of(url: str) -> int | None:
    """Bytes of a file, asked of its server without fetching it."""
    if url.startswith("file://"):
        return Path(urllib.request.url2pathname(url.removeprefix("file://"))).stat().st_size
    if not url.startswith("https://"):
        return None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20) as answer:
            length = answer.headers.get("Content-Length")
    except OSError:
        return None
    return int(length) if length is not None else None


def reason(*, gpu_build: bool, gpu: bool, size: float | None) -> str:
    """One line for the user."""
    text = "torch: " + ("the GPU build" if gpu_build and gpu else "the CPU build")
    text += "" if gpu else " (no GPU found)"
    return text + ("" if size is None else f", {size:,.0f} MB to fetch with what it needs")


if __name__ == "__main__":
    sys.exit(main())
