"""A recipe on two Pythons with other libraries: each begins a store that the other finishes; both stores are compared.

    python scripts/compare_versions.py --other .venv-adapters/bin/python
    python scripts/compare_versions.py --other PYTHON recipes/quickstart.yaml --part seed=1 --folder DIR
    python scripts/compare_versions.py --other PYTHON --part seed=1 --whole seed=2 --whole backbone=world-nano
    python scripts/compare_versions.py --stores ONE TWO                 # runs nothing: two stores that are there

One Python makes the part, the other all the rest, then the first reads and reports the store; and the other way round.
So each stage is made by both versions, in one store or in the other, at the price of two studies. Ends with exit code 1
if a key or a byte differs: models, predictions, counts and the report's tables are compared, seconds and the names of
versions are not. Prints one JSON object. With a folder of its own it goes on where it was stopped. Of two stores that
are there, the stages are compared that one version made in the first and another in the second.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "integration"))

import two_versions

QUICKSTART = two_versions.ROOT / "recipes" / "quickstart.yaml"


def absolute(python: str) -> str:
    """A Python as it can be started from another folder; links stay, as an environment is known by its own."""
    return str(Path(python).absolute()) if Path(python).exists() else python


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", type=Path, default=QUICKSTART)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--other", metavar="PYTHON", help="with another version of transformers")
    way.add_argument("--stores", nargs=2, type=Path, metavar=("ONE", "TWO"), help="run nothing, compare these")
    parser.add_argument("--part", action="append", metavar="AXIS=VALUE", help="what the first makes (default: seed=1)")
    parser.add_argument(
        "--whole", action="append", metavar="AXIS=VALUE", help="what the other makes (default: the rest)"
    )
    parser.add_argument("--folder", type=Path, help="stays, with both stores; default: a temporary one")
    parser.add_argument("--jobs", default="2")
    arguments = parser.parse_args(argv)
    if arguments.stores:
        facts = compare_stores(*arguments.stores)
        print(json.dumps(facts, indent=1))
        return 1 if facts["different"] or not facts["made by both"] else 0
    other = absolute(arguments.other)
    here, there = version_of(sys.executable), version_of(other)
    if here == there:
        parser.error(f"both Pythons have transformers {here}: name one with another version")
    part, whole = (
        [word for pair in pairs for word in ("--only", pair)]
        for pairs in (arguments.part or ["seed=1"], arguments.whole or [])
    )
    with ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        recipe = "study.yaml"
        shutil.copy(arguments.recipe, folder / recipe)
        makers = {}
        for store, pythons in (
            (f"begun-{here}", (sys.executable, other)),
            (f"begun-{there}", (other, sys.executable)),
        ):
            more = ("--jobs", arguments.jobs)
            makers[store] = two_versions.begun_and_finished(
                pythons, folder, recipe, store, part=part, whole=whole, more=more
            )
            print(f"{store}: {dict(Counter(makers[store].values()))}", file=sys.stderr, flush=True)
        facts = compare(folder, makers)
    print(json.dumps({"recipe": arguments.recipe.stem, "versions": [here, there], **facts}, indent=1))
    return 1 if facts["different"] or facts["in one store only"] or not facts["made by both"] else 0


def version_of(python: str) -> str:
    """The version of transformers that a Python has; it is not imported."""
    asks = "from importlib.metadata import version; print(version('transformers'))"
    return subprocess.run([python, "-c", asks], capture_output=True, text=True, check=True).stdout.strip()


def compare_stores(one: Path, two: Path) -> dict[str, object]:
    """Stages that two stores share and that different versions made, and their files."""
    makers = {str(store.resolve()): two_versions.stage_versions(store) for store in (one, two)}
    first, second = makers.values()
    shared = {name for name in first.keys() & second.keys() if first[name] != second[name]}
    return compare(Path(), {store: {name: versions[name] for name in shared} for store, versions in makers.items()})


def compare(folder: Path, makers: dict[str, dict[str, str]]) -> dict[str, object]:
    """Stages and files of two stores: how many of each kind there are, and the names of those that differ."""
    one, two = makers.values()
    common = one.keys() & two.keys()
    files = [
        {name: content for name, content in two_versions.compared(folder / store).items() if stage_of(name) in common}
        for store in makers
    ]
    different = two_versions.different(*files)
    return {
        "stages": len(common),
        "made by both": sum(one[name] != two[name] for name in common),
        "in one store only": sorted(one.keys() ^ two.keys()),
        "equal files": dict(sorted(Counter(kind_of(name) for name in files[0].keys() - set(different)).items())),
        "different": different,
    }


def stage_of(name: str) -> str:
    """The stage that a file belongs to: the first two names of its path."""
    return "/".join(name.split("/")[:2])


def kind_of(name: str) -> str:
    """The kind of file that a reader asks for."""
    if name.endswith("model.safetensors"):
        return "models"
    if name.endswith(".parquet"):
        return "prediction and count files" if name.startswith("predict/") else "other parquet files"
    return "tables" if name.endswith(".csv") else "other files"


if __name__ == "__main__":
    sys.exit(main())
