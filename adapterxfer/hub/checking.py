"""Verify a bundle in a fresh process: ``python -m adapterxfer.hub.checking FOLDER [--backbone DIR]`` answers in JSON.

A fresh process has nothing in memory that the bundle could have left behind or relied on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapterxfer.errors import AdapterxferError, BundleError
from adapterxfer.hub.manifest import read_manifest

PACKAGE_PARENT = Path(__file__).parents[2]
TIMEOUT_S = 3600.0
"""Longest check of one bundle: it may first download a backbone of some gigabytes over a slow line."""


def verify_fresh(folder: Path, *, backbone: Path | None = None, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Load a bundle in a new process and compare what it answers with what it answered when it was made.

    Returns:
        ``name``, ``variant``, ``backbone``, ``parameters`` and ``difference`` (largest difference of a logit).

    Raises:
        BundleError: it is not a whole bundle, or answers something else.
    """
    command = [sys.executable, "-m", "adapterxfer.hub.checking", str(folder)]
    command += ["--backbone", str(backbone)] if backbone is not None else []
    path = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    if not _fetches_backbone(folder):
        environment["HF_HUB_OFFLINE"] = "1"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False, encoding="utf-8"
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"{folder}: not verified after {timeout_s:g} s", fix="try again on an idle machine") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BundleError(f"{folder}: the checking process failed: {last}", fix="see `verify --debug`") from None
    if "error" in answer:
        raise BundleError(str(answer["error"]), fix=str(answer["fix"]))
    return answer


def _fetches_backbone(folder: Path) -> bool:
    """Whether the backbone is a public one at a pinned commit, which is fetched where it is not cached."""
    try:
        backbone = read_manifest(folder).backbone
    except BundleError:
        return False  # the new process says what is wrong with it
    return backbone.kind == "hub" and not backbone.included


def verify(folder: Path, *, backbone: Path | None = None) -> dict[str, Any]:
    """Verify a bundle as `verify_fresh` does, but in this process.

    Raises:
        BundleError: it is not a whole bundle, or answers something else.
    """
    from adapterxfer.hub.loading import open_bundle
    from adapterxfer.training.device import use_one_thread

    use_one_thread()
    opened = open_bundle(folder, backbone=backbone)
    manifest = opened.manifest
    return {
        "name": manifest.name,
        "variant": manifest.composition.variant,
        "backbone": manifest.backbone.name,
        "fingerprint": manifest.backbone.fingerprint,
        "parameters": manifest.bundle_parameters,
        "bytes": sum(file.bytes for file in manifest.files.values()),
        "digest": manifest.digest,
        "difference": opened.difference,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the fresh process: verify one folder and print the answer as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", type=Path, default=None)
    arguments = parser.parse_args(argv)
    try:
        answer = verify(arguments.folder, backbone=arguments.backbone)
    except AdapterxferError as error:
        answer = {"error": error.what, "fix": error.fix}
    sys.stdout.write(json.dumps(answer) + "\n")
    return int("error" in answer)


if __name__ == "__main__":
    sys.exit(main())
