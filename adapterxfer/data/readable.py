"""Whether a run could read the files of a recipe: `check` reads them as the stages will, and says what they refuse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterxfer.catalog.declared import DECLARED, spec_in
from adapterxfer.data.check import check_folder
from adapterxfer.data.examples import TaskData
from adapterxfer.data.files import HashCache
from adapterxfer.data.layouts import parse_layouts
from adapterxfer.data.original import read_original
from adapterxfer.data.same_items import SAME_ITEMS
from adapterxfer.data.storage import check_task
from adapterxfer.data.target_dev import read_target_dev
from adapterxfer.data.translations import read_text_lines, read_translations
from adapterxfer.errors import DataError


def unreadable(identity: Mapping[str, Any], data_root: str | Path) -> DataError | None:
    """What the prepare stage of an identity would refuse of its files; None if nothing.

    What was read once is remembered with the hashes of its files. A source that is not of files, or whose files are
    missing, is no matter of this.
    """
    source, root = identity.get("source") or {}, Path(data_root)
    files = sorted(source.get("files") or ()) if source.get("kind") == "files" else []
    if not files or not all((root / path).is_file() for path in files) or identity["what"] not in _READERS:
        return None
    cache = HashCache()
    asked = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def compute(_: Path) -> bool:
        _READERS[str(identity["what"])](identity, root)
        return True

    try:
        # Only a success is remembered: a reader that is repaired later is asked again.
        cache.fact(root / files[0], f"#read/{asked}", compute)
    except DataError as error:
        return _all_of(identity, root, error)
    cache.save()
    return None


def read_task_files(identity: Mapping[str, Any], root: Path) -> Any:
    """The examples of a task as a prepare stage stores them.

    Raises:
        DataError: files are missing or damaged.
    """
    return read_original(
        spec_in(identity),
        root,
        identity["source"]["files"],
        identity["languages"],
        train_examples=identity["train_examples"],
        dev_examples=identity["dev_examples"],
        test_examples=identity["test_examples"],
        seed=identity["seed"],
        layouts=identity["source"].get("layout"),
        protocol=identity["protocol"],
        same_items=SAME_ITEMS in identity["source"],
    )


def read_task_rows(identity: Mapping[str, Any]) -> TaskData:
    """The examples of a task from the Hub, as a prepare stage stores them.

    Raises:
        DataError: a repository cannot be loaded, or is not what the catalogue or the recipe says.
    """
    from adapterxfer.data.hub import read_hub

    return read_hub(
        spec_in(identity),
        identity["languages"],
        train_examples=identity["train_examples"],
        dev_examples=identity["dev_examples"],
        test_examples=identity["test_examples"],
        seed=identity["seed"],
        protocol=identity["protocol"],
        revisions=identity["source"].get("revisions"),
        same_items=SAME_ITEMS in identity["source"],
    )


def unreadable_rows(identity: Mapping[str, Any]) -> DataError | None:
    """What the prepare stage of a declared task would refuse of its repository; None if nothing.

    The Hub is asked, as nobody but the recipe says what is there; tasks of the catalogue were read when they were made.
    """
    if DECLARED not in identity or (identity.get("source") or {}).get("kind") != "hub":
        return None
    try:
        check_task(read_task_rows(identity))
    except DataError as error:
        return DataError(f"tasks.{identity['task']}: {error.what}", fix=error.fix)
    return None


def _task(identity: Mapping[str, Any], root: Path) -> None:
    check_task(read_task_files(identity, root))


def _target_dev(identity: Mapping[str, Any], root: Path) -> None:
    data = read_target_dev(
        identity["task"], root, identity["source"]["files"], identity["languages"],
        dev_examples=identity["dev_examples"], seed=identity["seed"], protocol=identity["protocol"],
    )  # fmt: skip
    check_task(data)


def _translated(identity: Mapping[str, Any], root: Path) -> None:
    data = read_translations(
        identity["task"], root, identity["source"]["files"], identity["folder"], identity["languages"],
        train_examples=identity["train_examples"], seed=identity["seed"],
    )  # fmt: skip
    check_task(data)


def _texts(identity: Mapping[str, Any], root: Path) -> None:
    read_text_lines(root, identity["source"]["files"], identity["folder"], identity["languages"], identity["lines"])


_READERS = {"task": _task, "target-dev": _target_dev, "translated": _translated, "texts": _texts}
"""Product of a prepare stage -> reads its files."""


def _all_of(identity: Mapping[str, Any], root: Path, first: DataError) -> DataError:
    """Everything that `data check` refuses of what a stage reads, where it finds the reason; else the first error."""
    if identity["what"] != "task":
        return first
    if DECLARED in identity:
        return DataError(f"tasks.{identity['task']}: {first.what}", fix=first.fix)
    task, described = str(identity["task"]), identity["source"].get("layout")
    layouts = parse_layouts({task: described}, "layout") if described else None
    (checked,) = check_folder(root, [task], layouts=layouts)
    refused = [
        f"{task}: {split.role} {split.language}: {split.message}"
        for split in checked.parts
        if split.state == "refused" and (split.role in ("train", "dev") or split.language in identity["languages"])
    ]
    if not refused:
        return DataError(f"{task}: {first.what}", fix=first.fix)
    return DataError("\n".join(refused), fix=first.fix)
