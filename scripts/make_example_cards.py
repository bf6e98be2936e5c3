"""Write the example cards of docs/cards: the best system of each shipped recipe, as its report chooses it.

    python scripts/make_example_cards.py --stores DIR --run                      # everything but real text
    python scripts/make_example_cards.py quickstart phang2020 --stores DIR       # from finished stores
    python scripts/make_example_cards.py real-text --stores DIR --data-root FILES
    python scripts/make_example_cards.py --render       # the texts again, after a change of the card's template

Results of a study are in DIR/NAME (some studies share one store, see example_card_studies.py); ``--run`` first runs
what is missing there. Each bundle is made and verified as by `adapterxfer bundle`; its card, its figures and the two
files that the card is generated from are kept, so the text can be generated again without any results.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from example_card_studies import STUDIES, ExampleStudy

import adapterxfer
from adapterxfer.hub import layout
from adapterxfer.hub.card import render_card
from adapterxfer.hub.checking import verify_fresh
from adapterxfer.hub.choosing import choose
from adapterxfer.hub.making import backbone_place, make_bundle
from adapterxfer.hub.manifest import read_json, read_manifest
from adapterxfer.plan import build_plan
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.report.findings import find
from adapterxfer.report.results import Results
from adapterxfer.report.settings import ReportSettings
from adapterxfer.report.sharing import sharing
from adapterxfer.store.store import Store

__all__ = ["STUDIES", "banner", "example", "make_card"]

ROOT = Path(__file__).parent.parent
CARDS = ROOT / "docs" / "cards"


def banner(name: str, study: ExampleStudy) -> str:
    """What a reader of an example must know first."""
    best = f" among the variants {' and '.join(study.among)}" if study.among else ""
    lines = [
        f"> **Example.** The best system{best} of a study with `recipes/{study.recipe}.yaml`, chosen by the rule that "
        "its report states, not by hand."
    ]
    if study.reduced:
        lines.append(f"> Not the whole recipe: {study.reduced}.")
    if study.note:
        lines.append(f"> {study.note}")
    lines.append(f"> Written by `scripts/make_example_cards.py {name}`.")
    return "\n>\n".join(lines) + "\n"


def example(folder: Path, name: str) -> str:
    """The text of an example card, from the two files beside it."""
    card = render_card(read_manifest(folder), read_json(folder / layout.RESULTS))
    metadata, mark, body = card.partition("\n---\n\n# ")
    assert mark, "a card starts with metadata and a title"
    title, _, rest = body.partition("\n")
    return f"{metadata}{mark}{title}\n\n{banner(name, STUDIES[name])}{rest}"


def render(folder: Path) -> None:
    """Write the text of a card again."""
    (folder / layout.CARD).write_text(example(folder, folder.name), encoding="utf-8", newline="\n")


def make_card(name: str, store_path: Path, more: list[str], out: Path) -> Path:
    """Write ``out/NAME`` from a store of finished results; returns the folder."""
    study = STUDIES[name]
    changes = [*study.changes, *more]
    recipe = resolve_recipe(load_recipe(ROOT / "recipes" / f"{study.recipe}.yaml", changes), store_path)
    plan, store = build_plan(recipe), Store(store_path)
    assert plan.report is not None
    among = build_plan(recipe, only=[f"variant={','.join(study.among)}"] if study.among else [])
    best = sharing(find(Results.from_plan(among, store), ReportSettings.from_identity(plan.report.identity)))
    if best is None:
        raise SystemExit(f"{name}: its report names no system to share")
    words = best.commands[0].split()
    only = [words[index + 1] for index, word in enumerate(words) if word == "--only"]
    (wanted,) = choose(build_plan(recipe, only=only))
    with tempfile.TemporaryDirectory() as root:
        folder, manifest = make_bundle(plan, store, wanted, Path(root), full_weights="--full-weights" in words)
        outside = None if manifest.backbone.included else backbone_place(plan, store, plan.stages[wanted.key])
        checked = verify_fresh(folder, backbone=outside)
        place = out / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for kept in (layout.MANIFEST, layout.RESULTS):
            shutil.copy(folder / kept, place)
        shutil.copytree(folder / "figures", place / "figures")
    render(place)
    print(f"{place}: {manifest.name}, logits differ by {checked['difference']:.1g}", flush=True)
    return place


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and write the cards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"cards: {', '.join(STUDIES)}")
    parser.add_argument("--stores", type=Path, default=Path("card-stores"), metavar="DIR", help="folder of the stores")
    parser.add_argument("--run", action="store_true", help="first run what is missing in them")
    parser.add_argument("--jobs", type=int, default=None, help="worker processes of a run")
    parser.add_argument("--data-root", metavar="DIR", help="the real files, for the studies on real text")
    parser.add_argument("--layouts", metavar="FILE", help="files with other names or columns, see docs/data.md")
    parser.add_argument("--render", action="store_true", help="only write the texts again")
    parser.add_argument("--out", type=Path, default=CARDS)
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - STUDIES.keys():
        parser.error(f"no card is named {', '.join(sorted(unknown))}; cards: {', '.join(STUDIES)}")
    for name, study in STUDIES.items():
        if arguments.names and name not in arguments.names:
            continue
        if arguments.render:
            render(arguments.out / name)
            continue
        more = []
        if study.real:
            if arguments.data_root is None:
                if name in arguments.names:
                    parser.error(f"{name} needs --data-root")
                continue
            more = [f"data_root={arguments.data_root}"]
            more += [f"layouts={arguments.layouts}"] if arguments.layouts and name == "real-formats" else []
        store = arguments.stores / (study.store or name)
        if arguments.run:
            recipe = load_recipe(ROOT / "recipes" / f"{study.recipe}.yaml", [*study.changes, *more])
            done = adapterxfer.run(recipe, store=store, jobs=arguments.jobs)
            if done.outcome.exit_code:
                raise SystemExit(f"{name}: the run failed: {', '.join(map(str, done.outcome.failed.values()))}")
        make_card(name, store, more, arguments.out)


if __name__ == "__main__":
    main()
