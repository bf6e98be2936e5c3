"""One study on two Pythons with other libraries: what is compared, and a store that one begins and the other finishes.

Shared by ``test_versions.py``, on a tiny study, and by ``scripts/compare_versions.py``, on a whole recipe.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import tiny_study

ROOT = Path(__file__).parents[2]


def adapterxfer(python: str, folder: Path, *words: str) -> str:
    """Standard output of a command in a folder, run by a Python with its own libraries and this checkout.

    Raises:
        RuntimeError: it did not end with 0; the message is all that it printed.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [python, "-m", "adapterxfer.cli", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"adapterxfer {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def begun_and_finished(
    pythons: tuple[str, str], folder: Path, recipe: str, store: str,
    *, part: Sequence[str], whole: Sequence[str] = (), more: Sequence[str] = (),
) -> dict[str, str]:  # fmt: skip
    """Run a part of a recipe with the first Python, all of it with the second, and report with the first again.

    Args:
        part: ``--only`` options that leave the part which the first one makes.
        whole: ``--only`` options for the second, where it is not to go through all of the recipe.
        more: other options of ``run``, such as ``--set``; ``status`` and ``report`` get those of ``--set``.

    Returns:
        The version of transformers that made each finished stage, by the name of its folder.

    Raises:
        RuntimeError: a command failed, the first left nothing, or a stage of the plan is not finished.
    """
    first, second = pythons
    settings = [word for name, value in pairwise(more) if name == "--set" for word in (name, value)]
    adapterxfer(first, folder, "run", recipe, "--store", store, *part, *more)
    if not stage_versions(folder / store):
        raise RuntimeError(f"the first Python finished no stage in {store}")
    adapterxfer(second, folder, "run", recipe, "--store", store, *whole, *more)
    state = json.loads(adapterxfer(first, folder, "status", recipe, "--store", store, "--json", *whole, *settings))
    open_kinds = [kind["kind"] for kind in state["kinds"] if kind["done"] != kind["count"]]
    if open_kinds or not state["kinds"]:
        raise RuntimeError(f"{store} is not complete: {open_kinds}")
    adapterxfer(first, folder, "report", recipe, "--store", store, *whole, *settings)
    return stage_versions(folder / store)


def compared(store: Path) -> dict[str, bytes]:
    """Every file of every stage but for seconds and the names of versions; of reports only their tables."""
    files = {}
    for name, content in tiny_study.contents(store).items():
        if name.endswith(".csv") or not name.startswith("report/"):
            files[name] = content
        if name.endswith("/config.json"):
            values = json.loads(content)
            del values["transformers_version"]
            files[name] = json.dumps(values).encode()
    return files


def stage_versions(store: Path) -> dict[str, str]:
    """The version of transformers by which each stage of a store was made."""
    records = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in store.rglob("stage.json")}
    return {
        folder.relative_to(store).as_posix(): record["provenance"]["libraries"]["transformers"]
        for folder, record in records.items()
    }


def different(one: Mapping[str, bytes], two: Mapping[str, bytes]) -> list[str]:
    """Names of files that only one has, or that differ in a byte."""
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
