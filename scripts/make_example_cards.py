"""Write the example cards of docs/cards: the best system of each finished study, as its report chooses it.

    python scripts/make_example_cards.py recipes/quickstart.yaml=store recipes/real-text.yaml=store --set data_root=DIR

Each argument is a recipe and the store that holds its finished results; nothing is trained. The bundle is made and
verified as by `adapterxfer bundle`, and its card and figures are kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from adapterxfer.hub.checking import verify_fresh
from adapterxfer.hub.making import backbone_place, choose, make_bundle
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.sharing import sharing
from adapterxfer.store.store import Store

CARDS = Path(__file__).parent.parent / "docs" / "cards"


def make_card(recipe_path: Path, store_path: Path, changes: list[str], out: Path) -> Path:
    """Write ``out/RECIPE/README.md`` with its figures; returns the folder."""
    recipe = resolve_recipe(load_recipe(recipe_path, changes), store_path)
    plan, store = build_plan(recipe), Store(store_path)
    assert plan.report is not None
    best = sharing(find(Results.from_plan(plan, store), ReportSettings.from_identity(plan.report.identity)))
    if best is None:
        raise SystemExit(f"{recipe_path}: its report names no system to share")
    words = best.commands[0].split()
    only = [words[index + 1] for index, word in enumerate(words) if word == "--only"]
    (wanted,) = choose(build_plan(recipe, only=only))
    with tempfile.TemporaryDirectory() as root:
        folder, manifest = make_bundle(plan, store, wanted, Path(root), full_weights="--full-weights" in words)
        outside = None if manifest.backbone.included else backbone_place(plan, store, plan.stages[wanted.key])
        checked = verify_fresh(folder, backbone=outside)
        place = out / recipe.name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copy(folder / "README.md", place)
        shutil.copytree(folder / "figures", place / "figures")
    print(f"{place}: {manifest.name}, logits differ by {checked['difference']:.1g}")
    return place


def main() -> None:
    """Read the arguments and write all cards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("studies", nargs="+", metavar="RECIPE=STORE")
    parser.add_argument("--set", action="append", default=[], dest="set_", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=CARDS)
    arguments = parser.parse_args()
    for study in arguments.studies:
        recipe, _, store = study.partition("=")
        make_card(Path(recipe), Path(store), arguments.set_, arguments.out)


if __name__ == "__main__":
    main()
