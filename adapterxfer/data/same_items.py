"""Whether fewer items of a parallel test set have to be chosen over all languages, since their ids differ. Torch-free.

Where every language has every id, the hashes of ids choose the same items in all of them, and stages have the keys that
they always had. Elsewhere the choice is over all languages, and the identity of the stage says so.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterxfer.catalog import TaskLike, name_of, parts_of_task, spec_of
from adapterxfer.data.examples import Example
from adapterxfer.data.files import HashCache
from adapterxfer.data.held_out import keep_tests
from adapterxfer.data.layouts import parse_roles
from adapterxfer.data.official import find
from adapterxfer.data.original import needed_under, read_tests
from adapterxfer.data.repeats import parallel_by
from adapterxfer.errors import DataError

SAME_ITEMS = "same_items"
"""Key of a ``source`` whose test items are chosen over all languages."""


def chooses_otherwise(
    task: TaskLike,
    data_root: str | Path | None,
    source: Mapping[str, Any],
    languages: Sequence[str],
    *,
    protocol: str,
    count: int,
    seed: int,
) -> bool:
    """Whether choosing over all languages gives other test items than choosing in each.

    Files are read for it, once: the answer is remembered with their hashes. Of a repository the catalogue decides:
    where languages share some ids only.

    Args:
        source: of the task, without the answer.
    """
    test = parts_of_task(task, protocol).test if spec_of(task) is not None else None
    if test is None or not (test.clusters.parallel or test.clusters.same_items):
        return False
    if source["kind"] != "files":
        return test.clusters.same_items == "ids"
    root, files = Path(data_root or ""), sorted(source.get("files") or ())
    if not files or not (root / files[0]).is_file():
        return False  # what is missing is said elsewhere

    def compute(_: Path) -> bool:
        return _differ(task, root, source, languages, protocol=protocol, count=count, seed=seed)

    cache = HashCache()
    asked = json.dumps([name_of(task), source, list(languages), protocol, count, seed], sort_keys=True)
    asked = hashlib.sha256(asked.encode()).hexdigest()
    answer = bool(cache.fact(root / files[0], f"#same-items/{asked}", compute))
    cache.save()
    return answer


def _differ(
    task: TaskLike,
    root: Path,
    source: Mapping[str, Any],
    languages: Sequence[str],
    *,
    protocol: str,
    count: int,
    seed: int,
) -> bool:
    layouts = source.get("layout") or {}
    roles = parse_roles(task, layouts) if layouts else {}
    needs = needed_under(find(task, source["files"], languages, protocol=protocol, without=roles), protocol)
    material = parts_of_task(task, protocol)
    assert material.test is not None
    try:
        tests = read_tests(task, root, needs, languages, layout=roles.get("test"), protocol=protocol, notes=Counter())
    except DataError:
        return False  # the run and `data check` say what is wrong with the files
    by = parallel_by(tests, material.test.clusters, material.format)
    alone = keep_tests(tests, count, seed)
    if not by or len({_items(tests[code], alone[code], by) for code in tests}) == 1:
        return False
    return alone != keep_tests(tests, count, seed, by=by)


def _items(examples: Sequence[Example], kept: Sequence[Example], by: str) -> frozenset[str | int]:
    """What names the kept items in every language: their ids, or their rows."""
    ids = {example.example_id for example in kept}
    if by == "ids":
        return frozenset(ids)
    return frozenset(row for row, example in enumerate(examples) if example.example_id in ids)
