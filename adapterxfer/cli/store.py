"""Check, clean, export and import the folder of results."""

from __future__ import annotations

import argparse
from pathlib import Path

from adapterxfer.cli.console import complain, count, say, say_json
from adapterxfer.cli.options import add_generation, add_json, add_only, add_set, add_store
from adapterxfer.errors import AdapterxferError, StoreError, joined
from adapterxfer.plan import build_plan
from adapterxfer.plan.generations import NEWEST
from adapterxfer.plan.sources import layouts_without_root
from adapterxfer.recipe import load_recipe, resolve_recipe
from adapterxfer.store.audit import audit, set_aside_damaged
from adapterxfer.store.differences import read_differences
from adapterxfer.store.keys import Stage
from adapterxfer.store.removal import find_garbage, remove
from adapterxfer.store.store import Store
from adapterxfer.store.transfer import export_stages, import_stages

KINDS = ("predictions", "all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommands of `store`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    verify = actions.add_parser("verify", help="hash every file again and name what is damaged")
    verify.add_argument(
        "--set-aside", action="store_true", help="move damaged stages to damaged/, so that the next run makes them anew"
    )
    add_store(verify)
    add_json(verify)

    gc = actions.add_parser("gc", help="list what none of these recipes needs; --delete removes it")
    gc.add_argument("recipe", nargs="+", help="every recipe whose results must stay")
    _add_set(gc)
    gc.add_argument(
        "--superseded", action="store_true",
        help="list also what earlier generations computed of these recipes and a later change concerns",
    )  # fmt: skip
    gc.add_argument("--delete", action="store_true", help="remove instead of listing")
    add_store(gc)
    add_json(gc)

    export = actions.add_parser("export", help="write finished stages of a recipe into one archive")
    export.add_argument("recipe", help="recipe file")
    _add_set(export)
    add_only(export)
    add_generation(export)
    export.add_argument("--what", choices=KINDS, default="all", help="all stages (default), or predictions only")
    export.add_argument("--to", required=True, metavar="FILE.tar", help="the archive to write")
    add_store(export)
    add_json(export)

    take = actions.add_parser("import", help="take stages from an archive; compare those that are there already")
    take.add_argument("archive", help="file written by `store export`")
    add_store(take)
    add_json(take)


def execute(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    actions = {"verify": _verify, "gc": _gc, "export": _export, "import": _import}
    return actions[arguments.action](arguments)


def _verify(arguments: argparse.Namespace) -> int:
    store = Store(arguments.store)
    report = audit(store)
    moved = set_aside_damaged(store, report) if arguments.set_aside else []
    differences = read_differences(store.root)
    if arguments.json:
        say_json(
            "store",
            {
                "stages": report.stages,
                "files": report.files,
                "bytes": report.bytes,
                "damaged": [{"path": _name(store, damage.path), "what": damage.what} for damage in report.damaged],
                "set_aside": [_name(store, path) for path in moved],
                "left_behind": report.left_behind,
                "differences": sorted(differences),
            },
        )
        return 3 if report.damaged else 0
    for damage in report.damaged:
        complain(f"damaged: {_name(store, damage.path)}: {damage.what}")
    for key in differences:
        complain(f"differs from an imported result: {key} (see differences/{key}.json)")
    looked = f"{count(report.stages, 'stage')}, {count(report.files, 'file')}, {size(report.bytes)}"
    say(f"{looked}: {len(report.damaged):,} damaged")
    if report.left_behind:
        left = count(report.left_behind, "scratch folder")
        say(f"{left} of stages in flight or of dead runs: the next run removes what is dead")
    if moved:
        say(f"set aside: {count(len(moved), 'stage')}; run the recipe again to make what is missing")
    elif any(damage.stage for damage in report.damaged):
        say("fix: adapterxfer store verify --set-aside, then run the recipe again")
    return 3 if report.damaged else 0


def _gc(arguments: argparse.Namespace) -> int:
    store = Store(arguments.store)
    if not store.root.is_dir():
        raise StoreError(f"store {store.root}: no such folder", fix="name the store with --store")
    referenced: set[str] = set()
    for recipe in arguments.recipe:
        for generation in (NEWEST,) if arguments.superseded else range(1, NEWEST + 1):
            referenced |= set(_stages(recipe, arguments, generation=generation))
    garbage = find_garbage(store, referenced)
    removed = remove(store, garbage) if arguments.delete else []
    folders = {**garbage.stages, **garbage.leftovers}
    if arguments.json:
        listed = [{"path": _name(store, path), "bytes": number} for path, number in folders.items()]
        say_json(
            "store", {"kept": garbage.kept, "unreferenced": listed, "removed": [_name(store, path) for path in removed]}
        )
        return 0
    for path, number in folders.items():
        say(f"{size(number):>10}  {_name(store, path)}")
    unused = f"{count(len(folders), 'unreferenced item')}, {size(garbage.bytes)}"
    say(f"{unused}; {count(garbage.kept, 'stage')} referenced")
    if arguments.delete:
        say(f"removed {len(removed):,}")
    elif folders:
        say("nothing was removed; add --delete to remove them")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    store = Store(arguments.store)
    completed = store.completed()
    chosen = [
        completed[stage.short_key]
        for stage in _stages(arguments.recipe, arguments, only=arguments.only, generation=arguments.generation).values()
        if stage.short_key in completed and (arguments.what == "all" or stage.kind == "predict")
    ]
    if not chosen:
        raise StoreError(f"store {store.root}: no finished stage of this recipe", fix="run the recipe first")
    target = Path(arguments.to)
    number = export_stages(chosen, target)
    if arguments.json:
        say_json("store", {"stages": number, "bytes": target.stat().st_size, "archive": arguments.to})
    else:
        say(f"{arguments.to}: {count(number, 'stage')}, {size(target.stat().st_size)}")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    done = import_stages(Store(arguments.store), Path(arguments.archive))
    matters = [difference for difference in done.differences if difference.matters]
    if arguments.json:
        say_json(
            "store",
            {
                "added": len(done.added),
                "same": len(done.same),
                "differences": [difference.as_json() for difference in done.differences],
            },
        )
    else:
        for difference in done.differences:
            complain(f"{'differs' if difference.matters else 'other bytes, same predictions'}: {difference}")
        say(f"{count(len(done.added), 'stage')} added, {len(done.same):,} there already with the same bytes")
        if matters:
            say("the results that were here stay; both sides' software is in differences/ of the store")
    return 1 if matters else 0


def _stages(
    path: str, arguments: argparse.Namespace, *, only: list[str] | None = None, generation: int
) -> dict[str, Stage]:
    """Stages of a recipe by key, refused where keys are not known yet."""
    recipe = resolve_recipe(load_recipe(path, arguments.set_), Path(arguments.store))
    plan = build_plan(recipe, only=only or [], generation=generation)
    missing = joined([*([plan.missing_data] if plan.missing_data else []), *layouts_without_root(recipe)])
    if missing is not None:
        # Without the files the keys are provisional: every result of this recipe would look unreferenced.
        raise AdapterxferError(f"{path}: its stages cannot be named: {missing.what}", fix=missing.fix)
    return dict(plan.stages)


def _add_set(parser: argparse.ArgumentParser) -> None:
    add_set(parser)


def _name(store: Store, path: Path) -> str:
    return path.relative_to(store.root).as_posix()


def size(number: int) -> str:
    """``12 B``, ``3.4 MiB``."""
    if number < 1024:
        return f"{number} B"
    value = float(number)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"
