"""What a report of a fault needs: versions, machine, engines and settings, without names, paths or secrets."""

from __future__ import annotations

import os
import shutil
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from adapterxfer.api.running import default_jobs
from adapterxfer.store.provenance import host_facts

PACKAGE = "adapterxfer"

VARIABLES = (
    "ADAPTERXFER_CACHE", "CUDA_VISIBLE_DEVICES", "HF_DATASETS_OFFLINE", "HF_ENDPOINT", "HF_HOME", "HF_HUB_DISABLE_XET",
    "HF_HUB_OFFLINE", "HF_TOKEN", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM", "XDG_CACHE_HOME",
)  # fmt: skip
"""Settings that change what the package does. Values are told only where they cannot hold a secret or a path."""

PUBLIC_VALUES = (
    "HF_DATASETS_OFFLINE",
    "HF_HUB_DISABLE_XET",
    "HF_HUB_OFFLINE",
    "OMP_NUM_THREADS",
    "TOKENIZERS_PARALLELISM",
)


def environment() -> dict[str, Any]:
    """Versions of this package, of what it needs and of what its extras need; the machine; the settings.

    Nothing heavy is imported: versions are read from metadata, and GPUs are those that the driver's tool is there for.

    Returns:
        ``adapterxfer``, ``python``, ``system``, ``machine``, ``processors``, ``usable_processors``, ``memory_gib``,
        ``gpu_driver``, ``libraries`` (name -> version, or None where it is not installed), ``variables`` (name ->
        ``set``, or its value where it is public).
    """
    return {
        PACKAGE: _version(PACKAGE),
        **host_facts(),
        "usable_processors": default_jobs(),
        "memory_gib": _memory_gib(),
        "gpu_driver": shutil.which("nvidia-smi") is not None,
        "libraries": {name: _version(name) for name in _needed()},
        "variables": {
            name: os.environ[name] if name in PUBLIC_VALUES else "set" for name in VARIABLES if name in os.environ
        },
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _needed() -> list[str]:
    """Names of all packages in the requirements of this one and of its extras, without the tools of its developers."""
    try:
        requirements = requires(PACKAGE) or []
    except PackageNotFoundError:  # the code of a checkout that was never installed, as on a cluster's shared disk
        requirements = _of_checkout()
    parts = (requirement.partition(";") for requirement in requirements)
    names = (name for name, _, condition in parts if "dev" not in condition)
    plain = ("".join(c if c.isalnum() or c in "-_." else " " for c in name).split()[0] for name in names)
    return sorted(set(plain), key=str.lower)


def _of_checkout() -> list[str]:
    """Requirements that the project file beside the code states; none where there is no such file."""
    try:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return []
    extras = {extra: names for extra, names in project.get("optional-dependencies", {}).items() if extra != "dev"}
    return [*project.get("dependencies", []), *(name for names in extras.values() for name in names)]


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None  # not a system that says
